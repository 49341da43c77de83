//! Hooks by which wrappers hand over the arguments of a call that is over.
//!
//! [`leave_asking`] and those that take the place of other hooks return 1 where the wrapper shall
//! hand the arguments over. Then it calls [`argument`] for each, and [`arguments_given`] at last.
//! In between, [`request_asking`] says whether it can find out what the thread is working on.
//!
//! Calls through trampolines have no wrapper. The trampoline keeps what they pass.

use std::sync::atomic::Ordering::Relaxed;

use soglia_core::{
    crossing::{Crossing, Side},
    layer::Layer,
    time,
    trace::arguments::{Arguments, Of, Request},
};

use soglia_trampolines::Passed;

use super::{
    hresults,
    layers::{Callee, SLOW, called, fail, function, recall},
    methods::enter,
};
use crate::{
    arguments::{
        self,
        request::{self, Method},
    },
    boundary, engine,
    source::returned::Slow,
    threads,
};

/// The arguments are not wanted.
const NOT: i32 = 0;

/// When the layer of a native call has been opened whose arguments are wanted while it is open.
/// Wrappers call it in preemptive mode.
pub extern "C" fn leave_asking(id: i64) -> i32 {
    let errno = boundary::errno();
    let about = threads::existing().and_then(|task| {
        let number = Layer::of(function(id), Side::Unmanaged);
        let layer = task.top().filter(|layer| layer.function == number)?;
        let (target, since) = (task.target(layer.slot), layer.since);
        Some(about(
            target,
            task.record().number.load(Relaxed),
            Of::Open,
            since,
        ))
    });
    about.map_or(NOT, |about| asked(id, about, errno))
}

/// After [`enter`], where there is more to do: [`enter_slow`](super::enter_slow). Wrappers call it
/// in preemptive mode.
pub extern "C" fn enter_slow_asking(id: i64) -> i32 {
    let errno = boundary::errno();
    recall().map_or(NOT, |slow| asked(id, about_slow(slow), errno))
}

/// After [`reverse_leave`](super::reverse_leave), where there is more to do:
/// [`reverse_leave_slow`](super::reverse_leave_slow). Wrappers call it in preemptive mode.
pub extern "C" fn reverse_leave_slow_asking(id: i64) -> i32 {
    enter_slow_asking(id)
}

/// After a call through a trampoline that has kept what the call passed.
pub(super) fn recall_passed(id: i64, passed: &Passed) {
    if let Some(slow) = recall() {
        boundary::fence((), || {
            if let Some(engine) = engine::get() {
                arguments::passed(engine, id, about_slow(slow), passed);
            }
        });
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

fn about_slow(slow: Slow) -> Arguments {
    about(slow.target, slow.task, Of::Slow, slow.at)
}

/// Whether the wrapper shall ask what its thread is working on. With 1: whether it can ask which
/// activity that is; with 2, which route. Wrappers call it in preemptive mode.
pub extern "C" fn request_asking(what: i64) -> i32 {
    let knows = |of| engine::get().is_some_and(|engine| request::knows(engine, of));
    let answer = || match what {
        0 => arguments::wants_request(),
        1 => knows(Method::Current),
        _ => knows(Method::Tag),
    };
    boundary::fence(false, answer).into()
}

fn about(target: u32, task: u32, of: Of, at: u64) -> Arguments {
    Arguments {
        target,
        task,
        of,
        at,
        failure: 0,
        returned: None,
        error: None,
        request: Request::default(),
        values: Vec::new(),
    }
}

fn asked(id: i64, about: Arguments, errno: i32) -> i32 {
    let begun = boundary::fence(false, || {
        engine::get().is_some_and(|engine| arguments::begin(engine, id, about, errno))
    });
    if begun { SLOW } else { NOT }
}
