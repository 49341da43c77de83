//! Interfaces of a host that all threads use.

/// An interface that lives as long as the process, for all threads.
pub struct Shared<T>(pub T);

// SAFETY: the hosting API calls objects on any thread, and a host that gives one out allows that.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: the hosting API calls objects on several threads at once, which a host allows likewise.
unsafe impl<T> Sync for Shared<T> {}
