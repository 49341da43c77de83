//! What mscoree.dll exports, and `GetCLRRuntimeHost` of libcoreclr.so.
//!
//! `CLRCreateInstance` is the door; the `CorBind` functions are those of .NET Framework 1 and 2, for hosts that have not been
//! changed since.

use std::{
    ffi::{CStr, OsStr, c_char, c_void},
    os::unix::ffi::OsStrExt,
    ptr::null_mut,
};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        metahost::{
            CLSID_CLRDebugging, CLSID_CLRMetaHost, CLSID_CLRMetaHostPolicy, IID_ICLRDebugging,
        },
        runtime_host::CLSID_CLRRuntimeHost,
        types::{FLockClrVersionCallback, STARTUP_SERVER_GC},
    },
    hresult,
};
use soglia_dotnet::Root;

use super::{
    clr, exit, image, metahost, metahost_policy,
    method::door,
    runtime_info,
    runtimes::{self, Runtime},
    settings, wide,
};
use crate::boundary::fence;

/// Gives out `ICLRMetaHost`, the way to everything else.
///
/// `E_POINTER` for null pointers, `E_NOINTERFACE` for a class or an interface that there is none of, `E_NOTIMPL` for those of
/// .NET Framework that have nothing to stand for them.
///
/// # Safety
/// The pointers are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CLRCreateInstance(
    class: *const GUID,
    id: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    door(|| {
        if class.is_null() || id.is_null() || object.is_null() {
            return hresult::E_POINTER;
        }
        // SAFETY: not null, and valid by the contract.
        unsafe {
            *object = null_mut();
            if *class == CLSID_CLRMetaHost {
                metahost::create(id, object)
            } else if *class == CLSID_CLRMetaHostPolicy {
                metahost_policy::create(id, object)
            } else if (*class, *id) == (CLSID_CLRDebugging, IID_ICLRDebugging) {
                hresult::E_NOTIMPL
            } else {
                hresult::E_NOINTERFACE
            }
        }
    })
}

/// The same under its other name.
///
/// # Safety
/// The pointers are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CreateInterface(
    class: *const GUID,
    id: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    // SAFETY: by the contract.
    unsafe { CLRCreateInstance(class, id, object) }
}

/// A host object of the runtime that runs, or of the newest one.
///
/// # Safety
/// The pointers are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetCLRRuntimeHost(
    id: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    // SAFETY: by the contract.
    door(|| unsafe { give(current(), &CLSID_CLRRuntimeHost, id, object) })
}

/// The runtime that this process has, or that it would get without asking for one.
fn current() -> Option<Runtime> {
    runtimes::loaded().or_else(runtimes::newest)
}

/// # Safety
/// The pointers are null or valid.
unsafe fn give(
    runtime: Option<Runtime>,
    class: *const GUID,
    id: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    if class.is_null() || id.is_null() || object.is_null() {
        return hresult::E_POINTER;
    }
    // SAFETY: not null, and valid by the contract.
    unsafe {
        *object = null_mut();
        match runtime {
            Some(runtime) => runtime_info::interface(runtime, class, id, object),
            None => hresult::CLR_E_SHIM_RUNTIMELOAD,
        }
    }
}

/// # Safety
/// Pointers are null or valid, texts zero-terminated.
unsafe fn bind(
    version: *const u16,
    flavor: *const u16,
    config: *const u16,
    flags: Option<u32>,
    class: *const GUID,
    id: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    // SAFETY: by the contract.
    door(|| unsafe {
        let runtime = match wide::read(version) {
            Some(version) => runtimes::named(&version),
            None => current(),
        };
        let server = match wide::read(flavor).as_deref() {
            None | Some("wks") => 0,
            Some("svr") => STARTUP_SERVER_GC,
            Some(_) => return hresult::E_INVALIDARG,
        };
        let answer = give(runtime, class, id, object);
        if answer.is_ok() && !clr::is_running() {
            let mut settings = settings::settings();
            if flags.is_some() || server != 0 {
                settings.flags = Some(flags.unwrap_or(0) | server);
            }
            if let Some(config) = wide::read(config) {
                settings.config = Some(config.into());
            }
        }
        answer
    })
}

/// Binds to a version (null: the newest) and gives out an interface of it: `(CLSID_CLRRuntimeHost, IID_ICLRRuntimeHost)`.
///
/// # Safety
/// Pointers are null or valid, texts zero-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CorBindToRuntimeEx(
    version: *const u16,
    flavor: *const u16,
    flags: u32,
    class: *const GUID,
    id: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    // SAFETY: by the contract.
    unsafe {
        bind(
            version,
            flavor,
            std::ptr::null(),
            Some(flags),
            class,
            id,
            object,
        )
    }
}

/// The same with a `runtimeconfig.json`.
///
/// # Safety
/// Pointers are null or valid, texts zero-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CorBindToRuntimeHost(
    version: *const u16,
    flavor: *const u16,
    config: *const u16,
    _reserved: *mut c_void,
    flags: u32,
    class: *const GUID,
    id: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    // SAFETY: by the contract.
    unsafe { bind(version, flavor, config, Some(flags), class, id, object) }
}

/// The same without flags.
///
/// # Safety
/// Pointers are null or valid, texts zero-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CorBindToRuntime(
    version: *const u16,
    flavor: *const u16,
    class: *const GUID,
    id: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    // SAFETY: by the contract.
    unsafe { bind(version, flavor, std::ptr::null(), None, class, id, object) }
}

