//! `ICLRRuntimeInfo`: one runtime, and how to start it.

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
    param::{Buffer, In, InOut, Out, Wide},
};
use soglia_dotnet::library::Library;

use super::{
    clr,
    method::door,
    runtime_host,
    runtimes::{self, LIBRARY, Runtime},
    settings, wide,
};
use crate::com::{Object, class, interface_of};

/// An object for a runtime.
pub fn new(runtime: Runtime) -> ICLRRuntimeInfo {
    Object::counted(RuntimeInfo(runtime))
}

/// Gives out an object for a runtime.
pub fn create(runtime: Runtime, id: In<'_, GUID>, object: Out<'_, *mut c_void>) -> HRESULT {
    interface_of(&new(runtime), id, object)
}

/// Gives out an interface of a runtime. There is one class.
pub fn interface(
    runtime: Runtime,
    class: In<'_, GUID>,
    id: In<'_, GUID>,
    mut object: Out<'_, *mut c_void>,
) -> HRESULT {
    let Some(class) = class.get().filter(|_| !id.is_null() && !object.is_null()) else {
        return hresult::E_POINTER;
    };
    object.write_if_wanted(null_mut());
    if *class != CLSID_CLRRuntimeHost {
        return hresult::CLASS_E_CLASSNOTAVAILABLE;
    }
    if !runtime.is_loadable() {
        return hresult::CLR_E_SHIM_RUNTIMELOAD;
    }
    runtime_host::create(runtime, id, object)
}

unsafe extern "system" {
    fn GetCLRRuntimeHost();
    fn CLRCreateInstance();
    fn CorExitProcess();
}

/// The function that this library exports in place of the runtime's own.
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
    /// Whether this process has loaded this runtime.
    fn is_here(&self) -> bool {
        runtimes::loaded().is_some_and(|runtime| runtime.directory == self.0.directory)
    }
}

impl ICLRRuntimeInfo_Impl for RuntimeInfo_Impl {
    unsafe fn GetVersionString(&self, buffer: Buffer<'_, u16>, length: InOut<'_, u32>) -> HRESULT {
        // SAFETY: the caller of this method says by `length` how much room the buffer has.
        door(|| unsafe { wide::answer(&self.0.version_string(), buffer, length) })
    }

    unsafe fn GetRuntimeDirectory(
        &self,
        buffer: Buffer<'_, u16>,
        length: InOut<'_, u32>,
    ) -> HRESULT {
        let directory = || format!("{}/", self.0.directory.display());
        // SAFETY: the caller of this method says by `length` how much room the buffer has.
        door(|| unsafe { wide::answer(&directory(), buffer, length) })
    }

    unsafe fn IsLoaded(&self, process: HANDLE, loaded: Out<'_, BOOL>) -> HRESULT {
        door(|| {
            loaded.fill(|| {
                let there = runtimes::loaded_in(process)?;
                let here = there.iter().any(|r| r.directory == self.0.directory);
                Ok(here.into())
            })
        })
    }

    unsafe fn LoadErrorString(
        &self,
        _resource: u32,
        _buffer: Buffer<'_, u16>,
        _length: InOut<'_, u32>,
        _locale: i32,
    ) -> HRESULT {
        // The texts are resources of a DLL that Linux does not have.
        hresult::E_NOTIMPL
    }

    unsafe fn LoadLibrary(&self, name: Wide<'_>, mut module: Out<'_, *mut c_void>) -> HRESULT {
        door(|| {
            let Some(name) = name.to_text().filter(|_| !module.is_null()) else {
                return hresult::E_POINTER;
            };
            let path = self
                .0
                .directory
                .join(Path::new(OsStr::from_bytes(name.as_bytes())));
            let library = Library::open(&path);
            module.write_if_wanted(library.as_ref().map_or(null_mut(), Library::as_raw));
            if library.is_ok() {
                hresult::S_OK
            } else {
                // HRESULT_FROM_WIN32(ERROR_MOD_NOT_FOUND)
                HRESULT(0x8007_007e_u32 as i32)
            }
        })
    }

    unsafe fn GetProcAddress(
        &self,
        name: *const c_char,
        mut address: Out<'_, *mut c_void>,
    ) -> HRESULT {
        door(|| {
            if name.is_null() || address.is_null() {
                return hresult::E_POINTER;
            }
            // SAFETY: not null, so a C string that the caller of this method keeps for the call.
            let name = unsafe { CStr::from_ptr(name) };
            // This library's own functions come first.
            let found = named(name).or_else(|| {
                let library = Library::open(&self.0.directory.join(LIBRARY)).ok()?;
                // SAFETY: any pointer type does: the address is passed on, not called.
                unsafe { library.function::<*mut c_void>(name) }.ok()
            });
            address.write_if_wanted(found.unwrap_or(null_mut()));
            if found.is_some() {
                hresult::S_OK
            } else {
                hresult::CLR_E_SHIM_RUNTIMEEXPORT
            }
        })
    }

    unsafe fn GetInterface(
        &self,
        class: In<'_, GUID>,
        id: In<'_, GUID>,
        object: Out<'_, *mut c_void>,
    ) -> HRESULT {
        door(|| interface(self.0.clone(), class, id, object))
    }

    unsafe fn IsLoadable(&self, loadable: Out<'_, BOOL>) -> HRESULT {
        door(|| loadable.fill(|| Ok(self.0.is_loadable().into())))
    }

    unsafe fn SetDefaultStartupFlags(&self, flags: u32, config: Wide<'_>) -> HRESULT {
        door(|| {
            if clr::is_running() {
                return hresult::HOST_E_INVALIDOPERATION;
            }
            let config = config.to_text();
            let mut settings = settings::settings();
            settings.flags = Some(flags);
            settings.config = config.filter(|path| !path.is_empty()).map(Into::into);
            hresult::S_OK
        })
    }

    unsafe fn GetDefaultStartupFlags(
        &self,
        mut flags: Out<'_, u32>,
        config: Buffer<'_, u16>,
        length: InOut<'_, u32>,
    ) -> HRESULT {
        door(|| {
            let settings = settings::settings().clone();
            flags.write_if_wanted(settings.flags.unwrap_or(STARTUP_CONCURRENT_GC));
            if length.is_null() {
                return if config.is_null() && !flags.is_null() {
                    hresult::S_OK
                } else {
                    hresult::E_POINTER
                };
            }
            let path = settings.config.unwrap_or_default();
            // SAFETY: the caller of this method says by `length` how much room the buffer has.
            unsafe { wide::answer(&path.to_string_lossy(), config, length) }
        })
    }

    unsafe fn BindAsLegacyV2Runtime(&self) -> HRESULT {
        hresult::E_NOTIMPL
    }

    unsafe fn IsStarted(&self, mut started: Out<'_, BOOL>, mut flags: Out<'_, u32>) -> HRESULT {
        door(|| {
            if started.is_null() || flags.is_null() {
                return hresult::E_POINTER;
            }
            let here = clr::is_running() && self.is_here();
            started.write_if_wanted(here.into());
            flags.write_if_wanted(match clr::get() {
                Some(clr) if here => clr.flags,
                _ => 0,
            });
            hresult::S_OK
        })
    }
}
