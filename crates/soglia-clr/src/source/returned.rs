//! What happens once when a target returns for the first time on a task, and after slow calls.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use soglia_core::trace::{log::Record, overdue::HowEnded, task_writer::TaskWriter};

use crate::{
    boundary, deadline,
    engine::{self, SLOW_TICKS},
    mapped, stacks,
};

/// Targets that have returned, on any task.
static RETURNED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Forgets them, when the recording has ended.
pub fn end() {
    let mut returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
    returned.clear();
}

/// A slow call that was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    pub(super) target: u32,
    pub(super) task: u32,
    /// Ticks when it returned.
    pub(super) at: u64,
}

/// Records the first return of a native function on this task, or a slow call. Returns the
/// latter.
#[cold]
#[inline(never)]
pub(super) fn look_into(task: &mut TaskWriter) -> Option<Slow> {
    boundary::fence(None, || {
        let (Some(engine), Some(noted)) = (engine::get(), task.recall()) else {
            return None;
        };
        let (target, took) = (task.target(noted.slot), noted.took);
        let number = task.record().number.load(Relaxed);
        deadline::ended(number, noted.since, noted.at, HowEnded::Returned);
        let first = {
            let mut returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
            returned.insert(target)
        };
        if first {
            engine.recording.log(&Record::FirstReturn { target, took });
        }
        engine.place(target);
        mapped::look(engine);
        if took >= SLOW_TICKS.load(Relaxed) && engine.take_slow() {
            let stack = stacks::current(engine);
            engine.recording.log(&Record::Slow {
                target,
                task: number,
                at: noted.at,
                took,
                stack,
            });
            return Some(Slow {
                target,
                task: number,
                at: noted.at,
            });
        }
        None
    })
}
