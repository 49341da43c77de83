//! Runs managed code that a host can abort.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};

use soglia_abi::HRESULT;

use super::{managed, tasks};
use crate::{
    host::{abort::Execution, managers, task},
    notify::occasions,
};

/// A run of managed code that can be aborted.
struct Managed {
    handle: isize,
    /// The CLR's number of its thread.
    thread: usize,
    /// How many critical regions its thread is in.
    regions: Option<Arc<AtomicU32>>,
}

impl Execution for Managed {
    fn waits(&self) -> Result<bool, HRESULT> {
        Ok(managed::waits(self.handle)? || occasions::waits(self.thread))
    }

    fn interrupt(&self) {
        if managed::interrupt(self.handle) == Ok(true) {
            occasions::interrupted(self.thread);
        }
    }

    fn is_critical(&self) -> bool {
        let regions = self.regions.as_ref();
        regions.is_some_and(|regions| regions.load(Relaxed) > 0)
    }
}

impl Drop for Managed {
    fn drop(&mut self) {
        managed::forget_execution(self.handle);
    }
}

/// Runs `managed`, which gets what `Execute` needs, or 0. If the host has a task manager, it can
/// abort the task meanwhile.
///
/// # Errors
/// Those of `managed`. `COR_E_THREADABORTED` at once if an abort of the thread is due.
pub fn controlled<T>(managed: impl FnOnce(isize) -> Result<T, HRESULT>) -> Result<T, HRESULT> {
    if !managers::has_task_manager() {
        return managed(0);
    }
    if task::here().is_some_and(|task| task.abort.is_controlled()) {
        // Of nested runs, the outer one can be aborted.
        let _inside = task::inside()?;
        return in_managed(|| managed(0));
    }
    let execution = Arc::new(Managed {
        handle: managed::begin()?,
        thread: occasions::number(),
        regions: occasions::critical_regions(),
    });
    let Some(task) = tasks::make() else {
        return in_managed(|| managed(0));
    };
    let before = task.abort.begin(execution.clone());
    let result = in_managed(|| managed(execution.handle));
    task.abort.end(before);
    managed::end(execution.handle);
    result
}

fn in_managed<T>(managed: impl FnOnce() -> T) -> T {
    task::runs_managed(true);
    let result = managed();
    task::runs_managed(false);
    result
}
