//! What a task finds where it polls ([`crate::host::polls`]).

use soglia_abi::hresult::{COR_E_THREADABORTED, S_OK};

use crate::{boundary::keeping_errno, host::task};

/// Where the task polls: in code that an abort may end.
pub const ANYWHERE: i64 = 0;
/// In code that has to run to its end, which a rude abort alone ends: `finally` and filters.
pub const TO_THE_END: i64 = 1;

/// Whether something is wanted of the running task. In cooperative mode: two loads or three.
pub extern "C" fn looks(place: i64) -> i32 {
    task::is_to_throw(place == TO_THE_END).into()
}

/// The HRESULT to throw, or a success. In preemptive mode.
pub extern "C" fn answers(place: i64) -> i32 {
    keeping_errno(
        || match task::is_to_throw(place == TO_THE_END) && task::throws() {
            true => COR_E_THREADABORTED.0,
            false => S_OK.0,
        },
    )
}

/// Before the constructor of a type.
pub extern "C" fn build(_: i64) {
    keeping_errno(task::build);
}

/// After it, or when an exception has left it.
pub extern "C" fn built(_: i64) {
    keeping_errno(task::built);
}
