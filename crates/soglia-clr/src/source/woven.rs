//! Crossings told by wrappers that are woven around P/Invokes and callbacks when their module is loaded.
//!
//! A wrapper calls the hooks below, once on each side of the call. The quick ones are called without a GC transition, in
//! *cooperative* mode: the collector waits for them, so they do a few stores and nothing else. What needs more (a first
//! call, a slow one) they leave to their slow twins, which the wrapper calls as ordinary native functions, in preemptive mode. So no
//! quick hook asks the operating system for anything, allocates or locks. `crates/soglia-clr/tests/hot_path.rs` looks for that in the
//! instructions of the library, `crates/soglia-core/tests/at_once.rs` while crossings are told.
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

mod hresults;
mod native;
mod pointers;

pub use {hresults::hresult_thrown, native::*, pointers::*};

use crate::calls;
use std::sync::atomic::Ordering::Relaxed;

use soglia_abi::hresult::S_OK;
use soglia_core::{
    crossing::{Crossing, Side},
    fault::Fault,
    task::Who,
    time,
    trace::{
        log::Record,
        overdue::HowEnded,
        task_writer::{TaskWriter, Then},
    },
};

use super::returned::look_into;
use crate::{
    boundary, deadline,
    engine::{self, Engine, GENERATION, SHUT_DOWN, era_at},
    known::targets::Found,
    objects::{self, Epoch},
    stacks, threads,
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
    open(Crossing::LeaveRuntime, id)
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
    if hresults::take() {
        enter(id);
        recall();
    } else {
        fail(function(id));
    }
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
    open(Crossing::ReverseEnterRuntime, id)
}

/// The same, where [`reverse_enter`] could not do it. Called in preemptive mode.
pub extern "C" fn reverse_enter_slow(id: i64) {
    open_slow(Crossing::ReverseEnterRuntime, Callee::Woven(id));
}

/// Before managed code returns to native code. Called in cooperative mode.
pub extern "C" fn reverse_leave(id: i64) -> i32 {
    close(Crossing::ReverseLeaveRuntime, function(id))
}

/// After [`reverse_leave`], where there is more to do. Called in preemptive mode.
pub extern "C" fn reverse_leave_slow(_id: i64) {
    recall();
}

/// Before a native call that is only counted. Called in cooperative mode.
pub extern "C" fn count(id: i64) -> i32 {
    count_one(id)
}

/// The same, where [`count`] could not do it. Called in preemptive mode.
pub extern "C" fn count_slow(id: i64) {
    count_one_slow(Crossing::LeaveRuntime, Callee::Woven(id));
}

/// When native code has called managed code and that is only counted. Called in cooperative mode.
pub extern "C" fn reverse_count(id: i64) -> i32 {
    count_one(id)
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
    /// The same, and it is refused.
    Refused(i64, u64),
}

impl Callee {
    fn function(self) -> u64 {
        match self {
            Self::Woven(id) => function(id),
            Self::Pointer(_, pointer) => by_pointer(pointer),
            Self::Refused(_, pointer) => by_refused_pointer(pointer),
        }
    }

    fn target(self, engine: &Engine) -> Option<Found> {
        match self {
            Self::Woven(id) => engine.target_of(id),
            Self::Pointer(id, pointer) | Self::Refused(id, pointer) => {
                let caller = calls::call(id);
                let internal = caller.is_some_and(|caller| caller.names.runtime_internal);
                Some(engine.target_at(pointer, internal))
            }
        }
    }
}

/// Opens a layer of the wrapper's own.
#[inline(always)]
fn open(crossing: Crossing, id: i64) -> i32 {
    let Some(task) = threads::existing() else {
        return SLOW;
    };
    let Some(slot) = task.slot_of(id as usize, objects::loads()) else {
        return SLOW;
    };
    let function = function(id);
    match task.stamp() {
        Some(at) => then(task.cross_quietly(crossing, Who { function, slot }, at)),
        None => otherwise(crossing, task, function, slot),
    }
}

#[inline(always)]
fn close(crossing: Crossing, function: u64) -> i32 {
    let Some(task) = threads::existing() else {
        return without_task();
    };
    match task.stamp() {
        Some(at) => then(task.cross_quietly(crossing, Who { function, slot: 0 }, at)),
        None => otherwise(crossing, task, function, 0),
    }
}

