//! Slots: at most N tasks run managed code at a time, as in a host that schedules tasks by itself.
//!
//! A task needs a slot to run managed code. It gives its slot back where it leaves managed code ([`Slots::leave`],
//! [`Slots::reverse_leave`]), and takes one where it comes back ([`Slots::enter`], [`Slots::reverse_enter`]). If none is
//! free it waits in line; a slot that is given back goes to the first in line, so nobody is overtaken.
//!
//! ```
//! use soglia_core::admission::{Slots, Task, Thread, look_at};
//!
//! let slots = Slots::new(2.try_into().unwrap(), None, look_at);
//! let mut task = Task::new(Thread::current());
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
mod line;
mod proc;
mod slots;
mod task;

pub use bound::Bound;
pub use line::waiting;
pub use proc::{Thread, look_at};
pub use slots::{Figures, Slots};
pub use task::Task;

/// What a thread does when it is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// It runs, or would if it had a processor.
    Runs,
    /// It sleeps. The number is the same for two looks at the same sleep.
    Sleeps(u64),
    /// There is no such thread any more.
    Gone,
}

/// Why a crossing was not taken as it should be. One for each HRESULT that a host may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `HOST_E_TIMEOUT`.
    #[error("no slot came free in time")]
    TimedOut,
    /// `HOST_E_NOT_OWNER`.
    #[error("the task does not own a slot that it could give")]
    NotOwner,
    /// `HOST_E_ABANDONED`.
    #[error("the last owner of the slot died with it")]
    Abandoned,
    /// `E_UNEXPECTED`.
    #[error("the region was not begun, or is begun already")]
    Unexpected,
}
