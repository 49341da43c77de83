//! The one fence between soglia and the CLR.
//!
//! A panic of ours must neither unwind into the CLR nor end a program that did nothing wrong. Cold code runs inside
//! [`fence`]: a panic there ends the recording, not the program, and the report tells. The hot path has nothing that panics.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Once, OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

/// Ends the recording, with this as its last remark.
static END: OnceLock<fn(&str)> = OnceLock::new();

/// There was a panic.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Has `end` called with a remark at each panic, on the thread that panics.
/// Called at once if there was a panic before.
pub fn on_panic(end: fn(&str)) {
    if END.set(end).is_ok() && PANICKED.load(SeqCst) {
        end("a panic before the engine has started");
    }
}

/// Runs `body`; if it panics, answers `otherwise` and records no more.
pub fn fence<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    static QUIET: Once = Once::new();
    // The program's stderr is its own. The hook is that of this library's copy of Rust's runtime alone.
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

/// The CLR saves `errno` around its own stubs, but not around every path that ends up here.
fn errno() -> i32 {
    // SAFETY: glibc's pointer to this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

fn set_errno(value: i32) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = value };
}
