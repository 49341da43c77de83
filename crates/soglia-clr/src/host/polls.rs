//! Whether tasks look, in loops and at the start of methods, for what is wanted of them.
//!
//! A task that neither crosses nor waits can only be aborted where its own code looks. A running
//! method cannot get other code, so that code has to be there from the start: hosts say so before
//! the runtime starts. The code tests one word, and goes on if it is 0.

use std::sync::atomic::{
    AtomicBool, AtomicUsize,
    Ordering::{Relaxed, SeqCst},
};

static WISHED: AtomicBool = AtomicBool::new(false);

/// Of how many tasks something is wanted.
static WANTED: AtomicUsize = AtomicUsize::new(0);

/// A host wants tasks to poll. Before the runtime runs.
pub fn wish() {
    WISHED.store(true, Relaxed);
}

/// Whether a host wants tasks to poll.
pub fn wished() -> bool {
    WISHED.load(Relaxed)
}

/// The word that code tests.
pub fn word() -> &'static AtomicUsize {
    &WANTED
}

/// Something is wanted of a task.
pub(super) fn want() {
    WANTED.fetch_add(1, SeqCst);
}

/// It is no longer wanted.
pub(super) fn unwant() {
    WANTED.fetch_sub(1, SeqCst);
}
