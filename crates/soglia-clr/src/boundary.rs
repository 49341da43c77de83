//! The one fence between soglia and the CLR.
//!
//! A panic of ours must neither unwind into the CLR nor end a program that did nothing wrong. Cold code runs inside
//! [`fence`]: a panic there ends the recording, not the program, and the report tells. The hot path has nothing that panics.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use crate::{engine, threads};

/// Runs `body`; if it panics, answers `otherwise` and records no more.
pub fn fence<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    static QUIET: Once = Once::new();
    // The program's stderr is its own. The hook is that of this library's copy of Rust's runtime alone.
    QUIET.call_once(|| {
        std::panic::set_hook(Box::new(|what| {
            threads::stop();
            if let Some(engine) = engine::get() {
                // Not by the log: the panic may have come from under its lock.
                let defect = "recording stopped early by a defect of soglia, please report it";
                engine.recording.note(&format!("{defect}: {what}"));
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
