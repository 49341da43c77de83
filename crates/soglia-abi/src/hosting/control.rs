//! `IHostControl` and `ICLRControl`: each side asks the other for its managers. And `ICLRDomainManager`.

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

use core::ffi::c_void;

use windows_core::{GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

c_enum! {
    /// What `ICLRDomainManager::SetAppDomainManagerType` allows the new domain.
    EInitializeNewDomainFlags {
        eInitializeNewDomainFlags_None = 0x0,
        eInitializeNewDomainFlags_NoSecurityChanges = 0x2,
    }
}

/// Slots 3 and 4. The host's answer to "which parts do you want to run yourself?". Handed over by
/// ICLRRuntimeHost::SetHostControl, before Start; kept until the process ends.
#[interface("02CA073C-7079-4860-880A-C2F7A449C991")]
pub unsafe trait IHostControl: IUnknown {
    /// Asked once per manager inside SetHostControl, on the thread that called it, in this order: memory,
    /// task, thread pool, I/O completion, synchronisation, assembly, GC, security, policy. Answer S_OK and a
    /// pointer with a reference for every manager that you have, E_NOINTERFACE and null for the rest. Only
    /// exactly S_OK with a pointer counts.
    pub fn GetHostManager(&self, riid: *const GUID, ppObject: *mut *mut c_void) -> HRESULT;
    /// Told for each domain that has an AppDomainManager. .NET has one domain (1) and no such managers: not
    /// called.
    pub fn SetAppDomainManager(
        &self,
        dwAppDomainID: u32,
        pUnkAppDomainManager: *mut c_void,
    ) -> HRESULT;
}

/// Slots 3 and 4. The CLR's side of the same: ask it for its managers. One that was obtained before Start
/// stays a full one; one obtained later gives the error reporting manager and HOST_E_INVALIDOPERATION for the
/// rest.
#[interface("9065597E-D1A1-4FB2-B6BA-7E1FCE230F61")]
pub unsafe trait ICLRControl: IUnknown {
    /// The CLR's manager with that IID. E_INVALIDARG without a place to put it, E_NOINTERFACE for an IID that
    /// is none. Managers count their references like other objects; a host that does not count does no harm.
    pub fn GetCLRManager(&self, riid: *const GUID, ppObject: *mut *mut c_void) -> HRESULT;
    /// Names the type that manages new domains. .NET has no such managers: E_NOTIMPL.
    pub fn SetAppDomainManagerType(
        &self,
        pwzAppDomainManagerAssembly: *const u16,
        pwzAppDomainManagerType: *const u16,
    ) -> HRESULT;
}

/// Slots 3 and 4. How the default domain is set up, before Start. .NET has one domain, and no domain managers.
#[interface("270D00A2-8E15-4D0B-ADEB-37BC3E47DF77")]
pub unsafe trait ICLRDomainManager: IUnknown {
    /// Names the type that manages the default domain. E_NOTIMPL.
    pub fn SetAppDomainManagerType(
        &self,
        wszAppDomainManagerAssembly: *const u16,
        wszAppDomainManagerType: *const u16,
        dwInitializeDomainFlags: EInitializeNewDomainFlags,
    ) -> HRESULT;
    /// Sets properties of the default domain, as names and values.
    pub fn SetPropertiesForDefaultAppDomain(
        &self,
        nProperties: u32,
        pwszPropertyNames: *const *const u16,
        pwszPropertyValues: *const *const u16,
    ) -> HRESULT;
}
