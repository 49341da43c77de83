//! `IHostAssemblyManager` and `IHostAssemblyStore`: assemblies from elsewhere than files.

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

use windows_core::{HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::param::{In, Lent, Out, Wide};

/// Which assembly is wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssemblyBindInfo {
    pub dwAppDomainId: u32,
    pub lpReferencedIdentity: *const u16,
    pub lpPostPolicyIdentity: *const u16,
    pub ePolicyLevel: u32,
}

/// Which module is wanted.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleBindInfo {
    pub dwAppDomainId: u32,
    pub lpAssemblyIdentity: *const u16,
    pub lpModuleName: *const u16,
}

/// Slots 3 and 4. Loads assemblies from other sources than files.
#[interface("613DABD7-62B2-493E-9E65-C1E32A1E0C5E")]
pub unsafe trait IHostAssemblyManager: IUnknown {
    /// Returns which assemblies the CLR looks for itself.
    pub fn GetNonHostStoreAssemblies(&self, ppReferenceList: Out<'_, *mut c_void>) -> HRESULT;
    /// Returns the source of the other assemblies.
    pub fn GetAssemblyStore(&self, ppAssemblyStore: Out<'_, *mut c_void>) -> HRESULT;
}

/// Slots 3 and 4. Returns assemblies as streams.
#[interface("7B102A88-3F7F-496D-8FA2-C35374E01AF3")]
pub unsafe trait IHostAssemblyStore: IUnknown {
    /// Returns an assembly's image and symbols. The ID distinguishes the assembly from others.
    pub fn ProvideAssembly(
        &self,
        pBindInfo: In<'_, AssemblyBindInfo>,
        pAssemblyId: Out<'_, u64>,
        pContext: Out<'_, u64>,
        ppStmAssemblyImage: Out<'_, *mut c_void>,
        ppStmPDB: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Returns a module's image and symbols. Not called: .NET has no assemblies of several modules.
    pub fn ProvideModule(
        &self,
        pBindInfo: In<'_, ModuleBindInfo>,
        pdwModuleId: Out<'_, u32>,
        ppStmModuleImage: Out<'_, *mut c_void>,
        ppStmPDB: Out<'_, *mut c_void>,
    ) -> HRESULT;
}

/// Slots 3 and 4. A list of assemblies that the CLR looks for itself.
#[interface("1B2C9750-2E66-4BDA-8B44-0A642C5CD733")]
pub unsafe trait ICLRAssemblyReferenceList: IUnknown {
    /// S_OK if the list has an assembly of that name, S_FALSE if it does not.
    pub fn IsStringAssemblyReferenceInList(&self, pwzAssemblyName: Wide<'_>) -> HRESULT;
    /// As IsStringAssemblyReferenceInList, for a name object.
    pub fn IsAssemblyReferenceInList(&self, pName: Lent<'_, IUnknown>) -> HRESULT;
}
