//! Finds where compiled code has called native code, by unwinding the native frames above.

use std::ffi::c_void;

use super::walked::Walked;
use crate::arch::UNWIND_FP;

unsafe extern "C" {
    fn _Unwind_Backtrace(
        each: extern "C" fn(*mut c_void, *mut c_void) -> i32,
        data: *mut c_void,
    ) -> i32;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
    fn _Unwind_GetCFA(context: *mut c_void) -> usize;
    fn _Unwind_GetGR(context: *mut c_void, register: i32) -> usize;
}

/// The innermost frame of the running thread without unwinding tables: the CLR's compiler writes
/// none.
pub(super) fn of_compiled_code() -> Option<Walked> {
    let mut last = Walked::default();
    // SAFETY: `each` gets the frame that it expects, and walks this thread's own stack.
    unsafe { _Unwind_Backtrace(each, (&raw mut last).cast()) };
    (last.ip != 0).then_some(last)
}

/// Keeps each frame. The unwinder passes the last one before it finds that its tables are missing.
extern "C" fn each(context: *mut c_void, data: *mut c_void) -> i32 {
    const GO_ON: i32 = 0;
    // SAFETY: the unwinder passes a valid context, and the frame that `of_compiled_code` gave it.
    unsafe {
        *data.cast::<Walked>() = Walked {
            ip: _Unwind_GetIP(context),
            sp: _Unwind_GetCFA(context),
            fp: _Unwind_GetGR(context, UNWIND_FP),
            ..Walked::default()
        };
    }
    GO_ON
}
