//! `ICLRTaskManager`, `ICLRTask` and `ICLRTask2`: the CLR's side of tasks.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each method does"
)]
#![allow(non_snake_case, reason = "methods are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{BOOL, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::types::{COR_GC_THREAD_STATS, ETaskType, HANDLE, TASKID};

/// Slots 3 to 7. What the host gets by `SetCLRTaskManager`.
#[interface("4862EFBE-3AE5-44F8-8FEB-346190EE8A34")]
pub unsafe trait ICLRTaskManager: IUnknown {
    pub fn CreateTask(&self, pTask: *mut *mut c_void) -> HRESULT;
    /// The task of the calling thread or null. Lends it: no reference is added.
    pub fn GetCurrentTask(&self, pTask: *mut *mut c_void) -> HRESULT;
    pub fn SetUILocale(&self, lcid: u32) -> HRESULT;
    pub fn SetLocale(&self, lcid: u32) -> HRESULT;
    pub fn GetCurrentTaskType(&self, pTaskType: *mut ETaskType) -> HRESULT;
}

/// Slots 3 to 13. The CLR's half of a task, as `IHostTask` is the host's.
#[interface("28E66A4A-9906-4225-B231-9187C3EB8611")]
pub unsafe trait ICLRTask: IUnknown {
    pub fn SwitchIn(&self, threadHandle: HANDLE) -> HRESULT;
    pub fn SwitchOut(&self) -> HRESULT;
    pub fn GetMemStats(&self, memUsage: *mut COR_GC_THREAD_STATS) -> HRESULT;
    pub fn Reset(&self, fFull: BOOL) -> HRESULT;
    /// The task ends; the object may be gone when this returns.
    pub fn ExitTask(&self) -> HRESULT;
    pub fn Abort(&self) -> HRESULT;
    pub fn RudeAbort(&self) -> HRESULT;
    pub fn NeedsPriorityScheduling(&self, pbNeedsPriorityScheduling: *mut BOOL) -> HRESULT;
    pub fn YieldTask(&self) -> HRESULT;
    pub fn LocksHeld(&self, pLockCount: *mut usize) -> HRESULT;
    pub fn SetTaskIdentifier(&self, asked: TASKID) -> HRESULT;
}

/// Slots 14 and 15.
#[interface("28E66A4A-9906-4225-B231-9187C3EB8612")]
pub unsafe trait ICLRTask2: ICLRTask {
    pub fn BeginPreventAsyncAbort(&self) -> HRESULT;
    pub fn EndPreventAsyncAbort(&self) -> HRESULT;
}
