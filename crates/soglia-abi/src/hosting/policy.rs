//! `ICLRPolicyManager`, `IHostPolicyManager`, `ICLROnEventManager` and `IActionOnCLREvent`: what
//! happens when code fails.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    reason = "names are spelled as in mscoree.idl"
)]

use core::ffi::c_void;

use windows_core::{HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::param::Lent;

c_enum! {
    /// Operations of the CLR that can take long or fail.
    EClrOperation {
        OPR_ThreadAbort = 0,
        OPR_ThreadRudeAbortInNonCriticalRegion = 1,
        OPR_ThreadRudeAbortInCriticalRegion = 2,
        OPR_AppDomainUnload = 3,
        OPR_AppDomainRudeUnload = 4,
        OPR_ProcessExit = 5,
        OPR_FinalizerRun = 6,
        MaxClrOperation = 7,
    }

    /// What can fail.
    EClrFailure {
        FAIL_NonCriticalResource = 0,
        FAIL_CriticalResource = 1,
        FAIL_FatalRuntime = 2,
        FAIL_OrphanedLock = 3,
        FAIL_StackOverflow = 4,
        FAIL_AccessViolation = 5,
        FAIL_CodeContract = 6,
        MaxClrFailure = 7,
    }

    /// Actions, in order of severity.
    EPolicyAction {
        eNoAction = 0,
        eThrowException = 1,
        eAbortThread = 2,
        eRudeAbortThread = 3,
        eUnloadAppDomain = 4,
        eRudeUnloadAppDomain = 5,
        eExitProcess = 6,
        eFastExitProcess = 7,
        eRudeExitProcess = 8,
        eDisableRuntime = 9,
        MaxPolicyAction = 10,
    }

    /// Who decides on unhandled exceptions.
    EClrUnhandledException {
        eRuntimeDeterminedPolicy = 0,
        eHostDeterminedPolicy = 1,
    }

    /// The events that an `IActionOnCLREvent` can be registered for.
    EClrEvent {
        Event_DomainUnload = 0,
        Event_ClrDisabled = 1,
        Event_MDAFired = 2,
        Event_StackOverflow = 3,
        MaxClrEvent = 4,
    }

    /// Whose stack it was.
    StackOverflowType {
        SO_Managed = 0,
        SO_ClrEngine = 1,
        SO_Other = 2,
    }
}

/// The data of `Event_MDAFired`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MDAInfo {
    pub lpMDACaption: *const u16,
    pub lpMDAMessage: *const u16,
    pub lpStackTrace: *const u16,
}

/// The data of `Event_StackOverflow`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackOverflowInfo {
    pub soType: StackOverflowType,
    /// An `EXCEPTION_POINTERS`, which Linux does not have.
    pub pExceptionInfo: *mut c_void,
}

/// Slots 3 to 8. Sets what the CLR does when code fails or hangs. A host chooses what aborts do. Of
/// everything else: S_OK for what .NET does anyway, E_NOTIMPL otherwise.
#[interface("7D290010-D781-45DA-A6F8-AA5D711A730E")]
pub unsafe trait ICLRPolicyManager: IUnknown {
    /// Sets what an operation does. The action must be at least as severe as the operation.
    pub fn SetDefaultAction(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT;
    /// Sets how long an operation may take.
    pub fn SetTimeout(&self, operation: EClrOperation, dwMilliseconds: u32) -> HRESULT;
    /// Sets what follows a timeout. The action must be more severe than the operation.
    pub fn SetActionOnTimeout(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT;
    /// Sets a timeout and its action.
    pub fn SetTimeoutAndAction(
        &self,
        operation: EClrOperation,
        dwMilliseconds: u32,
        action: EPolicyAction,
    ) -> HRESULT;
    /// Sets what a failure leads to.
    pub fn SetActionOnFailure(&self, failure: EClrFailure, action: EPolicyAction) -> HRESULT;
    /// Sets whether an unhandled exception ends the process. The host can decide from .NET 10 on;
    /// before that, E_NOTIMPL.
    pub fn SetUnhandledExceptionPolicy(&self, policy: EClrUnhandledException) -> HRESULT;
}

/// Slots 3 to 5. Notifies the host of actions that the CLR takes by policy. Results are ignored.
#[interface("7AE49844-B1E3-4683-BA7C-1E8212EA3B79")]
pub unsafe trait IHostPolicyManager: IUnknown {
    /// An operation took its default action.
    pub fn OnDefaultAction(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT;
    /// An operation took too long.
    pub fn OnTimeout(&self, operation: EClrOperation, action: EPolicyAction) -> HRESULT;
    /// A failure happened.
    pub fn OnFailure(&self, failure: EClrFailure, action: EPolicyAction) -> HRESULT;
}

/// Slots 3 and 4. Registers actions for events of the CLR.
#[interface("1D0E0132-E64F-493D-9260-025C0E32C175")]
pub unsafe trait ICLROnEventManager: IUnknown {
    /// The CLR calls pAction at that event from here on. E_INVALIDARG for a null action or an
    /// unknown event, E_NOTIMPL for an event that .NET gives no occasion for.
    pub fn RegisterActionOnEvent(
        &self,
        event: EClrEvent,
        pAction: Lent<'_, IActionOnCLREvent>,
    ) -> HRESULT;
    /// Ends that. HOST_E_INVALIDOPERATION for an action that was not registered, and always for
    /// Event_StackOverflow.
    pub fn UnregisterActionOnEvent(
        &self,
        event: EClrEvent,
        pAction: Lent<'_, IActionOnCLREvent>,
    ) -> HRESULT;
}

/// Slot 3. An action that the host registers.
#[interface("607BE24B-D91B-4E28-A242-61871CE56E35")]
pub unsafe trait IActionOnCLREvent: IUnknown {
    /// The event has happened. data is the domain's number for Event_DomainUnload, null for
    /// Event_ClrDisabled (called once), an MDAInfo* for Event_MDAFired, and a StackOverflowInfo*
    /// for Event_StackOverflow.
    pub fn OnEvent(&self, event: EClrEvent, data: *mut c_void) -> HRESULT;
}
