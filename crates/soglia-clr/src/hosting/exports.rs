//! The exports of mscoree.dll, and `GetCLRRuntimeHost` of libcoreclr.so.
//!
//! `CLRCreateInstance` is the way in. The `CorBind` functions are those of .NET Framework 1 and 2,
//! for hosts that still use them.
//!
//! C callers pass pointers as `mscoree.h` declares them: each is null or valid for the call.

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
    param::{Buffer, In, Out, Wide},
};
use soglia_dotnet::Root;

use super::{
    clr, code, exit, image, metahost, metahost_policy,
    method::{door, running_with_memory},
    runtime_info,
    runtimes::{self, Runtime},
    settings, wide,
};
use crate::{boundary::fence, signals};

/// Gives out `ICLRMetaHost` or `ICLRMetaHostPolicy`, which lead to everything else.
///
/// `E_POINTER` for null pointers. `E_NOINTERFACE` for an unknown class or interface. `E_NOTIMPL`
/// for the class of .NET Framework's debugging interface, which .NET has no means for.
#[unsafe(no_mangle)]
pub extern "system" fn CLRCreateInstance(
    class: In<'_, GUID>,
    id: In<'_, GUID>,
    mut object: Out<'_, *mut c_void>,
) -> HRESULT {
    door(|| {
        let (Some(class), Some(wanted), false) = (class.get(), id.get(), object.is_null()) else {
            return hresult::E_POINTER;
        };
        object.write_if_wanted(null_mut());
        if *class == CLSID_CLRMetaHost {
            metahost::create(id, object)
        } else if *class == CLSID_CLRMetaHostPolicy {
            metahost_policy::create(id, object)
        } else if (*class, *wanted) == (CLSID_CLRDebugging, IID_ICLRDebugging) {
            hresult::E_NOTIMPL
        } else {
            hresult::E_NOINTERFACE
        }
    })
}

/// `CLRCreateInstance` under its other name.
#[unsafe(no_mangle)]
pub extern "system" fn CreateInterface(
    class: In<'_, GUID>,
    id: In<'_, GUID>,
    object: Out<'_, *mut c_void>,
) -> HRESULT {
    CLRCreateInstance(class, id, object)
}

/// Gives out a host object of the runtime that runs, or of the newest one.
#[unsafe(no_mangle)]
pub extern "system" fn GetCLRRuntimeHost(
    id: In<'_, GUID>,
    object: Out<'_, *mut c_void>,
) -> HRESULT {
    door(|| give(current(), In::new(&CLSID_CLRRuntimeHost), id, object))
}

/// The runtime that this process has, or that it would get without asking for one.
fn current() -> Option<Runtime> {
    runtimes::loaded().or_else(runtimes::newest)
}

fn give(
    runtime: Option<Runtime>,
    class: In<'_, GUID>,
    id: In<'_, GUID>,
    mut object: Out<'_, *mut c_void>,
) -> HRESULT {
    if class.is_null() || id.is_null() || object.is_null() {
        return hresult::E_POINTER;
    }
    object.write_if_wanted(null_mut());
    match runtime {
        Some(runtime) => runtime_info::interface(runtime, class, id, object),
        None => hresult::CLR_E_SHIM_RUNTIMELOAD,
    }
}

/// What all `CorBind` functions do. A null version means the runtime that runs, or the newest.
fn bind(
    [version, flavor, config]: [Wide<'_>; 3],
    flags: Option<u32>,
    class: In<'_, GUID>,
    id: In<'_, GUID>,
    object: Out<'_, *mut c_void>,
) -> HRESULT {
    door(|| {
        let runtime = match version.to_text() {
            Some(version) => runtimes::named(&version),
            None => current(),
        };
        let server = match flavor.to_text().as_deref() {
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
            if let Some(config) = config.to_text() {
                settings.config = Some(config.into());
            }
        }
        answer
    })
}

/// Binds to a version and gives out an interface of it: `(CLSID_CLRRuntimeHost,
/// IID_ICLRRuntimeHost)`.
#[unsafe(no_mangle)]
pub extern "system" fn CorBindToRuntimeEx(
    version: Wide<'_>,
    flavor: Wide<'_>,
    flags: u32,
    class: In<'_, GUID>,
    id: In<'_, GUID>,
    object: Out<'_, *mut c_void>,
) -> HRESULT {
    let texts = [version, flavor, Wide::null()];
    bind(texts, Some(flags), class, id, object)
}

/// As `CorBindToRuntimeEx`, with a `runtimeconfig.json`.
#[unsafe(no_mangle)]
pub extern "system" fn CorBindToRuntimeHost(
    version: Wide<'_>,
    flavor: Wide<'_>,
    config: Wide<'_>,
    _reserved: *mut c_void,
    flags: u32,
    class: In<'_, GUID>,
    id: In<'_, GUID>,
    object: Out<'_, *mut c_void>,
) -> HRESULT {
    bind([version, flavor, config], Some(flags), class, id, object)
}

/// As `CorBindToRuntimeEx`, without flags.
#[unsafe(no_mangle)]
pub extern "system" fn CorBindToRuntime(
    version: Wide<'_>,
    flavor: Wide<'_>,
    class: In<'_, GUID>,
    id: In<'_, GUID>,
    object: Out<'_, *mut c_void>,
) -> HRESULT {
    bind([version, flavor, Wide::null()], None, class, id, object)
}

/// Took an XML configuration from a stream. `E_NOTIMPL`: .NET has configurations of another kind,
/// in files.
#[unsafe(no_mangle)]
pub extern "system" fn CorBindToRuntimeByCfg(
    _config: *mut c_void,
    _reserved: u32,
    _flags: u32,
    _class: In<'_, GUID>,
    _id: In<'_, GUID>,
    _object: Out<'_, *mut c_void>,
) -> HRESULT {
    hresult::E_NOTIMPL
}

/// Binds to the runtime of this process, or to the newest.
///
/// The first parameter named an XML configuration, which is not read.
#[unsafe(no_mangle)]
pub extern "system" fn CorBindToCurrentRuntime(
    _file: Wide<'_>,
    class: In<'_, GUID>,
    id: In<'_, GUID>,
    object: Out<'_, *mut c_void>,
) -> HRESULT {
    door(|| give(current(), class, id, object))
}

/// Writes a text about the runtime of this process, or about the newest.
///
/// # Safety
/// `buffer` is null, or has room for `room` characters.
unsafe fn put_text(
    text_of: impl Fn(&Runtime) -> String,
    buffer: Buffer<'_, u16>,
    room: u32,
    needed: Out<'_, u32>,
) -> HRESULT {
    if needed.is_null() {
        return hresult::E_POINTER;
    }
    match current() {
        // SAFETY: the caller vouches for the room in the buffer.
        Some(runtime) => unsafe { wide::put(&text_of(&runtime), buffer, room, needed) },
        None => hresult::CLR_E_SHIM_RUNTIMELOAD,
    }
}

/// The version of the runtime of this process, or of the newest.
///
/// # Safety
/// `buffer` is null, or has room for `room` characters.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetCORVersion(
    buffer: Buffer<'_, u16>,
    room: u32,
    needed: Out<'_, u32>,
) -> HRESULT {
    // SAFETY: the caller vouches for the room in the buffer.
    door(|| unsafe { put_text(Runtime::version_string, buffer, room, needed) })
}

