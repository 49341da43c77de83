//! The four crossings that a host is notified of.

use soglia_abi::{
    HRESULT,
    hosting::host_task::IHostTaskManager,
    hresult::{COR_E_THREADABORTED, HOST_E_INVALIDOPERATION, S_OK},
};

use super::thread::{self, Thread};
use crate::host::{
    attached::{LASTING, Visit},
    failure::heed,
    managers, suspension, task,
};

/// The result of the beginning of a crossing, which its end gets. Below 0 it is an HRESULT, and
/// there will be no end. Otherwise the low two bits are one of the constants below, and the others
/// are the session of the host.
pub type Answer = i32;
/// The host was notified.
const NOTIFIED: Answer = 0;
/// The host was not notified, because it gave the thread no task.
pub const UNNOTIFIED: Answer = 1;
/// The host does not want to be notified of this native function, or there is no host.
pub const QUIET: Answer = 2;
/// No host was asked: the crossing was recorded.
pub const RECORDED: Answer = 3;

const KINDS: Answer = 0b11;

/// The host of this session was notified.
const fn notified(session: u32) -> Answer {
    (session << 2).cast_signed() | NOTIFIED
}

/// The session whose host was notified.
#[inline]
const fn session_of(answer: Answer) -> Option<u32> {
    if answer < 0 || answer & KINDS != NOTIFIED {
        return None;
    }
    Some(answer.cast_unsigned() >> 2)
}

/// Whether a host is notified that came before the runtime ran. The answer never changes while the
/// runtime runs.
pub fn on() -> bool {
    managers::task_manager().is_some()
}

/// The answer where there is no host or no thread to notify.
#[cold]
fn no_host() -> Answer {
    if on() { UNNOTIFIED } else { QUIET }
}

/// Notifies the host that managed code is about to call the native function at `target`. In
/// preemptive mode.
#[inline]
pub(super) fn leave(target: usize) -> Answer {
    let Some((host, thread)) = thread::here() else {
        return no_host();
    };
    let answer = tell_leave(&host, thread, target);
    host.over();
    answer
}

#[inline]
fn tell_leave(host: &Visit, thread: &Thread, target: usize) -> Answer {
    match thread.has_task(host) {
        Ok(true) => {}
        Ok(false) => return UNNOTIFIED,
        Err(why) => return why.0,
    }
    if task::throws() {
        return COR_E_THREADABORTED.0;
    }
    give_way(host.manager);
    // SAFETY: the host's manager is alive during the visit.
    let answer = heed(unsafe { host.manager.LeaveRuntime(target) });
    if answer.is_err() {
        return answer.0;
    }
    // The host may have left meanwhile, and another one come.
    if thread.is_in(host) {
        thread.began();
    }
    task::runs_managed(false);
    notified(host.session)
}

/// Notifies the host that the native function has returned. Returns what to throw, or a success. In
/// preemptive mode.
#[inline]
pub(super) fn enter(answer: Answer) -> HRESULT {
    let Some(session) = session_of(answer) else {
        return S_OK;
    };
    let Some((host, thread)) = thread::here() else {
        return S_OK;
    };
    let answer = match host.session == session {
        true => tell_enter(&host, thread),
        // The host that was notified of the call has left.
        false => S_OK,
    };
    host.over();
    answer
}

#[inline]
fn tell_enter(host: &Visit, thread: &Thread) -> HRESULT {
    let refused = thread.ended();
    // SAFETY: the host's manager is alive during the visit.
    let answer = heed(unsafe { host.manager.EnterRuntime() });
    into_managed(host.manager);
    if answer.is_err() { answer } else { refused }
}

/// As [`enter`], where the result will be thrown: the task may have been aborted meanwhile.
#[inline]
pub(super) fn enter_or_throw(answer: Answer) -> HRESULT {
    match enter(answer) {
        // A callback has already answered with that abort.
        S_OK | COR_E_THREADABORTED if session_of(answer).is_some() && task::throws() => {
            COR_E_THREADABORTED
        }
        other => other,
    }
}

/// Notifies the host that native code is about to call managed code. In preemptive mode, or on a
/// thread that the runtime does not know yet.
#[inline]
pub(super) fn reverse_enter() -> Answer {
    let Some((host, thread)) = thread::here() else {
        return no_host();
    };
    let answer = tell_reverse_enter(&host, thread);
    host.over();
    answer
}

#[inline]
fn tell_reverse_enter(host: &Visit, thread: &Thread) -> Answer {
    let has_task = thread.has_task(host);
    let entered = task::enter_managed();
    let answer = match (has_task, &entered) {
        (_, Err(aborted)) => *aborted,
        // SAFETY: the host's manager is alive during the visit.
        (Ok(true), Ok(())) => heed(unsafe { host.manager.ReverseEnterRuntime() }),
        (Ok(false), Ok(())) => return UNNOTIFIED,
        (Err(why), Ok(())) => why,
    };
    if answer == S_OK {
        into_managed(host.manager);
        return notified(host.session);
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
    if answer == QUIET {
        return;
    }
    if let Some(session) = session_of(answer) {
        tell_reverse_leave(session);
    }
    // An abort that the managed code has delayed can happen now.
    task::leave_managed();
}

#[inline]
fn tell_reverse_leave(session: u32) {
    let host = match session {
        LASTING => managers::task_manager().map(Visit::lasting),
        _ => thread::here().map(|(host, _)| host),
    };
    let Some(host) = host else { return };
    if host.session == session {
        give_way(host.manager);
        // SAFETY: the host's manager is alive during the visit.
        let _ = heed(unsafe { host.manager.ReverseLeaveRuntime() });
        task::runs_managed(false);
    }
    host.over();
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
        // SAFETY: the host's manager is alive during the visit. Whether another task has run does
        // not matter.
        let _ = heed(unsafe { manager.SwitchToTask(0) });
    }
}
