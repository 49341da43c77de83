//! `ICLRRuntimeHost`, `ICLRRuntimeHost2` and `ICLRRuntimeHost4`: starting the CLR and running code
//! in it.
//!
//! libcoreclr.so still returns these (`GetCLRRuntimeHost`). There never was an `ICLRRuntimeHost3`.

#![allow(
    missing_docs,
    reason = "these are Microsoft's words; learn.microsoft.com says what each means"
)]
#![allow(
    non_snake_case,
    non_upper_case_globals,
    reason = "names are spelled as in mscoree.idl"
)]
#![allow(clippy::too_many_arguments, reason = "the ABI has as many as it has")]

use core::ffi::c_void;

use windows_core::{BOOL, GUID, HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::hosting::control::IHostControl;
use crate::hosting::types::FExecuteInAppDomainCallback;
use crate::param::{Array, Lent, Out, Wide};

/// The class of `ICLRRuntimeHost`. One digit away from the interface's own IID.
pub const CLSID_CLRRuntimeHost: GUID = GUID::from_u128(0x90F1A06E_7712_4762_86B5_7A5EBA6BDB02);
/// The class of version 1's host, which .NET has not.
pub const CLSID_CorRuntimeHost: GUID = GUID::from_u128(0xCB2F6723_AB3A_11D2_9C40_00C04FA30A3E);
/// Version 1's host interface, by number only.
pub const IID_ICorRuntimeHost: GUID = GUID::from_u128(0xCB2F6722_AB3A_11D2_9C40_00C04FA30A3E);

/// Slots 3 to 11. Starts the CLR and runs code in it. CLRCreateInstance, ICLRMetaHost::GetRuntime
/// and ICLRRuntimeInfo::GetInterface lead to it.
#[interface("90F1A06C-7712-4762-86B5-7A5EBA6BDB02")]
pub unsafe trait ICLRRuntimeHost: IUnknown {
    /// Starts the CLR. Settings that shape the start must come before it. S_FALSE if this object
    /// has started it already.
    pub fn Start(&self) -> HRESULT;
    /// Undoes one Start. S_FALSE while other starts are outstanding, E_UNEXPECTED if there was
    /// none. A CLR that has started stays in the process until the process ends.
    pub fn Stop(&self) -> HRESULT;
    /// Takes the host's IHostControl, and asks it for its managers before it returns. E_INVALIDARG
    /// for null, E_ACCESSDENIED once the CLR has started. A second call adds managers that are
    /// missing, and the first IHostControl stays.
    pub fn SetHostControl(&self, pHostControl: Lent<'_, IHostControl>) -> HRESULT;
    /// Returns the CLR's ICLRControl with a reference. E_POINTER for null. Call it before Start to
    /// get all managers.
    pub fn GetCLRControl(&self, pCLRControl: Out<'_, *mut c_void>) -> HRESULT;
    /// Unloads a domain of CreateAppDomainWithManager, and with fWaitUntilDone returns when it is
    /// gone. COR_E_APPDOMAINUNLOADED if it is gone already, HOST_E_TIMEOUT if it does not go in
    /// time, COR_E_CANNOTUNLOADAPPDOMAIN if the calling thread would wait for itself.
    /// HOST_E_INVALIDOPERATION for domain 1, and where there never was a domain.
    pub fn UnloadAppDomain(&self, dwAppDomainId: u32, fWaitUntilDone: BOOL) -> HRESULT;
    /// Calls pCallback(cookie) in that domain on this thread, and returns its result.
    pub fn ExecuteInAppDomain(
        &self,
        dwAppDomainId: u32,
        pCallback: Option<FExecuteInAppDomainCallback>,
        cookie: *mut c_void,
    ) -> HRESULT;
    /// Stores the number of this thread's domain. E_UNEXPECTED on a thread that the runtime does
    /// not know.
    pub fn GetCurrentAppDomainId(&self, pdwAppDomainId: Out<'_, u32>) -> HRESULT;
    /// Ran an application from its manifest (ClickOnce). E_NOTIMPL.
    pub fn ExecuteApplication(
        &self,
        pwzAppFullName: Wide<'_>,
        dwManifestPaths: u32,
        ppwzManifestPaths: Array<'_, Wide<'_>>,
        dwActivationData: u32,
        ppwzActivationData: Array<'_, Wide<'_>>,
        pReturnValue: Out<'_, i32>,
    ) -> HRESULT;
    /// Loads an assembly, calls its `static int METHOD(string)` on this thread, and stores the
    /// result. pwzArgument and pReturnValue may be null. COR_E_MISSINGMETHOD if there is no method
    /// with that name and signature. Otherwise the HRESULT of the exception that left the method,
    /// or of the failure to load.
    pub fn ExecuteInDefaultAppDomain(
        &self,
        pwzAssemblyPath: Wide<'_>,
        pwzTypeName: Wide<'_>,
        pwzMethodName: Wide<'_>,
        pwzArgument: Wide<'_>,
        pReturnValue: Out<'_, u32>,
    ) -> HRESULT;
}

/// Slots 12 to 18. Domains and function pointers, which .NET Core added.
#[interface("712AB73F-2C22-4807-AD7E-F501D7B72C2D")]
pub unsafe trait ICLRRuntimeHost2: ICLRRuntimeHost {
    /// Makes a domain, an AssemblyLoadContext that can be unloaded, and stores its number. It finds
    /// assemblies by the properties TRUSTED_PLATFORM_ASSEMBLIES, APP_PATHS and APPBASE, and native
    /// libraries by NATIVE_DLL_SEARCH_DIRECTORIES. An object of the manager's type, if one is
    /// named, lives as long as the domain. Flags have no effect. The HRESULT of the exception if
    /// there can be no such object.
    pub fn CreateAppDomainWithManager(
        &self,
        wszFriendlyName: Wide<'_>,
        dwFlags: u32,
        wszAppDomainManagerAssemblyName: Wide<'_>,
        wszAppDomainManagerTypeName: Wide<'_>,
        nProperties: i32,
        pPropertyNames: Array<'_, Wide<'_>>,
        pPropertyValues: Array<'_, Wide<'_>>,
        pAppDomainID: Out<'_, u32>,
    ) -> HRESULT;
    /// Stores a native function pointer that calls a static managed method. The assembly is named
    /// as in .NET ("Plugin"). A name with a '/' in it is the assembly's file: then the method must
    /// have UnmanagedCallersOnly, and the file must be named after the assembly. In a domain of
    /// CreateAppDomainWithManager, the method must have UnmanagedCallersOnly, and the pointer does
    /// nothing once the domain is unloaded.
    pub fn CreateDelegate(
        &self,
        appDomainID: u32,
        wszAssemblyName: Wide<'_>,
        wszClassName: Wide<'_>,
        wszMethodName: Wide<'_>,
        fnPtr: Out<'_, isize>,
    ) -> HRESULT;
    /// S_OK. The key is not read.
    pub fn Authenticate(&self, authKey: u64) -> HRESULT;
    /// S_OK. It has a meaning on macOS only.
    pub fn RegisterMacEHPort(&self) -> HRESULT;
    /// Sets STARTUP_FLAGS. .NET still reads CONCURRENT_GC, SERVER_GC and HOARD_GC_VM.
    /// HOST_E_INVALIDOPERATION once a runtime runs.
    pub fn SetStartupFlags(&self, dwFlags: u32) -> HRESULT;
    /// Belongs to the Windows Runtime. E_NOTIMPL.
    pub fn DllGetActivationFactory(
        &self,
        appDomainID: u32,
        wszTypeName: Wide<'_>,
        factory: Out<'_, *mut c_void>,
    ) -> HRESULT;
    /// Runs an assembly's Main on this thread with argc arguments, and stores its exit code.
    pub fn ExecuteAssembly(
        &self,
        dwAppDomainId: u32,
        pwzAssemblyPath: Wide<'_>,
        argc: i32,
        argv: Array<'_, Wide<'_>>,
        pReturnValue: Out<'_, u32>,
    ) -> HRESULT;
}

/// Slot 19. What .NET Core added last. There never was an ICLRRuntimeHost3.
#[interface("64F6D366-D7C2-4F1F-B4B2-E8160CAC43AF")]
pub unsafe trait ICLRRuntimeHost4: ICLRRuntimeHost2 {
    /// As UnloadAppDomain. It also stores what ExecuteAssembly has returned last in the domain.
    pub fn UnloadAppDomain2(
        &self,
        dwAppDomainId: u32,
        fWaitUntilDone: BOOL,
        pLatchedExitCode: Out<'_, i32>,
    ) -> HRESULT;
}

/// Slots 3 and 4. Paused and resumed all managed threads of a domain, in Silverlight for phones.
/// Not in .NET.
#[interface("1000A3E7-B420-4620-AE30-FB19B587AD1D")]
pub unsafe trait ICLRExecutionManager: IUnknown {
    /// Stops the domain's threads at their next safe place.
    pub fn Pause(&self, dwAppDomainId: u32, dwFlags: u32) -> HRESULT;
    /// Lets the domain's threads run on.
    pub fn Resume(&self, dwAppDomainId: u32) -> HRESULT;
}
