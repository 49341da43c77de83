//! Makes room for the runtime's signal handlers.
//!
//! They run on the thread's alternate stack. The runtime makes one where there is none. Rust's
//! standard library gives its threads one of a few kilobytes, which is too small for a fault of
//! managed code where processors have large registers.

use std::{mem::zeroed, ptr::null};

/// The smallest size that is left alone. Every stack that the runtime makes is larger.
const ENOUGH: usize = 16 << 10;

/// Removes an alternate stack that is too small. To be called on a thread before the runtime gets
/// to know it.
pub fn make_room() {
    // SAFETY: zeroed is a valid stack_t; asked about, and taken away if nothing runs on it.
    unsafe {
        let mut now: libc::stack_t = zeroed();
        let asked = libc::sigaltstack(null(), &raw mut now);
        if asked == 0
            && now.ss_flags & (libc::SS_DISABLE | libc::SS_ONSTACK) == 0
            && now.ss_size < ENOUGH
        {
            let mut none: libc::stack_t = zeroed();
            none.ss_flags = libc::SS_DISABLE;
            libc::sigaltstack(&raw const none, std::ptr::null_mut());
        }
    }
}
