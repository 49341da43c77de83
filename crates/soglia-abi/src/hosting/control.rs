//! `IHostControl` and `ICLRControl`: each side asks the other for its managers. And
//! `ICLRDomainManager`.

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

use crate::param::{Array, In, Lent, Out, Wide};

c_enum! {
    /// What `ICLRDomainManager::SetAppDomainManagerType` allows the new domain.
    EInitializeNewDomainFlags {
        eInitializeNewDomainFlags_None = 0x0,
        eInitializeNewDomainFlags_NoSecurityChanges = 0x2,
    }
}

/// Slots 3 and 4. Says which parts of the runtime the host manages itself. The host passes it to
/// ICLRRuntimeHost::SetHostControl before Start. The engine keeps it until the process ends.
#[interface("02CA073C-7079-4860-880A-C2F7A449C991")]
pub unsafe trait IHostControl: IUnknown {
    /// Returns a manager. The engine calls it inside SetHostControl, on the thread that called
    /// that, once for each manager, in this order: memory, task, thread pool, I/O completion,
    /// synchronisation, assembly, GC, security, policy. For a manager that you have, store a
    /// pointer with a reference and return S_OK. For the others, store null and return
    /// E_NOINTERFACE. Only exactly S_OK with a pointer counts.
    pub fn GetHostManager(&self, riid: In<'_, GUID>, ppObject: Out<'_, *mut c_void>) -> HRESULT;
    /// Notifies the host of a domain that has an AppDomainManager. Not called: managed objects
    /// cannot be called through COM.
    pub fn SetAppDomainManager(
        &self,
        dwAppDomainID: u32,
        pUnkAppDomainManager: Lent<'_, IUnknown>,
    ) -> HRESULT;
}

/// Slots 3 and 4. Returns the CLR's managers. A control that the host got before Start returns all
/// of them. One that it got later returns the error reporting manager, and HOST_E_INVALIDOPERATION
/// for the others.
#[interface("9065597E-D1A1-4FB2-B6BA-7E1FCE230F61")]
pub unsafe trait ICLRControl: IUnknown {
    /// Returns the CLR's manager with that IID, with a reference. E_INVALIDARG if a pointer is
    /// null, E_NOINTERFACE for an unknown IID. Hosts may leave managers uncounted: these live until
    /// the process ends.
    pub fn GetCLRManager(&self, riid: In<'_, GUID>, ppObject: Out<'_, *mut c_void>) -> HRESULT;
    /// Set the type that manages new domains. E_NOTIMPL: .NET has no such managers.
    pub fn SetAppDomainManagerType(
        &self,
        pwzAppDomainManagerAssembly: Wide<'_>,
        pwzAppDomainManagerType: Wide<'_>,
    ) -> HRESULT;
}

/// Slots 3 and 4. Configures the default domain before Start. .NET has one domain, and no domain
/// managers.
#[interface("270D00A2-8E15-4D0B-ADEB-37BC3E47DF77")]
pub unsafe trait ICLRDomainManager: IUnknown {
    /// Set the type that manages the default domain. E_NOTIMPL.
    pub fn SetAppDomainManagerType(
        &self,
        wszAppDomainManagerAssembly: Wide<'_>,
        wszAppDomainManagerType: Wide<'_>,
        dwInitializeDomainFlags: EInitializeNewDomainFlags,
    ) -> HRESULT;
    /// Sets properties of the default domain: nProperties names and as many values.
    /// AppContext.GetData returns them. E_INVALIDARG for a null text, HOST_E_INVALIDOPERATION once
    /// a runtime runs.
    pub fn SetPropertiesForDefaultAppDomain(
        &self,
        nProperties: u32,
        pwszPropertyNames: Array<'_, Wide<'_>>,
        pwszPropertyValues: Array<'_, Wide<'_>>,
    ) -> HRESULT;
}
