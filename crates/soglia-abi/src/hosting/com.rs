//! What the hosting API takes from plain COM: enumerations and streams.

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

use crate::param::{Buffer, Lent, Out};

/// A time as Windows counts it: 100 nanoseconds since 1601.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FILETIME {
    pub dwLowDateTime: u32,
    pub dwHighDateTime: u32,
}

/// The result of `IStream::Stat`.
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

/// Slots 3 to 6. COM's enumeration of objects. ICLRMetaHost returns runtimes with it.
#[interface("00000100-0000-0000-C000-000000000046")]
pub unsafe trait IEnumUnknown: IUnknown {
    /// Stores up to celt objects, each with a reference. S_FALSE if there were fewer. pceltFetched
    /// may be null if celt is 1.
    pub fn Next(
        &self,
        celt: u32,
        rgelt: Buffer<'_, *mut c_void>,
        pceltFetched: Out<'_, u32>,
    ) -> HRESULT;
    /// Skips celt objects. S_FALSE if there were fewer.
    pub fn Skip(&self, celt: u32) -> HRESULT;
    /// Goes back to the beginning.
    pub fn Reset(&self) -> HRESULT;
    /// Returns a second enumeration at the same position.
    pub fn Clone(&self, ppenum: Out<'_, *mut c_void>) -> HRESULT;
}

/// Slots 3 and 4. COM's stream without positions.
#[interface("0C733A30-2A1C-11CE-ADE5-00AA0044773D")]
pub unsafe trait ISequentialStream: IUnknown {
    /// Reads up to cb bytes. S_FALSE at the end.
    pub fn Read(&self, pv: *mut c_void, cb: u32, pcbRead: Out<'_, u32>) -> HRESULT;
    /// Writes cb bytes.
    pub fn Write(&self, pv: *const c_void, cb: u32, pcbWritten: Out<'_, u32>) -> HRESULT;
}

/// Slots 5 to 13. COM's stream. Assembly stores return it, and configurations are passed with it.
#[interface("0000000C-0000-0000-C000-000000000046")]
pub unsafe trait IStream: ISequentialStream {
    /// Moves the position and stores the new one; plibNewPosition may be null. dwOrigin is 0 for
    /// the beginning, 1 for the position, 2 for the end.
    pub fn Seek(&self, dlibMove: i64, dwOrigin: u32, plibNewPosition: Out<'_, u64>) -> HRESULT;
    /// Sets the size of the stream.
    pub fn SetSize(&self, libNewSize: u64) -> HRESULT;
    /// Copies bytes to another stream.
    pub fn CopyTo(
        &self,
        pstm: Lent<'_, IStream>,
        cb: u64,
        pcbRead: Out<'_, u64>,
        pcbWritten: Out<'_, u64>,
    ) -> HRESULT;
    /// Writes changes out.
    pub fn Commit(&self, grfCommitFlags: u32) -> HRESULT;
    /// Drops changes that were not committed.
    pub fn Revert(&self) -> HRESULT;
    /// Locks bytes.
    pub fn LockRegion(&self, libOffset: u64, cb: u64, dwLockType: u32) -> HRESULT;
    /// Unlocks bytes.
    pub fn UnlockRegion(&self, libOffset: u64, cb: u64, dwLockType: u32) -> HRESULT;
    /// Stores name, size and times.
    pub fn Stat(&self, pstatstg: Out<'_, STATSTG>, grfStatFlag: u32) -> HRESULT;
    /// Returns a second stream on the same bytes.
    pub fn Clone(&self, ppstm: Out<'_, *mut c_void>) -> HRESULT;
}
