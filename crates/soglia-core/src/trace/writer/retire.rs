//! Recordings of a process that ran before and goes on afterwards.

use std::sync::{PoisonError, atomic::Ordering::Relaxed};

use super::Recording;

impl Recording {
    /// Notes that the process ran before: calls may return that began before the recording. Applies
    /// to tasks that are made from now on.
    pub fn begins_later(&self) {
        self.began_later.store(true, Relaxed);
    }

    /// See [`Recording::begins_later`].
    pub(in crate::trace) fn began_later(&self) -> bool {
        self.began_later.load(Relaxed)
    }

    /// Stops writing for good, while the process goes on, and lets the file go. What threads still
    /// store that are just about to write goes to memory that nothing reads.
    pub fn retire(&'static self) {
        self.tables.end();
        self.leave();
        let mut retired = self.retired.write().unwrap_or_else(PoisonError::into_inner);
        if std::mem::replace(&mut *retired, true) {
            return;
        }
        // SAFETY: all that lies in the open pages is atomics, for which any bytes are valid.
        // Nothing leads to the other pages: they were never opened, and are not from now on.
        unsafe { self.map.retire(self.bytes()) };
        self.room.close();
    }
}
