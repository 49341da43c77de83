//! The one fence between soglia and the CLR.
//!
//! A panic of the engine must neither unwind into the CLR nor end the program. Cold code runs
//! inside [`fence`]: a panic there ends the recording, not the program, and the report says so. The
//! hot path contains nothing that panics.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Once, OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

/// Ends the recording with a last remark.
static END: OnceLock<fn(&str)> = OnceLock::new();

/// Whether there was a panic.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Sets the function that is called with a remark at each panic, on the thread that panics. Calls
/// it at once if there was a panic before.
pub fn on_panic(end: fn(&str)) {
    if END.set(end).is_ok() && PANICKED.load(SeqCst) {
        end("a panic before the engine has started");
    }
}

/// Runs `body`. If it panics, ends the recording and returns `otherwise`.
pub fn fence<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    static QUIET: Once = Once::new();
    // The program's standard error is its own. This hook belongs to the library's own copy of
    // Rust's runtime.
    QUIET.call_once(|| {
        std::panic::set_hook(Box::new(|what| {
            PANICKED.store(true, SeqCst);
            if let Some(end) = END.get() {
                end(&what.to_string());
            }
        }));
    });
    keeping_errno(|| catch_unwind(AssertUnwindSafe(body)).unwrap_or(otherwise))
}

/// Runs `body`, and leaves errno as it was.
#[inline]
pub fn keeping_errno<T>(body: impl FnOnce() -> T) -> T {
    let errno = errno();
    let result = body();
    set_errno(errno);
    result
}

/// errno of this thread.
///
/// The CLR saves it around its own stubs, and not around every path that leads here.
pub fn errno() -> i32 {
    // SAFETY: glibc's pointer to this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

/// Sets errno of this thread.
pub fn set_errno(value: i32) {
    // SAFETY: glibc's pointer to this thread's errno is always valid.
    unsafe { *libc::__errno_location() = value };
}
