//! The objects of a host that the engine calls, and the state of its calls.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`managers`] | the managers of the host |
//! | [`attached`] | the task manager of a host that came while the runtime ran |
//! | [`fenced`] | catches what the host's methods throw |
//! | [`failure`] | what an `E_FAIL` means |
//! | [`task`] | the task that the calling thread is |
//! | [`abort`] | aborts a task, or holds the abort back |
//! | [`suspension`] | notifies the host when threads are suspended |
//! | [`shared`] | interfaces that all threads use |
//!
//! Crossings need one load: [`managers::task_manager`].

pub mod abort;
pub mod attached;
pub mod failure;
pub mod fenced;
pub mod managers;
pub mod shared;
pub mod suspension;
pub mod task;
