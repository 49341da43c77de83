//! `ICLRPolicyManager`: what the host wants to happen when code fails.
//!
//! Aborts escalate as the host wishes ([`escalation`]). Of everything else .NET does one thing: a
//! host that asks for exactly that gets `S_OK`, any other wish `E_NOTIMPL`. A value out of range,
//! or an action that is not severe enough, is `E_INVALIDARG`. From .NET 10 on, a host can choose
//! whether unhandled exceptions end the process, or only their thread.

use std::{
    ffi::c_void,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use soglia_abi::{
    HRESULT,
    hosting::policy::{
        EClrFailure, EClrOperation, EClrUnhandledException, EPolicyAction, FAIL_CriticalResource,
        FAIL_FatalRuntime, FAIL_NonCriticalResource, FAIL_OrphanedLock, FAIL_StackOverflow,
        ICLRPolicyManager, ICLRPolicyManager_Impl, ICLRPolicyManager_Vtbl, MaxClrFailure,
        MaxPolicyAction, OPR_AppDomainRudeUnload, OPR_AppDomainUnload, OPR_FinalizerRun,
        OPR_ProcessExit, OPR_ThreadAbort, OPR_ThreadRudeAbortInCriticalRegion,
        OPR_ThreadRudeAbortInNonCriticalRegion, eAbortThread, eExitProcess, eHostDeterminedPolicy,
        eNoAction, eRudeAbortThread, eRudeExitProcess, eRudeUnloadAppDomain,
        eRuntimeDeterminedPolicy, eThrowException, eUnloadAppDomain,
    },
    hresult::{E_INVALIDARG, E_NOTIMPL, S_OK},
};

use super::{managed, method::method, starts};
use crate::{
    com::{Object, class},
    host::{escalation, polls},
};

/// No limit, as `INFINITE` of the Windows headers.
const INFINITE: u32 = u32::MAX;

/// What .NET does by default, by operation.
const BY_DEFAULT: [(EClrOperation, EPolicyAction); 4] = [
    (OPR_ThreadAbort, eAbortThread),
    (OPR_AppDomainUnload, eUnloadAppDomain),
    (OPR_ProcessExit, eExitProcess),
    (OPR_FinalizerRun, eNoAction),
];

/// What .NET does by default, by failure.
const ON_FAILURE: [(EClrFailure, EPolicyAction); 5] = [
    (FAIL_NonCriticalResource, eThrowException),
    (FAIL_CriticalResource, eThrowException),
    (FAIL_FatalRuntime, eRudeExitProcess),
    (FAIL_OrphanedLock, eNoAction),
    (FAIL_StackOverflow, eRudeExitProcess),
];

/// The first version that lets a host decide on unhandled exceptions.
const HOST_DECIDES: u64 = 10;

/// What decides on unhandled exceptions.
#[derive(Clone, Copy, PartialEq)]
enum Decides {
    Runtime,
    /// The host, once the runtime has started.
    HostLater,
    /// The host, for good.
    Host,
}

fn decides() -> MutexGuard<'static, Decides> {
    static DECIDES: Mutex<Decides> = Mutex::new(Decides::Runtime);
    DECIDES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// To be called when the runtime has started.
pub fn started() {
    let mut decides = decides();
    if *decides == Decides::HostLater {
        // A program that sets its own handler later finds the place taken, as the host has asked.
        let kept = managed::keep_running().is_ok_and(|done| done);
        *decides = if kept {
            Decides::Host
        } else {
            Decides::Runtime
        };
    }
}

/// The manager of a host for that major version, with a reference for the caller.
pub fn manager(major: u64) -> *mut c_void {
    // One for each version: few.
    static ALL: Mutex<Vec<&Object<Policy>>> = Mutex::new(Vec::new());
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let known = all.iter().find(|policy| policy.major == major).copied();
    let policy = known.unwrap_or_else(|| {
        let policy = Object::forever(Policy { major });
        all.push(policy);
        policy
    });
    policy.give()
}

struct Policy {
    major: u64,
}

class!(
    Policy,
    Policy_Impl,
    ICLRPolicyManager,
    ICLRPolicyManager_Vtbl
);

/// The answer to a wish: `E_INVALIDARG` if it is not valid, `S_OK` if it is granted, and
/// `E_NOTIMPL` otherwise.
fn wish(valid: bool, grant: impl FnOnce() -> bool) -> HRESULT {
    method(|| match valid {
        false => E_INVALIDARG,
        true if grant() => S_OK,
        true => E_NOTIMPL,
    })
}

/// The least severe action that an operation may have.
const SEVERITIES: [(EClrOperation, EPolicyAction); 7] = [
    (OPR_ThreadAbort, eAbortThread),
    (OPR_ThreadRudeAbortInNonCriticalRegion, eRudeAbortThread),
    (OPR_ThreadRudeAbortInCriticalRegion, eRudeAbortThread),
    (OPR_AppDomainUnload, eUnloadAppDomain),
    (OPR_AppDomainRudeUnload, eRudeUnloadAppDomain),
    (OPR_ProcessExit, eExitProcess),
    (OPR_FinalizerRun, eNoAction),
];

/// The same of one operation. `None`: there is no such operation.
fn severity(of: EClrOperation) -> Option<EPolicyAction> {
    let known = SEVERITIES.iter().find(|(operation, _)| *operation == of);
    known.map(|(_, action)| *action)
}

/// Whether an action may follow where an operation takes too long.
fn more_severe(operation: EClrOperation, action: EPolicyAction) -> bool {
    known(action) && severity(operation).is_some_and(|least| action.0 > least.0)
}

fn set_limit(operation: EClrOperation, milliseconds: u32) -> bool {
    let limit = (milliseconds != INFINITE).then(|| Duration::from_millis(milliseconds.into()));
    let done = escalation::set_limit(operation, limit);
    if done && limit.is_some() {
        // Such a host wants tasks to end that neither cross nor wait.
        polls::wish();
    }
    done || limit.is_none()
}

fn known(action: EPolicyAction) -> bool {
    action.0 < MaxPolicyAction.0
}

impl ICLRPolicyManager_Impl for Policy_Impl {
    unsafe fn SetDefaultAction(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT {
        let severe = severity(operation).is_some_and(|least| action.0 >= least.0);
        wish(severe && known(action), || {
            let done = escalation::set_action(operation, action);
            if done && action != eAbortThread {
                polls::wish();
            }
            done || BY_DEFAULT.contains(&(operation, action))
        })
    }

    /// Aborts can be bounded in time. Of other operations, only `INFINITE` is accepted.
    unsafe fn SetTimeout(&self, operation: EClrOperation, milliseconds: u32) -> HRESULT {
        wish(severity(operation).is_some(), || {
            set_limit(operation, milliseconds)
        })
    }

    unsafe fn SetActionOnTimeout(
        &self,
        operation: EClrOperation,
        action: EPolicyAction,
    ) -> HRESULT {
        wish(more_severe(operation, action), || {
            escalation::set_on_timeout(operation, action)
        })
    }

    unsafe fn SetTimeoutAndAction(
        &self,
        operation: EClrOperation,
        milliseconds: u32,
        action: EPolicyAction,
    ) -> HRESULT {
        wish(more_severe(operation, action), || {
            // The action of a timeout that never comes does not matter.
            let done = escalation::set_on_timeout(operation, action);
            (done || milliseconds == INFINITE) && set_limit(operation, milliseconds)
        })
    }

    unsafe fn SetActionOnFailure(&self, failure: EClrFailure, action: EPolicyAction) -> HRESULT {
        wish(failure.0 < MaxClrFailure.0 && known(action), || {
            // A host that wants an exception in the place of an overflow says so before the start.
            if (failure, action) == (FAIL_StackOverflow, eThrowException) {
                let in_time = !starts::is_started();
                if in_time {
                    polls::wish();
                }
                return in_time;
            }
            ON_FAILURE.contains(&(failure, action))
        })
    }

    unsafe fn SetUnhandledExceptionPolicy(&self, policy: EClrUnhandledException) -> HRESULT {
        method(|| {
            let host = policy == eHostDeterminedPolicy;
            if !host && policy != eRuntimeDeterminedPolicy {
                return E_INVALIDARG;
            }
            let mut decides = decides();
            match *decides {
                Decides::Host if !host => return E_NOTIMPL,
                Decides::Host => {}
                _ if !host => *decides = Decides::Runtime,
                _ if self.major < HOST_DECIDES => return E_NOTIMPL,
                _ if !starts::is_started() => *decides = Decides::HostLater,
                _ => match managed::keep_running() {
                    Ok(true) => *decides = Decides::Host,
                    Ok(false) => return E_NOTIMPL,
                    Err(why) => return why,
                },
            }
            S_OK
        })
    }
}
