//! soglia's own task manager: a bounded number of tasks runs managed code at a time
//! ([`soglia_core::admission`]).
//!
//! | module | what it does |
//! | --- | --- |
//! | [`manager`] | an `IHostTaskManager` that gives out slots |
//! | [`plain_task`] | the task of a host, where there is no host |
//! | [`table`] | all slots of the process |
//! | [`tasks`] | which task of which manager the running thread is |
//! | [`figures`] | how long tasks wait for slots |

mod figures;
mod manager;
mod plain_task;
mod table;
mod tasks;

pub use figures::{shut_down, write_down};
pub use manager::{keep, put_in_front};
pub use soglia_core::admission::waiting;
pub use table::{alone, any};
pub use tasks::{give_way, over, park, slept};
