//! `IHostControl` and `ICLRControl`: each side asks the other for its managers.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each method does"
)]
#![allow(non_snake_case, reason = "methods are spelled as in mscoree.idl")]

use core::ffi::c_void;

use windows_core::{GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

/// Slots 3 and 4. Implemented by the host.
#[interface("02CA073C-7079-4860-880A-C2F7A449C991")]
pub unsafe trait IHostControl: IUnknown {
    /// The host's manager with that IID. Only `S_OK` with a pointer counts as having one.
    pub fn GetHostManager(&self, riid: *const GUID, ppObject: *mut *mut c_void) -> HRESULT;
    pub fn SetAppDomainManager(
        &self,
        dwAppDomainID: u32,
        pUnkAppDomainManager: *mut c_void,
    ) -> HRESULT;
}

/// Slots 3 and 4. Implemented by the CLR.
#[interface("9065597E-D1A1-4FB2-B6BA-7E1FCE230F61")]
pub unsafe trait ICLRControl: IUnknown {
    pub fn GetCLRManager(&self, riid: *const GUID, ppObject: *mut *mut c_void) -> HRESULT;
    pub fn SetAppDomainManagerType(
        &self,
        pwzAppDomainManagerAssembly: *const u16,
        pwzAppDomainManagerType: *const u16,
    ) -> HRESULT;
}
