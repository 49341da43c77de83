//! Crossings told by wrappers that are woven around P/Invokes and callbacks when their module is loaded.
//!
//! A wrapper calls the hooks below, once on each side of the call. The quick ones are called without a GC transition, in
//! *cooperative* mode: the collector waits for them, so they do a few stores and nothing else. What needs more (a first
//! call, a slow one) they leave to their slow twins, which the wrapper calls as ordinary native functions, in preemptive mode.
//!
//! | hook | answers |
//! | --- | --- |
//! | `leave`, `reverse_enter`, `count`, `reverse_count` | 0: go on; 1: call the slow twin instead |
//! | `enter`, `reverse_leave` | 0: done; 1: done, but call the slow twin too |
//! | `leave_slow` | an HRESULT; a failure is thrown at the call site, and the call is not made |
//!
//! Those with `failed` in their names take the place of `enter` and its twin when a call has ended by an exception. [`pointers`] has
//! the same for calls by function pointer, and [`native`] hooks for native code of ours, which calls them in preemptive mode.
//!
//! All but the slow ones keep errno, because they touch nothing that sets it; the slow ones restore it.

#[allow(dead_code, reason = "trampolines are to come")]
mod native;
#[allow(dead_code, reason = "trampolines are to come")]
mod pointers;

#[allow(unused_imports, reason = "as above")]
pub use {native::*, pointers::*};

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
    engine::{self, Engine, GENERATION, SHUT_DOWN, SLOW_TICKS},
    names::Found,
    stacks, threads, weave,
};

/// Call the slow twin.
const SLOW: i32 = 1;
/// Nothing more to do.
const DONE: i32 = 0;

/// The number by which a task knows a woven call: unlike that of any function pointer, and aligned as functions are.
#[inline(always)]
const fn function(id: i64) -> u64 {
    (id as u64) << 4
}

/// Before a native call. Called by wrappers in cooperative mode.
pub extern "C" fn leave(id: i64) -> i32 {
    open(Crossing::LeaveRuntime, function(id))
}

/// The same, where [`leave`] could not do it. Called in preemptive mode.
pub extern "C" fn leave_slow(id: i64) -> i32 {
    open_slow(Crossing::LeaveRuntime, Callee::Woven(id));
    S_OK.0
}

/// When a native call has returned. Called in cooperative mode.
pub extern "C" fn enter(id: i64) -> i32 {
    close(Crossing::EnterRuntime, function(id))
}

/// After [`enter`], where there is more to do. Called in preemptive mode.
pub extern "C" fn enter_slow(_id: i64) {
    recall();
}

/// When a native call has ended by an exception. Called in preemptive mode.
pub extern "C" fn enter_failed(id: i64) {
    fail(function(id));
}

/// Instead of a native call that a policy refuses. Called in preemptive mode.
pub extern "C" fn refused(id: i64) {
    let callee = Callee::Woven(id);
    if let Some((task, slot)) = called(Crossing::LeaveRuntime, callee) {
        task.refuse(slot, time::now());
    }
}

/// When native code has called managed code. Called in cooperative mode.
pub extern "C" fn reverse_enter(id: i64) -> i32 {
    open(Crossing::ReverseEnterRuntime, function(id))
}

/// The same, where [`reverse_enter`] could not do it. Called in preemptive mode.
pub extern "C" fn reverse_enter_slow(id: i64) {
    open_slow(Crossing::ReverseEnterRuntime, Callee::Woven(id));
}

/// Before managed code returns to native code. Called in cooperative mode.
pub extern "C" fn reverse_leave(id: i64) -> i32 {
    close(Crossing::ReverseLeaveRuntime, function(id))
}

/// Never asked for: [`reverse_leave`] is always done. Called in preemptive mode.
pub extern "C" fn reverse_leave_slow(_id: i64) {}

/// Before a native call that is only counted. Called in cooperative mode.
pub extern "C" fn count(id: i64) -> i32 {
    count_one(Crossing::LeaveRuntime, function(id))
}

/// The same, where [`count`] could not do it. Called in preemptive mode.
pub extern "C" fn count_slow(id: i64) {
    count_one_slow(Crossing::LeaveRuntime, Callee::Woven(id));
}

