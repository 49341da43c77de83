//! Hooks by which wrappers hand over the arguments of a call that is over.
//!
//! Each of the first three takes the place of another hook, and returns 1 where the wrapper shall
//! hand the arguments over. Then it calls [`argument`] for each, and [`arguments_given`] at last.

use std::sync::atomic::Ordering::Relaxed;

use soglia_core::{
    crossing::Crossing,
    time,
    trace::arguments::{Arguments, Of},
};

use super::{
    hresults,
    layers::{Callee, SLOW, called, fail, function, recall},
    methods::enter,
};
use crate::{arguments, boundary, engine, threads};

/// The arguments are not wanted.
const NOT: i32 = 0;

/// After [`enter`], where there is more to do: [`enter_slow`](super::enter_slow). Wrappers call it
/// in preemptive mode.
pub extern "C" fn enter_slow_asking(id: i64) -> i32 {
    let errno = boundary::errno();
    match recall() {
        Some(slow) => {
            let about = about(slow.target, slow.task, Of::Slow, slow.at);
            asked(id, about, errno)
        }
        None => NOT,
    }
}

/// When a native call has ended by an exception: [`enter_failed`](super::enter_failed). Wrappers
/// call it in preemptive mode.
pub extern "C" fn enter_failed_asking(id: i64) -> i32 {
    let errno = boundary::errno();
    if hresults::take() {
        enter(id);
        return enter_slow_asking(id);
    }
    let target = threads::existing().and_then(|task| {
        let slot = task.top()?.slot;
        Some((task.target(slot), task.record().number.load(Relaxed)))
    });
    let at = time::now();
    match (fail(function(id)), target) {
        (Some(failure), Some((target, task))) => {
            let about = about(target, task, Of::Failed, at);
            asked(id, Arguments { failure, ..about }, errno)
        }
        _ => NOT,
    }
}

/// When a policy has denied a native call. Wrappers call it in preemptive mode.
pub extern "C" fn denied_asking(id: i64) -> i32 {
    let errno = boundary::errno();
    let Some((task, slot)) = called(Crossing::LeaveRuntime, Callee::Woven(id)) else {
        return NOT;
    };
    let number = task.record().number.load(Relaxed);
    let about = about(task.target(slot), number, Of::Denied, time::now());
    asked(id, about, errno)
}

/// A value that the wrapper hands over: which one and in which form, and the value in two words.
/// Wrappers call it in preemptive mode.
pub extern "C" fn argument(key: i64, a: i64, b: i64) {
    boundary::fence((), || {
        // SAFETY: the code that `weave/arguments` writes passes what `key` says. References and
        // objects are pinned, and all other addresses are of its own frame.
        unsafe { arguments::give(key, a, b) };
    });
}

/// There are no more values. Wrappers call it in preemptive mode.
pub extern "C" fn arguments_given(id: i64) {
    arguments::end(id);
}

const fn about(target: u32, task: u32, of: Of, at: u64) -> Arguments {
    Arguments {
        target,
        task,
        of,
        at,
        failure: 0,
        returned: None,
        error: None,
        values: Vec::new(),
    }
}

fn asked(id: i64, about: Arguments, errno: i32) -> i32 {
    let begun = boundary::fence(false, || {
        engine::get().is_some_and(|engine| arguments::begin(engine, id, about, errno))
    });
    if begun { SLOW } else { NOT }
}
