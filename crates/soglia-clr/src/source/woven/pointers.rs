//! Hooks around calls by function pointer (`calli`), in the same pairs as those of P/Invokes.
//!
//! What is called is known by the pointer: the layer has it for its function, and what lies there is looked up at the first call.

use soglia_core::crossing::Crossing;

use super::{Callee, DONE, close, count_one, count_one_slow, fail, open, open_slow, recall};

/// The number by which a task knows a function pointer: the pointer, in a range of its own.
pub(super) const fn by_pointer(pointer: u64) -> u64 {
    pointer | 1 << 61
}

/// Before a call by function pointer. Called by wrappers in cooperative mode.
pub extern "C" fn leave_pointer(_id: i64, pointer: usize) -> i32 {
    open(Crossing::LeaveRuntime, by_pointer(pointer as u64))
}

/// The same, where [`leave_pointer`] could not do it; returns 0. Called in preemptive mode.
pub extern "C" fn leave_pointer_slow(id: i64, pointer: usize) -> i32 {
    let callee = Callee::Pointer(id, pointer as u64);
    open_slow(Crossing::LeaveRuntime, callee);
    DONE
}

/// When a call by function pointer has returned. Called in cooperative mode.
pub extern "C" fn enter_pointer(_id: i64, pointer: usize) -> i32 {
    close(Crossing::EnterRuntime, by_pointer(pointer as u64))
}

/// After [`enter_pointer`], where there is more to do. Called in preemptive mode.
pub extern "C" fn enter_pointer_slow(_id: i64, _pointer: usize) {
    recall();
}

/// When a call by function pointer has ended by an exception. Called in preemptive mode.
pub extern "C" fn enter_pointer_failed(_id: i64, pointer: usize) {
    fail(by_pointer(pointer as u64));
}

/// Before a call by function pointer that is only counted. Called in cooperative mode.
pub extern "C" fn count_pointer(_id: i64, pointer: usize) -> i32 {
    count_one(Crossing::LeaveRuntime, by_pointer(pointer as u64))
}

/// The same, where [`count_pointer`] could not do it. Called in preemptive mode.
pub extern "C" fn count_pointer_slow(id: i64, pointer: usize) {
    let callee = Callee::Pointer(id, pointer as u64);
    count_one_slow(Crossing::LeaveRuntime, callee);
}
