//! `ICLRPolicyManager`: what the host wants to happen when code fails.
//!
//! .NET escalates in one way only. A host that asks for exactly that gets `S_OK`, any other wish
//! `E_NOTIMPL`, and a value out of range `E_INVALIDARG`. From .NET 10 on, a host can choose whether
//! unhandled exceptions end the process, or only their thread.

use std::{
    ffi::c_void,
    sync::{Mutex, MutexGuard, PoisonError},
};

use soglia_abi::{
    HRESULT,
    hosting::policy::{
        EClrFailure, EClrOperation, EClrUnhandledException, EPolicyAction, FAIL_CriticalResource,
        FAIL_FatalRuntime, FAIL_NonCriticalResource, FAIL_OrphanedLock, FAIL_StackOverflow,
        ICLRPolicyManager, ICLRPolicyManager_Impl, ICLRPolicyManager_Vtbl, MaxClrFailure,
        MaxClrOperation, MaxPolicyAction, OPR_FinalizerRun, OPR_ProcessExit, OPR_ThreadAbort,
        eAbortThread, eExitProcess, eHostDeterminedPolicy, eNoAction, eRudeExitProcess,
        eRuntimeDeterminedPolicy, eThrowException,
    },
    hresult::{E_INVALIDARG, E_NOTIMPL, S_OK},
};

use super::{managed, method::method, starts};
use crate::com::{Object, class};

/// What .NET does by default, by operation.
const BY_DEFAULT: [(EClrOperation, EPolicyAction); 3] = [
    (OPR_ThreadAbort, eAbortThread),
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

/// The answer to a wish: `E_INVALIDARG` if it is not valid, `S_OK` if it happens anyway, and
/// `E_NOTIMPL` otherwise.
fn wish(valid: bool, as_it_is: bool) -> HRESULT {
    method(|| match (valid, as_it_is) {
        (false, _) => E_INVALIDARG,
        (true, true) => S_OK,
        (true, false) => E_NOTIMPL,
    })
}

fn valid(operation: EClrOperation) -> bool {
    operation.0 < MaxClrOperation.0
}

fn known(action: EPolicyAction) -> bool {
    action.0 < MaxPolicyAction.0
}

impl ICLRPolicyManager_Impl for Policy_Impl {
    unsafe fn SetDefaultAction(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT {
        wish(
            valid(operation) && known(action),
            BY_DEFAULT.contains(&(operation, action)),
        )
    }

    /// .NET has no timeouts, so only `INFINITE` is accepted.
    unsafe fn SetTimeout(&self, operation: EClrOperation, milliseconds: u32) -> HRESULT {
        wish(valid(operation), milliseconds == u32::MAX)
    }

    unsafe fn SetActionOnTimeout(
        &self,
        operation: EClrOperation,
        action: EPolicyAction,
    ) -> HRESULT {
        wish(valid(operation) && known(action), false)
    }

    unsafe fn SetTimeoutAndAction(
        &self,
        operation: EClrOperation,
        milliseconds: u32,
        action: EPolicyAction,
    ) -> HRESULT {
        // The action of a timeout that never comes does not matter.
        wish(valid(operation) && known(action), milliseconds == u32::MAX)
    }

    unsafe fn SetActionOnFailure(&self, failure: EClrFailure, action: EPolicyAction) -> HRESULT {
        wish(
            failure.0 < MaxClrFailure.0 && known(action),
            ON_FAILURE.contains(&(failure, action)),
        )
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
