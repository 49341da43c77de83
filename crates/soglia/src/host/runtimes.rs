//! The runtimes that the engine offers, and how to ask for one.

#![allow(
    unsafe_code,
    reason = "methods of the engine's objects are called through vtables"
)]

use std::path::Path;
use std::ptr::null_mut;

use soglia_abi::BOOL;
use soglia_abi::hosting::com::IEnumUnknown;
use soglia_abi::hosting::metahost::{ICLRMetaHost, ICLRRuntimeInfo};
use soglia_abi::hosting::runtime_host::{CLSID_CLRRuntimeHost, ICLRRuntimeHost4};
use soglia_abi::hosting::types::STARTUP_CONCURRENT_GC;
use soglia_abi::hresult::{CLR_E_SHIM_RUNTIMELOAD, S_OK};
use soglia_abi::param::{Buffer, In, Out, Wide, WideString};
use windows_core::{IUnknown, Interface};

use super::error::Error;
use super::hresult::HResult;
use super::object::{Place, call, given};
use super::text::{read, unicode, wide};

/// The runtime of that version; `None` if it is not installed.
pub(super) fn find(meta: &ICLRMetaHost, version: &str) -> Result<Option<ICLRRuntimeInfo>, Error> {
    let version = wide(version)?;
    let id = In::new(&ICLRRuntimeInfo::IID);
    let ask = |object: Place<'_>| call!(meta, GetRuntime(version.lent(), id, object));
    // SAFETY: `GetRuntime` stores an object with the interface whose ID it is given, and a
    // reference for its caller.
    let info = unsafe { given(ask) };
    match info {
        Ok(info) => Ok(Some(info)),
        Err(HResult(CLR_E_SHIM_RUNTIMELOAD)) => Ok(None),
        Err(code) => Err(Error::other("GetRuntime", code)),
    }
}

/// The runtime that is loaded in this process.
pub(super) fn loaded(meta: &ICLRMetaHost) -> Option<ICLRRuntimeInfo> {
    let this_process = null_mut();
    // SAFETY: the methods store enumerations and objects with these interfaces, and references for
    // their caller. The buffer of `Next` has the one place that it is said to have.
    unsafe {
        let all: IEnumUnknown =
            given(|object| meta.EnumerateLoadedRuntimes(this_process, object)).ok()?;
        let mut first = [null_mut()];
        let found = all.Next(1, Buffer::new(&mut first), Out::null());
        (found == S_OK).then(|| IUnknown::from_raw(first[0]).cast().ok())?
    }
}

/// Whether this process can still load the runtime.
pub(super) fn is_loadable(info: &ICLRRuntimeInfo) -> bool {
    let mut yes = BOOL(0);
    call!(info, IsLoadable(Out::new(&mut yes))).is_ok() && yes.as_bool()
}

/// The runtime's version: `10.0.12`.
pub(super) fn version_of(info: &ICLRRuntimeInfo) -> String {
    // SAFETY: the object is alive, and `read` says how long its buffer is.
    let text = read(|buffer, length| unsafe { info.GetVersionString(buffer, length) });
    text.strip_prefix('v').map_or(text.clone(), Into::into)
}

/// Sets the configuration that the runtime will start with; `None` takes it back.
pub(super) fn set_config(info: &ICLRRuntimeInfo, config: Option<&Path>) -> Result<(), Error> {
    let config = config.map(|config| wide(unicode(config)?)).transpose()?;
    let config = config.as_ref().map_or(Wide::null(), WideString::lent);
    // The default flags, which leave the garbage collector's settings to the configuration.
    let answer = call!(info, SetDefaultStartupFlags(STARTUP_CONCURRENT_GC, config));
    HResult::check(answer).map_err(|code| match code {
        HResult::INVALID_OPERATION => Error::AlreadyStarted("Builder::runtime_config"),
        code => Error::other("SetDefaultStartupFlags", code),
    })
}

/// The runtime as a host sees it. It starts later.
pub(super) fn host_of(info: &ICLRRuntimeInfo) -> Result<ICLRRuntimeHost4, Error> {
    let class = In::new(&CLSID_CLRRuntimeHost);
    let id = In::new(&ICLRRuntimeHost4::IID);
    let ask = |object: Place<'_>| call!(info, GetInterface(class, id, object));
    // SAFETY: `GetInterface` stores an object with the interface whose ID it is given, and a
    // reference for its caller.
    let host = unsafe { given(ask) };
    host.map_err(|code| Error::other("GetInterface", code))
}
