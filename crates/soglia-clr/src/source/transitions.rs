//! Crossings told by the CLR's own transition callbacks: complete, and some 70 ns each before we do anything.
//!
//! | callback, reason | crossing |
//! | --- | --- |
//! | ManagedToUnmanagedTransition, CALL | LeaveRuntime |
//! | UnmanagedToManagedTransition, RETURN | EnterRuntime |
//! | UnmanagedToManagedTransition, CALL | ReverseEnterRuntime |
//! | ManagedToUnmanagedTransition, RETURN | ReverseLeaveRuntime |
//!
//! They come on the crossing thread, in preemptive mode, and their answer is ignored.
//!
//! When the time is taken: as the last thing before a call goes on and as the first when it has returned, so that our
//! own work is not in the target's time.

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

use super::returned::look_into;
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

/// The first call of a function on this task, or the first since a module was unloaded, or since an object was loaded.
///
/// By now the CLR has found the native function, so this is where a target's place and its first caller are looked up:
/// a call that never returns shall have them too.
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
        // The defect of dotnet/runtime#120151 strikes where a reverse stub calls its target: first thing after a callback
        // has begun. Everywhere else the CLR knows what it says.
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
        }
        task.learn(function, side, target, era)
    })
}

/// A call by function pointer, of which the CLR says nothing, under the name of the assembly that makes it. What is learned is not
/// the number 0, so that every such call comes here: as slow as it is, it is for comparing sources only.
fn pointer_call(engine: &'static Engine, task: &mut TaskWriter, era: u64) -> u32 {
    let caller = stacks::innermost(engine);
    // Unlike any function's number, which are multiples of four.
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
