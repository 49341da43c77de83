//! `IHostSyncManager` and what it makes, and `ICLRSyncManager`: locks and events.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(non_snake_case, reason = "names are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{BOOL, HRESULT, IUnknown, IUnknown_Vtbl, interface};

/// Slots 3 to 11. The host's locks and events. .NET's waits cannot be redirected: none of this is called.
#[interface("234330C7-5F10-4F20-9615-5122DAB7A0AC")]
pub unsafe trait IHostSyncManager: IUnknown {
    /// Hands over the CLR's half.
    pub fn SetCLRSyncManager(&self, pManager: *mut c_void) -> HRESULT;
    /// A critical section.
    pub fn CreateCrst(&self, ppCrst: *mut *mut c_void) -> HRESULT;
    /// A critical section that spins so many times before it waits.
    pub fn CreateCrstWithSpinCount(&self, dwSpinCount: u32, ppCrst: *mut *mut c_void) -> HRESULT;
    /// An event that lets one waiter through per Set.
    pub fn CreateAutoEvent(&self, ppEvent: *mut *mut c_void) -> HRESULT;
    /// An event that stays set until Reset.
    pub fn CreateManualEvent(&self, bInitialState: BOOL, ppEvent: *mut *mut c_void) -> HRESULT;
    /// The event behind a managed monitor. Cookie is for ICLRSyncManager::GetMonitorOwner.
    pub fn CreateMonitorEvent(&self, Cookie: usize, ppEvent: *mut *mut c_void) -> HRESULT;
    /// The event for the writers of a reader-writer lock.
    pub fn CreateRWLockWriterEvent(&self, Cookie: usize, ppEvent: *mut *mut c_void) -> HRESULT;
    /// The event for its readers.
    pub fn CreateRWLockReaderEvent(
        &self,
        bInitialState: BOOL,
        Cookie: usize,
        ppEvent: *mut *mut c_void,
    ) -> HRESULT;
    /// A semaphore.
    pub fn CreateSemaphore(
        &self,
        dwInitial: u32,
        dwMax: u32,
        ppSemaphore: *mut *mut c_void,
    ) -> HRESULT;
}

/// Slots 3 to 6. Who holds what, for a host that looks for deadlocks. Cookies are those of IHostSyncManager.
#[interface("55FF199D-AD21-48F9-A16C-F24EBBB8727D")]
pub unsafe trait ICLRSyncManager: IUnknown {
    /// The task that owns a monitor, with a reference, or null.
    pub fn GetMonitorOwner(&self, Cookie: usize, ppOwnerHostTask: *mut *mut c_void) -> HRESULT;
    /// Begins to list the owners of a reader-writer lock.
    pub fn CreateRWLockOwnerIterator(&self, Cookie: usize, pIterator: *mut usize) -> HRESULT;
    /// The next of them, with a reference, or null.
    pub fn GetRWLockOwnerNext(&self, Iterator: usize, ppOwnerHostTask: *mut *mut c_void)
    -> HRESULT;
    /// Ends the list.
    pub fn DeleteRWLockOwnerIterator(&self, Iterator: usize) -> HRESULT;
}

/// Slots 3 to 6. A critical section of the host. Recursive.
#[interface("6DF710A6-26A4-4A65-8CD5-7237B8BDA8DC")]
pub unsafe trait IHostCrst: IUnknown {
    /// Waits for it. option: WAIT_NOTINDEADLOCK, or 0 for a wait that HOST_E_DEADLOCK may break.
    pub fn Enter(&self, option: u32) -> HRESULT;
    /// Gives it back.
    pub fn Leave(&self) -> HRESULT;
    /// Takes it if it is free.
    pub fn TryEnter(&self, option: u32, pbSucceeded: *mut BOOL) -> HRESULT;
    /// How many times to spin before waiting.
    pub fn SetSpinCount(&self, dwSpinCount: u32) -> HRESULT;
}

/// Slots 3 and 4. An event of the host that lets one waiter through per Set.
#[interface("50B0CFCE-4063-4278-9673-E5CB4ED0BDB8")]
pub unsafe trait IHostAutoEvent: IUnknown {
    /// S_OK, HOST_E_TIMEOUT, HOST_E_INTERRUPTED, HOST_E_ABANDONED or HOST_E_DEADLOCK.
    pub fn Wait(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    /// Lets one waiter through, now or when it comes.
    pub fn Set(&self) -> HRESULT;
}

/// Slots 3 to 5. An event of the host that stays set.
#[interface("1BF4EC38-AFFE-4FB9-85A6-525268F15B54")]
pub unsafe trait IHostManualEvent: IUnknown {
    /// S_OK, HOST_E_TIMEOUT, HOST_E_INTERRUPTED, HOST_E_ABANDONED or HOST_E_DEADLOCK.
    pub fn Wait(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    /// Waiters wait again.
    pub fn Reset(&self) -> HRESULT;
    /// Lets all waiters through, until Reset.
    pub fn Set(&self) -> HRESULT;
}

/// Slots 3 and 4. A semaphore of the host.
#[interface("855EFD47-CC09-463A-A97D-16ACAB882661")]
pub unsafe trait IHostSemaphore: IUnknown {
    /// S_OK, HOST_E_TIMEOUT or HOST_E_INTERRUPTED.
    pub fn Wait(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    /// Gives so many back. The previous count goes to lpPreviousCount, if that is not null.
    pub fn ReleaseSemaphore(&self, lReleaseCount: i32, lpPreviousCount: *mut i32) -> HRESULT;
}