/// As `GetCORVersion`: .NET has no configuration that requires another version.
///
/// # Safety
/// `buffer` is null, or has room for `room` characters.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetCORRequiredVersion(
    buffer: Buffer<'_, u16>,
    room: u32,
    needed: Out<'_, u32>,
) -> HRESULT {
    // SAFETY: the caller vouches for the room in the buffer.
    unsafe { GetCORVersion(buffer, room, needed) }
}

/// The directory of the runtime of this process, or of the newest, with a final separator.
///
/// # Safety
/// `buffer` is null, or has room for `room` characters.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetCORSystemDirectory(
    buffer: Buffer<'_, u16>,
    room: u32,
    needed: Out<'_, u32>,
) -> HRESULT {
    let directory = |runtime: &Runtime| format!("{}/", runtime.directory.display());
    // SAFETY: the caller vouches for the room in the buffer.
    door(|| unsafe { put_text(directory, buffer, room, needed) })
}

/// The version that an assembly was built for.
///
/// # Safety
/// `buffer` is null, or has room for `room` characters.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetFileVersion(
    path: Wide<'_>,
    buffer: Buffer<'_, u16>,
    room: u32,
    needed: Out<'_, u32>,
) -> HRESULT {
    door(|| {
        if needed.is_null() {
            return hresult::E_POINTER;
        }
        match image::version_of(path) {
            // SAFETY: the caller vouches for the room in the buffer.
            Ok(version) => unsafe { wide::put(&version, buffer, room, needed) },
            Err(why) => why,
        }
    })
}

/// A function of the runtime of this process, or of the newest.
///
/// # Safety
/// `name` is null or a C string.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetRealProcAddress(
    name: *const c_char,
    address: Out<'_, *mut c_void>,
) -> HRESULT {
    door(|| match current() {
        // SAFETY: the object is alive, and the caller vouches for the name.
        Some(runtime) => unsafe { runtime_info::new(runtime).GetProcAddress(name, address) },
        None => hresult::CLR_E_SHIM_RUNTIMELOAD,
    })
}

/// Let a host keep others from choosing a version. `E_NOTIMPL`.
#[unsafe(no_mangle)]
pub extern "system" fn LockClrVersion(
    _callback: Option<FLockClrVersionCallback>,
    _begin: Out<'_, Option<FLockClrVersionCallback>>,
    _end: Out<'_, Option<FLockClrVersionCallback>>,
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

/// Sets the .NET root whose runtimes are offered from here on; null means the root that `dotnet`
/// would use. The function is soglia's own, since .NET Framework had one place for all runtimes.
///
/// `CLR_E_SHIM_INSTALLROOT` if there is no .NET. `HOST_E_INVALIDOPERATION` once a runtime runs.
///
/// # Safety
/// `path` is null or a C string.
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
        // SAFETY: not null, so a C string that the caller keeps for the call.
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

/// Calls `static int METHOD(string)` in a domain. The function is soglia's own: it is
/// `ExecuteInDefaultAppDomain` for any domain.
#[unsafe(no_mangle)]
pub extern "system" fn SogliaExecuteInAppDomain(
    domain: u32,
    assembly: Wide<'_>,
    class: Wide<'_>,
    name: Wide<'_>,
    argument: Wide<'_>,
    result: Out<'_, u32>,
) -> HRESULT {
    signals::make_room();
    running_with_memory(|| code::execute(domain, [assembly, class, name, argument], result))
}
