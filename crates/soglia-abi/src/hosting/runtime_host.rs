//! `ICLRRuntimeHost`, `ICLRRuntimeHost2` and `ICLRRuntimeHost4`: the CLR as a thing to start and to run code in.
//!
//! libcoreclr.so still hands these out (`GetCLRRuntimeHost`); there never was an `ICLRRuntimeHost3`.

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

use crate::hosting::types::FExecuteInAppDomainCallback;

/// The class of `ICLRRuntimeHost`. One digit away from the interface's own IID.
pub const CLSID_CLRRuntimeHost: GUID = GUID::from_u128(0x90F1A06E_7712_4762_86B5_7A5EBA6BDB02);
/// The class of version 1's host, which .NET has not.
pub const CLSID_CorRuntimeHost: GUID = GUID::from_u128(0xCB2F6723_AB3A_11D2_9C40_00C04FA30A3E);
/// Version 1's host interface, by number only.
pub const IID_ICorRuntimeHost: GUID = GUID::from_u128(0xCB2F6722_AB3A_11D2_9C40_00C04FA30A3E);

/// Slots 3 to 11. The CLR as a thing to start and to run code in: CLRCreateInstance ->
/// ICLRMetaHost::GetRuntime -> ICLRRuntimeInfo::GetInterface.
#[interface("90F1A06C-7712-4762-86B5-7A5EBA6BDB02")]
pub unsafe trait ICLRRuntimeHost: IUnknown {
    /// Starts the CLR. Everything that the host wants to say about how comes before it.
    pub fn Start(&self) -> HRESULT;
    /// Undoes one Start: S_FALSE while other starts are outstanding, E_UNEXPECTED if there was none. A CLR
    /// that has been started stays in the process to its end.
    pub fn Stop(&self) -> HRESULT;
    /// Takes the host's IHostControl and asks it for its managers, before it returns. E_INVALIDARG for null,
    /// E_ACCESSDENIED once the CLR has started. A second call adds managers that are still missing; the first
    /// IHostControl stays.
    pub fn SetHostControl(&self, pHostControl: *mut c_void) -> HRESULT;
    /// The CLR's ICLRControl; E_POINTER without a place to put it. Ask before Start.
    pub fn GetCLRControl(&self, pCLRControl: *mut *mut c_void) -> HRESULT;
    /// Unloads a domain. .NET has one, with the number 1.
    pub fn UnloadAppDomain(&self, dwAppDomainId: u32, fWaitUntilDone: BOOL) -> HRESULT;
    /// Calls pCallback with cookie, in that domain, on this thread, and answers what it answers.
    pub fn ExecuteInAppDomain(
        &self,
        dwAppDomainId: u32,
        pCallback: Option<FExecuteInAppDomainCallback>,
        cookie: *mut c_void,
    ) -> HRESULT;
    /// The number of this thread's domain; .NET has one, 1.
    pub fn GetCurrentAppDomainId(&self, pdwAppDomainId: *mut u32) -> HRESULT;
    /// Runs an application from its manifest (ClickOnce). E_NOTIMPL.
    pub fn ExecuteApplication(
        &self,
        pwzAppFullName: *const u16,
        dwManifestPaths: u32,
        ppwzManifestPaths: *const *const u16,
        dwActivationData: u32,
        ppwzActivationData: *const *const u16,
        pReturnValue: *mut i32,
    ) -> HRESULT;
    /// Loads an assembly, calls its `static int METHOD(string)` on this thread and gives what that returned.
    /// COR_E_MISSINGMETHOD if there is none with that name and signature.
    pub fn ExecuteInDefaultAppDomain(
        &self,
        pwzAssemblyPath: *const u16,
        pwzTypeName: *const u16,
        pwzMethodName: *const u16,
        pwzArgument: *const u16,
        pReturnValue: *mut u32,
    ) -> HRESULT;
}

/// Slots 12 to 18. What .NET Core added: domains and function pointers.
#[interface("712AB73F-2C22-4807-AD7E-F501D7B72C2D")]
pub unsafe trait ICLRRuntimeHost2: ICLRRuntimeHost {
    /// Made a domain, with properties such as TRUSTED_PLATFORM_ASSEMBLIES. .NET has one domain, which Start
    /// has made.
    pub fn CreateAppDomainWithManager(
        &self,
        wszFriendlyName: *const u16,
        dwFlags: u32,
        wszAppDomainManagerAssemblyName: *const u16,
        wszAppDomainManagerTypeName: *const u16,
        nProperties: i32,
        pPropertyNames: *const *const u16,
        pPropertyValues: *const *const u16,
        pAppDomainID: *mut u32,
    ) -> HRESULT;
    /// A native function pointer that calls a static managed method. The assembly is named as .NET does ("Plugin"), or,
    /// with a '/' in it, by its file: then the method must be an UnmanagedCallersOnly one, and the file be named as the
    /// assembly.
    pub fn CreateDelegate(
        &self,
        appDomainID: u32,
        wszAssemblyName: *const u16,
        wszClassName: *const u16,
        wszMethodName: *const u16,
        fnPtr: *mut isize,
    ) -> HRESULT;
    /// S_OK; the key is not read.
    pub fn Authenticate(&self, authKey: u64) -> HRESULT;
    /// Means something on macOS only.
    pub fn RegisterMacEHPort(&self) -> HRESULT;
    /// STARTUP_FLAGS; CONCURRENT_GC, SERVER_GC and HOARD_GC_VM are those that .NET still reads.
    pub fn SetStartupFlags(&self, dwFlags: u32) -> HRESULT;
    /// Windows Runtime only.
    pub fn DllGetActivationFactory(
        &self,
        appDomainID: u32,
        wszTypeName: *const u16,
        factory: *mut *mut c_void,
    ) -> HRESULT;
    /// Runs an assembly's Main on this thread, with arguments, and gives its exit code.
    pub fn ExecuteAssembly(
        &self,
        dwAppDomainId: u32,
        pwzAssemblyPath: *const u16,
        argc: i32,
        argv: *const *const u16,
        pReturnValue: *mut u32,
    ) -> HRESULT;
}

/// Slot 19. What .NET Core added last. There never was an ICLRRuntimeHost3.
#[interface("64F6D366-D7C2-4F1F-B4B2-E8160CAC43AF")]
pub unsafe trait ICLRRuntimeHost4: ICLRRuntimeHost2 {
    /// As UnloadAppDomain, and gives the exit code that the program has set.
    pub fn UnloadAppDomain2(
        &self,
        dwAppDomainId: u32,
        fWaitUntilDone: BOOL,
        pLatchedExitCode: *mut i32,
    ) -> HRESULT;
}

/// Slots 3 and 4. Pauses and resumes all of a domain's managed threads (Silverlight's phone). Not in .NET.
#[interface("1000A3E7-B420-4620-AE30-FB19B587AD1D")]
pub unsafe trait ICLRExecutionManager: IUnknown {
    /// Stops the domain's threads at their next safe place.
    pub fn Pause(&self, dwAppDomainId: u32, dwFlags: u32) -> HRESULT;
    /// Lets them run on.
    pub fn Resume(&self, dwAppDomainId: u32) -> HRESULT;
}
