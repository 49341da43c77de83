//! `IMetaDataAssemblyEmit` and `IMetaDataAssemblyImport`: the assembly's part of a module's
//! metadata.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each method does"
)]
#![allow(
    non_snake_case,
    non_camel_case_types,
    reason = "names are spelled as in cor.h"
)]
#![allow(clippy::too_many_arguments, reason = "the ABI has as many as it has")]

use core::ffi::c_void;

use windows_core::{HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::ids::{
    MdAssembly, MdAssemblyRef, MdExportedType, MdFile, MdManifestResource, MdToken, MdTypeDef,
};
use crate::profiler::metadata_import::HCORENUM;

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct OSINFO {
    pub dwOSPlatformId: u32,
    pub dwOSMajorVersion: u32,
    pub dwOSMinorVersion: u32,
}

/// An assembly's version and culture. The three arrays may be null with a count of zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ASSEMBLYMETADATA {
    pub usMajorVersion: u16,
    pub usMinorVersion: u16,
    pub usBuildNumber: u16,
    pub usRevisionNumber: u16,
    pub szLocale: *mut u16,
    pub cbLocale: u32,
    pub rProcessor: *mut u32,
    pub ulProcessor: u32,
    pub rOS: *mut OSINFO,
    pub ulOS: u32,
}

/// What a profiler adds to the references of an assembly, through
/// `ICorProfilerAssemblyReferenceProvider`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct COR_PRF_ASSEMBLY_REFERENCE_INFO {
    pub pbPublicKeyOrToken: *mut c_void,
    pub cbPublicKeyOrToken: u32,
    pub szName: *const u16,
    pub pMetaData: *mut ASSEMBLYMETADATA,
    pub pbHashValue: *mut c_void,
    pub cbHashValue: u32,
    pub dwAssemblyRefFlags: u32,
}

/// Slots 3 to 12.
#[interface("211EF15B-5317-4438-B196-DEC87B887693")]
pub unsafe trait IMetaDataAssemblyEmit: IUnknown {
    pub fn DefineAssembly(
        &self,
        pbPublicKey: *const c_void,
        cbPublicKey: u32,
        ulHashAlgId: u32,
        szName: *const u16,
        pMetaData: *const ASSEMBLYMETADATA,
        dwAssemblyFlags: u32,
        pma: *mut MdAssembly,
    ) -> HRESULT;
    pub fn DefineAssemblyRef(
        &self,
        pbPublicKeyOrToken: *const c_void,
        cbPublicKeyOrToken: u32,
        szName: *const u16,
        pMetaData: *const ASSEMBLYMETADATA,
        pbHashValue: *const c_void,
        cbHashValue: u32,
        dwAssemblyRefFlags: u32,
        pmdar: *mut MdAssemblyRef,
    ) -> HRESULT;
    pub fn DefineFile(
        &self,
        szName: *const u16,
        pbHashValue: *const c_void,
        cbHashValue: u32,
        dwFileFlags: u32,
        pmdf: *mut MdFile,
    ) -> HRESULT;
    pub fn DefineExportedType(
        &self,
        szName: *const u16,
        tkImplementation: MdToken,
        tkTypeDef: MdTypeDef,
        dwExportedTypeFlags: u32,
        pmdct: *mut MdExportedType,
    ) -> HRESULT;
    pub fn DefineManifestResource(
        &self,
        szName: *const u16,
        tkImplementation: MdToken,
        dwOffset: u32,
        dwResourceFlags: u32,
        pmdmr: *mut MdManifestResource,
    ) -> HRESULT;
    pub fn SetAssemblyProps(
        &self,
        pma: MdAssembly,
        pbPublicKey: *const c_void,
        cbPublicKey: u32,
        ulHashAlgId: u32,
        szName: *const u16,
        pMetaData: *const ASSEMBLYMETADATA,
        dwAssemblyFlags: u32,
    ) -> HRESULT;
    pub fn SetAssemblyRefProps(
        &self,
        ar: MdAssemblyRef,
        pbPublicKeyOrToken: *const c_void,
        cbPublicKeyOrToken: u32,
        szName: *const u16,
        pMetaData: *const ASSEMBLYMETADATA,
        pbHashValue: *const c_void,
        cbHashValue: u32,
        dwAssemblyRefFlags: u32,
    ) -> HRESULT;
    pub fn SetFileProps(
        &self,
        file: MdFile,
        pbHashValue: *const c_void,
        cbHashValue: u32,
        dwFileFlags: u32,
    ) -> HRESULT;
    pub fn SetExportedTypeProps(
        &self,
        ct: MdExportedType,
        tkImplementation: MdToken,
        tkTypeDef: MdTypeDef,
        dwExportedTypeFlags: u32,
    ) -> HRESULT;
    pub fn SetManifestResourceProps(
        &self,
        mr: MdManifestResource,
        tkImplementation: MdToken,
        dwOffset: u32,
        dwResourceFlags: u32,
    ) -> HRESULT;
}

