//! The runtimes that the engine offers, and how to ask for one.

#![allow(unsafe_code, reason = "calls through vtables of the engine's objects")]

use std::path::Path;
use std::ptr::{null, null_mut};

use soglia_abi::BOOL;
use soglia_abi::hosting::com::IEnumUnknown;
use soglia_abi::hosting::metahost::{ICLRMetaHost, ICLRRuntimeInfo};
use soglia_abi::hosting::runtime_host::{CLSID_CLRRuntimeHost, ICLRRuntimeHost4};
use soglia_abi::hosting::types::STARTUP_CONCURRENT_GC;
use soglia_abi::hresult::CLR_E_SHIM_RUNTIMELOAD;
use windows_core::{IUnknown, Interface};

use super::error::Error;
use super::hresult::HResult;
use super::object::given;
use super::text::{read, unicode, wide};

/// The runtime of that version; `None` if it is not installed.
pub(super) fn find(meta: &ICLRMetaHost, version: &str) -> Result<Option<ICLRRuntimeInfo>, Error> {
    let version = wide(version)?;
    // SAFETY: a zero-terminated text, and a place for an object with that interface.
    let info =
        unsafe { given(|object| meta.GetRuntime(version.as_ptr(), &ICLRRuntimeInfo::IID, object)) };
    match info {
        Ok(info) => Ok(Some(info)),
        Err(HResult(CLR_E_SHIM_RUNTIMELOAD)) => Ok(None),
        Err(code) => Err(Error::other("GetRuntime", code)),
    }
}

/// The runtime that is loaded in this process.
pub(super) fn loaded(meta: &ICLRMetaHost) -> Option<ICLRRuntimeInfo> {
    // SAFETY: null is this process; places for what is asked for, and each object has the interface that is asked for.
    unsafe {
        let all: IEnumUnknown =
            given(|object| meta.EnumerateLoadedRuntimes(null_mut(), object)).ok()?;
        let mut fetched = 0;
        let first: IUnknown = given(|object| all.Next(1, object.cast(), &raw mut fetched)).ok()?;
        first.cast().ok()
    }
}

/// Whether this process can still load the runtime.
pub(super) fn is_loadable(info: &ICLRRuntimeInfo) -> bool {
    let mut yes = BOOL(0);
    // SAFETY: a live object, and a place for the answer.
    unsafe { info.IsLoadable(&raw mut yes) }.is_ok() && yes.as_bool()
}

/// The runtime's version: `10.0.12`.
pub(super) fn version_of(info: &ICLRRuntimeInfo) -> String {
    // SAFETY: a live object, and a buffer of that length or none.
    let text = read(|buffer, length| unsafe { info.GetVersionString(buffer, length) });
    text.strip_prefix('v').map_or(text.clone(), Into::into)
}

/// Sets the configuration that the runtime will start with; `None` takes it back.
pub(super) fn set_config(info: &ICLRRuntimeInfo, config: Option<&Path>) -> Result<(), Error> {
    let config = config.map(|config| wide(unicode(config)?)).transpose()?;
    let config = config.as_ref().map_or(null(), |config| config.as_ptr());
    // The default flags, which leave the garbage collector's settings to the configuration.
    // SAFETY: a live object, and a zero-terminated text or null.
    let answer = unsafe { info.SetDefaultStartupFlags(STARTUP_CONCURRENT_GC, config) };
    HResult::check(answer).map_err(|code| match code {
        HResult::INVALID_OPERATION => Error::AlreadyStarted("Builder::runtime_config"),
        code => Error::other("SetDefaultStartupFlags", code),
    })
}

/// The runtime as a host sees it. It starts later.
pub(super) fn host_of(info: &ICLRRuntimeInfo) -> Result<ICLRRuntimeHost4, Error> {
    // SAFETY: IDs, and a place for an object with that interface.
    let host = unsafe {
        given(|object| info.GetInterface(&CLSID_CLRRuntimeHost, &ICLRRuntimeHost4::IID, object))
    };
    host.map_err(|code| Error::other("GetInterface", code))
}
