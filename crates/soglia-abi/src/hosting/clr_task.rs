//! `ICLRTaskManager`, `ICLRTask` and `ICLRTask2`: the CLR's side of tasks.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(non_snake_case, reason = "names are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{BOOL, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::types::{COR_GC_THREAD_STATS, ETaskType, HANDLE, TASKID};

/// Slots 3 to 7. The CLR's half of IHostTaskManager. Given out by SetCLRTaskManager and
/// ICLRControl::GetCLRManager.
#[interface("4862EFBE-3AE5-44F8-8FEB-346190EE8A34")]
pub unsafe trait ICLRTaskManager: IUnknown {
    /// Makes the calling thread, which the CLR must not know yet, one of the CLR's tasks.
    pub fn CreateTask(&self, pTask: *mut *mut c_void) -> HRESULT;
    /// The CLR's task of the calling thread, or null. Lends it: no reference is added. Allocates nothing.
    pub fn GetCurrentTask(&self, pTask: *mut *mut c_void) -> HRESULT;
    /// The host has set this thread's UI locale; sets the managed culture. HOST_E_INVALIDOPERATION if the CLR
    /// does not know the thread.
    pub fn SetUILocale(&self, lcid: u32) -> HRESULT;
    /// The same for the locale.
    pub fn SetLocale(&self, lcid: u32) -> HRESULT;
    /// What the calling thread is for: one value of ETaskType. TT_USER for a thread that runs managed code
    /// and is nothing else, TT_UNKNOWN for one that the CLR does not know.
    pub fn GetCurrentTaskType(&self, pTaskType: *mut ETaskType) -> HRESULT;
}

/// Slots 3 to 13. The CLR's half of a task. GetCurrentTask, SetCLRTask and CreateTask give it.
#[interface("28E66A4A-9906-4225-B231-9187C3EB8611")]
pub unsafe trait ICLRTask: IUnknown {
    /// Says that the task runs on this thread from here on. E_NOTIMPL: .NET's threads cannot be switched.
    pub fn SwitchIn(&self, threadHandle: HANDLE) -> HRESULT;
    /// Says that the task is off its thread. E_NOTIMPL, as in .NET Framework 4.
    pub fn SwitchOut(&self) -> HRESULT;
    /// What the task has allocated. Zero the struct first: the flag is only ever set.
    pub fn GetMemStats(&self, memUsage: *mut COR_GC_THREAD_STATS) -> HRESULT;
    /// Makes the thread as new, to be used again. fFull clears statistics too. E_NOTIMPL.
    pub fn Reset(&self, fFull: BOOL) -> HRESULT;
    /// The task ends. Called on its own thread; the object may be gone when this returns. E_NOTIMPL.
    pub fn ExitTask(&self) -> HRESULT;
    /// Asks the CLR to abort what the task runs, and returns at once. Its next crossing throws
    /// COR_E_THREADABORTED, or its wait ends. E_NOTIMPL for what was not started by ExecuteInDefaultAppDomain,
    /// and without an IHostTaskManager.
    pub fn Abort(&self) -> HRESULT;
    /// The same, without a promise that finally blocks run. E_NOTIMPL.
    pub fn RudeAbort(&self) -> HRESULT;
    /// TRUE while the task is in managed code, or is the finalizer: worth to be scheduled first.
    pub fn NeedsPriorityScheduling(&self, pbNeedsPriorityScheduling: *mut BOOL) -> HRESULT;
    /// Asks the task to give others a chance. HOST_E_INVALIDOPERATION on the task's own thread, S_FALSE if it
    /// has been asked already.
    pub fn YieldTask(&self) -> HRESULT;
    /// How many critical regions the task is in: .NET does not tell of locks. E_NOTIMPL where the host has no
    /// IHostTaskManager.
    pub fn LocksHeld(&self, pLockCount: *mut usize) -> HRESULT;
    /// The host's number for the task, 64 bits, for debuggers and reports to show. (The document says DWORD;
    /// the ABI is 64 bits.)
    pub fn SetTaskIdentifier(&self, asked: TASKID) -> HRESULT;
}

/// Slots 14 and 15. Holding aborts back.
#[interface("28E66A4A-9906-4225-B231-9187C3EB8612")]
pub unsafe trait ICLRTask2: ICLRTask {
    /// From here to the matching End the task is not aborted. Counts.
    pub fn BeginPreventAsyncAbort(&self) -> HRESULT;
    /// Takes one Begin back.
    pub fn EndPreventAsyncAbort(&self) -> HRESULT;
}
