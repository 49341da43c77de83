//! `IMetaDataEmit` and `IMetaDataEmit2`: writing to a module's metadata.
//!
//! Asking for it takes `ofWrite`. From then on the CLR keeps the module's metadata in its slower
//! form.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each method does"
)]
#![allow(non_snake_case, reason = "methods are spelled as in cor.h")]
#![allow(clippy::too_many_arguments, reason = "the ABI has as many as it has")]

use core::ffi::c_void;

use windows_core::{HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::ids::{
    MdCustomAttribute, MdEvent, MdFieldDef, MdGenericParam, MdMemberRef, MdMethodDef, MdMethodSpec,
    MdModuleRef, MdParamDef, MdPermission, MdProperty, MdSignature, MdString, MdToken, MdTypeDef,
    MdTypeRef, MdTypeSpec,
};
use crate::profiler::types::COR_FIELD_OFFSET;

/// Slots 3 to 51. Lists of tokens (`rtkImplements`, `rmdOtherMethods`) end with a nil token or are
/// null.
#[interface("BA3FEE4C-ECB9-4E41-83B7-183FA41CD859")]
pub unsafe trait IMetaDataEmit: IUnknown {
    pub fn SetModuleProps(&self, szName: *const u16) -> HRESULT;
    pub fn Save(&self, szFile: *const u16, dwSaveFlags: u32) -> HRESULT;
    pub fn SaveToStream(&self, pIStream: *mut c_void, dwSaveFlags: u32) -> HRESULT;
    pub fn GetSaveSize(&self, fSave: u32, pdwSaveSize: *mut u32) -> HRESULT;
    pub fn DefineTypeDef(
        &self,
        szTypeDef: *const u16,
        dwTypeDefFlags: u32,
        tkExtends: MdToken,
        rtkImplements: *const MdToken,
        ptd: *mut MdTypeDef,
    ) -> HRESULT;
    pub fn DefineNestedType(
        &self,
        szTypeDef: *const u16,
        dwTypeDefFlags: u32,
        tkExtends: MdToken,
        rtkImplements: *const MdToken,
        tdEncloser: MdTypeDef,
        ptd: *mut MdTypeDef,
    ) -> HRESULT;
    pub fn SetHandler(&self, pUnk: *mut c_void) -> HRESULT;
    pub fn DefineMethod(
        &self,
        td: MdTypeDef,
        szName: *const u16,
        dwMethodFlags: u32,
        pvSigBlob: *const u8,
        cbSigBlob: u32,
        ulCodeRVA: u32,
        dwImplFlags: u32,
        pmd: *mut MdMethodDef,
    ) -> HRESULT;
    pub fn DefineMethodImpl(&self, td: MdTypeDef, tkBody: MdToken, tkDecl: MdToken) -> HRESULT;
    pub fn DefineTypeRefByName(
        &self,
        tkResolutionScope: MdToken,
        szName: *const u16,
        ptr: *mut MdTypeRef,
    ) -> HRESULT;
    pub fn DefineImportType(
        &self,
        pAssemImport: *mut c_void,
        pbHashValue: *const c_void,
        cbHashValue: u32,
        pImport: *mut c_void,
        tdImport: MdTypeDef,
        pAssemEmit: *mut c_void,
        ptr: *mut MdTypeRef,
    ) -> HRESULT;
    pub fn DefineMemberRef(
        &self,
        tkImport: MdToken,
        szName: *const u16,
        pvSigBlob: *const u8,
        cbSigBlob: u32,
        pmr: *mut MdMemberRef,
    ) -> HRESULT;
    pub fn DefineImportMember(
        &self,
        pAssemImport: *mut c_void,
        pbHashValue: *const c_void,
        cbHashValue: u32,
        pImport: *mut c_void,
        mbMember: MdToken,
        pAssemEmit: *mut c_void,
        tkParent: MdToken,
        pmr: *mut MdMemberRef,
    ) -> HRESULT;
    pub fn DefineEvent(
        &self,
        td: MdTypeDef,
        szEvent: *const u16,
        dwEventFlags: u32,
        tkEventType: MdToken,
        mdAddOn: MdMethodDef,
        mdRemoveOn: MdMethodDef,
        mdFire: MdMethodDef,
        rmdOtherMethods: *const MdMethodDef,
        pmdEvent: *mut MdEvent,
    ) -> HRESULT;
    pub fn SetClassLayout(
        &self,
        td: MdTypeDef,
        dwPackSize: u32,
        rFieldOffsets: *const COR_FIELD_OFFSET,
        ulClassSize: u32,
    ) -> HRESULT;
    pub fn DeleteClassLayout(&self, td: MdTypeDef) -> HRESULT;
    pub fn SetFieldMarshal(
        &self,
        tk: MdToken,
        pvNativeType: *const u8,
        cbNativeType: u32,
    ) -> HRESULT;
    pub fn DeleteFieldMarshal(&self, tk: MdToken) -> HRESULT;
    pub fn DefinePermissionSet(
        &self,
        tk: MdToken,
        dwAction: u32,
        pvPermission: *const c_void,
        cbPermission: u32,
        ppm: *mut MdPermission,
    ) -> HRESULT;
    pub fn SetRVA(&self, md: MdMethodDef, ulRVA: u32) -> HRESULT;
    pub fn GetTokenFromSig(&self, pvSig: *const u8, cbSig: u32, pmsig: *mut MdSignature)
    -> HRESULT;
    pub fn DefineModuleRef(&self, szName: *const u16, pmur: *mut MdModuleRef) -> HRESULT;
    pub fn SetParent(&self, mr: MdMemberRef, tk: MdToken) -> HRESULT;
    pub fn GetTokenFromTypeSpec(
        &self,
        pvSig: *const u8,
        cbSig: u32,
        ptypespec: *mut MdTypeSpec,
    ) -> HRESULT;
    pub fn SaveToMemory(&self, pbData: *mut c_void, cbData: u32) -> HRESULT;
    pub fn DefineUserString(
        &self,
        szString: *const u16,
        cchString: u32,
        pstk: *mut MdString,
    ) -> HRESULT;
    pub fn DeleteToken(&self, tkObj: MdToken) -> HRESULT;
    pub fn SetMethodProps(
        &self,
        md: MdMethodDef,
        dwMethodFlags: u32,
        ulCodeRVA: u32,
        dwImplFlags: u32,
    ) -> HRESULT;
    pub fn SetTypeDefProps(
        &self,
        td: MdTypeDef,
        dwTypeDefFlags: u32,
        tkExtends: MdToken,
        rtkImplements: *const MdToken,
    ) -> HRESULT;
    pub fn SetEventProps(
        &self,
        ev: MdEvent,
        dwEventFlags: u32,
        tkEventType: MdToken,
        mdAddOn: MdMethodDef,
        mdRemoveOn: MdMethodDef,
        mdFire: MdMethodDef,
        rmdOtherMethods: *const MdMethodDef,
    ) -> HRESULT;
    pub fn SetPermissionSetProps(
        &self,
        tk: MdToken,
        dwAction: u32,
        pvPermission: *const c_void,
        cbPermission: u32,
        ppm: *mut MdPermission,
    ) -> HRESULT;
    pub fn DefinePinvokeMap(
        &self,
        tk: MdToken,
        dwMappingFlags: u32,
        szImportName: *const u16,
        mrImportDLL: MdModuleRef,
    ) -> HRESULT;
    pub fn SetPinvokeMap(
        &self,
        tk: MdToken,
        dwMappingFlags: u32,
        szImportName: *const u16,
        mrImportDLL: MdModuleRef,
    ) -> HRESULT;
    pub fn DeletePinvokeMap(&self, tk: MdToken) -> HRESULT;
    pub fn DefineCustomAttribute(
        &self,
        tkOwner: MdToken,
        tkCtor: MdToken,
        pCustomAttribute: *const c_void,
        cbCustomAttribute: u32,
        pcv: *mut MdCustomAttribute,
    ) -> HRESULT;
    pub fn SetCustomAttributeValue(
        &self,
        pcv: MdCustomAttribute,
        pCustomAttribute: *const c_void,
        cbCustomAttribute: u32,
    ) -> HRESULT;
    pub fn DefineField(
        &self,
        td: MdTypeDef,
        szName: *const u16,
        dwFieldFlags: u32,
        pvSigBlob: *const u8,
        cbSigBlob: u32,
        dwCPlusTypeFlag: u32,
        pValue: *const c_void,
        cchValue: u32,
        pmd: *mut MdFieldDef,
    ) -> HRESULT;
    pub fn DefineProperty(
        &self,
        td: MdTypeDef,
        szProperty: *const u16,
        dwPropFlags: u32,
        pvSig: *const u8,
        cbSig: u32,
        dwCPlusTypeFlag: u32,
        pValue: *const c_void,
        cchValue: u32,
        mdSetter: MdMethodDef,
        mdGetter: MdMethodDef,
        rmdOtherMethods: *const MdMethodDef,
        pmdProp: *mut MdProperty,
    ) -> HRESULT;
    pub fn DefineParam(
        &self,
        md: MdMethodDef,
        ulParamSeq: u32,
        szName: *const u16,
        dwParamFlags: u32,
        dwCPlusTypeFlag: u32,
        pValue: *const c_void,
        cchValue: u32,
        ppd: *mut MdParamDef,
    ) -> HRESULT;
    pub fn SetFieldProps(
        &self,
        fd: MdFieldDef,
        dwFieldFlags: u32,
        dwCPlusTypeFlag: u32,
        pValue: *const c_void,
        cchValue: u32,
    ) -> HRESULT;
    pub fn SetPropertyProps(
        &self,
        pr: MdProperty,
        dwPropFlags: u32,
        dwCPlusTypeFlag: u32,
        pValue: *const c_void,
        cchValue: u32,
        mdSetter: MdMethodDef,
        mdGetter: MdMethodDef,
        rmdOtherMethods: *const MdMethodDef,
    ) -> HRESULT;
    pub fn SetParamProps(
        &self,
        pd: MdParamDef,
        szName: *const u16,
        dwParamFlags: u32,
        dwCPlusTypeFlag: u32,
        pValue: *const c_void,
        cchValue: u32,
    ) -> HRESULT;
    pub fn DefineSecurityAttributeSet(
        &self,
        tkObj: MdToken,
        rSecAttrs: *const c_void,
        cSecAttrs: u32,
        pulErrorAttr: *mut u32,
    ) -> HRESULT;
    pub fn ApplyEditAndContinue(&self, pImport: *mut c_void) -> HRESULT;
    pub fn TranslateSigWithScope(
        &self,
        pAssemImport: *mut c_void,
        pbHashValue: *const c_void,
        cbHashValue: u32,
        import: *mut c_void,
        pbSigBlob: *const u8,
        cbSigBlob: u32,
        pAssemEmit: *mut c_void,
        emit: *mut c_void,
        pvTranslatedSig: *mut u8,
        cbTranslatedSigMax: u32,
        pcbTranslatedSig: *mut u32,
    ) -> HRESULT;
    pub fn SetMethodImplFlags(&self, md: MdMethodDef, dwImplFlags: u32) -> HRESULT;
    pub fn SetFieldRVA(&self, fd: MdFieldDef, ulRVA: u32) -> HRESULT;
    pub fn Merge(
        &self,
        pImport: *mut c_void,
        pHostMapToken: *mut c_void,
        pHandler: *mut c_void,
    ) -> HRESULT;
    pub fn MergeEnd(&self) -> HRESULT;
}

/// Slots 52 to 59.
#[interface("F5DD9950-F693-42E6-830E-7B833E8146A9")]
pub unsafe trait IMetaDataEmit2: IMetaDataEmit {
    pub fn DefineMethodSpec(
        &self,
        tkParent: MdToken,
        pvSigBlob: *const u8,
        cbSigBlob: u32,
        pmi: *mut MdMethodSpec,
    ) -> HRESULT;
    pub fn GetDeltaSaveSize(&self, fSave: u32, pdwSaveSize: *mut u32) -> HRESULT;
    pub fn SaveDelta(&self, szFile: *const u16, dwSaveFlags: u32) -> HRESULT;
    pub fn SaveDeltaToStream(&self, pIStream: *mut c_void, dwSaveFlags: u32) -> HRESULT;
    pub fn SaveDeltaToMemory(&self, pbData: *mut c_void, cbData: u32) -> HRESULT;
    pub fn DefineGenericParam(
        &self,
        tk: MdToken,
        ulParamSeq: u32,
        dwParamFlags: u32,
        szname: *const u16,
        reserved: u32,
        rtkConstraints: *const MdToken,
        pgp: *mut MdGenericParam,
    ) -> HRESULT;
    pub fn SetGenericParamProps(
        &self,
        gp: MdGenericParam,
        dwParamFlags: u32,
        szName: *const u16,
        reserved: u32,
        rtkConstraints: *const MdToken,
    ) -> HRESULT;
    pub fn ResetENCLog(&self) -> HRESULT;
}
