//! Notifies the host's `IHostGCManager` when the runtime suspends its threads and resumes them.
//!
//! The runtime announces both to profilers, on the thread that suspends the others and under its
//! lock on threads: one suspension is over before the next begins, and the host is notified in
//! that order. [`crate::slots`] need it as well.

use std::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{Relaxed, SeqCst},
};

use soglia_abi::{
    BOOL,
    profiler::types::{COR_PRF_HIGH_BASIC_GC, COR_PRF_MONITOR_SUSPENDS},
};

use super::{failure::heed, managers};
use crate::boundary::fence;

/// The generation of a suspension that collected nothing.
const NONE: u32 = u32::MAX;

/// The threads are suspended, or about to be.
static SUSPENDED: AtomicBool = AtomicBool::new(false);
/// What is collected in this suspension.
static GENERATION: AtomicU32 = AtomicU32::new(NONE);

/// The events, low and high, that this needs from the CLR. None, if the host has no use for them,
/// and no `slots` have.
///
/// `COR_PRF_MONITOR_GC` would report collections too, but it turns concurrent ones off.
pub fn events(slots: bool) -> (u32, u32) {
    match managers::gc_manager() {
        Some(_) => (COR_PRF_MONITOR_SUSPENDS, COR_PRF_HIGH_BASIC_GC),
        None if slots => (COR_PRF_MONITOR_SUSPENDS, 0),
        None => (0, 0),
    }
}

/// `RuntimeSuspendStarted`.
pub fn started() {
    fence((), || {
        if let Some(manager) = managers::gc_manager() {
            GENERATION.store(NONE, Relaxed);
            // SAFETY: the host's managers live until the process ends.
            let _ = heed(unsafe { manager.SuspensionStarting() });
        }
        SUSPENDED.store(true, SeqCst);
    });
}

/// `GarbageCollectionStarted`: which generations are collected.
pub fn collects(generations: &[BOOL]) {
    if let Some(oldest) = generations
        .iter()
        .rposition(|collected| collected.as_bool())
    {
        // The runtime reports large and pinned objects as a third and fourth generation. They
        // belong to the oldest.
        GENERATION.store((oldest as u32).min(2), Relaxed);
    }
}

/// `RuntimeResumeStarted`, when the threads still stand. When they have been let go, another
/// suspension may begin at any time, and its notification would precede the end of this one.
pub fn ended() {
    fence((), || {
        SUSPENDED.store(false, SeqCst);
        if let Some(manager) = managers::gc_manager() {
            // SAFETY: the host's managers live until the process ends.
            let _ = heed(unsafe { manager.SuspensionEnding(GENERATION.load(Relaxed)) });
        }
    });
}

/// Whether the threads are suspended, or about to be.
pub fn is_on() -> bool {
    SUSPENDED.load(Relaxed)
}

/// To be called, in preemptive mode, on a thread that is about to go (back) into managed code: if
/// that has to wait for the end of a suspension, notifies the host. Takes one load otherwise.
#[inline]
pub fn about_to_enter_managed() {
    if SUSPENDED.load(Relaxed) {
        will_wait();
    }
}

#[cold]
extern "C" fn will_wait() {
    fence((), || {
        if let Some(manager) = managers::gc_manager() {
            // SAFETY: the host's managers live until the process ends.
            let _ = heed(unsafe { manager.ThreadIsBlockingForSuspension() });
        }
    });
}
