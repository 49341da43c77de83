//! Hooks for native code of ours that stands between native code and a delegate. It calls them in preemptive mode, or on a thread
//! that the CLR does not know yet.

use soglia_core::crossing::Crossing;

use super::{
    Callee, SLOW, close, count_one_slow, function, only_counts, open, open_slow, reverse_count,
};

/// When native code calls a delegate.
pub extern "C" fn callback_enter(id: i64) {
    let crossing = Crossing::ReverseEnterRuntime;
    if only_counts() {
        if reverse_count(id) == SLOW {
            count_one_slow(crossing, Callee::Woven(id));
        }
    } else if open(crossing, function(id)) == SLOW {
        open_slow(crossing, Callee::Woven(id));
    }
}

/// Before the delegate returns to native code.
pub extern "C" fn callback_leave(id: i64) {
    if !only_counts() {
        close(Crossing::ReverseLeaveRuntime, function(id));
    }
}
