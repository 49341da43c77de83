//! What [`crate::admission`] synchronises with. It is a module of its own because a test puts
//! loom's types in its place (`tests/admission_loom.rs`) and runs the same code through every order
//! of events.

use std::time::{Duration, Instant};

pub use std::sync::{
    Arc, Condvar, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Waits until the condition variable is notified, for `limit` at most. Returns how long that took.
/// May wake up without a reason.
pub fn wait<'a, T>(
    condvar: &Condvar,
    _mutex: &'a Mutex<T>,
    guard: MutexGuard<'a, T>,
    limit: Option<Duration>,
) -> (MutexGuard<'a, T>, Duration) {
    let since = Instant::now();
    let guard = match limit {
        None => condvar.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(limit) => {
            let woken = condvar.wait_timeout(guard, limit);
            woken.unwrap_or_else(PoisonError::into_inner).0
        }
    };
    (guard, since.elapsed())
}
