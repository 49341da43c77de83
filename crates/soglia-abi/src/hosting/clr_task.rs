//! `ICLRTaskManager`, `ICLRTask` and `ICLRTask2`: the CLR's side of tasks.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(non_snake_case, reason = "names are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{BOOL, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::types::{COR_GC_THREAD_STATS, ETaskType, HANDLE, TASKID};
use crate::param::{InOut, Out};

/// Slots 3 to 7. The CLR's side of IHostTaskManager. SetCLRTaskManager and
/// ICLRControl::GetCLRManager return it.
#[interface("4862EFBE-3AE5-44F8-8FEB-346190EE8A34")]
pub unsafe trait ICLRTaskManager: IUnknown {
    /// Makes the calling thread a task of the CLR. The CLR must not know the thread yet:
    /// HOST_E_INVALIDOPERATION.
    pub fn CreateTask(&self, pTask: Out<'_, *mut c_void>) -> HRESULT;
    /// Lends the CLR's task of the calling thread, without a reference, or null. It allocates no
    /// memory.
    pub fn GetCurrentTask(&self, pTask: Out<'_, *mut c_void>) -> HRESULT;
    /// Sets this thread's UI culture, because the host has set its UI locale.
    /// HOST_E_INVALIDOPERATION if the CLR does not know the thread, E_INVALIDARG if .NET does not
    /// know the culture.
    pub fn SetUILocale(&self, lcid: u32) -> HRESULT;
    /// Sets this thread's culture, as SetUILocale sets the UI culture.
    pub fn SetLocale(&self, lcid: u32) -> HRESULT;
    /// Stores what the calling thread is for: one value of ETaskType. A thread that runs managed
    /// code for the program is TT_USER. A thread that the CLR does not know is TT_UNKNOWN.
    pub fn GetCurrentTaskType(&self, pTaskType: Out<'_, ETaskType>) -> HRESULT;
}

/// Slots 3 to 13. The CLR's side of a task. GetCurrentTask, SetCLRTask and CreateTask return it.
#[interface("28E66A4A-9906-4225-B231-9187C3EB8611")]
pub unsafe trait ICLRTask: IUnknown {
    /// Said that the task runs on this thread from here on. E_NOTIMPL: .NET's threads cannot be
    /// switched.
    pub fn SwitchIn(&self, threadHandle: HANDLE) -> HRESULT;
    /// Said that the task is off its thread. E_NOTIMPL, as in .NET Framework 4.
    pub fn SwitchOut(&self) -> HRESULT;
    /// Stores the bytes that the task has allocated. Set the structure to zero first: Flags is only
    /// ever set, never cleared. E_NOTIMPL on another thread than the task's.
    pub fn GetMemStats(&self, memUsage: InOut<'_, COR_GC_THREAD_STATS>) -> HRESULT;
    /// Made the thread as new, to be used again. fFull cleared statistics too. E_NOTIMPL.
    pub fn Reset(&self, fFull: BOOL) -> HRESULT;
    /// Ended the task, on its own thread. E_NOTIMPL.
    pub fn ExitTask(&self) -> HRESULT;
    /// Asks the CLR to abort what the task runs, and returns at once. The task's next crossing
    /// throws COR_E_THREADABORTED, or its wait ends. E_NOTIMPL if the task runs nothing that
    /// ExecuteInDefaultAppDomain has started, and without an IHostTaskManager.
    pub fn Abort(&self) -> HRESULT;
    /// As Abort, again and again until what the task runs is over, also in finally blocks.
    pub fn RudeAbort(&self) -> HRESULT;
    /// Stores TRUE if the task should be scheduled first: it is in managed code, or it is the
    /// finalizer.
    pub fn NeedsPriorityScheduling(&self, pbNeedsPriorityScheduling: Out<'_, BOOL>) -> HRESULT;
    /// Asks the task to let others run. HOST_E_INVALIDOPERATION on the task's own thread, S_FALSE
    /// if it has been asked already.
    pub fn YieldTask(&self) -> HRESULT;
    /// Stores the number of critical regions that the task is in; .NET does not report locks.
    /// E_NOTIMPL if the host has no IHostTaskManager.
    pub fn LocksHeld(&self, pLockCount: Out<'_, usize>) -> HRESULT;
    /// Sets the host's number for the task, for debuggers and reports to show. Microsoft's page
    /// says DWORD; the ABI has 64 bits.
    pub fn SetTaskIdentifier(&self, asked: TASKID) -> HRESULT;
}

/// Slots 14 and 15. Delays aborts.
#[interface("28E66A4A-9906-4225-B231-9187C3EB8612")]
pub unsafe trait ICLRTask2: ICLRTask {
    /// The task is not aborted from here to the matching End. Calls nest. HOST_E_INVALIDOPERATION
    /// on another thread than the task's.
    pub fn BeginPreventAsyncAbort(&self) -> HRESULT;
    /// Ends one such region. E_UNEXPECTED without a Begin.
    pub fn EndPreventAsyncAbort(&self) -> HRESULT;
}
