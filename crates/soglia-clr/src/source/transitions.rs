//! Crossings from the CLR's own transition callbacks. They are complete, and cost about 70 ns each
//! before the engine does anything.
//!
//! | callback, reason | crossing |
//! | --- | --- |
//! | ManagedToUnmanagedTransition, CALL | LeaveRuntime |
//! | UnmanagedToManagedTransition, RETURN | EnterRuntime |
//! | UnmanagedToManagedTransition, CALL | ReverseEnterRuntime |
//! | ManagedToUnmanagedTransition, RETURN | ReverseLeaveRuntime |
//!
//! The CLR makes them on the crossing thread, in preemptive mode, and ignores their results.
//!
//! The engine reads the time last before a call goes on, and first when the call has returned. So
//! its own work is not part of the target's time.

use std::sync::atomic::Ordering::Relaxed;

use soglia_abi::{
    HRESULT, hresult,
    ids::FunctionId,
    profiler::types::{COR_PRF_TRANSITION_CALL, COR_PRF_TRANSITION_REASON},
};
use soglia_core::{
    crossing::{Crossing, Side},
    fault::Fault,
    task::Who,
    time,
    trace::{
        log::{Record, TargetNames},
        task_writer::{TaskWriter, Then},
    },
};

use super::{callers, returned::look_into};
use crate::{
    arch::stack_pointer,
    boundary,
    engine::{self, Engine, GENERATION, SHUT_DOWN, era, era_at},
    names::function_pointer,
    objects, stacks, threads,
};

/// `ICorProfilerCallback::ManagedToUnmanagedTransition`.
#[inline(always)]
pub fn managed_to_unmanaged(function: FunctionId, reason: COR_PRF_TRANSITION_REASON) -> HRESULT {
    if reason == COR_PRF_TRANSITION_CALL {
        open(Crossing::LeaveRuntime, function.0 as u64);
    } else {
        close(Crossing::ReverseLeaveRuntime, function.0 as u64);
    }
    hresult::S_OK
}

/// `ICorProfilerCallback::UnmanagedToManagedTransition`.
#[inline(always)]
pub fn unmanaged_to_managed(function: FunctionId, reason: COR_PRF_TRANSITION_REASON) -> HRESULT {
    if reason == COR_PRF_TRANSITION_CALL {
        open(Crossing::ReverseEnterRuntime, function.0 as u64);
    } else {
        close(Crossing::EnterRuntime, function.0 as u64);
    }
    hresult::S_OK
}

#[inline(always)]
fn open(crossing: Crossing, function: u64) {
    let Some(task) = threads::current(crossing) else {
        return;
    };
    let side = crossing.side();
    let slot = match task.slot(function, side, era()) {
        Some(slot) => slot,
        None => first_call(task, function, side),
    };
    task.cross(
        crossing,
        Who { function, slot },
        time::now(),
        stack_pointer(),
    );
}

#[inline(always)]
fn close(crossing: Crossing, function: u64) {
    let at = time::now();
    let Some(task) = threads::returning() else {
        return;
    };
    if task.cross(crossing, Who { function, slot: 0 }, at, 0) == Then::More {
        look_into(task);
    }
}

/// The first call of a function on this task, or the first since a module was unloaded or an object
/// was loaded.
///
/// The CLR has found the native function by now, so the engine looks up the target's place and its
/// first caller here. A call that never returns has them too.
#[cold]
#[inline(never)]
fn first_call(task: &mut TaskWriter, function: u64, side: Side) -> u32 {
    boundary::fence(0, || {
        let Some(engine) = engine::get() else {
            return 0;
        };
        let era = era_at(objects::epoch());
        if GENERATION.load(Relaxed) & SHUT_DOWN != 0 {
            task.fault(Fault::AfterShutdown);
        } else if let Some(slot) = task.slot(function, side, era) {
            return slot;
        }
        if engine.callers && function == 0 && side == Side::Unmanaged {
            return pointer_call(engine, task, era);
        }
        // The defect of dotnet/runtime#120151 occurs where a reverse stub calls its target,
        // directly after a callback has begun. Everywhere else the CLR passes valid functions.
        let suspect = task
            .top()
            .is_some_and(|top| top.side() == Side::Managed && top.inner == 0);
        let found = engine.target(FunctionId(function as usize), side, !suspect);
        let target = found.number;
        if found.unknown {
            task.fault(Fault::UnknownFunction);
        }
        if found.new && side == Side::Unmanaged {
            let stack = stacks::current(engine);
            engine.recording.log(&Record::FirstCall { target, stack });
            callers::first(engine, target, task.record().number.load(Relaxed));
            if let Some(signature) = engine.signature_of(FunctionId(function as usize), &found) {
                engine.signature(target, signature);
            }
        } else if side == Side::Unmanaged {
            callers::further(engine, target, task.record().number.load(Relaxed));
        }
        task.learn(function, side, target, era)
    })
}

/// A call by function pointer, about which the CLR says nothing, under the name of the calling
/// assembly. The task learns nothing for the number 0, so every such call comes here. That is slow,
/// and only for comparing sources.
fn pointer_call(engine: &'static Engine, task: &mut TaskWriter, era: u64) -> u32 {
    let caller = stacks::innermost(engine);
    // Functions have numbers that are multiples of four, so this is no function's.
    let number = caller.0 as u64 | 2;
    if let Some(slot) = task.slot(number, Side::Unmanaged, era) {
        return slot;
    }
    let assembly = engine.module_of(caller).and_then(|m| engine.assembly(m));
    let names = match assembly {
        Some((assembly, path)) => function_pointer(&assembly, &path),
        None => TargetNames::default(),
    };
    let target = engine.target_named(&names).number;
    task.learn(number, Side::Unmanaged, target, era)
}
