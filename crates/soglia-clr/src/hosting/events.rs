//! `ICLROnEventManager` and `ICLRPolicyManager`: what the host wants to be told of, and what it wants done, when code fails.

use std::{
    ffi::c_void,
    mem::ManuallyDrop,
    ptr::null_mut,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::AcqRel},
    },
};

use soglia_abi::{
    HRESULT,
    hosting::policy::{
        EClrEvent, EClrFailure, EClrOperation, EClrUnhandledException, EPolicyAction,
        Event_ClrDisabled, Event_StackOverflow, IActionOnCLREvent, ICLROnEventManager,
        ICLROnEventManager_Impl, ICLRPolicyManager, ICLRPolicyManager_Impl, MaxClrEvent,
        MaxClrFailure, MaxClrOperation, MaxPolicyAction, eHostDeterminedPolicy,
    },
    hresult::{E_INVALIDARG, E_NOTIMPL, HOST_E_INVALIDOPERATION, S_OK},
};
use windows_core::{ComObject, Interface, implement};

use super::{
    Shared, clr,
    fenced::{object, stand_in},
    method,
};
use crate::engine;

/// Those for `Event_ClrDisabled`, the one event that .NET tells.
static ACTIONS: Mutex<Vec<Shared<IActionOnCLREvent>>> = Mutex::new(Vec::new());

fn actions() -> MutexGuard<'static, Vec<Shared<IActionOnCLREvent>>> {
    ACTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether somebody wants to be told.
pub fn any() -> bool {
    !actions().is_empty()
}

/// Tells that no more managed code will run. Once, whoever calls it how often.
pub fn clr_disabled() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    if TOLD.swap(true, AcqRel) {
        return;
    }
    // An action may unregister others, so none is called under the lock.
    let told: Vec<IActionOnCLREvent> = actions().iter().map(|action| action.0.clone()).collect();
    for action in told {
        // SAFETY: a live object of the host's; null is what this event comes with.
        let _ = unsafe { action.OnEvent(Event_ClrDisabled, null_mut()) };
    }
}

/// The manager, with a reference for the caller.
pub fn manager() -> *mut c_void {
    let manager: ICLROnEventManager = ComObject::new(OnEvents).into_interface();
    manager.into_raw()
}

#[implement(ICLROnEventManager)]
struct OnEvents;

impl ICLROnEventManager_Impl for OnEvents_Impl {
    unsafe fn RegisterActionOnEvent(&self, event: EClrEvent, action: *mut c_void) -> HRESULT {
        method(|| {
            if action.is_null() || event.0 >= MaxClrEvent.0 {
                return E_INVALIDARG;
            }
            if event != Event_ClrDisabled {
                return E_NOTIMPL;
            }
            if clr::is_running() && engine::get().is_none() {
                // Nobody was interested when it started, so nobody is there to tell.
                return HOST_E_INVALIDOPERATION;
            }
            // SAFETY: alive, by COM's rules, and never released unless it was counted.
            let action = ManuallyDrop::new(unsafe { stand_in::<IActionOnCLREvent>(action) });
            let counted = IActionOnCLREvent::clone(&action);
            actions().push(Shared(counted));
            S_OK
        })
    }

    unsafe fn UnregisterActionOnEvent(&self, event: EClrEvent, action: *mut c_void) -> HRESULT {
        method(|| {
            if event.0 >= MaxClrEvent.0 || action.is_null() {
                return E_INVALIDARG;
            }
            if event == Event_StackOverflow {
                return HOST_E_INVALIDOPERATION;
            }
            let mut actions = actions();
            let same = |known: &Shared<IActionOnCLREvent>| object(&known.0) == action;
            let removed = actions
                .iter()
                .position(same)
                .filter(|_| event == Event_ClrDisabled)
                .map(|at| actions.remove(at));
            drop(actions);
            // The last reference may go with it, and that is the host's code.
            if removed.is_some() {
                S_OK
            } else {
                HOST_E_INVALIDOPERATION
            }
        })
    }
}

/// The policy manager, with a reference for the caller.
pub fn policy() -> *mut c_void {
    let policy: ICLRPolicyManager = ComObject::new(Policy).into_interface();
    policy.into_raw()
}

/// .NET escalates in one way only. Wrong arguments are told apart all the same.
#[implement(ICLRPolicyManager)]
struct Policy;

fn not_there(valid: bool) -> HRESULT {
    method(|| if valid { E_NOTIMPL } else { E_INVALIDARG })
}

fn valid(operation: EClrOperation) -> bool {
    operation.0 < MaxClrOperation.0
}

fn known(action: EPolicyAction) -> bool {
    action.0 < MaxPolicyAction.0
}

impl ICLRPolicyManager_Impl for Policy_Impl {
    unsafe fn SetDefaultAction(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT {
        not_there(valid(operation) && known(action))
    }

    unsafe fn SetTimeout(&self, operation: EClrOperation, _milliseconds: u32) -> HRESULT {
        not_there(valid(operation))
    }

    unsafe fn SetActionOnTimeout(
        &self,
        operation: EClrOperation,
        action: EPolicyAction,
    ) -> HRESULT {
        not_there(valid(operation) && known(action))
    }

    unsafe fn SetTimeoutAndAction(
        &self,
        operation: EClrOperation,
        _milliseconds: u32,
        action: EPolicyAction,
    ) -> HRESULT {
        not_there(valid(operation) && known(action))
    }

    unsafe fn SetActionOnFailure(&self, failure: EClrFailure, action: EPolicyAction) -> HRESULT {
        not_there(failure.0 < MaxClrFailure.0 && known(action))
    }

    unsafe fn SetUnhandledExceptionPolicy(&self, policy: EClrUnhandledException) -> HRESULT {
        not_there(policy.0 <= eHostDeterminedPolicy.0)
    }
}
