//! The four crossings that a host is notified of.

use soglia_abi::{
    HRESULT,
    hosting::host_task::IHostTaskManager,
    hresult::{COR_E_THREADABORTED, HOST_E_INVALIDOPERATION, S_OK},
};

use super::thread;
use crate::host::{failure::heed, managers, suspension, task};

/// The result of the beginning of a crossing, which its end gets. Below 0 it is an HRESULT, and
/// there will be no end.
pub type Answer = i32;
/// The host was notified.
pub const NOTIFIED: Answer = 0;
/// The host was not notified, because it gave the thread no task.
pub const UNNOTIFIED: Answer = 1;
/// The host does not want to be notified of this native function.
pub const QUIET: Answer = 2;

/// Whether a host is notified. The answer never changes while the runtime runs.
pub fn on() -> bool {
    managers::task_manager().is_some()
}

/// Notifies the host that managed code is about to call the native function at `target`. In
/// preemptive mode.
#[inline]
pub(super) fn leave(target: usize) -> Answer {
    let (Some(manager), Some(thread)) = (managers::task_manager(), thread::current()) else {
        return UNNOTIFIED;
    };
    match thread.has_task() {
        Ok(true) => {}
        Ok(false) => return UNNOTIFIED,
        Err(why) => return why.0,
    }
    if task::throws() {
        return COR_E_THREADABORTED.0;
    }
    give_way(manager);
    // SAFETY: the host's manager lives as long as the process.
    let answer = heed(unsafe { manager.LeaveRuntime(target) });
    if answer.is_err() {
        return answer.0;
    }
    thread.began();
    task::runs_managed(false);
    NOTIFIED
}

/// Notifies the host that the native function has returned. Returns what to throw, or a success. In
/// preemptive mode.
#[inline]
pub(super) fn enter(answer: Answer) -> HRESULT {
    let (Some(manager), Some(thread)) = (managers::task_manager(), thread::current()) else {
        return S_OK;
    };
    if answer != NOTIFIED {
        return S_OK;
    }
    let refused = thread.ended();
    // SAFETY: the host's manager lives as long as the process.
    let answer = heed(unsafe { manager.EnterRuntime() });
    into_managed(manager);
    if answer.is_err() { answer } else { refused }
}

/// As [`enter`], where the result will be thrown: the task may have been aborted meanwhile.
#[inline]
pub(super) fn enter_or_throw(answer: Answer) -> HRESULT {
    match enter(answer) {
        // A callback has already answered with that abort.
        S_OK | COR_E_THREADABORTED if answer == NOTIFIED && task::throws() => COR_E_THREADABORTED,
        other => other,
    }
}

/// Notifies the host that native code is about to call managed code. In preemptive mode, or on a
/// thread that the runtime does not know yet.
#[inline]
pub(super) fn reverse_enter() -> Answer {
    let (Some(manager), Some(thread)) = (managers::task_manager(), thread::current()) else {
        return UNNOTIFIED;
    };
    let has_task = thread.has_task();
    let entered = task::enter_managed();
    let answer = match (has_task, &entered) {
        (_, Err(aborted)) => *aborted,
        // SAFETY: the host's manager lives as long as the process.
        (Ok(true), Ok(())) => heed(unsafe { manager.ReverseEnterRuntime() }),
        (Ok(false), Ok(())) => return UNNOTIFIED,
        (Err(why), Ok(())) => why,
    };
    if answer == S_OK {
        into_managed(manager);
        return NOTIFIED;
    }
    if entered.is_ok() {
        task::leave_managed();
    }
    // Only `S_OK` lets the callback run. Another success code has no exception of its own.
    let why = if answer.is_err() {
        answer
    } else {
        HOST_E_INVALIDOPERATION
    };
    thread.was_refused(why);
    why.0
}

/// Notifies the host that managed code is about to return to native code. In preemptive mode.
#[inline]
pub(super) fn reverse_leave(answer: Answer) {
    if answer == NOTIFIED
        && let Some(manager) = managers::task_manager()
    {
        give_way(manager);
        // SAFETY: the host's manager lives as long as the process.
        let _ = heed(unsafe { manager.ReverseLeaveRuntime() });
        task::runs_managed(false);
    }
    // An abort that the managed code has delayed can happen now.
    task::leave_managed();
}

/// Notes that the host has let the thread into managed code.
#[inline]
fn into_managed(manager: &IHostTaskManager) {
    task::runs_managed(true);
    give_way(manager);
    suspension::about_to_enter_managed();
}

/// Switches to another task if `ICLRTask::YieldTask` has asked for that. For the host, the thread
/// is in managed code.
#[inline]
fn give_way(manager: &IHostTaskManager) {
    if task::shall_yield() {
        // SAFETY: the host's manager lives as long as the process. Whether another task has run
        // does not matter.
        let _ = heed(unsafe { manager.SwitchToTask(0) });
    }
}
