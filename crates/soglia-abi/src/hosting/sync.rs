//! `IHostSyncManager` and what it makes, and `ICLRSyncManager`: locks and events.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(non_snake_case, reason = "names are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{BOOL, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::param::{Lent, Out};

/// Slots 3 to 11. The host's locks and events. Threads wait on them for what managed code waits
/// for. The runtime's own locks are no critical sections of the host.
#[interface("234330C7-5F10-4F20-9615-5122DAB7A0AC")]
pub unsafe trait IHostSyncManager: IUnknown {
    /// Gives the host the CLR's side.
    pub fn SetCLRSyncManager(&self, pManager: Lent<'_, ICLRSyncManager>) -> HRESULT;
    /// Returns a critical section.
    pub fn CreateCrst(&self, ppCrst: Out<'_, *mut c_void>) -> HRESULT;
    /// Returns a critical section that spins dwSpinCount times before it waits.
    pub fn CreateCrstWithSpinCount(
        &self,
        dwSpinCount: u32,
        ppCrst: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Returns an event that lets one waiter through for each Set.
    pub fn CreateAutoEvent(&self, ppEvent: Out<'_, *mut c_void>) -> HRESULT;
    /// Returns an event that stays set until Reset.
    pub fn CreateManualEvent(&self, bInitialState: BOOL, ppEvent: Out<'_, *mut c_void>) -> HRESULT;
    /// Returns the event behind a managed monitor. Cookie is for ICLRSyncManager::GetMonitorOwner.
    pub fn CreateMonitorEvent(&self, Cookie: usize, ppEvent: Out<'_, *mut c_void>) -> HRESULT;
    /// Returns the event for the writers of a reader-writer lock.
    pub fn CreateRWLockWriterEvent(&self, Cookie: usize, ppEvent: Out<'_, *mut c_void>) -> HRESULT;
    /// Returns the event for the readers of a reader-writer lock.
    pub fn CreateRWLockReaderEvent(
        &self,
        bInitialState: BOOL,
        Cookie: usize,
        ppEvent: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Returns a semaphore.
    pub fn CreateSemaphore(
        &self,
        dwInitial: u32,
        dwMax: u32,
        ppSemaphore: Out<'_, *mut c_void>,
    ) -> HRESULT;
}

/// Slots 3 to 6. Says which task owns a lock, for a host that looks for deadlocks. Cookies are
/// those of IHostSyncManager.
#[interface("55FF199D-AD21-48F9-A16C-F24EBBB8727D")]
pub unsafe trait ICLRSyncManager: IUnknown {
    /// Returns the task that owns a monitor, with a reference, or null.
    pub fn GetMonitorOwner(&self, Cookie: usize, ppOwnerHostTask: Out<'_, *mut c_void>) -> HRESULT;
    /// Begins a list of the owners of a reader-writer lock.
    pub fn CreateRWLockOwnerIterator(&self, Cookie: usize, pIterator: Out<'_, usize>) -> HRESULT;
    /// Returns the next owner of the list, with a reference, or null.
    pub fn GetRWLockOwnerNext(
        &self,
        Iterator: usize,
        ppOwnerHostTask: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Ends the list.
    pub fn DeleteRWLockOwnerIterator(&self, Iterator: usize) -> HRESULT;
}

/// Slots 3 to 6. A critical section of the host, which one thread may enter several times.
#[interface("6DF710A6-26A4-4A65-8CD5-7237B8BDA8DC")]
pub unsafe trait IHostCrst: IUnknown {
    /// Waits for the critical section and enters it. option is WAIT_NOTINDEADLOCK, or 0 for a wait
    /// that HOST_E_DEADLOCK may end.
    pub fn Enter(&self, option: u32) -> HRESULT;
    /// Leaves the critical section.
    pub fn Leave(&self) -> HRESULT;
    /// Enters the critical section if it is free.
    pub fn TryEnter(&self, option: u32, pbSucceeded: Out<'_, BOOL>) -> HRESULT;
    /// Sets how many times to spin before a wait.
    pub fn SetSpinCount(&self, dwSpinCount: u32) -> HRESULT;
}

/// Slots 3 and 4. An event of the host that lets one waiter through for each Set.
#[interface("50B0CFCE-4063-4278-9673-E5CB4ED0BDB8")]
pub unsafe trait IHostAutoEvent: IUnknown {
    /// Returns S_OK, HOST_E_TIMEOUT, HOST_E_INTERRUPTED, HOST_E_ABANDONED or HOST_E_DEADLOCK.
    pub fn Wait(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    /// Lets one waiter through, now or when it comes.
    pub fn Set(&self) -> HRESULT;
}

/// Slots 3 to 5. An event of the host that stays set.
#[interface("1BF4EC38-AFFE-4FB9-85A6-525268F15B54")]
pub unsafe trait IHostManualEvent: IUnknown {
    /// Returns S_OK, HOST_E_TIMEOUT, HOST_E_INTERRUPTED, HOST_E_ABANDONED or HOST_E_DEADLOCK.
    pub fn Wait(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    /// Makes waiters wait again.
    pub fn Reset(&self) -> HRESULT;
    /// Lets all waiters through, until Reset.
    pub fn Set(&self) -> HRESULT;
}

/// Slots 3 and 4. A semaphore of the host.
#[interface("855EFD47-CC09-463A-A97D-16ACAB882661")]
pub unsafe trait IHostSemaphore: IUnknown {
    /// Returns S_OK, HOST_E_TIMEOUT or HOST_E_INTERRUPTED.
    pub fn Wait(&self, dwMilliseconds: u32, option: u32) -> HRESULT;
    /// Adds lReleaseCount to the count, and stores the previous count if lpPreviousCount is not
    /// null.
    pub fn ReleaseSemaphore(&self, lReleaseCount: i32, lpPreviousCount: Out<'_, i32>) -> HRESULT;
}
