//! Records that the process lives, where no tool does, and with which code it exits.
#![allow(unsafe_code, reason = "a function for the C library to call at exit")]

#[cfg(target_env = "gnu")]
use std::{
    ffi::{c_int, c_void},
    sync::Once,
};
use std::{ptr, time::Duration};

use soglia_core::trace::{life::SIGN_EVERY, writer::Recording};

use crate::{clerk, engine};

#[cfg(target_env = "gnu")]
unsafe extern "C" {
    /// Of glibc: as `atexit`, for a function that gets the exit code.
    fn on_exit(function: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
}

/// Begins to record. To be called when the engine has started, if something will read the
/// recording.
pub fn begin(recording: &'static Recording) {
    if recording.signs_itself() {
        clerk::also(Duration::ZERO, || {
            let records = engine::get().is_some_and(|e| ptr::eq(e.recording, recording));
            records.then(|| {
                recording.sign();
                SIGN_EVERY
            })
        });
    }
    ask_for_the_exit_code();
}

#[cfg(target_env = "gnu")]
fn ask_for_the_exit_code() {
    static ASK: Once = Once::new();
    // SAFETY: the library is never unloaded, so the function stays. If there is no room for it, the
    // exit code stays unknown.
    ASK.call_once(|| unsafe {
        on_exit(exits, std::ptr::null_mut());
    });
}

/// Other C libraries do not tell it. A tool that waits for the process knows it.
#[cfg(not(target_env = "gnu"))]
fn ask_for_the_exit_code() {}

#[cfg(target_env = "gnu")]
extern "C" fn exits(code: c_int, _argument: *mut c_void) {
    if let Some(engine) = engine::get() {
        // As `waitpid` returns it.
        engine.recording.exits(code & 0xff);
    }
}
