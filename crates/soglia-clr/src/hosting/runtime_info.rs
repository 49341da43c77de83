//! `ICLRRuntimeInfo`: one runtime, and the way into it.

use std::{
    ffi::{CStr, OsStr, c_char, c_void},
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr::null_mut,
};

use soglia_abi::{
    BOOL, GUID, HRESULT,
    hosting::{
        metahost::{ICLRRuntimeInfo, ICLRRuntimeInfo_Impl, ICLRRuntimeInfo_Vtbl},
        runtime_host::CLSID_CLRRuntimeHost,
        types::{HANDLE, STARTUP_CONCURRENT_GC},
    },
    hresult,
};
use soglia_dotnet::library::Library;
use windows_core::Interface;

use super::{
    clr,
    method::door,
    runtime_host,
    runtimes::{self, LIBRARY, Runtime},
    settings, wide,
};
use crate::com::{Object, class};

/// An object for a runtime.
pub fn new(runtime: Runtime) -> ICLRRuntimeInfo {
    Object::counted(RuntimeInfo(runtime))
}

/// Gives out an object for a runtime.
///
/// # Safety
/// `id` and `object` are valid, as COM asks for.
pub unsafe fn create(runtime: Runtime, id: *const GUID, object: *mut *mut c_void) -> HRESULT {
    // SAFETY: by the contract.
    unsafe { new(runtime).query(id, object) }
}

/// Gives out an interface of a runtime: there is one class.
///
/// # Safety
/// `object` is null or valid, and so are `class` and `id`.
pub unsafe fn interface(
    runtime: Runtime,
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
        if *class != CLSID_CLRRuntimeHost {
            return hresult::CLASS_E_CLASSNOTAVAILABLE;
        }
        if !runtime.is_loadable() {
            return hresult::CLR_E_SHIM_RUNTIMELOAD;
        }
        runtime_host::create(runtime, id, object)
    }
}

unsafe extern "system" {
    fn GetCLRRuntimeHost();
    fn CLRCreateInstance();
    fn CorExitProcess();
}

/// The function that this library exports in the place of one of the runtime itself.
fn named(name: &CStr) -> Option<*mut c_void> {
    let function = match name.to_bytes() {
        b"GetCLRRuntimeHost" => GetCLRRuntimeHost as *const (),
        b"CLRCreateInstance" => CLRCreateInstance as *const (),
        b"CorExitProcess" => CorExitProcess as *const (),
        _ => return None,
    };
    Some(function.cast_mut().cast())
}

struct RuntimeInfo(Runtime);

class!(
    RuntimeInfo,
    RuntimeInfo_Impl,
    ICLRRuntimeInfo,
    ICLRRuntimeInfo_Vtbl
);

impl RuntimeInfo {
    /// Whether it is this one that this process has.
    fn is_here(&self) -> bool {
        runtimes::loaded().is_some_and(|runtime| runtime.directory == self.0.directory)
    }
}

impl ICLRRuntimeInfo_Impl for RuntimeInfo_Impl {
    unsafe fn GetVersionString(&self, buffer: *mut u16, length: *mut u32) -> HRESULT {
        // SAFETY: the caller's buffer, valid by COM's rules.
        door(|| unsafe { wide::answer(&self.0.version_string(), buffer, length) })
    }

    unsafe fn GetRuntimeDirectory(&self, buffer: *mut u16, length: *mut u32) -> HRESULT {
        // SAFETY: the caller's buffer, valid by COM's rules.
        door(|| unsafe {
            let directory = format!("{}/", self.0.directory.display());
            wide::answer(&directory, buffer, length)
        })
    }

    unsafe fn IsLoaded(&self, process: HANDLE, loaded: *mut BOOL) -> HRESULT {
        door(|| {
            if loaded.is_null() {
                return hresult::E_POINTER;
            }
            match runtimes::loaded_in(process) {
                Ok(there) => {
                    let there = there.iter().any(|r| r.directory == self.0.directory);
                    // SAFETY: not null, and valid by COM's rules.
                    unsafe { *loaded = there.into() };
                    hresult::S_OK
                }
                Err(why) => why,
            }
        })
    }

    unsafe fn LoadErrorString(
        &self,
        _resource: u32,
        _buffer: *mut u16,
        _length: *mut u32,
        _locale: i32,
    ) -> HRESULT {
        // The texts are resources of a DLL that Linux does not have.
        hresult::E_NOTIMPL
    }

