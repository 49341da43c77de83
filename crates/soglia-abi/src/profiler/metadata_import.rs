//! `IMetaDataImport`: reading a module's metadata.
//!
//! Methods return signatures and blobs as pointers into the metadata. The pointers are valid until
//! the metadata is changed. Methods copy strings out, and their counts include the final zero.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each method does"
)]
#![allow(
    non_snake_case,
    non_upper_case_globals,
    reason = "names are spelled as in cor.h and corhdr.h"
)]
#![allow(clippy::too_many_arguments, reason = "the ABI has as many as it has")]

use core::ffi::{c_char, c_void};

use windows_core::{BOOL, GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::ids::{
    MdCustomAttribute, MdEvent, MdFieldDef, MdInterfaceImpl, MdMemberRef, MdMethodDef, MdModule,
    MdModuleRef, MdParamDef, MdPermission, MdProperty, MdSignature, MdString, MdToken, MdTypeDef,
    MdTypeRef, MdTypeSpec,
};
use crate::profiler::types::COR_FIELD_OFFSET;

/// An enumeration in progress. It starts as null, and `CloseEnum` ends it.
pub type HCORENUM = *mut c_void;

/// Slots 3 to 64.
#[interface("7DAC8207-D3AE-4C75-9B67-92801A497D44")]
pub unsafe trait IMetaDataImport: IUnknown {
    /// Ends an enumeration. It has no result.
    pub fn CloseEnum(&self, hEnum: HCORENUM);
    pub fn CountEnum(&self, hEnum: HCORENUM, pulCount: *mut u32) -> HRESULT;
    pub fn ResetEnum(&self, hEnum: HCORENUM, ulPos: u32) -> HRESULT;
    pub fn EnumTypeDefs(
        &self,
        phEnum: *mut HCORENUM,
        rTypeDefs: *mut MdTypeDef,
        cMax: u32,
        pcTypeDefs: *mut u32,
    ) -> HRESULT;
    pub fn EnumInterfaceImpls(
        &self,
        phEnum: *mut HCORENUM,
        td: MdTypeDef,
        rImpls: *mut MdInterfaceImpl,
        cMax: u32,
        pcImpls: *mut u32,
    ) -> HRESULT;
    pub fn EnumTypeRefs(
        &self,
        phEnum: *mut HCORENUM,
        rTypeRefs: *mut MdTypeRef,
        cMax: u32,
        pcTypeRefs: *mut u32,
    ) -> HRESULT;
    pub fn FindTypeDefByName(
        &self,
        szTypeDef: *const u16,
        tkEnclosingClass: MdToken,
        ptd: *mut MdTypeDef,
    ) -> HRESULT;
    pub fn GetScopeProps(
        &self,
        szName: *mut u16,
        cchName: u32,
        pchName: *mut u32,
        pmvid: *mut GUID,
    ) -> HRESULT;
    pub fn GetModuleFromScope(&self, pmd: *mut MdModule) -> HRESULT;
    pub fn GetTypeDefProps(
        &self,
        td: MdTypeDef,
        szTypeDef: *mut u16,
        cchTypeDef: u32,
        pchTypeDef: *mut u32,
        pdwTypeDefFlags: *mut u32,
        ptkExtends: *mut MdToken,
    ) -> HRESULT;
    pub fn GetInterfaceImplProps(
        &self,
        iiImpl: MdInterfaceImpl,
        pClass: *mut MdTypeDef,
        ptkIface: *mut MdToken,
    ) -> HRESULT;
    pub fn GetTypeRefProps(
        &self,
        tr: MdTypeRef,
        ptkResolutionScope: *mut MdToken,
        szName: *mut u16,
        cchName: u32,
        pchName: *mut u32,
    ) -> HRESULT;
    pub fn ResolveTypeRef(
        &self,
        tr: MdTypeRef,
        riid: *const GUID,
        ppIScope: *mut *mut c_void,
        ptd: *mut MdTypeDef,
    ) -> HRESULT;
    pub fn EnumMembers(
        &self,
        phEnum: *mut HCORENUM,
        cl: MdTypeDef,
        rMembers: *mut MdToken,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumMembersWithName(
        &self,
        phEnum: *mut HCORENUM,
        cl: MdTypeDef,
        szName: *const u16,
        rMembers: *mut MdToken,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumMethods(
        &self,
        phEnum: *mut HCORENUM,
        cl: MdTypeDef,
        rMethods: *mut MdMethodDef,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumMethodsWithName(
        &self,
        phEnum: *mut HCORENUM,
        cl: MdTypeDef,
        szName: *const u16,
        rMethods: *mut MdMethodDef,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumFields(
        &self,
        phEnum: *mut HCORENUM,
        cl: MdTypeDef,
        rFields: *mut MdFieldDef,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumFieldsWithName(
        &self,
        phEnum: *mut HCORENUM,
        cl: MdTypeDef,
        szName: *const u16,
        rFields: *mut MdFieldDef,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumParams(
        &self,
        phEnum: *mut HCORENUM,
        mb: MdMethodDef,
        rParams: *mut MdParamDef,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumMemberRefs(
        &self,
        phEnum: *mut HCORENUM,
        tkParent: MdToken,
        rMemberRefs: *mut MdMemberRef,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumMethodImpls(
        &self,
        phEnum: *mut HCORENUM,
        td: MdTypeDef,
        rMethodBody: *mut MdToken,
        rMethodDecl: *mut MdToken,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn EnumPermissionSets(
        &self,
        phEnum: *mut HCORENUM,
        tk: MdToken,
        dwActions: u32,
        rPermission: *mut MdPermission,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn FindMember(
        &self,
        td: MdTypeDef,
        szName: *const u16,
        pvSigBlob: *const u8,
        cbSigBlob: u32,
        pmb: *mut MdToken,
    ) -> HRESULT;
    pub fn FindMethod(
        &self,
        td: MdTypeDef,
        szName: *const u16,
        pvSigBlob: *const u8,
        cbSigBlob: u32,
        pmb: *mut MdMethodDef,
    ) -> HRESULT;
    pub fn FindField(
        &self,
        td: MdTypeDef,
        szName: *const u16,
        pvSigBlob: *const u8,
        cbSigBlob: u32,
        pmb: *mut MdFieldDef,
    ) -> HRESULT;
    pub fn FindMemberRef(
        &self,
        td: MdTypeRef,
        szName: *const u16,
        pvSigBlob: *const u8,
        cbSigBlob: u32,
        pmr: *mut MdMemberRef,
    ) -> HRESULT;
    pub fn GetMethodProps(
        &self,
        mb: MdMethodDef,
        pClass: *mut MdTypeDef,
        szMethod: *mut u16,
        cchMethod: u32,
        pchMethod: *mut u32,
        pdwAttr: *mut u32,
        ppvSigBlob: *mut *const u8,
        pcbSigBlob: *mut u32,
        pulCodeRVA: *mut u32,
        pdwImplFlags: *mut u32,
    ) -> HRESULT;
    pub fn GetMemberRefProps(
        &self,
        mr: MdMemberRef,
        ptk: *mut MdToken,
        szMember: *mut u16,
        cchMember: u32,
        pchMember: *mut u32,
        ppvSigBlob: *mut *const u8,
        pbSig: *mut u32,
    ) -> HRESULT;
    pub fn EnumProperties(
        &self,
        phEnum: *mut HCORENUM,
        td: MdTypeDef,
        rProperties: *mut MdProperty,
        cMax: u32,
        pcProperties: *mut u32,
    ) -> HRESULT;
    pub fn EnumEvents(
        &self,
        phEnum: *mut HCORENUM,
        td: MdTypeDef,
        rEvents: *mut MdEvent,
        cMax: u32,
        pcEvents: *mut u32,
    ) -> HRESULT;
    pub fn GetEventProps(
        &self,
        ev: MdEvent,
        pClass: *mut MdTypeDef,
        szEvent: *mut u16,
        cchEvent: u32,
        pchEvent: *mut u32,
        pdwEventFlags: *mut u32,
        ptkEventType: *mut MdToken,
        pmdAddOn: *mut MdMethodDef,
        pmdRemoveOn: *mut MdMethodDef,
        pmdFire: *mut MdMethodDef,
        rmdOtherMethod: *mut MdMethodDef,
        cMax: u32,
        pcOtherMethod: *mut u32,
    ) -> HRESULT;
    pub fn EnumMethodSemantics(
        &self,
        phEnum: *mut HCORENUM,
        mb: MdMethodDef,
        rEventProp: *mut MdToken,
        cMax: u32,
        pcEventProp: *mut u32,
    ) -> HRESULT;
    pub fn GetMethodSemantics(
        &self,
        mb: MdMethodDef,
        tkEventProp: MdToken,
        pdwSemanticsFlags: *mut u32,
    ) -> HRESULT;
    pub fn GetClassLayout(
        &self,
        td: MdTypeDef,
        pdwPackSize: *mut u32,
        rFieldOffset: *mut COR_FIELD_OFFSET,
        cMax: u32,
        pcFieldOffset: *mut u32,
        pulClassSize: *mut u32,
    ) -> HRESULT;
    pub fn GetFieldMarshal(
        &self,
        tk: MdToken,
        ppvNativeType: *mut *const u8,
        pcbNativeType: *mut u32,
    ) -> HRESULT;
    pub fn GetRVA(&self, tk: MdToken, pulCodeRVA: *mut u32, pdwImplFlags: *mut u32) -> HRESULT;
    pub fn GetPermissionSetProps(
        &self,
        pm: MdPermission,
        pdwAction: *mut u32,
        ppvPermission: *mut *const c_void,
        pcbPermission: *mut u32,
    ) -> HRESULT;
    pub fn GetSigFromToken(
        &self,
        mdSig: MdSignature,
        ppvSig: *mut *const u8,
        pcbSig: *mut u32,
    ) -> HRESULT;
    pub fn GetModuleRefProps(
        &self,
        mur: MdModuleRef,
        szName: *mut u16,
        cchName: u32,
        pchName: *mut u32,
    ) -> HRESULT;
    pub fn EnumModuleRefs(
        &self,
        phEnum: *mut HCORENUM,
        rModuleRefs: *mut MdModuleRef,
        cmax: u32,
        pcModuleRefs: *mut u32,
    ) -> HRESULT;
    pub fn GetTypeSpecFromToken(
        &self,
        typespec: MdTypeSpec,
        ppvSig: *mut *const u8,
        pcbSig: *mut u32,
    ) -> HRESULT;
    /// The one string that comes back as UTF-8, and by pointer.
    pub fn GetNameFromToken(&self, tk: MdToken, pszUtf8NamePtr: *mut *const c_char) -> HRESULT;
    pub fn EnumUnresolvedMethods(
        &self,
        phEnum: *mut HCORENUM,
        rMethods: *mut MdToken,
        cMax: u32,
        pcTokens: *mut u32,
    ) -> HRESULT;
    pub fn GetUserString(
        &self,
        stk: MdString,
        szString: *mut u16,
        cchString: u32,
        pchString: *mut u32,
    ) -> HRESULT;
    pub fn GetPinvokeMap(
        &self,
        tk: MdToken,
        pdwMappingFlags: *mut u32,
        szImportName: *mut u16,
        cchImportName: u32,
        pchImportName: *mut u32,
        pmrImportDLL: *mut MdModuleRef,
    ) -> HRESULT;
    pub fn EnumSignatures(
        &self,
        phEnum: *mut HCORENUM,
        rSignatures: *mut MdSignature,
        cmax: u32,
        pcSignatures: *mut u32,
    ) -> HRESULT;
    pub fn EnumTypeSpecs(
        &self,
        phEnum: *mut HCORENUM,
        rTypeSpecs: *mut MdTypeSpec,
        cmax: u32,
        pcTypeSpecs: *mut u32,
    ) -> HRESULT;
    pub fn EnumUserStrings(
        &self,
        phEnum: *mut HCORENUM,
        rStrings: *mut MdString,
        cmax: u32,
        pcStrings: *mut u32,
    ) -> HRESULT;
    pub fn GetParamForMethodIndex(
        &self,
        md: MdMethodDef,
        ulParamSeq: u32,
        ppd: *mut MdParamDef,
    ) -> HRESULT;
    pub fn EnumCustomAttributes(
        &self,
        phEnum: *mut HCORENUM,
        tk: MdToken,
        tkType: MdToken,
        rCustomAttributes: *mut MdCustomAttribute,
        cMax: u32,
        pcCustomAttributes: *mut u32,
    ) -> HRESULT;
    pub fn GetCustomAttributeProps(
        &self,
        cv: MdCustomAttribute,
        ptkObj: *mut MdToken,
        ptkType: *mut MdToken,
        ppBlob: *mut *const c_void,
        pcbSize: *mut u32,
    ) -> HRESULT;
    pub fn FindTypeRef(
        &self,
        tkResolutionScope: MdToken,
        szName: *const u16,
        ptr: *mut MdTypeRef,
    ) -> HRESULT;
    pub fn GetMemberProps(
        &self,
        mb: MdToken,
        pClass: *mut MdTypeDef,
        szMember: *mut u16,
        cchMember: u32,
        pchMember: *mut u32,
        pdwAttr: *mut u32,
        ppvSigBlob: *mut *const u8,
        pcbSigBlob: *mut u32,
        pulCodeRVA: *mut u32,
        pdwImplFlags: *mut u32,
        pdwCPlusTypeFlag: *mut u32,
        ppValue: *mut *const c_void,
        pcchValue: *mut u32,
    ) -> HRESULT;
    pub fn GetFieldProps(
        &self,
        mb: MdFieldDef,
        pClass: *mut MdTypeDef,
        szField: *mut u16,
        cchField: u32,
        pchField: *mut u32,
        pdwAttr: *mut u32,
        ppvSigBlob: *mut *const u8,
        pcbSigBlob: *mut u32,
        pdwCPlusTypeFlag: *mut u32,
        ppValue: *mut *const c_void,
        pcchValue: *mut u32,
    ) -> HRESULT;
    pub fn GetPropertyProps(
        &self,
        prop: MdProperty,
        pClass: *mut MdTypeDef,
        szProperty: *mut u16,
        cchProperty: u32,
        pchProperty: *mut u32,
        pdwPropFlags: *mut u32,
        ppvSig: *mut *const u8,
        pbSig: *mut u32,
        pdwCPlusTypeFlag: *mut u32,
        ppDefaultValue: *mut *const c_void,
        pcchDefaultValue: *mut u32,
        pmdSetter: *mut MdMethodDef,
        pmdGetter: *mut MdMethodDef,
        rmdOtherMethod: *mut MdMethodDef,
        cMax: u32,
        pcOtherMethod: *mut u32,
    ) -> HRESULT;
    pub fn GetParamProps(
        &self,
        tk: MdParamDef,
        pmd: *mut MdMethodDef,
        pulSequence: *mut u32,
        szName: *mut u16,
        cchName: u32,
        pchName: *mut u32,
        pdwAttr: *mut u32,
        pdwCPlusTypeFlag: *mut u32,
        ppValue: *mut *const c_void,
        pcchValue: *mut u32,
    ) -> HRESULT;
    /// `S_FALSE` when the attribute is not there.
    pub fn GetCustomAttributeByName(
        &self,
        tkObj: MdToken,
        szName: *const u16,
        ppData: *mut *const c_void,
        pcbData: *mut u32,
    ) -> HRESULT;
    /// A truth value, not an HRESULT.
    pub fn IsValidToken(&self, tk: MdToken) -> BOOL;
    pub fn GetNestedClassProps(
        &self,
        tdNestedClass: MdTypeDef,
        ptdEnclosingClass: *mut MdTypeDef,
    ) -> HRESULT;
    pub fn GetNativeCallConvFromSig(
        &self,
        pvSig: *const c_void,
        cbSig: u32,
        pCallConv: *mut u32,
    ) -> HRESULT;
    pub fn IsGlobal(&self, pd: MdToken, pbGlobal: *mut i32) -> HRESULT;
}
