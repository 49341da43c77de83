//! Room for the runtime's signal handlers.
//!
//! They run on the alternate stack that a thread has, and the runtime brings its own where there is
//! none. Rust's standard library gives its threads one of a few kilobytes, which a fault of managed
//! code overflows where processors have large registers.

use std::{mem::zeroed, ptr::null};

/// Less than any stack of the runtime's own is.
const ENOUGH: usize = 16 << 10;

/// To be called on a thread before the runtime gets to know it: takes an alternate stack away that
/// is too small.
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
