//! What the system knows about threads: their ends, their numbers.

use std::{
    ffi::c_void,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// What to do at the end of threads that ask for it.
pub struct AtEnd(AtomicU32);

impl AtEnd {
    /// Does nothing, until [`AtEnd::prepare`] says what to do.
    pub const fn new() -> Self {
        Self(AtomicU32::new(u32::MAX))
    }

    /// Sets what to do, once, before any thread asks. `end` gets the pointer that the thread has
    /// passed.
    pub fn prepare(&self, end: unsafe extern "C" fn(*mut c_void)) {
        let mut key = 0;
        // SAFETY: `key` is a local, and `end` has the signature that the C library demands.
        if unsafe { libc::pthread_key_create(&raw mut key, Some(end)) } == 0 {
            self.0.store(key, Relaxed);
        }
    }

    /// Has it done at the end of the running thread, with a pointer; not if that is null. `end` may
    /// ask again. Returns whether it will be done.
    pub fn ask<T>(&self, with: *mut T) -> bool {
        // SAFETY: any value is accepted. A key that was not made is an error, which does no harm.
        unsafe { libc::pthread_setspecific(self.0.load(Relaxed), with.cast()) == 0 }
    }
}

/// The running thread's number in the operating system.
pub fn os_thread() -> u32 {
    // SAFETY: `gettid` takes nothing, and cannot fail.
    unsafe { libc::gettid() }.cast_unsigned()
}
