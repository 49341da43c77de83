//! What happens once when a native function returns for the first time on a task, and after slow
//! calls and callbacks.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use soglia_core::{
    crossing::Side,
    trace::{
        log::Record,
        overdue::HowEnded,
        task_writer::{Noted, TaskWriter},
    },
};

use crate::{
    boundary, deadline,
    engine::{self, Engine, SLOW_TICKS},
    mapped, stacks,
};

/// Targets that have returned, on any task.
static RETURNED: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Forgets them, when the recording has ended.
pub fn end() {
    let mut returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
    returned.clear();
}

/// A slow call or callback that was recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    pub(super) target: u32,
    pub(super) task: u32,
    /// Ticks when it returned.
    pub(super) at: u64,
}

/// Records the first return of a native function on this task, or a slow call or callback. Returns
/// the latter.
#[cold]
#[inline(never)]
pub(super) fn look_into(task: &mut TaskWriter) -> Option<Slow> {
    boundary::fence(None, || {
        let (Some(engine), Some(noted)) = (engine::get(), task.recall()) else {
            return None;
        };
        let (target, took) = (task.target(noted.slot), noted.took);
        let number = task.record().number.load(Relaxed);
        let is_native = noted.side == Side::Unmanaged;
        if is_native {
            native_returned(engine, number, target, noted);
        }
        if took >= SLOW_TICKS.load(Relaxed) && engine.take_slow() {
            // What is on the stack of a callback has led to the native code that called it.
            let stack = if is_native {
                stacks::current(engine)
            } else {
                0
            };
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

/// A native call has returned, which was the first one of its target on this task, or took long.
fn native_returned(engine: &Engine, task: u32, target: u32, noted: Noted) {
    deadline::ended(task, noted.since, noted.at, HowEnded::Returned);
    let first = {
        let mut returned = RETURNED.lock().unwrap_or_else(PoisonError::into_inner);
        returned.insert(target)
    };
    if first {
        let took = noted.took;
        engine.recording.log(&Record::FirstReturn { target, took });
    }
    engine.place(target);
    mapped::look(engine);
}
