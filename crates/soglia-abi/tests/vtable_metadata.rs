//! The vtables of the metadata interfaces, slot by slot.

use soglia_abi::profiler::{metadata::*, metadata_assembly::*, metadata_emit::*};

mod common;
use common::vtable;

vtable! { IMetaDataImport_Vtbl, 65 slots:
    3 CloseEnum, 4 CountEnum, 5 ResetEnum, 6 EnumTypeDefs, 7 EnumInterfaceImpls, 8 EnumTypeRefs,
    9 FindTypeDefByName, 10 GetScopeProps, 11 GetModuleFromScope, 12 GetTypeDefProps, 13 GetInterfaceImplProps,
    14 GetTypeRefProps, 15 ResolveTypeRef, 16 EnumMembers, 17 EnumMembersWithName, 18 EnumMethods,
    19 EnumMethodsWithName, 20 EnumFields, 21 EnumFieldsWithName, 22 EnumParams, 23 EnumMemberRefs,
    24 EnumMethodImpls, 25 EnumPermissionSets, 26 FindMember, 27 FindMethod, 28 FindField, 29 FindMemberRef,
    30 GetMethodProps, 31 GetMemberRefProps, 32 EnumProperties, 33 EnumEvents, 34 GetEventProps,
    35 EnumMethodSemantics, 36 GetMethodSemantics, 37 GetClassLayout, 38 GetFieldMarshal, 39 GetRVA,
    40 GetPermissionSetProps, 41 GetSigFromToken, 42 GetModuleRefProps, 43 EnumModuleRefs, 44 GetTypeSpecFromToken,
    45 GetNameFromToken, 46 EnumUnresolvedMethods, 47 GetUserString, 48 GetPinvokeMap, 49 EnumSignatures,
    50 EnumTypeSpecs, 51 EnumUserStrings, 52 GetParamForMethodIndex, 53 EnumCustomAttributes,
    54 GetCustomAttributeProps, 55 FindTypeRef, 56 GetMemberProps, 57 GetFieldProps, 58 GetPropertyProps,
    59 GetParamProps, 60 GetCustomAttributeByName, 61 IsValidToken, 62 GetNestedClassProps,
    63 GetNativeCallConvFromSig, 64 IsGlobal,
}

vtable! { IMetaDataImport2_Vtbl, 73 slots:
    65 EnumGenericParams, 66 GetGenericParamProps, 67 GetMethodSpecProps, 68 EnumGenericParamConstraints,
    69 GetGenericParamConstraintProps, 70 GetPEKind, 71 GetVersionString, 72 EnumMethodSpecs,
}

vtable! { IMetaDataEmit_Vtbl, 52 slots:
    3 SetModuleProps, 4 Save, 5 SaveToStream, 6 GetSaveSize, 7 DefineTypeDef, 8 DefineNestedType, 9 SetHandler,
    10 DefineMethod, 11 DefineMethodImpl, 12 DefineTypeRefByName, 13 DefineImportType, 14 DefineMemberRef,
    15 DefineImportMember, 16 DefineEvent, 17 SetClassLayout, 18 DeleteClassLayout, 19 SetFieldMarshal,
    20 DeleteFieldMarshal, 21 DefinePermissionSet, 22 SetRVA, 23 GetTokenFromSig, 24 DefineModuleRef, 25 SetParent,
    26 GetTokenFromTypeSpec, 27 SaveToMemory, 28 DefineUserString, 29 DeleteToken, 30 SetMethodProps,
    31 SetTypeDefProps, 32 SetEventProps, 33 SetPermissionSetProps, 34 DefinePinvokeMap, 35 SetPinvokeMap,
    36 DeletePinvokeMap, 37 DefineCustomAttribute, 38 SetCustomAttributeValue, 39 DefineField, 40 DefineProperty,
    41 DefineParam, 42 SetFieldProps, 43 SetPropertyProps, 44 SetParamProps, 45 DefineSecurityAttributeSet,
    46 ApplyEditAndContinue, 47 TranslateSigWithScope, 48 SetMethodImplFlags, 49 SetFieldRVA, 50 Merge, 51 MergeEnd,
}

vtable! { IMetaDataEmit2_Vtbl, 60 slots:
    52 DefineMethodSpec, 53 GetDeltaSaveSize, 54 SaveDelta, 55 SaveDeltaToStream, 56 SaveDeltaToMemory,
    57 DefineGenericParam, 58 SetGenericParamProps, 59 ResetENCLog,
}

vtable! { IMetaDataAssemblyEmit_Vtbl, 13 slots:
    3 DefineAssembly, 4 DefineAssemblyRef, 5 DefineFile, 6 DefineExportedType, 7 DefineManifestResource,
    8 SetAssemblyProps, 9 SetAssemblyRefProps, 10 SetFileProps, 11 SetExportedTypeProps,
    12 SetManifestResourceProps,
}

vtable! { IMetaDataAssemblyImport_Vtbl, 17 slots:
    3 GetAssemblyProps, 4 GetAssemblyRefProps, 5 GetFileProps, 6 GetExportedTypeProps, 7 GetManifestResourceProps,
    8 EnumAssemblyRefs, 9 EnumFiles, 10 EnumExportedTypes, 11 EnumManifestResources, 12 GetAssemblyFromScope,
    13 FindExportedTypeByName, 14 FindManifestResourceByName, 15 CloseEnum, 16 FindAssembliesByName,
}

vtable! { ICorProfilerAssemblyReferenceProvider_Vtbl, 4 slots:
    3 AddAssemblyReference,
}
