//! Attributes and token kinds of corhdr.h, as far as soglia reads or writes them.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; ECMA-335 partition II says what each means"
)]
#![allow(non_upper_case_globals, reason = "names are spelled as in corhdr.h")]

// CorOpenFlags, for GetModuleMetaData.
pub const ofRead: u32 = 0x0;
pub const ofWrite: u32 = 0x1;

// CorMethodAttr.
pub const mdMemberAccessMask: u32 = 0x0007;
pub const mdPrivateScope: u32 = 0x0000;
pub const mdPrivate: u32 = 0x0001;
pub const mdFamANDAssem: u32 = 0x0002;
pub const mdAssem: u32 = 0x0003;
pub const mdFamily: u32 = 0x0004;
pub const mdFamORAssem: u32 = 0x0005;
pub const mdPublic: u32 = 0x0006;
pub const mdUnmanagedExport: u32 = 0x0008;
pub const mdStatic: u32 = 0x0010;
pub const mdFinal: u32 = 0x0020;
pub const mdVirtual: u32 = 0x0040;
pub const mdHideBySig: u32 = 0x0080;
pub const mdNewSlot: u32 = 0x0100;
pub const mdCheckAccessOnOverride: u32 = 0x0200;
pub const mdAbstract: u32 = 0x0400;
pub const mdSpecialName: u32 = 0x0800;
pub const mdRTSpecialName: u32 = 0x1000;
/// The method is a P/Invoke: it has no IL, and a row in the pinvoke map.
pub const mdPinvokeImpl: u32 = 0x2000;
pub const mdHasSecurity: u32 = 0x4000;
pub const mdRequireSecObject: u32 = 0x8000;

// CorMethodImpl.
pub const miCodeTypeMask: u32 = 0x0003;
pub const miIL: u32 = 0x0000;
pub const miNative: u32 = 0x0001;
pub const miOPTIL: u32 = 0x0002;
pub const miRuntime: u32 = 0x0003;
pub const miUnmanaged: u32 = 0x0004;
pub const miNoInlining: u32 = 0x0008;
pub const miForwardRef: u32 = 0x0010;
pub const miSynchronized: u32 = 0x0020;
pub const miNoOptimization: u32 = 0x0040;
/// HRESULTs of a native method are left alone; without it they are made into exceptions.
pub const miPreserveSig: u32 = 0x0080;
pub const miAggressiveInlining: u32 = 0x0100;
pub const miAggressiveOptimization: u32 = 0x0200;
pub const miInternalCall: u32 = 0x1000;

// CorTypeAttr, as far as types are made here.
pub const tdVisibilityMask: u32 = 0x0000_0007;
pub const tdNotPublic: u32 = 0x0000_0000;
pub const tdPublic: u32 = 0x0000_0001;
pub const tdNestedPublic: u32 = 0x0000_0002;
pub const tdAbstract: u32 = 0x0000_0080;
pub const tdSealed: u32 = 0x0000_0100;
pub const tdSpecialName: u32 = 0x0000_0400;
pub const tdImport: u32 = 0x0000_1000;
pub const tdBeforeFieldInit: u32 = 0x0010_0000;

// CorParamAttr.
pub const pdIn: u32 = 0x0001;
pub const pdOut: u32 = 0x0002;
pub const pdOptional: u32 = 0x0010;
pub const pdHasDefault: u32 = 0x1000;
pub const pdHasFieldMarshal: u32 = 0x2000;

// CorPinvokeMap.
pub const pmNoMangle: u32 = 0x0001;
pub const pmCharSetMask: u32 = 0x0006;
pub const pmCharSetNotSpec: u32 = 0x0000;
pub const pmCharSetAnsi: u32 = 0x0002;
pub const pmCharSetUnicode: u32 = 0x0004;
pub const pmCharSetAuto: u32 = 0x0006;
pub const pmBestFitMask: u32 = 0x0030;
pub const pmBestFitEnabled: u32 = 0x0010;
pub const pmBestFitDisabled: u32 = 0x0020;
pub const pmSupportsLastError: u32 = 0x0040;
pub const pmCallConvMask: u32 = 0x0700;
pub const pmCallConvWinapi: u32 = 0x0100;
pub const pmCallConvCdecl: u32 = 0x0200;
pub const pmCallConvStdcall: u32 = 0x0300;
pub const pmCallConvThiscall: u32 = 0x0400;
pub const pmCallConvFastcall: u32 = 0x0500;
pub const pmThrowOnUnmappableCharMask: u32 = 0x3000;
pub const pmThrowOnUnmappableCharEnabled: u32 = 0x1000;
pub const pmThrowOnUnmappableCharDisabled: u32 = 0x2000;

// CorTokenType: the tables that MdToken::table answers, shifted to where a token has them.
pub const mdtModule: u32 = 0x0000_0000;
pub const mdtTypeRef: u32 = 0x0100_0000;
pub const mdtTypeDef: u32 = 0x0200_0000;
pub const mdtFieldDef: u32 = 0x0400_0000;
pub const mdtMethodDef: u32 = 0x0600_0000;
pub const mdtParamDef: u32 = 0x0800_0000;
pub const mdtInterfaceImpl: u32 = 0x0900_0000;
pub const mdtMemberRef: u32 = 0x0A00_0000;
pub const mdtCustomAttribute: u32 = 0x0C00_0000;
pub const mdtPermission: u32 = 0x0E00_0000;
pub const mdtSignature: u32 = 0x1100_0000;
pub const mdtEvent: u32 = 0x1400_0000;
pub const mdtProperty: u32 = 0x1700_0000;
pub const mdtMethodImpl: u32 = 0x1900_0000;
pub const mdtModuleRef: u32 = 0x1A00_0000;
pub const mdtTypeSpec: u32 = 0x1B00_0000;
pub const mdtAssembly: u32 = 0x2000_0000;
pub const mdtAssemblyRef: u32 = 0x2300_0000;
pub const mdtFile: u32 = 0x2600_0000;
pub const mdtExportedType: u32 = 0x2700_0000;
pub const mdtManifestResource: u32 = 0x2800_0000;
pub const mdtGenericParam: u32 = 0x2A00_0000;
pub const mdtMethodSpec: u32 = 0x2B00_0000;
pub const mdtGenericParamConstraint: u32 = 0x2C00_0000;
pub const mdtString: u32 = 0x7000_0000;
