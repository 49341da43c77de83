//! Slots: at most N tasks run managed code at a time, as in a host that schedules tasks by itself.
//!
//! A task needs a slot to run managed code. It gives its slot back where it leaves managed code ([`Slots::leave`],
//! [`Slots::reverse_leave`]), and takes one where it comes back ([`Slots::enter`], [`Slots::reverse_enter`]). If none is
//! free it waits in line; a slot that is given back goes to the first in line, so nobody is overtaken.
//!
//! ```
//! use soglia_core::admission::{Slots, Holder, Thread, look_at};
//!
//! let slots = Slots::new(2.try_into().unwrap(), None, look_at);
//! let mut task = Holder::new(Thread::current());
//! slots.leave(&mut task)?; // nothing to give yet: its thread has begun in managed code without a slot
//! slots.enter(&mut task)?; // the native call has returned
//! assert_eq!(slots.free(), 1);
//! slots.leave(&mut task)?;
//! assert_eq!(slots.free(), 2);
//! # Ok::<(), soglia_core::admission::Refusal>(())
//! ```
//!
//! # Slots of sleepers
//!
//! A task that holds a slot may block in managed code, in a lock or a sleep, which nobody tells. Whom it waits for may wait in
//! line for its slot. Therefore one of those in line looks at the holders' threads every few milliseconds. Whose thread sleeps, and has slept without a break
//! since the last look, is not running managed code: its slot is *lent*, to the first in line. When the sleeper wakes, it goes on without a slot, so that more than N tasks may
//! run until its next crossing, and there it has nothing to give. So nobody waits for ever for a slot unless N tasks run managed code for ever.
//!
//! # Who gives way
//!
//! A task may look again and again whether another one has done something, and let others run meanwhile
//! (`Thread.Yield`, `Thread.Sleep(0)`). The other one may need its slot. So there it hands its slot to the first in line,
//! if anybody is in line, and waits at the end of the line itself ([`Slots::give_way`]). A task that sleeps for a time of its own choice
//! gives its slot back to the line for as long ([`Slots::rest`], [`Slots::wake`]).
//!
//! # What a task is told
//!
//! | | |
//! | --- | --- |
//! | [`Refusal::TimedOut`] | no slot came free within the limit. After [`Slots::enter`] the task goes on without one. Not in a region that delays aborts: there a task waits without limit |
//! | [`Refusal::Abandoned`] | the slot's last owner has died: its thread is gone, and nobody has told its end ([`Slots::end`]). That is found while somebody waits; one task is told, the next that takes that slot. After [`Slots::enter`] it holds the slot. In a region that delays aborts a task is not told |
//! | [`Refusal::NotOwner`] | a task gives what it cannot own: it has left already, or no callback is open |
//! | [`Refusal::Unexpected`] | a region is ended that was not begun, or aborts are delayed twice |
//!
//! A task that begins or ends thread affinity comes back on its thread whatever happens, as tasks are threads: the region is counted, and nothing else is to be done.

mod bound;
mod holder;
mod line;
mod proc;
mod refusal;
mod slots;
mod token;

pub use bound::Bound;
pub use holder::Holder;
pub use line::waiting;
pub use proc::{Doing, Thread, look_at};
pub use refusal::Refusal;
pub use slots::{Figures, Slots};
