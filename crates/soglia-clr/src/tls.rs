//! What the system knows of threads: their ends, their numbers.

use std::{
    ffi::c_void,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// What is done at the end of threads that ask for it.
pub struct AtEnd(AtomicU32);

impl AtEnd {
    /// Nothing, until [`AtEnd::prepare`] says what.
    pub const fn new() -> Self {
        Self(AtomicU32::new(u32::MAX))
    }

    /// Once, before any thread asks. `end` gets what the thread has asked with.
    pub fn prepare(&self, end: unsafe extern "C" fn(*mut c_void)) {
        let mut key = 0;
        // SAFETY: `key` is a local; `end` has the signature asked for.
        if unsafe { libc::pthread_key_create(&raw mut key, Some(end)) } == 0 {
            self.0.store(key, Relaxed);
        }
    }

    /// Has it done at the end of the running thread, with a pointer that is not null. It may ask once more from there.
    pub fn ask<T>(&self, with: *mut T) {
        // SAFETY: a key that was made, or else one that no thread has, which is an error; any value but null asks.
        unsafe { libc::pthread_setspecific(self.0.load(Relaxed), with.cast()) };
    }
}

/// The running thread's number of the operating system.
pub fn os_thread() -> u32 {
    // SAFETY: no preconditions.
    unsafe { libc::gettid() }.cast_unsigned()
}
