//! The tables in which tasks look for the slots of wrappers, as far as other threads know them: to
//! take them away from all tasks.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The limits of all tasks' tables. A task finds no id in a table whose limit is 0.
#[derive(Debug, Default)]
pub(super) struct Tables(Mutex<Limits>);

#[derive(Debug, Default)]
struct Limits {
    all: Vec<&'static AtomicUsize>,
    ended: bool,
}

impl Tables {
    fn lock(&self) -> MutexGuard<'_, Limits> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the limit of a new table. [`Tables::end`] sets it to 0 for good.
    pub(super) fn open(&self, limit: &'static AtomicUsize, entries: usize) {
        let mut limits = self.lock();
        if !limits.ended {
            limit.store(entries, Relaxed);
            limits.all.push(limit);
        }
    }

    /// Sets all limits to 0, until each task opens its table again.
    pub(super) fn hold(&self) {
        for limit in &self.lock().all {
            limit.store(0, Relaxed);
        }
    }

    /// Sets the limit of a table that is held. Returns `false` if all tables have ended.
    pub(super) fn reopen(&self, limit: &'static AtomicUsize, entries: usize) -> bool {
        let limits = self.lock();
        if !limits.ended {
            limit.store(entries, Relaxed);
        }
        !limits.ended
    }

    /// Whether all limits are 0 for good. Then no other thread uses a limit any more.
    pub(super) fn have_ended(&self) -> bool {
        self.lock().ended
    }

    /// Sets all limits to 0 for good.
    pub(super) fn end(&self) {
        let mut limits = self.lock();
        limits.ended = true;
        for limit in limits.all.drain(..) {
            limit.store(0, Relaxed);
        }
    }
}
