//! How the tool was started, before the Rust runtime changed it.
//!
//! The Rust runtime ignores SIGPIPE and opens `/dev/null` in place of closed standard streams, both
//! before `main`. The tool gives the programs that it starts the original state. A function in
//! `.init_array` saves it before that.

#![allow(
    unsafe_code,
    reason = "signal masks, dispositions and descriptors: std has no means to read or set them"
)]

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};

/// Bit `n - 1` is signal `n`.
static IGNORED: AtomicU64 = AtomicU64::new(0);
static BLOCKED: AtomicU64 = AtomicU64::new(0);
/// Bit `n` is file descriptor `n`.
static CLOSED: AtomicU8 = AtomicU8::new(0);
/// Whether the function below has run. If not, nothing is known, and nothing is changed.
static KNOWN: AtomicBool = AtomicBool::new(false);

const LAST_SIGNAL: i32 = 64;

// SAFETY: the C runtime calls every function in this section once before `main`, on the only
// thread. It passes arguments in registers, which a function without parameters ignores. This one
// does not unwind.
#[used]
#[unsafe(link_section = ".init_array")]
static TAKE_DOWN: extern "C" fn() = take_down;

extern "C" fn take_down() {
    let (mut ignored, mut blocked, mut closed) = (0, 0, 0);
    // SAFETY: a zeroed sigset_t is valid storage for what is written here.
    let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: only reads the mask of this thread, into a live set.
    unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), &raw mut mask) };
    for signal in 1..=LAST_SIGNAL {
        // SAFETY: zeroed is a valid sigaction, to be overwritten.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: only reads the disposition, into a structure of this frame. For a signal that
        // libc keeps to itself, it is an error.
        let known = unsafe { libc::sigaction(signal, std::ptr::null(), &raw mut action) } == 0;
        ignored |= u64::from(known && action.sa_sigaction == libc::SIG_IGN) << (signal - 1);
        // SAFETY: pthread_sigmask has filled the mask above, which lives in this frame.
        blocked |=
            u64::from(unsafe { libc::sigismember(&raw const mask, signal) } == 1) << (signal - 1);
    }
    for descriptor in 0..3 {
        // SAFETY: asks for flags of a descriptor that need not be open.
        closed |= u8::from(unsafe { libc::fcntl(descriptor, libc::F_GETFD) } == -1) << descriptor;
    }
    IGNORED.store(ignored, Ordering::Relaxed);
    BLOCKED.store(blocked, Ordering::Relaxed);
    CLOSED.store(closed, Ordering::Relaxed);
    KNOWN.store(true, Ordering::Relaxed);
}

/// Gives this process the signal dispositions and the mask that the tool was started with.
///
/// For a process that is about to become another program. The function makes system calls only, so
/// it may run between fork and exec.
pub(crate) fn become_as_started() {
    if !KNOWN.load(Ordering::Relaxed) {
        return;
    }
    let (ignored, blocked) = (
        IGNORED.load(Ordering::Relaxed),
        BLOCKED.load(Ordering::Relaxed),
    );
    // SAFETY: zeroed is valid storage for the set that sigemptyset fills.
    let mut mask: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set lives in this frame.
    unsafe { libc::sigemptyset(&raw mut mask) };
    for signal in 1..=LAST_SIGNAL {
        let bit = 1 << (signal - 1);
        let handler = if ignored & bit != 0 {
            libc::SIG_IGN
        } else {
            libc::SIG_DFL
        };
        // SAFETY: default and ignore are dispositions without a handler. For KILL, STOP and libc's
        // own signals the call is an error without effect.
        unsafe { libc::signal(signal, handler) };
        if blocked & bit != 0 {
            // SAFETY: sigemptyset has initialised the set above, which lives in this frame.
            unsafe { libc::sigaddset(&raw mut mask, signal) };
        }
    }
    // SAFETY: sets the mask of this thread from a live set.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const mask, std::ptr::null_mut()) };
}

/// Closes the standard streams that the tool was started without.
pub(crate) fn close_what_was_closed() {
    let closed = CLOSED.load(Ordering::Relaxed);
    for descriptor in 0..3 {
        if closed & (1 << descriptor) != 0 {
            // SAFETY: the descriptor is the /dev/null that the Rust runtime put there. This process
            // is about to exec, and uses it no more.
            unsafe { libc::close(descriptor) };
        }
    }
}
