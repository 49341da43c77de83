//! errno is the program's: what asks the operating system within a crossing leaves it as it was.
#![allow(unsafe_code, reason = "errno of the thread")]

/// Does something, and leaves errno as it was.
#[inline]
pub fn kept<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: the pointer to this thread's errno is always valid.
    let before = unsafe { *libc::__errno_location() };
    let result = body();
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = before };
    result
}
