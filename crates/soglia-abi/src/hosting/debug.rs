//! `ICLRDebugManager`, `ICLRErrorReportingManager` and `ICLRHostProtectionManager`: debugging, crash reports, protection.

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

/// Slots 3 to 9. Debugging, as far as a host shapes it. .NET answers IsDebuggerAttached; the rest is
/// E_NOTIMPL.
#[interface("00DCAEC6-2AC0-43A9-ACF9-1E36C139B10D")]
pub unsafe trait ICLRDebugManager: IUnknown {
    /// Names a group of tasks for debuggers.
    pub fn BeginConnection(&self, dwConnectionId: CONNID, szConnectionName: *const u16) -> HRESULT;
    /// Which tasks are in it.
    pub fn SetConnectionTasks(
        &self,
        id: CONNID,
        dwCount: u32,
        ppCLRTask: *mut *mut c_void,
    ) -> HRESULT;
    /// Ends it.
    pub fn EndConnection(&self, dwConnectionId: CONNID) -> HRESULT;
    /// Who may debug (Windows).
    pub fn SetDacl(&self, pacl: *mut c_void) -> HRESULT;
    /// The same, read.
    pub fn GetDacl(&self, pacl: *mut *mut c_void) -> HRESULT;
    /// Whether a managed debugger is attached.
    pub fn IsDebuggerAttached(&self, pbAttached: *mut BOOL) -> HRESULT;
    /// Whether stack traces read symbol files.
    pub fn SetSymbolReadingPolicy(&self, policy: ESymbolReadingPolicy) -> HRESULT;
}

/// Slots 3 to 5. Crash reports. Windows only: E_NOTIMPL.
#[interface("980D2F1A-BF79-4C08-812A-BB9778928F78")]
pub unsafe trait ICLRErrorReportingManager: IUnknown {
    /// What Windows would file the current exception under.
    pub fn GetBucketParametersForCurrentException(&self, pParams: *mut BucketParameters)
    -> HRESULT;
    /// What a crash dump is to hold.
    pub fn BeginCustomDump(
        &self,
        dwFlavor: ECustomDumpFlavor,
        dwNumItems: u32,
        items: *const CustomDumpItem,
        dwReserved: u32,
    ) -> HRESULT;
    /// As before.
    pub fn EndCustomDump(&self) -> HRESULT;
}

/// Slots 6 and 7. More of the same.
#[interface("C68F63B1-4D8B-4E0B-9564-9D2EFE2FA18C")]
pub unsafe trait ICLRErrorReportingManager2: ICLRErrorReportingManager {
    /// A text for the report.
    pub fn SetApplicationData(&self, key: u32, pValue: *const u16) -> HRESULT;
    /// What to file an unhandled exception under.
    pub fn SetBucketParametersForUnhandledException(
        &self,
        pBucketParams: *const BucketParameters,
        pCountParams: *mut u32,
    ) -> HRESULT;
}

/// Slots 3 and 4. Keeps partially trusted code from some of the framework. .NET has no partial trust:
/// E_NOTIMPL.
#[interface("89F25F5C-CEEF-43E1-9CFA-A68CE863AAAC")]
pub unsafe trait ICLRHostProtectionManager: IUnknown {
    /// Which categories of functions to block.
    pub fn SetProtectedCategories(&self, categories: EApiCategories) -> HRESULT;
    /// Compares grant sets in another way.
    pub fn SetEagerSerializeGrantSets(&self) -> HRESULT;
}