/// When native code has called managed code and that is only counted. Called in cooperative mode.
pub extern "C" fn reverse_count(id: i64) -> i32 {
    count_one(Crossing::ReverseEnterRuntime, function(id))
}

/// The same, where [`reverse_count`] could not do it. Called in preemptive mode.
pub extern "C" fn reverse_count_slow(id: i64) {
    count_one_slow(Crossing::ReverseEnterRuntime, Callee::Woven(id));
}

/// Whether calls are only counted. Wrappers are made for one or the other; this is for hooks that are called in both cases.
#[inline]
fn only_counts() -> bool {
    engine::get().is_some_and(Engine::counts)
}

/// Who is called, for what is done once.
#[derive(Clone, Copy)]
enum Callee {
    /// By the wrapper with this id.
    Woven(i64),
    /// By the wrapper with this id, what this pointer points to.
    Pointer(i64, u64),
}

impl Callee {
    fn function(self) -> u64 {
        match self {
            Self::Woven(id) => function(id),
            Self::Pointer(_, pointer) => by_pointer(pointer),
        }
    }

    fn target(self, engine: &Engine) -> Option<Found> {
        match self {
            Self::Woven(id) => Some(engine.target_named(&weave::call(id)?.names)),
            Self::Pointer(id, pointer) => {
                let caller = weave::call(id);
                let internal = caller.is_some_and(|caller| caller.names.runtime_internal);
                Some(engine.target_at(pointer, internal))
            }
        }
    }
}

#[inline(always)]
fn open(crossing: Crossing, function: u64) -> i32 {
    let Some(task) = threads::existing() else {
        return SLOW;
    };
    match task.slot(function, crossing.side(), GENERATION.load(Relaxed)) {
        Some(slot) => {
            task.cross(crossing, Who { function, slot }, time::now(), 0);
            DONE
        }
        None => SLOW,
    }
}

#[inline(always)]
fn close(crossing: Crossing, function: u64) -> i32 {
    let at = time::now();
    let Some(task) = threads::returning() else {
        return DONE;
    };
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

#[inline(always)]
fn count_one(crossing: Crossing, function: u64) -> i32 {
    let Some(task) = threads::existing() else {
        return SLOW;
    };
    match task.slot(function, crossing.side(), GENERATION.load(Relaxed)) {
        Some(slot) => {
            task.count(slot);
            DONE
        }
        None => SLOW,
    }
}

#[cold]
fn open_slow(crossing: Crossing, callee: Callee) {
    if let Some((task, slot)) = called(crossing, callee) {
        let function = callee.function();
        task.cross(crossing, Who { function, slot }, time::now(), 0);
    }
}

#[cold]
fn count_one_slow(crossing: Crossing, callee: Callee) {
    if let Some((task, slot)) = called(crossing, callee) {
        task.count(slot);
    }
}

#[cold]
fn fail(function: u64) {
    let at = time::now();
    if let Some(task) = threads::returning() {
        task.fail(function, at);
    }
}

#[cold]
fn recall() {
    if let Some(task) = threads::existing()
        && let Some((slot, at, took)) = task.recall()
    {
        look_into(task, slot, at, took);
    }
}

/// The running thread's task, and where it accounts this call. In preemptive mode, or on a thread that the CLR does not know.
#[cold]
fn called(crossing: Crossing, callee: Callee) -> Option<(&'static mut TaskWriter, u32)> {
    let task = threads::current(crossing)?;
    let (function, side) = (callee.function(), crossing.side());
    let generation = GENERATION.load(Relaxed);
    let slot = match task.slot(function, side, generation) {
        Some(slot) => slot,
        None => boundary::fence(None, || first_call(task, side, callee, generation))?,
    };
    Some((task, slot))
}

/// The first call of a target on this task, or one that the task has forgotten.
fn first_call(task: &mut TaskWriter, side: Side, callee: Callee, generation: u32) -> Option<u32> {
    let engine = engine::get()?;
    if generation & SHUT_DOWN != 0 {
        task.fault(Fault::AfterShutdown);
    }
    let found = callee.target(engine)?;
    let target = found.number;
    if found.new && side == Side::Unmanaged {
        let stack = stacks::current(engine);
        engine.recording.log(&Record::FirstCall { target, stack });
    }
    Some(task.learn(callee.function(), side, target, generation & !SHUT_DOWN))
}
