//! `ICLRRuntimeHost`, `ICLRRuntimeHost2` and `ICLRRuntimeHost4`: the CLR as a thing to start and to run code in.
//!
//! libcoreclr.so still hands these out (`GetCLRRuntimeHost`); there never was an `ICLRRuntimeHost3`.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each method does"
)]
#![allow(
    non_snake_case,
    non_upper_case_globals,
    reason = "names are spelled as in mscoree.idl"
)]
#![allow(clippy::too_many_arguments, reason = "the ABI has as many as it has")]

use core::ffi::c_void;

use windows_core::{BOOL, GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::types::FExecuteInAppDomainCallback;

/// The class of `ICLRRuntimeHost`. One digit away from the interface's own IID.
pub const CLSID_CLRRuntimeHost: GUID = GUID::from_u128(0x90F1A06E_7712_4762_86B5_7A5EBA6BDB02);

/// Slots 3 to 11.
#[interface("90F1A06C-7712-4762-86B5-7A5EBA6BDB02")]
pub unsafe trait ICLRRuntimeHost: IUnknown {
    pub fn Start(&self) -> HRESULT;
    pub fn Stop(&self) -> HRESULT;
    /// Takes the host's `IHostControl`. Before `Start` only.
    pub fn SetHostControl(&self, pHostControl: *mut c_void) -> HRESULT;
    pub fn GetCLRControl(&self, pCLRControl: *mut *mut c_void) -> HRESULT;
    pub fn UnloadAppDomain(&self, dwAppDomainId: u32, fWaitUntilDone: BOOL) -> HRESULT;
    pub fn ExecuteInAppDomain(
        &self,
        dwAppDomainId: u32,
        pCallback: Option<FExecuteInAppDomainCallback>,
        cookie: *mut c_void,
    ) -> HRESULT;
    pub fn GetCurrentAppDomainId(&self, pdwAppDomainId: *mut u32) -> HRESULT;
    pub fn ExecuteApplication(
        &self,
        pwzAppFullName: *const u16,
        dwManifestPaths: u32,
        ppwzManifestPaths: *const *const u16,
        dwActivationData: u32,
        ppwzActivationData: *const *const u16,
        pReturnValue: *mut i32,
    ) -> HRESULT;
    pub fn ExecuteInDefaultAppDomain(
        &self,
        pwzAssemblyPath: *const u16,
        pwzTypeName: *const u16,
        pwzMethodName: *const u16,
        pwzArgument: *const u16,
        pReturnValue: *mut u32,
    ) -> HRESULT;
}

/// Slots 12 to 18. .NET Core only.
#[interface("712AB73F-2C22-4807-AD7E-F501D7B72C2D")]
pub unsafe trait ICLRRuntimeHost2: ICLRRuntimeHost {
    pub fn CreateAppDomainWithManager(
        &self,
        wszFriendlyName: *const u16,
        dwFlags: u32,
        wszAppDomainManagerAssemblyName: *const u16,
        wszAppDomainManagerTypeName: *const u16,
        nProperties: i32,
        pPropertyNames: *const *const u16,
        pPropertyValues: *const *const u16,
        pAppDomainID: *mut u32,
    ) -> HRESULT;
    pub fn CreateDelegate(
        &self,
        appDomainID: u32,
        wszAssemblyName: *const u16,
        wszClassName: *const u16,
        wszMethodName: *const u16,
        fnPtr: *mut isize,
    ) -> HRESULT;
    pub fn Authenticate(&self, authKey: u64) -> HRESULT;
    pub fn RegisterMacEHPort(&self) -> HRESULT;
    pub fn SetStartupFlags(&self, dwFlags: u32) -> HRESULT;
    pub fn DllGetActivationFactory(
        &self,
        appDomainID: u32,
        wszTypeName: *const u16,
        factory: *mut *mut c_void,
    ) -> HRESULT;
    pub fn ExecuteAssembly(
        &self,
        dwAppDomainId: u32,
        pwzAssemblyPath: *const u16,
        argc: i32,
        argv: *const *const u16,
        pReturnValue: *mut u32,
    ) -> HRESULT;
}

/// Slot 19. .NET Core only.
#[interface("64F6D366-D7C2-4F1F-B4B2-E8160CAC43AF")]
pub unsafe trait ICLRRuntimeHost4: ICLRRuntimeHost2 {
    pub fn UnloadAppDomain2(
        &self,
        dwAppDomainId: u32,
        fWaitUntilDone: BOOL,
        pLatchedExitCode: *mut i32,
    ) -> HRESULT;
}
