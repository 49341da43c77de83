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
//! | [`escalation`] | what follows where an abort takes too long |
//! | [`polls`] | whether tasks look for aborts while they run |
//! | [`suspension`] | notifies the host when threads are suspended |
//! | [`shared`] | interfaces that all threads use |
//!
//! Crossings need one load: [`managers::task_manager`].

pub mod abort;
pub mod attached;
pub mod escalation;
pub mod failure;
pub mod fenced;
pub mod managers;
pub mod polls;
pub mod shared;
pub mod suspension;
pub mod task;
