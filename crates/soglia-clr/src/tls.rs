//! What the system knows of threads: pointers of theirs that cost a load, their ends, their numbers.
//!
//! Rust's own thread-locals are reached by a call of `__tls_get_addr` in a library, twice per crossing. The pointers here are in the initial-exec
//! model: two instructions. glibc keeps static room for libraries that are loaded late and use little of it.

use std::{
    ffi::c_void,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

/// Defines a module with `get` and `set` for this thread's pointer of a type; null until it is set.
macro_rules! thread_pointer {
    ($name:ident, $symbol:literal, $type:ty) => {
        #[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
        mod $name {
            use super::*;

            std::arch::global_asm!(
                concat!(".pushsection .tbss.", $symbol, ",\"awT\",@nobits"),
                concat!(".globl ", $symbol),
                concat!(".hidden ", $symbol),
                concat!(".type ", $symbol, ",@object"),
                concat!(".size ", $symbol, ",8"),
                ".balign 8",
                concat!($symbol, ":"),
                ".zero 8",
                ".popsection",
            );

            #[inline(always)]
            pub fn get() -> *mut $type {
                let pointer;
                // SAFETY: reads this thread's own variable, defined above.
                unsafe {
                    std::arch::asm!(
                        concat!("mov {0}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                        "mov {0}, qword ptr fs:[{0}]",
                        out(reg) pointer,
                        options(nostack, readonly, preserves_flags, pure),
                    );
                }
                pointer
            }

            pub fn set(pointer: *mut $type) {
                // SAFETY: writes this thread's own variable, defined above.
                unsafe {
                    std::arch::asm!(
                        concat!("mov {0}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                        "mov qword ptr fs:[{0}], {1}",
                        out(reg) _,
                        in(reg) pointer,
                        options(nostack, preserves_flags),
                    );
                }
            }
        }

        #[cfg(not(all(target_arch = "x86_64", target_env = "gnu")))]
        mod $name {
            use super::*;
            use std::cell::Cell;

            thread_local!(static POINTER: Cell<*mut $type> = const { Cell::new(std::ptr::null_mut()) });

            #[inline]
            pub fn get() -> *mut $type {
                POINTER.get()
            }

            pub fn set(pointer: *mut $type) {
                POINTER.set(pointer);
            }
        }
    };
}

pub(crate) use thread_pointer;

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
