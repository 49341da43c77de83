//! `IHostGCManager`, `ICLRGCManager` and `ICLRAppDomainResourceMonitor`: suspensions, collections,
//! use of memory.

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

use crate::param::{InOut, Out};

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

/// Slots 3 to 5. Notifies the host of suspensions, in which all managed threads stand still: when
/// they begin and how long they last. Results are ignored. Do nothing that waits for managed code.
#[interface("5D4EC34E-F248-457B-B603-255FAABA0D21")]
pub unsafe trait IHostGCManager: IUnknown {
    /// The calling thread is about to wait for the end of a suspension.
    pub fn ThreadIsBlockingForSuspension(&self) -> HRESULT;
    /// A suspension begins. Called on the thread that suspends the others.
    pub fn SuspensionStarting(&self) -> HRESULT;
    /// The suspension has ended. Generation is the generation that was collected, or 0xFFFFFFFF if
    /// the suspension had another reason.
    pub fn SuspensionEnding(&self, Generation: u32) -> HRESULT;
}

/// Slots 3 to 5. The garbage collector.
#[interface("54D9007E-A8E2-4885-B7BF-F998DEEE4F2A")]
pub unsafe trait ICLRGCManager: IUnknown {
    /// Collects this generation and those below it, all with -1, and returns when that is done.
    /// E_INVALIDARG above the highest generation, 2.
    pub fn Collect(&self, Generation: i32) -> HRESULT;
    /// Stores what Flags asks for (COR_GC_STAT_TYPES), and leaves other fields as they are.
    pub fn GetStats(&self, pStats: InOut<'_, COR_GC_STATS>) -> HRESULT;
    /// Sets sizes in bytes, before Start. 0 and 0xFFFFFFFF leave a size as it is. E_NOTIMPL for a
    /// segment size, as .NET has no segments.
    pub fn SetGCStartupLimits(&self, SegmentSize: u32, MaxGen0Size: u32) -> HRESULT;
}

/// Slot 6. Limits with 64 bits.
#[interface("0603B793-A97A-4712-9CB4-0CD1C74C0F7C")]
pub unsafe trait ICLRGCManager2: ICLRGCManager {
    /// As SetGCStartupLimits, for sizes above 4 GB.
    pub fn SetGCStartupLimitsEx(&self, SegmentSize: usize, MaxGen0Size: usize) -> HRESULT;
}

/// Slots 3 to 5. What domain 1 uses: the numbers are those of the process. E_NOTIMPL for other
/// domains, and COR_E_APPDOMAINUNLOADED for those that are gone. Null pointers are allowed.
#[interface("C62DE18C-2E23-4AEA-8423-B40C1FC59EAE")]
pub unsafe trait ICLRAppDomainResourceMonitor: IUnknown {
    /// Stores the bytes that were allocated so far.
    pub fn GetCurrentAllocated(&self, dwAppDomainId: u32, pBytesAllocated: Out<'_, u64>)
    -> HRESULT;
    /// Stores the bytes that were in use after the last full collection, of the domain and of all.
    pub fn GetCurrentSurvived(
        &self,
        dwAppDomainId: u32,
        pAppDomainBytesSurvived: Out<'_, u64>,
        pTotalBytesSurvived: Out<'_, u64>,
    ) -> HRESULT;
    /// Stores the processor time in milliseconds.
    pub fn GetCurrentCpuTime(&self, dwAppDomainId: u32, pMilliseconds: Out<'_, u64>) -> HRESULT;
}
