//! `ICLRMetaHost` and `ICLRRuntimeInfo`: finding a runtime and getting an interface of it.
//!
//! `pcch*` is the size of a buffer in `WCHAR`s. It becomes the size that is needed, with the final
//! zero.

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
#![allow(clippy::too_many_arguments, reason = "the ABI has as many as it has")]

use core::ffi::{c_char, c_void};

use windows_core::{BOOL, GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::com::IStream;
use crate::hosting::types::HANDLE;
use crate::param::{Buffer, In, InOut, Lent, Out, Wide};

/// The class of `ICLRMetaHost`. Shares nothing with the interface's IID.
pub const CLSID_CLRMetaHost: GUID = GUID::from_u128(0x9280188D_0E8E_4867_B30C_7FA83884E8DE);
pub const CLSID_CLRMetaHostPolicy: GUID = GUID::from_u128(0x2EBCD49A_1B47_4A61_B13A_4A03701E594B);
pub const CLSID_CLRDebugging: GUID = GUID::from_u128(0xBACC578D_FBDD_48A4_969F_02D932B74634);
pub const CLSID_CLRDebuggingLegacy: GUID = GUID::from_u128(0xDF8395B5_A4BA_450B_A77C_A9A47762C520);
pub const CLSID_CLRProfiling: GUID = GUID::from_u128(0xBD097ED8_733E_43FE_8ED7_A95FF9A8448C);
pub const CLSID_CLRStrongName: GUID = GUID::from_u128(0xB79B0ACD_F5CD_409B_B5A5_A16244610B92);
pub const CLSID_TypeNameFactory: GUID = GUID::from_u128(0xB81FF171_20F3_11D2_8DCC_00A0C9B00525);
pub const LIBID_mscoree: GUID = GUID::from_u128(0x5477469E_83B1_11D2_8B49_00A0C9B7C9C4);
/// By number only: the debugging and profiling interfaces are not words of a host.
pub const IID_ICLRDebugging: GUID = GUID::from_u128(0xD28F3C5A_9634_4206_A509_477552EEFB10);
pub const IID_ICLRProfiling: GUID = GUID::from_u128(0xB349ABE3_B56F_4689_BFCD_76BF39D888EA);

/// Sets or unsets "this thread is loading a runtime".
pub type CallbackThreadSetFnPtr = unsafe extern "system" fn() -> HRESULT;
/// The counterpart of [`CallbackThreadSetFnPtr`].
pub type CallbackThreadUnsetFnPtr = unsafe extern "system" fn() -> HRESULT;
/// What `RequestRuntimeLoadedNotification` would call; the first argument is an `ICLRRuntimeInfo`.
pub type RuntimeLoadedCallbackFnPtr = unsafe extern "system" fn(
    pRuntimeInfo: *mut c_void,
    pfnCallbackThreadSet: Option<CallbackThreadSetFnPtr>,
    pfnCallbackThreadUnset: Option<CallbackThreadUnsetFnPtr>,
);

c_enum! {
    /// How `GetRequestedRuntime` chooses. A bit set.
    METAHOST_POLICY_FLAGS {
        METAHOST_POLICY_HIGHCOMPAT = 0x0,
        METAHOST_POLICY_APPLY_UPGRADE_POLICY = 0x8,
        METAHOST_POLICY_EMULATE_EXE_LAUNCH = 0x10,
        METAHOST_POLICY_SHOW_ERROR_DIALOG = 0x20,
        METAHOST_POLICY_USE_PROCESS_IMAGE_PATH = 0x40,
        METAHOST_POLICY_ENSURE_SKU_SUPPORTED = 0x80,
        METAHOST_POLICY_IGNORE_ERROR_MODE = 0x1000,
    }

    /// What `GetRequestedRuntime` found in the configuration.
    METAHOST_CONFIG_FLAGS {
        METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_UNSET = 0x0,
        METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_TRUE = 0x1,
        METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_FALSE = 0x2,
        METAHOST_CONFIG_FLAGS_LEGACY_V2_ACTIVATION_POLICY_MASK = 0x3,
    }

    /// What the legacy `GetRequestedRuntimeInfo` was asked for. A bit set.
    RUNTIME_INFO_FLAGS {
        RUNTIME_INFO_UPGRADE_VERSION = 0x1,
        RUNTIME_INFO_REQUEST_IA64 = 0x2,
        RUNTIME_INFO_REQUEST_AMD64 = 0x4,
        RUNTIME_INFO_REQUEST_X86 = 0x8,
        RUNTIME_INFO_DONT_RETURN_DIRECTORY = 0x10,
        RUNTIME_INFO_DONT_RETURN_VERSION = 0x20,
        RUNTIME_INFO_DONT_SHOW_ERROR_DIALOG = 0x40,
        RUNTIME_INFO_IGNORE_ERROR_MODE = 0x1000,
        RUNTIME_INFO_REQUEST_ARM64 = 0x2000,
    }
}

/// Slots 3 to 9. Finds runtimes. CLRCreateInstance(CLSID_CLRMetaHost, IID_ICLRMetaHost, ...)
/// returns it.
#[interface("D332DB9E-B9B3-4125-8207-A14884F53216")]
pub unsafe trait ICLRMetaHost: IUnknown {
    /// Returns the ICLRRuntimeInfo of a version, such as "v10.0". The versions of .NET Framework,
    /// "v4.0.30319" and "v2.0.50727", mean the newest .NET that is installed.
    /// CLR_E_SHIM_RUNTIMELOAD if there is none.
    pub fn GetRuntime(
        &self,
        pwzVersion: Wide<'_>,
        riid: In<'_, GUID>,
        ppRuntime: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Stores the version that an assembly was built for, from its metadata. *pcchBuffer is the
    /// room of the buffer in WCHARs. It becomes the number that is needed, with the final zero.
    pub fn GetVersionFromFile(
        &self,
        pwzFilePath: Wide<'_>,
        pwzBuffer: Buffer<'_, u16>,
        pcchBuffer: InOut<'_, u32>,
    ) -> HRESULT;
    /// Returns an enumeration of the installed runtimes, as ICLRRuntimeInfo objects.
    pub fn EnumerateInstalledRuntimes(&self, ppEnumerator: Out<'_, *mut c_void>) -> HRESULT;
    /// Returns an enumeration of the runtimes that are loaded in a process. On Linux hndProcess is
    /// a process ID; 0 and -1 mean this process.
    pub fn EnumerateLoadedRuntimes(
        &self,
        hndProcess: HANDLE,
        ppEnumerator: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Asked for a call when a runtime is loaded. E_NOTIMPL.
    pub fn RequestRuntimeLoadedNotification(
        &self,
        pCallbackFunction: Option<RuntimeLoadedCallbackFnPtr>,
    ) -> HRESULT;
    /// Returned the runtime that legacy calls are bound to. E_NOTIMPL.
    pub fn QueryLegacyV2RuntimeBinding(
        &self,
        riid: In<'_, GUID>,
        ppUnk: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Ends the process. If a runtime runs, its exit handlers run first.
    pub fn ExitProcess(&self, iExitCode: i32) -> HRESULT;
}

/// Slot 3. Chooses a runtime by policy and configuration file.
#[interface("E2190695-77B2-492E-8E14-C4B3A7FDD593")]
pub unsafe trait ICLRMetaHostPolicy: IUnknown {
    /// Returns the runtime that fits a program, a configuration and a version together. pwzVersion
    /// holds the wanted version and receives the one that was found. Sizes are as in
    /// GetVersionFromFile.
    pub fn GetRequestedRuntime(
        &self,
        dwPolicyFlags: METAHOST_POLICY_FLAGS,
        pwzBinary: Wide<'_>,
        pCfgStream: Lent<'_, IStream>,
        pwzVersion: Buffer<'_, u16>,
        pcchVersion: InOut<'_, u32>,
        pwzImageVersion: Buffer<'_, u16>,
        pcchImageVersion: InOut<'_, u32>,
        pdwConfigFlags: Out<'_, u32>,
        riid: In<'_, GUID>,
        ppRuntime: Out<'_, *mut c_void>,
    ) -> HRESULT;
}

/// Slots 3 to 14. One runtime: its properties, and the interface that starts it.
#[interface("BD39D1D2-BA2F-486A-89B0-B4B0CB466891")]
pub unsafe trait ICLRRuntimeInfo: IUnknown {
    /// Stores the runtime's version. *pcchBuffer is the room of the buffer in WCHARs. It becomes
    /// the number that is needed, with the final zero.
    pub fn GetVersionString(
        &self,
        pwzBuffer: Buffer<'_, u16>,
        pcchBuffer: InOut<'_, u32>,
    ) -> HRESULT;
    /// Stores the runtime's directory, with a final separator. Sizes are as in GetVersionString.
    pub fn GetRuntimeDirectory(
        &self,
        pwzBuffer: Buffer<'_, u16>,
        pcchBuffer: InOut<'_, u32>,
    ) -> HRESULT;
    /// Stores whether that process has loaded this runtime.
    pub fn IsLoaded(&self, hndProcess: HANDLE, pbLoaded: Out<'_, BOOL>) -> HRESULT;
    /// Stored the text of one of the runtime's errors. E_NOTIMPL: the texts are resources of a
    /// Windows DLL.
    pub fn LoadErrorString(
        &self,
        iResourceID: u32,
        pwzBuffer: Buffer<'_, u16>,
        pcchBuffer: InOut<'_, u32>,
        iLocaleID: i32,
    ) -> HRESULT;
    /// Loads a library from the runtime's directory.
    pub fn LoadLibrary(&self, pwzDllName: Wide<'_>, phndModule: Out<'_, *mut c_void>) -> HRESULT;
    /// Stores the address of one of the runtime's exports. CLR_E_SHIM_RUNTIMEEXPORT if there is no
    /// such export.
    pub fn GetProcAddress(
        &self,
        pszProcName: *const c_char,
        ppProc: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Returns an interface of the runtime: (CLSID_CLRRuntimeHost, IID_ICLRRuntimeHost) is the one
    /// for hosts.
    pub fn GetInterface(
        &self,
        rclsid: In<'_, GUID>,
        riid: In<'_, GUID>,
        ppUnk: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Stores whether this process can still load this runtime. A process takes one .NET.
    pub fn IsLoadable(&self, pbLoadable: Out<'_, BOOL>) -> HRESULT;
    /// Sets the STARTUP_FLAGS and the configuration file for the start. A null file means the
    /// default. HOST_E_INVALIDOPERATION once a runtime runs.
    pub fn SetDefaultStartupFlags(
        &self,
        dwStartupFlags: u32,
        pwzHostConfigFile: Wide<'_>,
    ) -> HRESULT;
    /// Stores the flags and the file that SetDefaultStartupFlags has set.
    pub fn GetDefaultStartupFlags(
        &self,
        pdwStartupFlags: Out<'_, u32>,
        pwzHostConfigFile: Buffer<'_, u16>,
        pcchHostConfigFile: InOut<'_, u32>,
    ) -> HRESULT;
    /// Bound legacy calls, such as CorBindToRuntimeEx, to this runtime. E_NOTIMPL.
    pub fn BindAsLegacyV2Runtime(&self) -> HRESULT;
    /// Stores whether this runtime has started in this process, and with which flags.
    pub fn IsStarted(&self, pbStarted: Out<'_, BOOL>, pdwStartupFlags: Out<'_, u32>) -> HRESULT;
}
