//! Hooks around calls by function pointer (`calli`), in the same pairs as those of P/Invokes.
//!
//! The pointer says what is called, and is the function of the layer. The engine looks up what is
//! there at the first call, and again when an object was loaded since.

use soglia_core::{
    crossing::{Crossing, Side},
    time,
    trace::task_writer::TaskWriter,
};

use super::layers::{
    Callee, DONE, SLOW, by_pointer, called, close, count_one_slow, cross, fail, not_yet_a_task,
    only_counts, open_slow, recall, then,
};
use crate::{boundary, calls, engine::era, judge, threads};

/// The running thread's task, and the slot of the pointer, if this task has called it before.
#[inline(always)]
fn known(function: u64) -> Option<(&'static mut TaskWriter, u32)> {
    let task = threads::existing()?;
    let slot = task.slot(function, Side::Unmanaged, era())?;
    Some((task, slot))
}

/// Before a call by function pointer. Wrappers call it in cooperative mode.
pub extern "C" fn leave_pointer(_id: i64, pointer: usize) -> i32 {
    let function = by_pointer(pointer as u64);
    let Some((task, slot)) = known(function) else {
        return not_yet_a_task();
    };
    cross(Crossing::LeaveRuntime, task, function, slot)
}

/// The same, where [`leave_pointer`] could not do it. Returns 0. Wrappers call it in preemptive
/// mode.
pub extern "C" fn leave_pointer_slow(id: i64, pointer: usize) -> i32 {
    let callee = Callee::Pointer(id, pointer as u64);
    open_slow(Crossing::LeaveRuntime, callee);
    DONE
}

/// As [`leave_pointer_slow`] or [`count_pointer_slow`], where a policy judges what is called.
/// Returns 0, or what to throw instead of the call. Wrappers call it in preemptive mode.
pub extern "C" fn judge_pointer(id: i64, pointer: usize) -> i32 {
    let refusal = refusal_of_pointer(id, pointer);
    if refusal != 0 {
        return refusal;
    }
    if only_counts() {
        count_pointer_slow(id, pointer);
    } else {
        leave_pointer_slow(id, pointer);
    }
    DONE
}

/// What to throw instead of a call by function pointer; 0: the call may be made. Counts a denied
/// call.
pub fn refusal_of_pointer(id: i64, pointer: usize) -> i32 {
    let refusal = boundary::fence(judge::MARK, || {
        let internal = calls::call(id).is_some_and(|call| call.names.runtime_internal);
        judge::pointer(pointer, "a call by function pointer of", internal)
    });
    if refusal == 0 {
        return 0;
    }
    refuse_pointer(id, pointer);
    // In an audit the call is made.
    if judge::audits() { 0 } else { refusal }
}

/// Counts a denied call, under a number of its own, which the quick hook never looks for.
fn refuse_pointer(id: i64, pointer: usize) {
    let callee = Callee::Refused(id, pointer as u64);
    if let Some((task, slot)) = called(Crossing::LeaveRuntime, callee) {
        task.refuse(slot, time::now());
    }
}

/// When a call by function pointer has returned. Wrappers call it in cooperative mode.
pub extern "C" fn enter_pointer(_id: i64, pointer: usize) -> i32 {
    close(Crossing::EnterRuntime, by_pointer(pointer as u64))
}

/// After [`enter_pointer`], where there is more to do. Wrappers call it in preemptive mode.
pub extern "C" fn enter_pointer_slow(_id: i64, _pointer: usize) {
    recall();
}

/// When a call by function pointer has ended by an exception. Wrappers call it in preemptive mode.
pub extern "C" fn enter_pointer_failed(_id: i64, pointer: usize) {
    fail(by_pointer(pointer as u64));
}

/// Before a call by function pointer, in preemptive mode from the start.
pub fn leave_pointer_preemptive(id: i64, pointer: usize) {
    if only_counts() {
        if count_pointer(id, pointer) == SLOW {
            count_pointer_slow(id, pointer);
        }
    } else if leave_pointer(id, pointer) == SLOW {
        leave_pointer_slow(id, pointer);
    }
}

/// When such a call has returned.
pub fn enter_pointer_preemptive(id: i64, pointer: usize) {
    if !only_counts() && enter_pointer(id, pointer) == SLOW {
        enter_pointer_slow(id, pointer);
    }
}

/// Before a call by function pointer that is only counted. Wrappers call it in cooperative mode.
pub extern "C" fn count_pointer(_id: i64, pointer: usize) -> i32 {
    match known(by_pointer(pointer as u64)) {
        Some((task, slot)) => then(task.count(slot)),
        None => not_yet_a_task(),
    }
}

/// The same, where [`count_pointer`] could not do it. Wrappers call it in preemptive mode.
pub extern "C" fn count_pointer_slow(id: i64, pointer: usize) {
    let callee = Callee::Pointer(id, pointer as u64);
    count_one_slow(Crossing::LeaveRuntime, callee);
}
