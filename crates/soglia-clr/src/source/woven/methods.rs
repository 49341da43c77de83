//! Hooks around calls of P/Invokes and of callbacks.

use soglia_abi::hresult::S_OK;
use soglia_core::{crossing::Crossing, time};

use super::{
    hresults,
    layers::{
        Callee, called, close, count_one, count_one_slow, fail, function, open, open_slow, recall,
    },
};

/// Before a native call. Wrappers call it in cooperative mode.
pub extern "C" fn leave(id: i64) -> i32 {
    open(Crossing::LeaveRuntime, id)
}

/// The same, where [`leave`] could not do it. Wrappers call it in preemptive mode.
pub extern "C" fn leave_slow(id: i64) -> i32 {
    open_slow(Crossing::LeaveRuntime, Callee::Woven(id));
    S_OK.0
}

/// When a native call has returned. Wrappers call it in cooperative mode.
pub extern "C" fn enter(id: i64) -> i32 {
    close(Crossing::EnterRuntime, function(id))
}

/// After [`enter`], where there is more to do. Wrappers call it in preemptive mode.
pub extern "C" fn enter_slow(_id: i64) {
    recall();
}

/// When a native call has ended by an exception. Wrappers call it in preemptive mode.
pub extern "C" fn enter_failed(id: i64) {
    if hresults::take() {
        enter(id);
        recall();
    } else {
        fail(function(id));
    }
}

/// Instead of a native call that a policy denies. Wrappers call it in preemptive mode.
pub extern "C" fn refused(id: i64) {
    let callee = Callee::Woven(id);
    if let Some((task, slot)) = called(Crossing::LeaveRuntime, callee) {
        task.refuse(slot, time::now());
    }
}

/// When native code has called managed code. Wrappers call it in cooperative mode.
pub extern "C" fn reverse_enter(id: i64) -> i32 {
    open(Crossing::ReverseEnterRuntime, id)
}

/// The same, where [`reverse_enter`] could not do it. Wrappers call it in preemptive mode.
pub extern "C" fn reverse_enter_slow(id: i64) {
    open_slow(Crossing::ReverseEnterRuntime, Callee::Woven(id));
}

/// Before managed code returns to native code. Wrappers call it in cooperative mode.
pub extern "C" fn reverse_leave(id: i64) -> i32 {
    close(Crossing::ReverseLeaveRuntime, function(id))
}

/// After [`reverse_leave`], where there is more to do. Wrappers call it in preemptive mode.
pub extern "C" fn reverse_leave_slow(_id: i64) {
    recall();
}

/// Before a native call that is only counted. Wrappers call it in cooperative mode.
pub extern "C" fn count(id: i64) -> i32 {
    count_one(id)
}

/// The same, where [`count`] could not do it. Wrappers call it in preemptive mode.
pub extern "C" fn count_slow(id: i64) {
    count_one_slow(Crossing::LeaveRuntime, Callee::Woven(id));
}

/// When native code has called managed code, and the call is only counted. Wrappers call it in
/// cooperative mode.
pub extern "C" fn reverse_count(id: i64) -> i32 {
    count_one(id)
}

/// The same, where [`reverse_count`] could not do it. Wrappers call it in preemptive mode.
pub extern "C" fn reverse_count_slow(id: i64) {
    count_one_slow(Crossing::ReverseEnterRuntime, Callee::Woven(id));
}