    unsafe fn LoadLibrary(&self, name: *const u16, module: *mut *mut c_void) -> HRESULT {
        door(|| {
            // SAFETY: zero-terminated or null, by COM's rules.
            let name = unsafe { wide::read(name) };
            let Some(name) = name.filter(|_| !module.is_null()) else {
                return hresult::E_POINTER;
            };
            let path = self
                .0
                .directory
                .join(Path::new(OsStr::from_bytes(name.as_bytes())));
            let library = Library::open(&path);
            // SAFETY: not null, and valid by COM's rules.
            unsafe { *module = library.as_ref().map_or(null_mut(), Library::as_raw) };
            if library.is_ok() {
                hresult::S_OK
            } else {
                // HRESULT_FROM_WIN32(ERROR_MOD_NOT_FOUND)
                HRESULT(0x8007_007e_u32 as i32)
            }
        })
    }

    unsafe fn GetProcAddress(&self, name: *const c_char, address: *mut *mut c_void) -> HRESULT {
        door(|| {
            if name.is_null() || address.is_null() {
                return hresult::E_POINTER;
            }
            // SAFETY: a C string, by COM's rules.
            let name = unsafe { CStr::from_ptr(name) };
            // What this library stands in for comes from here.
            let found = named(name).or_else(|| {
                let library = Library::open(&self.0.directory.join(LIBRARY)).ok()?;
                // SAFETY: any pointer type does: the address is passed on, not called.
                unsafe { library.function::<*mut c_void>(name) }.ok()
            });
            // SAFETY: not null, and valid by COM's rules.
            unsafe { *address = found.unwrap_or(null_mut()) };
            if found.is_some() {
                hresult::S_OK
            } else {
                hresult::CLR_E_SHIM_RUNTIMEEXPORT
            }
        })
    }

    unsafe fn GetInterface(
        &self,
        class: *const GUID,
        id: *const GUID,
        object: *mut *mut c_void,
    ) -> HRESULT {
        // SAFETY: the caller's pointers, valid by COM's rules.
        door(|| unsafe { interface(self.0.clone(), class, id, object) })
    }

    unsafe fn IsLoadable(&self, loadable: *mut BOOL) -> HRESULT {
        door(|| {
            if loadable.is_null() {
                return hresult::E_POINTER;
            }
            // SAFETY: not null, and valid by COM's rules.
            unsafe { *loadable = self.0.is_loadable().into() };
            hresult::S_OK
        })
    }

    unsafe fn SetDefaultStartupFlags(&self, flags: u32, config: *const u16) -> HRESULT {
        door(|| {
            if clr::is_running() {
                return hresult::HOST_E_INVALIDOPERATION;
            }
            // SAFETY: zero-terminated or null, by COM's rules.
            let config = unsafe { wide::read(config) };
            let mut settings = settings::settings();
            settings.flags = Some(flags);
            settings.config = config.filter(|path| !path.is_empty()).map(Into::into);
            hresult::S_OK
        })
    }

    unsafe fn GetDefaultStartupFlags(
        &self,
        flags: *mut u32,
        config: *mut u16,
        length: *mut u32,
    ) -> HRESULT {
        door(|| {
            let settings = settings::settings().clone();
            // SAFETY: the caller's pointers, checked for null, and valid by COM's rules.
            unsafe {
                if !flags.is_null() {
                    *flags = settings.flags.unwrap_or(STARTUP_CONCURRENT_GC);
                }
                if length.is_null() {
                    return if config.is_null() && !flags.is_null() {
                        hresult::S_OK
                    } else {
                        hresult::E_POINTER
                    };
                }
                let path = settings.config.unwrap_or_default();
                wide::answer(&path.to_string_lossy(), config, length)
            }
        })
    }

    unsafe fn BindAsLegacyV2Runtime(&self) -> HRESULT {
        hresult::E_NOTIMPL
    }

    unsafe fn IsStarted(&self, started: *mut BOOL, flags: *mut u32) -> HRESULT {
        door(|| {
            if started.is_null() || flags.is_null() {
                return hresult::E_POINTER;
            }
            let here = clr::is_running() && self.is_here();
            // SAFETY: not null, and valid by COM's rules.
            unsafe {
                *started = here.into();
                *flags = match clr::get() {
                    Some(clr) if here => clr.flags,
                    _ => 0,
                };
            }
            hresult::S_OK
        })
    }
}
