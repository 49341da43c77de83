//! `IHostThreadpoolManager`: has the thread pool ask the host for threads.

use std::sync::atomic::{AtomicBool, Ordering::AcqRel};

use super::managed;
use crate::{host::managers, notify::pool};

/// Has the pool ask the host, if that has a thread pool. To be called when the runtime has started.
pub fn started() {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if managers::pool_manager().is_some()
        && managers::task_manager().is_some()
        && !BEGUN.swap(true, AcqRel)
        && managed::can_work()
    {
        pool::begin(managed::work);
    }
}
