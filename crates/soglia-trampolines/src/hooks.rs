//! What trampolines call besides the original function.

use crate::arch::Passed;

/// The hooks of a direction.
///
/// They run on the thread that calls, which may be one that never ran managed code.
/// They must not unwind, and must leave `errno` as it is.
pub trait CallHooks {
    /// Runs before the call. `id` is [`Callee::id`](crate::Callee::id).
    ///
    /// If the result is below 0, the call is not made, and the trampoline returns zeros.
    extern "C" fn open(id: i64, original: usize) -> i32;

    /// Runs after the call, with the result of [`open`](Self::open).
    ///
    /// It does not run if the call is not made, or if it ends otherwise than by its return.
    /// `passed` is what the call passed and returned, if [`Callee::keeps`](crate::Callee::keeps).
    extern "C" fn close(id: i64, original: usize, opened: i32, passed: Option<&Passed>);
}
