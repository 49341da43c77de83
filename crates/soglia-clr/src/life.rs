//! Records that the process lives, where no tool does, and with which code it exits.
#![allow(unsafe_code, reason = "a function for the C library to call at exit")]

use std::ffi::{c_int, c_void};

use soglia_core::trace::writer::Recording;

use crate::{clerk, engine};

unsafe extern "C" {
    /// Of glibc: as `atexit`, for a function that gets the exit code.
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

/// Begins to record. To be called once, when the engine has started, if something will read the
/// recording.
pub fn begin(recording: &'static Recording) {
    if recording.signs_itself() {
        clerk::sign(recording);
    }
    // SAFETY: the CLR never unloads a profiler that has started, so the function stays. If there is
    // no room for it, the exit code stays unknown.
    unsafe { on_exit(exits, std::ptr::null_mut()) };
}

extern "C" fn exits(code: c_int, _argument: *mut c_void) {
    if let Some(engine) = engine::get() {
        // As `waitpid` returns it.
        engine.recording.exits(code & 0xff);
    }
}
