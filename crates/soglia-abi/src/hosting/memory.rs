//! `IHostMemoryManager`, `IHostMalloc` and `ICLRMemoryNotificationCallback`: where memory comes
//! from.

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

use core::ffi::{c_char, c_void};

use windows_core::{HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::param::{Lent, Out};

// MALLOC_TYPE: a bit set, and a DWORD in CreateMalloc.

/// The heap is used by several threads.
pub const MALLOC_THREADSAFE: u32 = 0x1;
/// What it gives can be executed.
pub const MALLOC_EXECUTABLE: u32 = 0x2;

c_enum! {
    /// How scarce memory is.
    EMemoryAvailable {
        eMemoryAvailableLow = 1,
        eMemoryAvailableNeutral = 2,
        eMemoryAvailableHigh = 3,
    }

    /// What is lost if an allocation fails.
    EMemoryCriticalLevel {
        eTaskCritical = 0,
        eAppDomainCritical = 1,
        eProcessCritical = 2,
    }
}

/// Slots 3 to 12. The host's memory. .NET's allocations cannot be redirected, so no allocating
/// method is called. The other methods may be called while all threads stand still.
#[interface("7BC698D1-F9E3-4460-9CDE-D04248E9FA25")]
pub unsafe trait IHostMemoryManager: IUnknown {
    /// Returns a heap. dwMallocType is a bit set of MALLOC_TYPE.
    pub fn CreateMalloc(&self, dwMallocType: u32, ppMalloc: Out<'_, *mut c_void>) -> HRESULT;
    /// Allocates pages, with the flags of Windows. The level says what is lost if there are none.
    pub fn VirtualAlloc(
        &self,
        pAddress: *mut c_void,
        dwSize: usize,
        flAllocationType: u32,
        flProtect: u32,
        eCriticalLevel: EMemoryCriticalLevel,
        ppMem: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Frees pages.
    pub fn VirtualFree(&self, lpAddress: *mut c_void, dwSize: usize, dwFreeType: u32) -> HRESULT;
    /// Describes the pages at an address.
    pub fn VirtualQuery(
        &self,
        lpAddress: *mut c_void,
        lpBuffer: *mut c_void,
        dwLength: usize,
        pResult: Out<'_, usize>,
    ) -> HRESULT;
    /// Changes the protection of pages, and stores the previous one.
    pub fn VirtualProtect(
        &self,
        lpAddress: *mut c_void,
        dwSize: usize,
        flNewProtect: u32,
        pflOldProtect: Out<'_, u32>,
    ) -> HRESULT;
    /// Stores how full the machine's memory is, in percent, and how much is free, in bytes. Called
    /// in each collection. After S_OK the collector goes by this, and otherwise by what the system
    /// says.
    pub fn GetMemoryLoad(
        &self,
        pMemoryLoad: Out<'_, u32>,
        pAvailableBytes: Out<'_, usize>,
    ) -> HRESULT;
    /// Gives the host an ICLRMemoryNotificationCallback to call when memory is scarce. Called
    /// inside SetHostControl.
    pub fn RegisterMemoryNotificationCallback(
        &self,
        pCallback: Lent<'_, ICLRMemoryNotificationCallback>,
    ) -> HRESULT;
    /// The CLR wants to use this much address space, and there is none. After a success it tries
    /// again.
    pub fn NeedsVirtualAddressSpace(&self, startAddress: *mut c_void, size: usize) -> HRESULT;
    /// The CLR has taken address space without the host. The result is ignored.
    pub fn AcquiredVirtualAddressSpace(&self, startAddress: *mut c_void, size: usize) -> HRESULT;
    /// The CLR gives that address space back. The result is ignored.
    pub fn ReleasedVirtualAddressSpace(&self, startAddress: *mut c_void) -> HRESULT;
}

/// Slots 3 to 5. A heap of the host. Not called.
#[interface("1831991C-CC53-4A31-B218-04E910446479")]
pub unsafe trait IHostMalloc: IUnknown {
    /// Allocates cbSize bytes. The level says what is lost if there are none.
    pub fn Alloc(
        &self,
        cbSize: usize,
        eCriticalLevel: EMemoryCriticalLevel,
        ppMem: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// As Alloc, with the place in the source that asks.
    pub fn DebugAlloc(
        &self,
        cbSize: usize,
        eCriticalLevel: EMemoryCriticalLevel,
        pszFileName: *const c_char,
        iLineNo: i32,
        ppMem: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Frees what Alloc returned.
    pub fn Free(&self, pMem: *mut c_void) -> HRESULT;
}

/// Slot 3. The host calls it when memory is scarce.
#[interface("47EB8E57-0846-4546-AF76-6F42FCFC2649")]
pub unsafe trait ICLRMemoryNotificationCallback: IUnknown {
    /// After eMemoryAvailableLow the CLR collects garbage, on another thread and at most every 8
    /// seconds. Before Start it does nothing.
    pub fn OnMemoryNotification(&self, eMemoryAvailable: EMemoryAvailable) -> HRESULT;
}
