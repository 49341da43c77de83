//! `IMetaDataImport2`: reading what generics added to metadata.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each method does"
)]
#![allow(non_snake_case, reason = "methods are spelled as in cor.h")]
#![allow(clippy::too_many_arguments, reason = "the ABI has as many as it has")]

use windows_core::{HRESULT, interface};

use crate::ids::{MdGenericParam, MdGenericParamConstraint, MdMethodSpec, MdToken};
use crate::profiler::metadata_import::{
    HCORENUM, IMetaDataImport, IMetaDataImport_Impl, IMetaDataImport_Vtbl,
};

/// Slots 65 to 72.
#[interface("FCE5EFA0-8BBA-4F8E-A036-8F2022B08466")]
pub unsafe trait IMetaDataImport2: IMetaDataImport {
    pub fn EnumGenericParams(
        &self,
        phEnum: *mut HCORENUM,
        tk: MdToken,
        rGenericParams: *mut MdGenericParam,
        cMax: u32,
        pcGenericParams: *mut u32,
    ) -> HRESULT;
    pub fn GetGenericParamProps(
        &self,
        gp: MdGenericParam,
        pulParamSeq: *mut u32,
        pdwParamFlags: *mut u32,
        ptOwner: *mut MdToken,
        reserved: *mut u32,
        wzname: *mut u16,
        cchName: u32,
        pchName: *mut u32,
    ) -> HRESULT;
    pub fn GetMethodSpecProps(
        &self,
        mi: MdMethodSpec,
        tkParent: *mut MdToken,
        ppvSigBlob: *mut *const u8,
        pcbSigBlob: *mut u32,
    ) -> HRESULT;
    pub fn EnumGenericParamConstraints(
        &self,
        phEnum: *mut HCORENUM,
        tk: MdGenericParam,
        rGenericParamConstraints: *mut MdGenericParamConstraint,
        cMax: u32,
        pcGenericParamConstraints: *mut u32,
    ) -> HRESULT;
    pub fn GetGenericParamConstraintProps(
        &self,
        gpc: MdGenericParamConstraint,
        ptGenericParam: *mut MdGenericParam,
        ptkConstraintType: *mut MdToken,
    ) -> HRESULT;
    pub fn GetPEKind(&self, pdwPEKind: *mut u32, pdwMAchine: *mut u32) -> HRESULT;
    pub fn GetVersionString(
        &self,
        pwzBuf: *mut u16,
        ccBufSize: u32,
        pccBufSize: *mut u32,
    ) -> HRESULT;
    pub fn EnumMethodSpecs(
        &self,
        phEnum: *mut HCORENUM,
        tk: MdToken,
        rMethodSpecs: *mut MdMethodSpec,
        cMax: u32,
        pcMethodSpecs: *mut u32,
    ) -> HRESULT;
}
