//! What all hooks do: find the task and the slot of a call, open a layer, close it.

use std::sync::atomic::Ordering::Relaxed;

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

use crate::{
    boundary, calls, deadline,
    engine::{self, Engine, GENERATION, SHUT_DOWN, era_at},
    failures,
    known::targets::Found,
    mapped,
    objects::{self, Epoch},
    source::{
        callers,
        returned::{Slow, look_into},
    },
    stacks, threads,
};

/// The wrapper shall call the slow twin.
pub(super) const SLOW: i32 = 1;
/// There is nothing more to do.
pub(super) const DONE: i32 = 0;

/// The number by which a task knows a woven call. No function pointer has it, and it is aligned as
/// functions are.
#[inline(always)]
pub(super) const fn function(id: i64) -> u64 {
    (id as u64) << 4
}

/// The number by which a task knows a function pointer: the pointer, in a range of its own.
pub(super) const fn by_pointer(pointer: u64) -> u64 {
    pointer | 1 << 61
}

/// The number by which a task knows a function pointer that a policy denies.
const fn by_refused_pointer(pointer: u64) -> u64 {
    pointer | 3 << 60
}

/// Whether calls are only counted. Wrappers are made for one or the other; this is for hooks that
/// are called in both cases.
#[inline]
pub(super) fn only_counts() -> bool {
    engine::get().is_some_and(Engine::counts)
}

