//! `IHostGCManager`, `ICLRGCManager` and `ICLRAppDomainResourceMonitor`: suspensions, collections, use of memory.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(
    non_camel_case_types,
    non_snake_case,
    reason = "names are spelled as in mscoree.idl"
)]

use windows_core::{HRESULT, IUnknown, IUnknown_Vtbl, interface};

/// `COR_GC_STATS::Flags`: fill the counts.
pub const COR_GC_COUNTS: u32 = 0x1;
/// `COR_GC_STATS::Flags`: fill what memory is used.
pub const COR_GC_MEMORYUSAGE: u32 = 0x2;

/// What `GetStats` fills. The caller sets `Flags` to what it wants.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct COR_GC_STATS {
    pub Flags: u32,
    pub ExplicitGCCount: usize,
    pub GenCollectionsTaken: [usize; 3],
    pub CommittedKBytes: usize,
    pub ReservedKBytes: usize,
    pub Gen0HeapSizeKBytes: usize,
    pub Gen1HeapSizeKBytes: usize,
    pub Gen2HeapSizeKBytes: usize,
    pub LargeObjectHeapSizeKBytes: usize,
    pub KBytesPromotedFromGen0: usize,
    pub KBytesPromotedFromGen1: usize,
}

/// Slots 3 to 5. Told of the CLR's suspensions: the way to know when, and for how long, all managed threads
/// stood still. Results are ignored. Do nothing that waits for managed code.
#[interface("5D4EC34E-F248-457B-B603-255FAABA0D21")]
pub unsafe trait IHostGCManager: IUnknown {
    /// The calling thread is about to wait for a suspension to end.
    pub fn ThreadIsBlockingForSuspension(&self) -> HRESULT;
    /// A suspension begins. Called on the thread that suspends the others.
    pub fn SuspensionStarting(&self) -> HRESULT;
    /// It has ended: the generation that was collected, or 0xFFFFFFFF if it was for something else.
    pub fn SuspensionEnding(&self, Generation: u32) -> HRESULT;
}

/// Slots 3 to 5. The garbage collector.
#[interface("54D9007E-A8E2-4885-B7BF-F998DEEE4F2A")]
pub unsafe trait ICLRGCManager: IUnknown {
    /// Collects this generation and those below it; -1: all. E_INVALIDARG above the highest.
    pub fn Collect(&self, Generation: i32) -> HRESULT;
    /// Fills what Flags asks for (COR_GC_STAT_TYPES).
    pub fn GetStats(&self, pStats: *mut COR_GC_STATS) -> HRESULT;
    /// Sizes in bytes, before Start; 0 and 0xFFFFFFFF leave one as it is. .NET has no segments: a size for them is
    /// E_NOTIMPL.
    pub fn SetGCStartupLimits(&self, SegmentSize: u32, MaxGen0Size: u32) -> HRESULT;
}

/// Slot 6. The same for 64 bits.
#[interface("0603B793-A97A-4712-9CB4-0CD1C74C0F7C")]
pub unsafe trait ICLRGCManager2: ICLRGCManager {
    /// As SetGCStartupLimits, for sizes above 4 GB.
    pub fn SetGCStartupLimitsEx(&self, SegmentSize: usize, MaxGen0Size: usize) -> HRESULT;
}

/// Slots 3 to 5. What a domain uses. .NET has one domain, so: what the process uses. COR_E_APPDOMAINUNLOADED
/// for a domain that is gone.
#[interface("C62DE18C-2E23-4AEA-8423-B40C1FC59EAE")]
pub unsafe trait ICLRAppDomainResourceMonitor: IUnknown {
    /// Bytes allocated so far.
    pub fn GetCurrentAllocated(&self, dwAppDomainId: u32, pBytesAllocated: *mut u64) -> HRESULT;
    /// Bytes that were still in use at the last full collection, the domain's and all.
    pub fn GetCurrentSurvived(
        &self,
        dwAppDomainId: u32,
        pAppDomainBytesSurvived: *mut u64,
        pTotalBytesSurvived: *mut u64,
    ) -> HRESULT;
    /// Processor time in milliseconds.
    pub fn GetCurrentCpuTime(&self, dwAppDomainId: u32, pMilliseconds: *mut u64) -> HRESULT;
}
