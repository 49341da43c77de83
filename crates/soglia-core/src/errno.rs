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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn set(errno: i32) {
        // SAFETY: the pointer to this thread's own errno is valid for writing.
        unsafe { *libc::__errno_location() = errno };
    }

    #[test]
    fn errno_is_what_it_was() {
        set(libc::EAGAIN);
        let within = kept(|| {
            set(libc::ENOENT);
            io::Error::last_os_error().raw_os_error()
        });
        assert_eq!(within, Some(libc::ENOENT));
        let after = io::Error::last_os_error().raw_os_error();
        assert_eq!(after, Some(libc::EAGAIN));
    }
}