/// The callee, for what is done once.
#[derive(Clone, Copy)]
pub(super) enum Callee {
    /// The function that the wrapper with this number calls.
    Woven(i64),
    /// What this pointer points to, called by the wrapper with this number.
    Pointer(i64, u64),
    /// The same, where a policy denies it.
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

/// Opens a layer, where the wrapper's own hook has all that it needs.
#[inline(always)]
pub(super) fn open(crossing: Crossing, id: i64) -> i32 {
    let Some(task) = threads::existing() else {
        return not_yet_a_task();
    };
    let Some(slot) = task.slot_of(id as usize, objects::loads()) else {
        return SLOW;
    };
    cross(crossing, task, function(id), slot)
}

#[inline(always)]
pub(super) fn close(crossing: Crossing, function: u64) -> i32 {
    let Some(task) = threads::existing() else {
        return without_task();
    };
    cross(crossing, task, function, 0)
}

/// Takes a crossing of this task. What is out of line is called last, so that a hook which times
/// by sample needs no frame.
#[inline(always)]
pub(super) fn cross(crossing: Crossing, task: &mut TaskWriter, function: u64, slot: u32) -> i32 {
    if task.is_sampled() {
        return then(task.cross_by_sample(crossing, Who { function, slot }));
    }
    match crossing {
        Crossing::LeaveRuntime => by_each_call::<1>(task, function, slot),
        Crossing::EnterRuntime => by_each_call::<2>(task, function, slot),
        Crossing::ReverseEnterRuntime => by_each_call::<3>(task, function, slot),
        Crossing::ReverseLeaveRuntime => by_each_call::<4>(task, function, slot),
    }
}

/// Where each call is timed.
#[inline(never)]
extern "C" fn by_each_call<const CROSSING: usize>(
    task: &mut TaskWriter,
    function: u64,
    slot: u32,
) -> i32 {
    let crossing = const { Crossing::ALL[CROSSING - 1] };
    match task.stamp() {
        Some(at) => then(task.cross_quietly(crossing, Who { function, slot }, at)),
        None => by_any_clock::<CROSSING>(task, function, slot),
    }
}

/// The same with events, or without the CPU's counter.
#[inline(never)]
extern "C" fn by_any_clock<const CROSSING: usize>(
    task: &mut TaskWriter,
    function: u64,
    slot: u32,
) -> i32 {
    let who = Who { function, slot };
    then(task.cross_at_once(Crossing::ALL[CROSSING - 1], who, time::now()))
}

/// The thread becomes a task in the slow twin, unless nothing is recorded any more.
#[cold]
#[inline(never)]
pub(super) extern "C" fn not_yet_a_task() -> i32 {
    if threads::have_stopped() { DONE } else { SLOW }
}

/// Closes a call that found no room for a task: there is no layer to close.
#[cold]
#[inline(never)]
extern "C" fn without_task() -> i32 {
    threads::returning();
    DONE
}

#[inline(always)]
pub(super) const fn then(then: Then) -> i32 {
    const _: () = assert!(Then::GoOn as i32 == DONE && Then::More as i32 == SLOW);
    (then as u32).cast_signed()
}

#[inline(always)]
pub(super) fn count_one(id: i64) -> i32 {
    let Some(task) = threads::existing() else {
        return not_yet_a_task();
    };
    match task.slot_of(id as usize, objects::loads()) {
        Some(slot) => then(task.count(slot)),
        None => SLOW,
    }
}

#[cold]
pub(super) fn open_slow(crossing: Crossing, callee: Callee) {
    if let Some((task, slot)) = called(crossing, callee) {
        let function = callee.function();
        boundary::keeping_errno(|| task.prepare());
        task.cross(crossing, Who { function, slot }, time::now(), 0);
    }
}

#[cold]
pub(super) fn count_one_slow(crossing: Crossing, callee: Callee) {
    if let Some((task, slot)) = called(crossing, callee) {
        task.count_anyway(slot);
    }
}

/// Closes a call that ends by an exception. Returns the number of the record of that kind of
/// failure, if this is the first one.
#[cold]
pub(super) fn fail(function: u64) -> Option<u32> {
    let at = time::now();
    let mut first = None;
    if let Some(task) = threads::returning() {
        let (depth, since) = (task.depth(), task.top().map(|layer| layer.since));
        task.fail(function, at);
        if let Some(since) = since.filter(|_| task.depth() + 1 == depth) {
            let number = task.record().number.load(Relaxed);
            first = boundary::fence(None, || {
                let first = failures::ended(depth, since);
                deadline::ended(number, since, at, HowEnded::Failed);
                first
            });
        }
    }
    first
}

/// Looks into the return that was noted last. Returns it, if the call was recorded as slow.
#[cold]
pub(super) fn recall() -> Option<Slow> {
    let task = threads::existing()?;
    boundary::keeping_errno(|| task.settle());
    look_into(task)
}

/// The running thread's task, and its slot for this call. In preemptive mode, or on a thread that
/// the CLR does not know.
#[cold]
pub(super) fn called(crossing: Crossing, callee: Callee) -> Option<(&'static mut TaskWriter, u32)> {
    let task = threads::current(crossing)?;
    let (side, epoch) = (crossing.side(), objects::epoch());
    task.catch_up(epoch.mark(), epoch.unloads);
    let chosen = task.reopen() && side == Side::Unmanaged;
    let slot = match (task_slot(task, side, callee, epoch), engine::get()) {
        (Some(slot), Some(engine)) if chosen => {
            let number = task.record().number.load(Relaxed);
            boundary::fence((), || {
                callers::chosen(engine, task.target(slot), number);
            });
            slot
        }
        (Some(slot), _) => slot,
        (None, Some(engine)) => {
            boundary::fence(None, || first_call(engine, task, side, callee, epoch))?
        }
        (None, None) => return None,
    };
    Some((task, slot))
}

/// The slot, if this task has called it before.
fn task_slot(task: &TaskWriter, side: Side, callee: Callee, epoch: Epoch) -> Option<u32> {
    if GENERATION.load(Relaxed) & SHUT_DOWN != 0 {
        return None;
    }
    match callee {
        Callee::Woven(id) => task.slot_of(id as usize, epoch.mark()),
        Callee::Pointer(..) | Callee::Refused(..) => {
            task.slot(callee.function(), side, era_at(epoch))
        }
    }
}

/// The first call of a target on this task, or of one that the task has forgotten.
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
        mapped::look(engine);
        let stack = stacks::current(engine);
        engine.recording.log(&Record::FirstCall { target, stack });
        callers::first(engine, target, task.record().number.load(Relaxed));
        if let Callee::Woven(id) = callee
            && let Some(signature) = calls::signature(id)
        {
            engine.signature(target, signature);
        }
    } else if side == Side::Unmanaged {
        callers::further(engine, target, task.record().number.load(Relaxed));
    }
    Some(match callee {
        Callee::Woven(id) if found.stays => task.learn_id(id as usize, side, target),
        Callee::Woven(_) => task.slot_for(side, target),
        Callee::Pointer(..) | Callee::Refused(..) => {
            task.learn(callee.function(), side, target, era_at(epoch))
        }
    })
}
