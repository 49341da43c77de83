//! `IHostThreadpoolManager`, `IHostIoCompletionManager` and `ICLRIoCompletionManager`: pool threads
//! and I/O completion.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(non_snake_case, reason = "names are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::types::{HANDLE, LPTHREAD_START_ROUTINE};
use crate::param::{Lent, Out};

/// Slots 3 to 8. The host's thread pool. .NET's thread pool has the host run its work items, if the
/// host has an IHostTaskManager too.
#[interface("983D50E2-CB15-466B-80FC-845DC6E8C5FD")]
pub unsafe trait IHostThreadpoolManager: IUnknown {
    /// Has a thread of the host call Function(Context), which runs work items until none is left.
    /// Flags is 0: the calling thread must not call it. After a failure .NET's own thread pool runs
    /// them.
    pub fn QueueUserWorkItem(
        &self,
        Function: Option<LPTHREAD_START_ROUTINE>,
        Context: *mut c_void,
        Flags: u32,
    ) -> HRESULT;
    /// Sets the largest number of worker threads. After E_NOTIMPL, .NET sets its own.
    pub fn SetMaxThreads(&self, dwMaxWorkerThreads: u32) -> HRESULT;
    /// Stores the largest number of worker threads. After a failure, .NET's own counts.
    pub fn GetMaxThreads(&self, pdwMaxWorkerThreads: Out<'_, u32>) -> HRESULT;
    /// Stores how many more workers there could be now. After a failure, .NET's own counts.
    pub fn GetAvailableThreads(&self, pdwAvailableWorkerThreads: Out<'_, u32>) -> HRESULT;
    /// Sets the smallest number of worker threads. After E_NOTIMPL, .NET sets its own. The
    /// parameter's name is the IDL's.
    pub fn SetMinThreads(&self, dwMinIOCompletionThreads: u32) -> HRESULT;
    /// Stores the smallest number of worker threads. After a failure, .NET's own counts.
    pub fn GetMinThreads(&self, pdwMinIOCompletionThreads: Out<'_, u32>) -> HRESULT;
}

/// Slots 3 to 13. The host's I/O completion. Windows only, so no method is called.
#[interface("8BDE9D80-EC06-41D6-83E6-22580EFFCC20")]
pub unsafe trait IHostIoCompletionManager: IUnknown {
    /// Returns a port to bind handles to.
    pub fn CreateIoCompletionPort(&self, phPort: Out<'_, HANDLE>) -> HRESULT;
    /// Closes a port.
    pub fn CloseIoCompletionPort(&self, hPort: HANDLE) -> HRESULT;
    /// Sets the largest number of threads that serve completions.
    pub fn SetMaxThreads(&self, dwMaxIOCompletionThreads: u32) -> HRESULT;
    /// Stores the largest number of threads that serve completions.
    pub fn GetMaxThreads(&self, pdwMaxIOCompletionThreads: Out<'_, u32>) -> HRESULT;
    /// Stores how many more such threads there could be now.
    pub fn GetAvailableThreads(&self, pdwAvailableIOCompletionThreads: Out<'_, u32>) -> HRESULT;
    /// Stores how many bytes of its own the host wants behind each OVERLAPPED.
    pub fn GetHostOverlappedSize(&self, pcbSize: Out<'_, u32>) -> HRESULT;
    /// Gives the host the CLR's side.
    pub fn SetCLRIoCompletionManager(&self, pManager: Lent<'_, ICLRIoCompletionManager>)
    -> HRESULT;
    /// Initialises the host's bytes behind an OVERLAPPED.
    pub fn InitializeHostOverlapped(&self, pvOverlapped: *mut c_void) -> HRESULT;
    /// Binds a handle to a port, or to the host's own port with null.
    pub fn Bind(&self, hPort: HANDLE, hHandle: HANDLE) -> HRESULT;
    /// Sets the smallest number of threads that serve completions.
    pub fn SetMinThreads(&self, dwMinIOCompletionThreads: u32) -> HRESULT;
    /// Stores the smallest number of threads that serve completions.
    pub fn GetMinThreads(&self, pdwMinIOCompletionThreads: Out<'_, u32>) -> HRESULT;
}

/// Slot 3. The CLR's side of IHostIoCompletionManager.
#[interface("2D74CE86-B8D6-4C84-B3A7-9768933B3C12")]
pub unsafe trait ICLRIoCompletionManager: IUnknown {
    /// An operation has ended: its error, its bytes and its OVERLAPPED.
    pub fn OnComplete(
        &self,
        dwErrorCode: u32,
        NumberOfBytesTransferred: u32,
        pvOverlapped: *mut c_void,
    ) -> HRESULT;
}
