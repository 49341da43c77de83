//! `IHostTaskManager` and `IHostTask`: the host's side of tasks.
//!
//! The four transitions are what soglia is named for. For managed code that calls native code that calls managed code,
//! the CLR says Leave, ReverseEnter, ReverseLeave, Enter: per thread a stack, which Leave and ReverseEnter push and
//! their opposites pop. A managed thread's stack begins with Leave, a native thread's with ReverseEnter.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each method does"
)]
#![allow(non_snake_case, reason = "methods are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{BOOL, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::types::LPTHREAD_START_ROUTINE;

/// Slots 3 to 20. One per host, given out by `IHostControl::GetHostManager` and kept until the process ends.
#[interface("997FF24C-43B7-4352-8667-0DC04FAFD354")]
pub unsafe trait IHostTaskManager: IUnknown {
    /// The task of the calling thread, with a reference for the caller; null for a thread that the host keeps out.
    pub fn GetCurrentTask(&self, pTask: *mut *mut c_void) -> HRESULT;
    /// A task that stays suspended until `IHostTask::Start`. Stack size in bytes, zero for the default.
    pub fn CreateTask(
        &self,
        dwStackSize: u32,
        pStartAddress: Option<LPTHREAD_START_ROUTINE>,
        pParameter: *mut c_void,
        ppTask: *mut *mut c_void,
    ) -> HRESULT;
    pub fn Sleep(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    pub fn SwitchToTask(&self, option: u32) -> HRESULT;
    pub fn SetUILocale(&self, lcid: u32) -> HRESULT;
    pub fn SetLocale(&self, lcid: u32) -> HRESULT;
    /// Whether calls of the native function at `target` are to be bracketed by `LeaveRuntime` and `EnterRuntime`.
    pub fn CallNeedsHostHook(&self, target: usize, pbCallNeedsHostHook: *mut BOOL) -> HRESULT;
    /// Managed code is about to call native code. A failure refuses: the call is not made, and no Enter follows.
    pub fn LeaveRuntime(&self, target: usize) -> HRESULT;
    /// The native code has returned.
    pub fn EnterRuntime(&self) -> HRESULT;
    /// Managed code that native code called is about to return to it.
    pub fn ReverseLeaveRuntime(&self) -> HRESULT;
    /// Native code calls managed code.
    pub fn ReverseEnterRuntime(&self) -> HRESULT;
    pub fn BeginDelayAbort(&self) -> HRESULT;
    pub fn EndDelayAbort(&self) -> HRESULT;
    /// From here to the matching End the task must run on this OS thread. Pairs nest, and the host counts.
    pub fn BeginThreadAffinity(&self) -> HRESULT;
    pub fn EndThreadAffinity(&self) -> HRESULT;
    pub fn SetStackGuarantee(&self, guarantee: u32) -> HRESULT;
    pub fn GetStackGuarantee(&self, pGuarantee: *mut u32) -> HRESULT;
    /// Hands the host the other side's manager, once, before everything else.
    pub fn SetCLRTaskManager(&self, ppManager: *mut c_void) -> HRESULT;
}

/// Slots 3 to 8. One unit of what the host schedules.
#[interface("C2275828-C4B1-4B55-82C9-92135F74DF1A")]
pub unsafe trait IHostTask: IUnknown {
    pub fn Start(&self) -> HRESULT;
    /// Wakes the task out of an alertable wait, now or when it next comes to one; does not wait itself.
    pub fn Alert(&self) -> HRESULT;
    pub fn Join(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    pub fn SetPriority(&self, newPriority: i32) -> HRESULT;
    pub fn GetPriority(&self, pPriority: *mut i32) -> HRESULT;
    /// Pairs the task with the CLR's; called on the task's own thread.
    pub fn SetCLRTask(&self, pCLRTask: *mut c_void) -> HRESULT;
}
