//! Hooks for the engine's native code between native code and a delegate (`crate::delegates`). That
//! code calls them in preemptive mode, or on a thread that the CLR does not know yet.

use soglia_trampolines::Passed;

use super::{
    arguments::recall_passed,
    layers::{SLOW, only_counts},
    methods::{
        count, count_slow, enter, enter_failed, enter_slow, leave, leave_slow, reverse_count,
        reverse_count_slow, reverse_enter, reverse_enter_slow, reverse_leave, reverse_leave_slow,
    },
};

/// When native code calls a delegate.
pub extern "C" fn callback_enter(id: i64) {
    if only_counts() {
        if reverse_count(id) == SLOW {
            reverse_count_slow(id);
        }
    } else if reverse_enter(id) == SLOW {
        reverse_enter_slow(id);
    }
}

/// Before the delegate returns to native code. `passed`: what the call passed, if that is kept.
pub fn callback_leave(id: i64, passed: Option<&Passed>) {
    if !only_counts() && reverse_leave(id) == SLOW {
        match passed {
            Some(passed) => recall_passed(id, passed),
            None => reverse_leave_slow(id),
        }
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

/// When the native function has returned. `passed`: what the call passed, if that is kept.
pub fn outward_enter(id: i64, passed: Option<&Passed>) {
    if !only_counts() && enter(id) == SLOW {
        match passed {
            Some(passed) => recall_passed(id, passed),
            None => enter_slow(id),
        }
    }
}

/// Before a native call was made, it has ended by an exception.
pub fn never_left(id: i64) {
    outward_leave(id);
    if !only_counts() {
        enter_failed(id);
    }
}