/// Slots 3 to 16.
#[interface("EE62470B-E94B-424E-9B7C-2F00C9249F93")]
pub unsafe trait IMetaDataAssemblyImport: IUnknown {
    pub fn GetAssemblyProps(
        &self,
        mda: MdAssembly,
        ppbPublicKey: *mut *const c_void,
        pcbPublicKey: *mut u32,
        pulHashAlgId: *mut u32,
        szName: *mut u16,
        cchName: u32,
        pchName: *mut u32,
        pMetaData: *mut ASSEMBLYMETADATA,
        pdwAssemblyFlags: *mut u32,
    ) -> HRESULT;
    pub fn GetAssemblyRefProps(
        &self,
        mdar: MdAssemblyRef,
        ppbPublicKeyOrToken: *mut *const c_void,
        pcbPublicKeyOrToken: *mut u32,
        szName: *mut u16,
        cchName: u32,
        pchName: *mut u32,
        pMetaData: *mut ASSEMBLYMETADATA,
        ppbHashValue: *mut *const c_void,
        pcbHashValue: *mut u32,
        pdwAssemblyRefFlags: *mut u32,
    ) -> HRESULT;
    pub fn GetFileProps(
        &self,
        mdf: MdFile,
        szName: *mut u16,
        cchName: u32,
        pchName: *mut u32,
        ppbHashValue: *mut *const c_void,
        pcbHashValue: *mut u32,
        pdwFileFlags: *mut u32,
    ) -> HRESULT;
    pub fn GetExportedTypeProps(
        &self,
        mdct: MdExportedType,
        szName: *mut u16,
        cchName: u32,
        pchName: *mut u32,
        ptkImplementation: *mut MdToken,
        ptkTypeDef: *mut MdTypeDef,
        pdwExportedTypeFlags: *mut u32,
    ) -> HRESULT;
    pub fn GetManifestResourceProps(
        &self,
        mdmr: MdManifestResource,
        szName: *mut u16,
        cchName: u32,
        pchName: *mut u32,
        ptkImplementation: *mut MdToken,
        pdwOffset: *mut u32,
        pdwResourceFlags: *mut u32,
    ) -> HRESULT;
    pub fn EnumAssemblyRefs(
        &self,
        phEnum: *mut HCORENUM,
        rAssemblyRefs: *mut MdAssemblyRef,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumFiles(
        &self,
        phEnum: *mut HCORENUM,
        rFiles: *mut MdFile,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumExportedTypes(
        &self,
        phEnum: *mut HCORENUM,
        rExportedTypes: *mut MdExportedType,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumManifestResources(
        &self,
        phEnum: *mut HCORENUM,
        rManifestResources: *mut MdManifestResource,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn GetAssemblyFromScope(&self, ptkAssembly: *mut MdAssembly) -> HRESULT;
    pub fn FindExportedTypeByName(
        &self,
        szName: *const u16,
        mdtExportedType: MdToken,
        ptkExportedType: *mut MdExportedType,
    ) -> HRESULT;
    pub fn FindManifestResourceByName(
        &self,
        szName: *const u16,
        ptkManifestResource: *mut MdManifestResource,
    ) -> HRESULT;
    /// Answers nothing.
    pub fn CloseEnum(&self, hEnum: HCORENUM);
    pub fn FindAssembliesByName(
        &self,
        szAppBase: *const u16,
        szPrivateBin: *const u16,
        szAssemblyName: *const u16,
        ppIUnk: *mut *mut c_void,
        cMax: u32,
        pcAssemblies: *mut u32,
    ) -> HRESULT;
}

/// What `GetAssemblyReferences` gets. .NET Core never hands one out.
#[interface("66A78C24-2EEF-4F65-B45F-DD1D8038BF3C")]
pub unsafe trait ICorProfilerAssemblyReferenceProvider: IUnknown {
    pub fn AddAssemblyReference(
        &self,
        pAssemblyRefInfo: *const COR_PRF_ASSEMBLY_REFERENCE_INFO,
    ) -> HRESULT;
}
