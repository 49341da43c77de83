//! A host that comes while a runtime runs, which any code may have started.

use soglia_abi::{
    HRESULT, hosting::clr_task::ICLRTaskManager, hresult::HOST_E_CLRNOTAVAILABLE, param::Lent,
};

use super::{clr, exit, runtimes, starts, tasks};
use crate::host::{escalation, task};

/// Joins the runtime that runs: from now on the CLR's objects work.
///
/// # Errors
/// `HOST_E_CLRNOTAVAILABLE` if none runs. The answer of the runtime.
pub fn join() -> Result<(), HRESULT> {
    let runtime = runtimes::loaded().ok_or(HOST_E_CLRNOTAVAILABLE)?;
    clr::start(&runtime, false)?;
    starts::add();
    task::made_by(tasks::of_this_thread);
    escalation::exits_by(exit::exit);
    Ok(())
}

/// Takes that back.
pub fn part() {
    starts::take_back();
}

/// The CLR's task manager, for a host.
pub fn task_manager() -> Lent<'static, ICLRTaskManager> {
    // SAFETY: the object lives as long as the process.
    unsafe { Lent::from_raw(tasks::manager()) }
}
