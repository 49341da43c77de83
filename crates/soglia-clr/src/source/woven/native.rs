//! Hooks for native code of ours that stands between native code and a delegate ([`super::super::delegates`]). It calls them in preemptive
//! mode, or on a thread that the CLR does not know yet.

use soglia_core::crossing::Crossing;

use super::{
    Callee, SLOW, close, count, count_one_slow, count_slow, enter, enter_slow, function, leave,
    leave_slow, only_counts, open, open_slow, reverse_count,
};

/// When native code calls a delegate.
pub extern "C" fn callback_enter(id: i64) {
    let crossing = Crossing::ReverseEnterRuntime;
    if only_counts() {
        if reverse_count(id) == SLOW {
            count_one_slow(crossing, Callee::Woven(id));
        }
    } else if open(crossing, id) == SLOW {
        open_slow(crossing, Callee::Woven(id));
    }
}

/// Before the delegate returns to native code.
pub extern "C" fn callback_leave(id: i64) {
    if !only_counts() {
        close(Crossing::ReverseLeaveRuntime, function(id));
    }
}

/// Before a delegate calls a native function.
pub extern "C" fn outward_leave(id: i64) {
    if only_counts() {
        if count(id) == SLOW {
            count_slow(id);
        }
    } else if leave(id) == SLOW {
        leave_slow(id);
    }
}

/// When the native function has returned.
pub extern "C" fn outward_enter(id: i64) {
    if !only_counts() && enter(id) == SLOW {
        enter_slow(id);
    }
}
