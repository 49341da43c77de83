//! `ICLRDebugManager`, `ICLRErrorReportingManager` and `ICLRHostProtectionManager`: debugging,
//! crash reports, protection.

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

use windows_core::{BOOL, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::types::CONNID;
use crate::param::{Array, In, InOut, Out, Wide};

/// `BucketParameters`: strings in it, one more than [`BucketParameterIndex`] has names for.
pub const BucketParamsCount: usize = 10;
/// `BucketParameters`: WCHARs in each.
pub const BucketParamLength: usize = 255;

c_enum! {
    /// When stack traces read symbol files.
    ESymbolReadingPolicy {
        eSymbolReadingNever = 0,
        eSymbolReadingAlways = 1,
        eSymbolReadingFullTrustOnly = 2,
    }

    /// How much a crash dump holds.
    ECustomDumpFlavor {
        DUMP_FLAVOR_Mini = 0,
        DUMP_FLAVOR_CriticalCLRState = 1,
        DUMP_FLAVOR_NonHeapCLRState = 2,
        DUMP_FLAVOR_Default = 0,
    }

    /// What a [`CustomDumpItem`] is.
    ECustomDumpItemKind {
        DUMP_ITEM_None = 0,
    }

    /// The strings of [`BucketParameters`].
    BucketParameterIndex {
        Parameter1 = 0,
        Parameter2 = 1,
        Parameter3 = 2,
        Parameter4 = 3,
        Parameter5 = 4,
        Parameter6 = 5,
        Parameter7 = 6,
        Parameter8 = 7,
        Parameter9 = 8,
        InvalidBucketParamIndex = 9,
    }

    /// What can be kept from partially trusted code. A bit set.
    EApiCategories {
        eNoChecks = 0x0,
        eSynchronization = 0x1,
        eSharedState = 0x2,
        eExternalProcessMgmt = 0x4,
        eSelfAffectingProcessMgmt = 0x8,
        eExternalThreading = 0x10,
        eSelfAffectingThreading = 0x20,
        eSecurityInfrastructure = 0x40,
        eUI = 0x80,
        eMayLeakOnAbort = 0x100,
        eAll = 0x1FF,
    }
}

/// What a crash is filed under.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketParameters {
    pub fInited: BOOL,
    pub pszEventTypeName: [u16; BucketParamLength],
    pub pszParams: [[u16; BucketParamLength]; BucketParamsCount],
}

/// Something to be put into a dump.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CustomDumpItem {
    pub itemKind: ECustomDumpItemKind,
    /// A union with this one member.
    pub pReserved: usize,
}

/// Slots 3 to 9. What a host configures for debuggers. .NET implements IsDebuggerAttached. The
/// other methods return E_NOTIMPL.
#[interface("00DCAEC6-2AC0-43A9-ACF9-1E36C139B10D")]
pub unsafe trait ICLRDebugManager: IUnknown {
    /// Named a group of tasks for debuggers.
    pub fn BeginConnection(&self, dwConnectionId: CONNID, szConnectionName: Wide<'_>) -> HRESULT;
    /// Set which tasks belong to the group.
    pub fn SetConnectionTasks(
        &self,
        id: CONNID,
        dwCount: u32,
        ppCLRTask: Array<'_, *mut c_void>,
    ) -> HRESULT;
    /// Ended the group.
    pub fn EndConnection(&self, dwConnectionId: CONNID) -> HRESULT;
    /// Set who may debug, on Windows.
    pub fn SetDacl(&self, pacl: *mut c_void) -> HRESULT;
    /// Stored what SetDacl has set.
    pub fn GetDacl(&self, pacl: Out<'_, *mut c_void>) -> HRESULT;
    /// Stores whether a managed debugger is attached.
    pub fn IsDebuggerAttached(&self, pbAttached: Out<'_, BOOL>) -> HRESULT;
    /// Set whether stack traces read symbol files.
    pub fn SetSymbolReadingPolicy(&self, policy: ESymbolReadingPolicy) -> HRESULT;
}

/// Slots 3 to 5. Crash reports of Windows. All methods return E_NOTIMPL.
#[interface("980D2F1A-BF79-4C08-812A-BB9778928F78")]
pub unsafe trait ICLRErrorReportingManager: IUnknown {
    /// Stored what Windows would file the current exception under.
    pub fn GetBucketParametersForCurrentException(
        &self,
        pParams: Out<'_, BucketParameters>,
    ) -> HRESULT;
    /// Set what a crash dump contains.
    pub fn BeginCustomDump(
        &self,
        dwFlavor: ECustomDumpFlavor,
        dwNumItems: u32,
        items: Array<'_, CustomDumpItem>,
        dwReserved: u32,
    ) -> HRESULT;
    /// Set that to the default again.
    pub fn EndCustomDump(&self) -> HRESULT;
}

/// Slots 6 and 7. More for crash reports. Both methods return E_NOTIMPL.
#[interface("C68F63B1-4D8B-4E0B-9564-9D2EFE2FA18C")]
pub unsafe trait ICLRErrorReportingManager2: ICLRErrorReportingManager {
    /// Set a text for the report.
    pub fn SetApplicationData(&self, key: u32, pValue: Wide<'_>) -> HRESULT;
    /// Set what to file an unhandled exception under.
    pub fn SetBucketParametersForUnhandledException(
        &self,
        pBucketParams: In<'_, BucketParameters>,
        pCountParams: InOut<'_, u32>,
    ) -> HRESULT;
}

/// Slots 3 and 4. Kept partially trusted code from parts of the framework. .NET has no partial
/// trust: E_NOTIMPL.
#[interface("89F25F5C-CEEF-43E1-9CFA-A68CE863AAAC")]
pub unsafe trait ICLRHostProtectionManager: IUnknown {
    /// Set which categories of functions to block.
    pub fn SetProtectedCategories(&self, categories: EApiCategories) -> HRESULT;
    /// Changed how grant sets are compared.
    pub fn SetEagerSerializeGrantSets(&self) -> HRESULT;
}
