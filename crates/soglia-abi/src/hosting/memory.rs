//! `IHostMemoryManager`, `IHostMalloc` and `ICLRMemoryNotificationCallback`: where memory comes from.

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

/// Slots 3 to 12. The host's memory. .NET's cannot be redirected: none of the allocating methods is called.
#[interface("7BC698D1-F9E3-4460-9CDE-D04248E9FA25")]
pub unsafe trait IHostMemoryManager: IUnknown {
    /// A heap: a bit set of MALLOC_TYPE.
    pub fn CreateMalloc(&self, dwMallocType: u32, ppMalloc: *mut *mut c_void) -> HRESULT;
    /// Pages, with the flags of Windows. The level says what is lost if there are none.
    pub fn VirtualAlloc(
        &self,
        pAddress: *mut c_void,
        dwSize: usize,
        flAllocationType: u32,
        flProtect: u32,
        eCriticalLevel: EMemoryCriticalLevel,
        ppMem: *mut *mut c_void,
    ) -> HRESULT;
    /// Gives pages back.
    pub fn VirtualFree(&self, lpAddress: *mut c_void, dwSize: usize, dwFreeType: u32) -> HRESULT;
    /// What is at an address.
    pub fn VirtualQuery(
        &self,
        lpAddress: *mut c_void,
        lpBuffer: *mut c_void,
        dwLength: usize,
        pResult: *mut usize,
    ) -> HRESULT;
    /// Changes the protection of pages.
    pub fn VirtualProtect(
        &self,
        lpAddress: *mut c_void,
        dwSize: usize,
        flNewProtect: u32,
        pflOldProtect: *mut u32,
    ) -> HRESULT;
    /// How full the machine is, in percent, and what is still free, in bytes.
    pub fn GetMemoryLoad(&self, pMemoryLoad: *mut u32, pAvailableBytes: *mut usize) -> HRESULT;
    /// Hands over what to call when memory gets scarce.
    pub fn RegisterMemoryNotificationCallback(&self, pCallback: *mut c_void) -> HRESULT;
    /// The CLR wants to use this much address space; the host may make room.
    pub fn NeedsVirtualAddressSpace(&self, startAddress: *mut c_void, size: usize) -> HRESULT;
    /// The CLR has taken it without the host.
    pub fn AcquiredVirtualAddressSpace(&self, startAddress: *mut c_void, size: usize) -> HRESULT;
    /// And has given it back.
    pub fn ReleasedVirtualAddressSpace(&self, startAddress: *mut c_void) -> HRESULT;
}

/// Slots 3 to 5. A heap of the host. Never called.
#[interface("1831991C-CC53-4A31-B218-04E910446479")]
pub unsafe trait IHostMalloc: IUnknown {
    /// So many bytes. The level says what is lost if there are none.
    pub fn Alloc(
        &self,
        cbSize: usize,
        eCriticalLevel: EMemoryCriticalLevel,
        ppMem: *mut *mut c_void,
    ) -> HRESULT;
    /// The same, with the place in the source that asks.
    pub fn DebugAlloc(
        &self,
        cbSize: usize,
        eCriticalLevel: EMemoryCriticalLevel,
        pszFileName: *const c_char,
        iLineNo: i32,
        ppMem: *mut *mut c_void,
    ) -> HRESULT;
    /// Gives them back.
    pub fn Free(&self, pMem: *mut c_void) -> HRESULT;
}

/// Slot 3. What the host calls when memory gets scarce.
#[interface("47EB8E57-0846-4546-AF76-6F42FCFC2649")]
pub unsafe trait ICLRMemoryNotificationCallback: IUnknown {
    /// eMemoryAvailableLow makes the CLR collect garbage soon. Before Start: nothing.
    pub fn OnMemoryNotification(&self, eMemoryAvailable: EMemoryAvailable) -> HRESULT;
}
