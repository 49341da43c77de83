//! What happens once when a target returns for the first time on a task, and after slow calls.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use soglia_core::trace::{log::Record, overdue::HowEnded, task_writer::TaskWriter};

use crate::{
    boundary, deadline,
    engine::{self, SLOW_TICKS},
    stacks,
};

/// Targets that have returned, on any task.
static RETURNED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Records the first return of a native function on this task, or a slow call.
#[cold]
#[inline(never)]
pub(super) fn look_into(task: &mut TaskWriter) {
    boundary::fence((), || {
        let (Some(engine), Some(noted)) = (engine::get(), task.recall()) else {
            return;
        };
        let (target, took) = (task.target(noted.slot), noted.took);
        let number = task.record().number.load(Relaxed);
        let since = noted.at.wrapping_sub(took);
        deadline::ended(number, since, noted.at, HowEnded::Returned);
        let first = {
            let mut returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
            returned.insert(target)
        };
        if first {
            engine.recording.log(&Record::FirstReturn { target, took });
        }
        engine.place(target);
        if took >= SLOW_TICKS.load(Relaxed) && engine.take_slow() {
            let stack = stacks::current(engine);
            engine.recording.log(&Record::Slow {
                target,
                task: number,
                at: noted.at,
                took,
                stack,
            });
        }
    });
}
