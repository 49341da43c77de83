//! `IClassFactory`, with which the CLR gets a profiler object from `DllGetClassObject`.

#![allow(missing_docs, reason = "these are COM's words")]
#![allow(non_snake_case, reason = "methods are spelled as COM spells them")]

use core::ffi::c_void;

use windows_core::{BOOL, GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

/// Creates objects of one class. The CLR calls it once, for `ICorProfilerCallback2`, with a null
/// `pUnkOuter`.
#[interface("00000001-0000-0000-C000-000000000046")]
pub unsafe trait IClassFactory: IUnknown {
    pub fn CreateInstance(
        &self,
        pUnkOuter: *mut c_void,
        riid: *const GUID,
        ppvObject: *mut *mut c_void,
    ) -> HRESULT;
    pub fn LockServer(&self, fLock: BOOL) -> HRESULT;
}