/// Would take an XML configuration from a stream. `E_NOTIMPL`: .NET has another kind of configuration, by file.
///
/// # Safety
/// The pointers are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CorBindToRuntimeByCfg(
    _config: *mut c_void,
    _reserved: u32,
    _flags: u32,
    _class: *const GUID,
    _id: *const GUID,
    _object: *mut *mut c_void,
) -> HRESULT {
    hresult::E_NOTIMPL
}

/// Binds to the runtime of this process, or to the newest. The name would be that of an XML configuration: it is not read.
///
/// # Safety
/// Pointers are null or valid, texts zero-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn CorBindToCurrentRuntime(
    _file: *const u16,
    class: *const GUID,
    id: *const GUID,
    object: *mut *mut c_void,
) -> HRESULT {
    // SAFETY: by the contract.
    door(|| unsafe { give(current(), class, id, object) })
}

/// # Safety
/// `needed` is null or valid; the buffer is null or has that much room.
unsafe fn put_text(
    what: impl Fn(&Runtime) -> String,
    buffer: *mut u16,
    room: u32,
    needed: *mut u32,
) -> HRESULT {
    if needed.is_null() {
        return hresult::E_POINTER;
    }
    match current() {
        // SAFETY: by the contract.
        Some(runtime) => unsafe { wide::put(&what(&runtime), buffer, room, needed) },
        None => hresult::CLR_E_SHIM_RUNTIMELOAD,
    }
}

/// The version of the runtime of this process, or of the newest.
///
/// # Safety
/// `needed` is null or valid; the buffer is null or has that much room.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetCORVersion(
    buffer: *mut u16,
    room: u32,
    needed: *mut u32,
) -> HRESULT {
    // SAFETY: by the contract.
    door(|| unsafe { put_text(Runtime::version_string, buffer, room, needed) })
}

/// The same: there is no configuration that would require another.
///
/// # Safety
/// `needed` is null or valid; the buffer is null or has that much room.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetCORRequiredVersion(
    buffer: *mut u16,
    room: u32,
    needed: *mut u32,
) -> HRESULT {
    // SAFETY: by the contract.
    unsafe { GetCORVersion(buffer, room, needed) }
}

/// The directory of that runtime.
///
/// # Safety
/// `needed` is null or valid; the buffer is null or has that much room.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetCORSystemDirectory(
    buffer: *mut u16,
    room: u32,
    needed: *mut u32,
) -> HRESULT {
    let directory = |runtime: &Runtime| format!("{}/", runtime.directory.display());
    // SAFETY: by the contract.
    door(|| unsafe { put_text(directory, buffer, room, needed) })
}

/// The version that an assembly was built for.
///
/// # Safety
/// `needed` is null or valid; the buffer is null or has that much room; the path is null or zero-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetFileVersion(
    path: *const u16,
    buffer: *mut u16,
    room: u32,
    needed: *mut u32,
) -> HRESULT {
    // SAFETY: by the contract.
    door(|| unsafe {
        if needed.is_null() {
            return hresult::E_POINTER;
        }
        match image::version_of(path) {
            Ok(version) => wide::put(&version, buffer, room, needed),
            Err(why) => why,
        }
    })
}

/// A function of the runtime of this process, or of the newest.
///
/// # Safety
/// `name` is null or a C string, `address` null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetRealProcAddress(
    name: *const c_char,
    address: *mut *mut c_void,
) -> HRESULT {
    door(|| match current() {
        // SAFETY: by the contract.
        Some(runtime) => unsafe { runtime_info::new(runtime).GetProcAddress(name, address) },
        None => hresult::CLR_E_SHIM_RUNTIMELOAD,
    })
}

/// Would let a host keep others from choosing a version. `E_NOTIMPL`.
///
/// # Safety
/// The pointers are null or valid.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn LockClrVersion(
    _callback: Option<FLockClrVersionCallback>,
    _begin: *mut Option<FLockClrVersionCallback>,
    _end: *mut Option<FLockClrVersionCallback>,
) -> HRESULT {
    hresult::E_NOTIMPL
}

/// Ends the process, as `ICLRMetaHost::ExitProcess` does.
#[unsafe(no_mangle)]
pub extern "system" fn CorExitProcess(code: i32) {
    fence((), || {
        let _ = exit::exit(code);
    });
    std::process::exit(code);
}

/// Names the .NET root whose runtimes are meant from here on, in place of the one that `dotnet` would use; null takes that back.
/// soglia's own: .NET Framework had one place for all.
///
/// `CLR_E_SHIM_INSTALLROOT` if there is no .NET, `HOST_E_INVALIDOPERATION` once a runtime runs.
///
/// # Safety
/// Null, or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn SogliaSetDotnetRoot(path: *const c_char) -> HRESULT {
    door(|| {
        if clr::is_running() {
            return hresult::HOST_E_INVALIDOPERATION;
        }
        if path.is_null() {
            runtimes::set_root(None);
            return hresult::S_OK;
        }
        // SAFETY: not null, so a C string by the contract.
        let path = OsStr::from_bytes(unsafe { CStr::from_ptr(path) }.to_bytes());
        match Root::at(path.as_ref()) {
            Ok(root) => {
                runtimes::set_root(Some(root));
                hresult::S_OK
            }
            Err(_) => hresult::CLR_E_SHIM_INSTALLROOT,
        }
    })
}
