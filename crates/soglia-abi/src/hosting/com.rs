//! The few words of plain COM that the hosting API speaks: enumerations and streams.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(
    non_camel_case_types,
    non_snake_case,
    reason = "names are spelled as in mscoree.idl"
)]

use core::ffi::c_void;

use windows_core::{GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

/// A time as Windows counts it: 100 nanoseconds since 1601.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FILETIME {
    pub dwLowDateTime: u32,
    pub dwHighDateTime: u32,
}

/// What `IStream::Stat` fills.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct STATSTG {
    pub pwcsName: *mut u16,
    pub r#type: u32,
    pub cbSize: u64,
    pub mtime: FILETIME,
    pub ctime: FILETIME,
    pub atime: FILETIME,
    pub grfMode: u32,
    pub grfLocksSupported: u32,
    pub clsid: GUID,
    pub grfStateBits: u32,
    pub reserved: u32,
}

/// Slots 3 to 6. COM's enumeration of objects; ICLRMetaHost gives out runtimes by it.
#[interface("00000100-0000-0000-C000-000000000046")]
pub unsafe trait IEnumUnknown: IUnknown {
    /// Up to celt objects, each with a reference. S_FALSE if there were fewer; pceltFetched may be null if
    /// celt is 1.
    pub fn Next(&self, celt: u32, rgelt: *mut *mut c_void, pceltFetched: *mut u32) -> HRESULT;
    /// Leaves out so many. S_FALSE if there were fewer.
    pub fn Skip(&self, celt: u32) -> HRESULT;
    /// Back to the beginning.
    pub fn Reset(&self) -> HRESULT;
    /// A second enumeration, at the same place.
    pub fn Clone(&self, ppenum: *mut *mut c_void) -> HRESULT;
}

/// Slots 3 and 4. COM's stream without positions.
#[interface("0C733A30-2A1C-11CE-ADE5-00AA0044773D")]
pub unsafe trait ISequentialStream: IUnknown {
    /// Up to cb bytes. S_FALSE at the end.
    pub fn Read(&self, pv: *mut c_void, cb: u32, pcbRead: *mut u32) -> HRESULT;
    /// cb bytes.
    pub fn Write(&self, pv: *const c_void, cb: u32, pcbWritten: *mut u32) -> HRESULT;
}

/// Slots 5 to 13. COM's stream: assembly stores give and configurations come by it.
#[interface("0000000C-0000-0000-C000-000000000046")]
pub unsafe trait IStream: ISequentialStream {
    /// Moves the position and gives the new one, which may be null. dwOrigin: 0 beginning, 1 position, 2 end.
    pub fn Seek(&self, dlibMove: i64, dwOrigin: u32, plibNewPosition: *mut u64) -> HRESULT;
    /// Cuts or extends.
    pub fn SetSize(&self, libNewSize: u64) -> HRESULT;
    /// Copies to another stream.
    pub fn CopyTo(
        &self,
        pstm: *mut c_void,
        cb: u64,
        pcbRead: *mut u64,
        pcbWritten: *mut u64,
    ) -> HRESULT;
    /// Writes out.
    pub fn Commit(&self, grfCommitFlags: u32) -> HRESULT;
    /// Takes back what was not committed.
    pub fn Revert(&self) -> HRESULT;
    /// Locks bytes.
    pub fn LockRegion(&self, libOffset: u64, cb: u64, dwLockType: u32) -> HRESULT;
    /// And unlocks them.
    pub fn UnlockRegion(&self, libOffset: u64, cb: u64, dwLockType: u32) -> HRESULT;
    /// Name, size and times.
    pub fn Stat(&self, pstatstg: *mut STATSTG, grfStatFlag: u32) -> HRESULT;
    /// A second stream on the same bytes.
    pub fn Clone(&self, ppstm: *mut *mut c_void) -> HRESULT;
}
