//! Interfaces of a host that all threads use.

/// An interface that lives as long as the process, for all threads.
///
/// The hosting API has its objects called from any thread: a host that gives one out promises that it can be.
pub struct Shared<T>(pub T);

// SAFETY: see above.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: see above.
unsafe impl<T> Sync for Shared<T> {}