/// With events, or without the CPU's counter. Called last by hooks, which need no frame then.
#[inline(always)]
fn otherwise(crossing: Crossing, task: &mut TaskWriter, function: u64, slot: u32) -> i32 {
    match crossing {
        Crossing::LeaveRuntime => by_any_clock::<1>(task, function, slot),
        Crossing::EnterRuntime => by_any_clock::<2>(task, function, slot),
        Crossing::ReverseEnterRuntime => by_any_clock::<3>(task, function, slot),
        Crossing::ReverseLeaveRuntime => by_any_clock::<4>(task, function, slot),
    }
}

#[inline(never)]
extern "C" fn by_any_clock<const CROSSING: usize>(
    task: &mut TaskWriter,
    function: u64,
    slot: u32,
) -> i32 {
    let who = Who { function, slot };
    then(task.cross_at_once(Crossing::ALL[CROSSING - 1], who, time::now()))
}

/// The return of a call that found no room for a task finds none either.
#[cold]
#[inline(never)]
extern "C" fn without_task() -> i32 {
    threads::returning();
    DONE
}

#[inline(always)]
const fn then(then: Then) -> i32 {
    const _: () = assert!(Then::GoOn as i32 == DONE && Then::More as i32 == SLOW);
    (then as u32).cast_signed()
}

#[inline(always)]
fn count_one(id: i64) -> i32 {
    let Some(task) = threads::existing() else {
        return SLOW;
    };
    match task.slot_of(id as usize, objects::loads()) {
        Some(slot) => then(task.count(slot)),
        None => SLOW,
    }
}

#[cold]
fn open_slow(crossing: Crossing, callee: Callee) {
    if let Some((task, slot)) = called(crossing, callee) {
        let function = callee.function();
        boundary::keeping_errno(|| task.prepare());
        task.cross(crossing, Who { function, slot }, time::now(), 0);
    }
}

#[cold]
fn count_one_slow(crossing: Crossing, callee: Callee) {
    if let Some((task, slot)) = called(crossing, callee) {
        task.count_anyway(slot);
    }
}

#[cold]
fn fail(function: u64) {
    let at = time::now();
    if let Some(task) = threads::returning() {
        let (depth, since) = (task.depth(), task.top().map(|layer| layer.since));
        task.fail(function, at);
        if let Some(since) = since.filter(|_| task.depth() + 1 == depth) {
            let number = task.record().number.load(Relaxed);
            boundary::fence((), || deadline::ended(number, since, at, HowEnded::Failed));
        }
    }
}

#[cold]
fn recall() {
    if let Some(task) = threads::existing() {
        boundary::keeping_errno(|| task.settle());
        look_into(task);
    }
}

/// The running thread's task, and where it accounts this call. In preemptive mode, or on a thread that the CLR does not know.
#[cold]
fn called(crossing: Crossing, callee: Callee) -> Option<(&'static mut TaskWriter, u32)> {
    let task = threads::current(crossing)?;
    let (side, epoch) = (crossing.side(), objects::epoch());
    task.catch_up(epoch.loads, epoch.unloads);
    let slot = match (task_slot(task, side, callee, epoch), engine::get()) {
        (Some(slot), _) => slot,
        (None, Some(engine)) => {
            boundary::fence(None, || first_call(engine, task, side, callee, epoch))?
        }
        (None, None) => return None,
    };
    Some((task, slot))
}

/// The slot, if this was called before on this task.
fn task_slot(task: &TaskWriter, side: Side, callee: Callee, epoch: Epoch) -> Option<u32> {
    if GENERATION.load(Relaxed) & SHUT_DOWN != 0 {
        return None;
    }
    match callee {
        Callee::Woven(id) => task.slot_of(id as usize, epoch.loads),
        Callee::Pointer(..) | Callee::Refused(..) => {
            task.slot(callee.function(), side, era_at(epoch))
        }
    }
}

/// The first call of a target on this task, or one that the task has forgotten.
fn first_call(
    engine: &'static Engine,
    task: &mut TaskWriter,
    side: Side,
    callee: Callee,
    epoch: Epoch,
) -> Option<u32> {
    if GENERATION.load(Relaxed) & SHUT_DOWN != 0 {
        task.fault(Fault::AfterShutdown);
    }
    let found = callee.target(engine)?;
    let target = found.number;
    if found.new && side == Side::Unmanaged {
        let stack = stacks::current(engine);
        engine.recording.log(&Record::FirstCall { target, stack });
    }
    Some(match callee {
        Callee::Woven(id) if found.stays => task.learn_id(id as usize, side, target),
        Callee::Woven(_) => task.slot_for(side, target),
        Callee::Pointer(..) | Callee::Refused(..) => {
            task.learn(callee.function(), side, target, era_at(epoch))
        }
    })
}
