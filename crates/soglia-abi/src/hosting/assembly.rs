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

/// Slots 3 and 4. Assemblies from somewhere else than files. .NET has AssemblyLoadContext for that: never
/// called.
#[interface("613DABD7-62B2-493E-9E65-C1E32A1E0C5E")]
pub unsafe trait IHostAssemblyManager: IUnknown {
    /// Which assemblies the CLR looks for itself.
    pub fn GetNonHostStoreAssemblies(&self, ppReferenceList: *mut *mut c_void) -> HRESULT;
    /// Where the others come from.
    pub fn GetAssemblyStore(&self, ppAssemblyStore: *mut *mut c_void) -> HRESULT;
}

/// Slots 3 and 4. Gives assemblies as streams. Never called.
#[interface("7B102A88-3F7F-496D-8FA2-C35374E01AF3")]
pub unsafe trait IHostAssemblyStore: IUnknown {
    /// An assembly's image and symbols; the id tells equal ones apart from others.
    pub fn ProvideAssembly(
        &self,
        pBindInfo: *const AssemblyBindInfo,
        pAssemblyId: *mut u64,
        pContext: *mut u64,
        ppStmAssemblyImage: *mut *mut c_void,
        ppStmPDB: *mut *mut c_void,
    ) -> HRESULT;
    /// The same for a module of an assembly.
    pub fn ProvideModule(
        &self,
        pBindInfo: *const ModuleBindInfo,
        pdwModuleId: *mut u32,
        ppStmModuleImage: *mut *mut c_void,
        ppStmPDB: *mut *mut c_void,
    ) -> HRESULT;
}

/// Slots 3 and 4. Assemblies that the CLR looks for itself.
#[interface("1B2C9750-2E66-4BDA-8B44-0A642C5CD733")]
pub unsafe trait ICLRAssemblyReferenceList: IUnknown {
    /// S_OK if an assembly of that name is in the list, S_FALSE otherwise.
    pub fn IsStringAssemblyReferenceInList(&self, pwzAssemblyName: *const u16) -> HRESULT;
    /// The same for a name object.
    pub fn IsAssemblyReferenceInList(&self, pName: *mut c_void) -> HRESULT;
}
