//! `IHostThreadpoolManager`, `IHostIoCompletionManager` and `ICLRIoCompletionManager`: pool threads and I/O completion.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(non_snake_case, reason = "names are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::types::{HANDLE, LPTHREAD_START_ROUTINE};

/// Slots 3 to 8. The host's thread pool. .NET's own cannot be redirected: never called.
#[interface("983D50E2-CB15-466B-80FC-845DC6E8C5FD")]
pub unsafe trait IHostThreadpoolManager: IUnknown {
    /// Runs Function(Context) on a pool thread. Flags: 0, or 1 for "here and now is fine too".
    pub fn QueueUserWorkItem(
        &self,
        Function: Option<LPTHREAD_START_ROUTINE>,
        Context: *mut c_void,
        Flags: u32,
    ) -> HRESULT;
    /// The most worker threads.
    pub fn SetMaxThreads(&self, dwMaxWorkerThreads: u32) -> HRESULT;
    /// The same, read.
    pub fn GetMaxThreads(&self, pdwMaxWorkerThreads: *mut u32) -> HRESULT;
    /// How many more workers there could be now.
    pub fn GetAvailableThreads(&self, pdwAvailableWorkerThreads: *mut u32) -> HRESULT;
    /// The fewest worker threads (the parameter's name is the IDL's).
    pub fn SetMinThreads(&self, dwMinIOCompletionThreads: u32) -> HRESULT;
    /// The same, read.
    pub fn GetMinThreads(&self, pdwMinIOCompletionThreads: *mut u32) -> HRESULT;
}

/// Slots 3 to 13. The host's I/O completion. Windows only: never called.
#[interface("8BDE9D80-EC06-41D6-83E6-22580EFFCC20")]
pub unsafe trait IHostIoCompletionManager: IUnknown {
    /// A port to bind handles to.
    pub fn CreateIoCompletionPort(&self, phPort: *mut HANDLE) -> HRESULT;
    /// Closes one.
    pub fn CloseIoCompletionPort(&self, hPort: HANDLE) -> HRESULT;
    /// The most threads that serve completions.
    pub fn SetMaxThreads(&self, dwMaxIOCompletionThreads: u32) -> HRESULT;
    /// The same, read.
    pub fn GetMaxThreads(&self, pdwMaxIOCompletionThreads: *mut u32) -> HRESULT;
    /// How many more there could be now.
    pub fn GetAvailableThreads(&self, pdwAvailableIOCompletionThreads: *mut u32) -> HRESULT;
    /// How many bytes of its own the host wants behind each OVERLAPPED.
    pub fn GetHostOverlappedSize(&self, pcbSize: *mut u32) -> HRESULT;
    /// Hands over the CLR's half.
    pub fn SetCLRIoCompletionManager(&self, pManager: *mut c_void) -> HRESULT;
    /// Initialises those bytes.
    pub fn InitializeHostOverlapped(&self, pvOverlapped: *mut c_void) -> HRESULT;
    /// Binds a handle to a port, or to the host's own (null).
    pub fn Bind(&self, hPort: HANDLE, hHandle: HANDLE) -> HRESULT;
    /// The fewest threads that serve completions.
    pub fn SetMinThreads(&self, dwMinIOCompletionThreads: u32) -> HRESULT;
    /// The same, read.
    pub fn GetMinThreads(&self, pdwMinIOCompletionThreads: *mut u32) -> HRESULT;
}

/// Slot 3. The CLR's half of IHostIoCompletionManager.
#[interface("2D74CE86-B8D6-4C84-B3A7-9768933B3C12")]
pub unsafe trait ICLRIoCompletionManager: IUnknown {
    /// An operation has ended: its error, its bytes, its OVERLAPPED.
    pub fn OnComplete(
        &self,
        dwErrorCode: u32,
        NumberOfBytesTransferred: u32,
        pvOverlapped: *mut c_void,
    ) -> HRESULT;
}
