//! errno belongs to the program: code that asks the operating system within a crossing keeps it.
#![allow(unsafe_code, reason = "errno of the thread")]

/// Runs `body`, and restores errno afterwards.
#[inline]
pub fn kept<T>(body: impl FnOnce() -> T) -> T {
    // SAFETY: glibc returns a pointer to the calling thread's own errno, which is valid as long as
    // the thread runs.
    let before = unsafe { *libc::__errno_location() };
    let result = body();
    // SAFETY: this is still the same thread, so the pointer is valid for writing.
    unsafe { *libc::__errno_location() = before };
    result
}
