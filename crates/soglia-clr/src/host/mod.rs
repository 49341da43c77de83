//! What of a host the engine calls, and what it keeps for that.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`managers`] | the managers of the host |
//! | [`fenced`] | what the host's methods throw ends there |
//! | [`failure`] | what an `E_FAIL` means |
//! | [`task`] | the task that the calling thread is |
//! | [`abort`] | what aborts a task, and what holds that back |
//! | [`suspension`] | tells the host when threads are suspended |
//! | [`shared`] | interfaces that all threads use |
//!
//! What crossings need is one load: [`managers::task_manager`].

pub mod abort;
pub mod failure;
pub mod fenced;
pub mod managers;
pub mod shared;
pub mod suspension;
pub mod task;
