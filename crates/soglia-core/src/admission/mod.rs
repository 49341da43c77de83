//! Slots: at most N tasks run managed code at a time, as in a host that schedules tasks itself.
//!
//! A task needs a slot to run managed code. It gives its slot back when it leaves managed code
//! ([`Slots::leave`], [`Slots::reverse_leave`]), and takes one when it comes back
//! ([`Slots::enter`], [`Slots::reverse_enter`]). If no slot is free, the task waits in line. A slot
//! that is given back goes to the first in line, so no task overtakes another.
//!
//! ```
//! use soglia_core::admission::{Holder, Slots, Thread, look_at};
//!
//! let slots = Slots::new(2.try_into().unwrap(), None, look_at);
//! let mut task = Holder::new(Thread::current());
//! slots.leave(&mut task)?; // nothing to give yet: its thread began in managed code without a slot
//! slots.enter(&mut task)?; // the native call has returned
//! assert_eq!(slots.free(), 1);
//! slots.leave(&mut task)?;
//! assert_eq!(slots.free(), 2);
//! # Ok::<(), soglia_core::admission::Refusal>(())
//! ```
//!
//! # Slots of sleepers
//!
//! A task that holds a slot may block in managed code, in a lock or a sleep, without a crossing.
//! The task for which it waits may itself wait in line for a slot. Therefore one of the tasks in
//! line looks at the holders' threads every few milliseconds. A thread found asleep twice in the
//! same sleep is not running managed code. Its slot is *lent* to the first in line. When the
//! sleeper wakes up, it goes on without a slot, so more than N tasks may run until its next
//! crossing, where it has nothing to give back. So no task waits for ever, unless N tasks run
//! managed code for ever.
//!
//! # Giving way
//!
//! A task may look again and again whether another task has done something, and let others run
//! meanwhile (`Thread.Yield`, `Thread.Sleep(0)`). The other task may need its slot. So the task
//! hands its slot to the first in line, if there is one, and waits at the end of the line itself
//! ([`Slots::give_way`]). A task that sleeps for a given time gives its slot to the line for as
//! long ([`Slots::rest`], [`Slots::wake`]). One that waits for what others do has no slot
//! meanwhile ([`Slots::park`], [`Slots::wake`]).
//!
//! # Errors
//!
//! | error | meaning |
//! | --- | --- |
//! | [`Refusal::TimedOut`] | no slot came free within the limit |
//! | [`Refusal::Abandoned`] | the last owner of the slot has died |
//! | [`Refusal::NotOwner`] | a task gives a slot back that it cannot own |
//! | [`Refusal::Unexpected`] | a region is ended that was not begun, or aborts are delayed twice |
//!
//! - After `TimedOut` from [`Slots::enter`], the task goes on without a slot. In a region that
//!   delays aborts, a task waits without limit instead.
//! - An owner has died if its thread is gone without a call of [`Slots::end`]. A task that waits
//!   finds that. The next task that takes the slot gets `Abandoned`, once. After [`Slots::enter`]
//!   it holds the slot. In a region that delays aborts, a task does not get this error.
//! - A task owns no slot that it could give if it has left already, or if no callback is open.
//!
//! Tasks are threads, so a task that begins or ends thread affinity always comes back on its
//! thread. The region is only counted.

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
