//! Crossings told by wrappers that are woven around P/Invokes and callbacks when their module is loaded.
//!
//! A wrapper calls the hooks below, once on each side of the call. The quick ones are called without a GC transition, in
//! *cooperative* mode: the collector waits for them, so they do a few stores and nothing else. What needs more (a first
//! call, a slow one) they leave to their slow twins, which the wrapper calls as ordinary native functions, in preemptive mode.
//!
//! | hook | answers |
//! | --- | --- |
//! | `leave`, `reverse_enter` | 0: go on; 1: call the slow twin instead |
//! | `enter`, `reverse_leave` | 0: done; 1: done, but call the slow twin too |
//! | `leave_slow` | an HRESULT; a failure is thrown at the call site, and the call is not made |
//!
//! All but the slow ones keep errno, because they touch nothing that sets it; the slow ones restore it.

use std::sync::atomic::Ordering::Relaxed;

use soglia_abi::hresult::S_OK;
use soglia_core::{
    crossing::{Crossing, Side},
    fault::Fault,
    task::Who,
    time,
    trace::{log::Record, task_writer::TaskWriter},
};

use super::look_into;
use crate::{
    boundary,
    engine::{self, GENERATION, SHUT_DOWN, SLOW_TICKS},
    stacks, threads, weave,
};

/// Call the slow twin.
const SLOW: i32 = 1;
/// Nothing more to do.
const DONE: i32 = 0;

/// The number by which a task knows a woven call: unlike any function's, and aligned as those are.
#[inline(always)]
const fn function(id: i64) -> u64 {
    (id as u64) << 4
}

/// Before a native call. Called by wrappers in cooperative mode.
pub extern "C" fn leave(id: i64) -> i32 {
    open(Crossing::LeaveRuntime, id)
}

/// The same, where [`leave`] could not do it. Called in preemptive mode.
pub extern "C" fn leave_slow(id: i64) -> i32 {
    open_slow(Crossing::LeaveRuntime, id);
    S_OK.0
}

/// After a native call, also one that ended by an exception. Called in cooperative mode.
pub extern "C" fn enter(id: i64) -> i32 {
    close(Crossing::EnterRuntime, id)
}

/// When a native call has ended by an exception. Called in preemptive mode.
pub extern "C" fn enter_failed(id: i64) {
    close(Crossing::EnterRuntime, id);
}

/// Instead of a call that a policy refuses. Called in preemptive mode.
pub extern "C" fn refused(_id: i64) {}

/// Before a native call that is only counted. Called in cooperative mode.
pub extern "C" fn count(_id: i64) -> i32 {
    DONE
}

/// The same, where [`count`] could not do it. Called in preemptive mode.
pub extern "C" fn count_slow(_id: i64) {}

/// When native code has called managed code and that is only counted. Called in cooperative mode.
pub extern "C" fn reverse_count(_id: i64) -> i32 {
    DONE
}

/// The same, where [`reverse_count`] could not do it. Called in preemptive mode.
pub extern "C" fn reverse_count_slow(_id: i64) {}

/// After [`enter`], where there is more to do. Called in preemptive mode.
pub extern "C" fn enter_slow(_id: i64) {
    recall();
}

/// When native code has called managed code. Called in cooperative mode.
pub extern "C" fn reverse_enter(id: i64) -> i32 {
    open(Crossing::ReverseEnterRuntime, id)
}

/// The same, where [`reverse_enter`] could not do it. Called in preemptive mode.
pub extern "C" fn reverse_enter_slow(id: i64) {
    open_slow(Crossing::ReverseEnterRuntime, id);
}

/// Before managed code returns to native code. Called in cooperative mode.
pub extern "C" fn reverse_leave(id: i64) -> i32 {
    close(Crossing::ReverseLeaveRuntime, id)
}

/// Never asked for: [`reverse_leave`] is always done. Called in preemptive mode.
pub extern "C" fn reverse_leave_slow(_id: i64) {}

#[inline(always)]
fn open(crossing: Crossing, id: i64) -> i32 {
    let Some(task) = threads::existing() else {
        return SLOW;
    };
    let function = function(id);
    match task.slot(function, crossing.side(), GENERATION.load(Relaxed)) {
        Some(slot) => {
            task.cross(crossing, Who { function, slot }, time::now(), 0);
            DONE
        }
        None => SLOW,
    }
}

#[inline(always)]
fn close(crossing: Crossing, id: i64) -> i32 {
    let at = time::now();
    let Some(task) = threads::returning() else {
        return DONE;
    };
    let function = function(id);
    let mut more = DONE;
    if crossing == Crossing::EnterRuntime
        && let Some(top) = task.top()
        && top.function == function
    {
        let (slot, took) = (top.slot, at.saturating_sub(top.since));
        if took >= SLOW_TICKS.load(Relaxed) || task.ended(slot) == 0 {
            task.remember(slot, at, took);
            more = SLOW;
        }
    }
    task.cross(crossing, Who { function, slot: 0 }, at, 0);
    more
}

#[cold]
fn open_slow(crossing: Crossing, id: i64) {
    let Some(task) = threads::current(crossing) else {
        return;
    };
    let generation = GENERATION.load(Relaxed);
    let slot = boundary::fence(None, || {
        Some(first_call(task, crossing.side(), id, generation))
    });
    if let Some(slot) = slot {
        let function = function(id);
        task.cross(crossing, Who { function, slot }, time::now(), 0);
    }
}

fn first_call(task: &mut TaskWriter, side: Side, id: i64, generation: u32) -> u32 {
    let Some(engine) = engine::get() else {
        return 0;
    };
    if generation & SHUT_DOWN != 0 {
        task.fault(Fault::AfterShutdown);
    }
    let Some(woven) = weave::call(id) else {
        return 0;
    };
    let found = engine.target_named(&woven.names);
    let target = found.number;
    if found.new && side == Side::Unmanaged {
        let stack = stacks::current(engine);
        engine.recording.log(&Record::FirstCall { target, stack });
    }
    task.learn(function(id), side, target, generation & !SHUT_DOWN)
}

#[cold]
fn recall() {
    if let Some(task) = threads::existing()
        && let Some((slot, at, took)) = task.recall()
    {
        look_into(task, slot, at, took);
    }
}
