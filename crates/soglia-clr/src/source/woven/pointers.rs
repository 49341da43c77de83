//! Hooks around calls by function pointer (`calli`), in the same pairs as those of P/Invokes.
//!
//! What is called is known by the pointer: the layer has it for its function, and what lies there is looked up at the first call.
//! If only counting is asked for, the hooks before the call count, and those after it do nothing.

use soglia_core::crossing::Crossing;

use super::{
    Callee, DONE, SLOW, close, count_one, count_one_slow, fail, only_counts, open, open_slow,
    recall,
};

/// The number by which a task knows a function pointer: the pointer, in a range of its own.
pub(super) const fn by_pointer(pointer: u64) -> u64 {
    pointer | 1 << 61
}

/// Before a call by function pointer. Called by wrappers in cooperative mode.
pub extern "C" fn leave_pointer(_id: i64, pointer: i64) -> i32 {
    let function = by_pointer(pointer.cast_unsigned());
    if only_counts() {
        return count_one(Crossing::LeaveRuntime, function);
    }
    open(Crossing::LeaveRuntime, function)
}

/// The same, where [`leave_pointer`] could not do it; returns 0. Called in preemptive mode.
pub extern "C" fn leave_pointer_slow(id: i64, pointer: i64) -> i32 {
    leave_by_pointer(Callee::Pointer(id, pointer.cast_unsigned()));
    DONE
}

/// When a call by function pointer has returned. Called in cooperative mode.
pub extern "C" fn enter_pointer(_id: i64, pointer: i64) -> i32 {
    if only_counts() {
        return DONE;
    }
    close(Crossing::EnterRuntime, by_pointer(pointer.cast_unsigned()))
}

/// After [`enter_pointer`], where there is more to do. Called in preemptive mode.
pub extern "C" fn enter_pointer_slow(_id: i64, _pointer: i64) {
    recall();
}

/// When a call by function pointer has ended by an exception. Called in preemptive mode.
pub extern "C" fn enter_pointer_failed(_id: i64, pointer: i64) {
    if !only_counts() {
        fail(by_pointer(pointer.cast_unsigned()));
    }
}

/// Before native code of ours calls what a pointer points to, for managed code. Called in preemptive mode.
pub extern "C" fn outward_leave(id: i64, pointer: usize) {
    if leave_pointer(id, pointer.cast_signed() as i64) == SLOW {
        leave_by_pointer(Callee::Pointer(id, pointer as u64));
    }
}

/// When such a call has returned. Called in preemptive mode.
pub extern "C" fn outward_enter(id: i64, pointer: usize) {
    if enter_pointer(id, pointer.cast_signed() as i64) == SLOW {
        recall();
    }
}

fn leave_by_pointer(callee: Callee) {
    if only_counts() {
        count_one_slow(Crossing::LeaveRuntime, callee);
    } else {
        open_slow(Crossing::LeaveRuntime, callee);
    }
}
