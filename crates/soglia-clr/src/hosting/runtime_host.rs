//! `ICLRRuntimeHost` and its successors: the runtime as a thing to start and to run code in.
//!
//! Most of it is CoreCLR's own object behind checks for what it does not know: starts are counted here, and the host control
//! is ours altogether.

use std::{
    ffi::c_void,
    path::Path,
    sync::atomic::{
        AtomicU32,
        Ordering::{AcqRel, Acquire},
    },
};

use soglia_abi::{
    BOOL, GUID, HRESULT,
    hosting::{
        runtime_host::{
            ICLRRuntimeHost_Impl, ICLRRuntimeHost2_Impl, ICLRRuntimeHost4, ICLRRuntimeHost4_Impl,
            ICLRRuntimeHost4_Vtbl,
        },
        types::FExecuteInAppDomainCallback,
    },
    hresult,
};
use soglia_dotnet::{OLDEST_MAJOR, full_path};
use windows_core::Interface;

use super::{
    clr::{self, DOMAIN},
    control, events, execution, host, hostfxr, managed,
    method::{answer, giving, method, running, running_with_memory},
    policy,
    runtimes::Runtime,
    settings, signals,
    starts::{self, started},
    wide,
};
use crate::{
    com::{Object, class},
    host::task,
};

/// Gives out a host object for a runtime, which is not started by that.
///
/// # Safety
/// `id` and `object` are valid, as COM asks for.
pub unsafe fn create(runtime: Runtime, id: *const GUID, object: *mut *mut c_void) -> HRESULT {
    let host = RuntimeHost {
        runtime,
        starts: AtomicU32::new(0),
    };
    // SAFETY: by the contract.
    unsafe { Object::counted(host).query(id, object) }
}

class!(
    RuntimeHost,
    RuntimeHost_Impl,
    ICLRRuntimeHost4,
    ICLRRuntimeHost4_Vtbl
);

struct RuntimeHost {
    runtime: Runtime,
    /// By this object: those that `Stop` has not taken back.
    starts: AtomicU32,
}

impl RuntimeHost {
    /// The runtime's major version; of one that does not tell, the oldest.
    fn major(&self) -> u64 {
        let version = self.runtime.version.as_ref();
        version.map_or(OLDEST_MAJOR, |version| version.major)
    }
}

impl ICLRRuntimeHost_Impl for RuntimeHost_Impl {
    unsafe fn Start(&self) -> HRESULT {
        giving(|| {
            if let Err(why) = clr::start(&self.runtime, host::wants_engine()) {
                return why;
            }
            starts::add();
            if self.starts.fetch_add(1, AcqRel) > 0 {
                return hresult::S_FALSE;
            }
            if let Some(variable) = hostfxr::only_for_its_start() {
                // Where managed code cannot be called, it is seen there, and by the programs that are started from there.
                let _ = managed::forget(variable);
            }
            events::started();
            policy::started();
            hresult::S_OK
        })
    }

    unsafe fn Stop(&self) -> HRESULT {
        method(|| {
            if clr::get().is_none() {
                return hresult::E_UNEXPECTED;
            }
            let one_less = |starts: u32| starts.checked_sub(1);
            if self.starts.fetch_update(AcqRel, Acquire, one_less).is_err() {
                return hresult::HOST_E_CLRNOTAVAILABLE;
            }
            if starts::take_back() {
                hresult::S_FALSE
            } else {
                hresult::S_OK
            }
        })
    }

    unsafe fn SetHostControl(&self, control: *mut c_void) -> HRESULT {
        // SAFETY: the caller's pointer, valid by COM's rules.
        giving(|| unsafe { host::set_control(control) })
    }

    unsafe fn GetCLRControl(&self, control: *mut *mut c_void) -> HRESULT {
        giving(|| {
            if control.is_null() {
                return hresult::E_POINTER;
            }
            // SAFETY: not null, and valid by COM's rules.
            unsafe { *control = control::create(clr::is_running(), self.major()) };
            hresult::S_OK
        })
    }

    unsafe fn UnloadAppDomain(&self, domain: u32, wait: BOOL) -> HRESULT {
        // SAFETY: the third argument may be null.
        unsafe { self.UnloadAppDomain2(domain, wait, std::ptr::null_mut()) }
    }

    unsafe fn ExecuteInAppDomain(
        &self,
        domain: u32,
        callback: Option<FExecuteInAppDomainCallback>,
        cookie: *mut c_void,
    ) -> HRESULT {
        signals::make_room();
        running(|| match started() {
            // SAFETY: the runtime calls what the caller gave, and checks the rest.
            Ok(clr) => unsafe { clr.host().ExecuteInAppDomain(domain, callback, cookie) },
            Err(why) => why,
        })
    }

    unsafe fn GetCurrentAppDomainId(&self, id: *mut u32) -> HRESULT {
        method(|| match started() {
            // SAFETY: the caller's pointer, which the runtime checks for null.
            Ok(clr) => unsafe { clr.host().GetCurrentAppDomainId(id) },
            Err(why) => why,
        })
    }

    unsafe fn ExecuteApplication(
        &self,
        _name: *const u16,
        _manifest_paths: u32,
        _manifests: *const *const u16,
        _activation_data: u32,
        _data: *const *const u16,
        _result: *mut i32,
    ) -> HRESULT {
        method(|| hresult::E_NOTIMPL)
    }

    unsafe fn ExecuteInDefaultAppDomain(
        &self,
        assembly: *const u16,
        class: *const u16,
        name: *const u16,
        argument: *const u16,
        result: *mut u32,
    ) -> HRESULT {
        signals::make_room();
        running_with_memory(|| {
            let clr = match started() {
                Ok(clr) => clr,
                Err(why) => return why,
            };
            // SAFETY: zero-terminated or null, by COM's rules.
            let Some(path) = (unsafe { absolute(assembly) }) else {
                return hresult::E_POINTER;
            };
            if class.is_null() || name.is_null() {
                return hresult::E_POINTER;
            }
            let inside = match task::inside() {
                Ok(inside) => inside,
                Err(why) => return why,
            };
            clr.load(Path::new(&path));
            let path = wide::zero_terminated(&path);
            if !managed::is_there() {
                // SAFETY: zero-terminated texts, of which the argument may be null; the place for the result is null or valid.
                return unsafe {
                    clr.host().ExecuteInDefaultAppDomain(
                        path.as_ptr(),
                        class,
                        name,
                        argument,
                        result,
                    )
                };
            }
            drop(inside);
            // SAFETY: zero-terminated texts, of which the argument may be null; the place for the result is null or valid.
            unsafe {
                match execution::controlled(|execution| {
                    managed::execute(path.as_ptr(), class, name, argument, execution)
                }) {
                    Ok(value) => {
                        if !result.is_null() {
                            *result = value as u32;
                        }
                        hresult::S_OK
                    }
                    Err(why) => why,
                }
            }
        })
    }
}

impl ICLRRuntimeHost2_Impl for RuntimeHost_Impl {
    unsafe fn CreateAppDomainWithManager(
        &self,
        _name: *const u16,
        _flags: u32,
        _manager_assembly: *const u16,
        _manager_type: *const u16,
        _properties: i32,
        _names: *const *const u16,
        _values: *const *const u16,
        id: *mut u32,
    ) -> HRESULT {
        method(|| match started() {
            Ok(_) if id.is_null() => hresult::E_POINTER,
            // Start has made the only one.
            _ => hresult::HOST_E_INVALIDOPERATION,
        })
    }

    unsafe fn CreateDelegate(
        &self,
        domain: u32,
        assembly: *const u16,
        class: *const u16,
        name: *const u16,
        address: *mut isize,
    ) -> HRESULT {
        running(|| {
            let clr = match started() {
                Ok(clr) => clr,
                Err(why) => return why,
            };
            // SAFETY: zero-terminated or null, by COM's rules.
            let names = unsafe { [assembly, class, name].map(|text| wide::read(text)) };
            if let [Some(path), Some(class), Some(name)] = names
                && path.contains('/')
                && !address.is_null()
            {
                if domain != DOMAIN {
                    return hresult::HOST_E_INVALIDOPERATION;
                }
                let path = full_path(Path::new(&path));
                return match clr.method_of_file(&path, &class, &name) {
                    Ok(found) => {
                        // SAFETY: not null, and valid by COM's rules.
                        unsafe { *address = found };
                        hresult::S_OK
                    }
                    Err(why) => why,
                };
            }
            // SAFETY: the caller's texts and pointer, which the runtime checks for null.
            unsafe {
                clr.host()
                    .CreateDelegate(domain, assembly, class, name, address)
            }
        })
    }

    unsafe fn Authenticate(&self, _key: u64) -> HRESULT {
        method(|| hresult::S_OK)
    }

    unsafe fn RegisterMacEHPort(&self) -> HRESULT {
        method(|| hresult::S_OK)
    }

    unsafe fn SetStartupFlags(&self, flags: u32) -> HRESULT {
        method(|| {
            if clr::is_running() {
                return hresult::HOST_E_INVALIDOPERATION;
            }
            settings::settings().flags = Some(flags);
            hresult::S_OK
        })
    }

    unsafe fn DllGetActivationFactory(
        &self,
        _domain: u32,
        _type: *const u16,
        _factory: *mut *mut c_void,
    ) -> HRESULT {
        method(|| hresult::E_NOTIMPL)
    }

    unsafe fn ExecuteAssembly(
        &self,
        domain: u32,
        assembly: *const u16,
        arguments: i32,
        argv: *const *const u16,
        result: *mut u32,
    ) -> HRESULT {
        signals::make_room();
        running_with_memory(|| {
            let clr = match started() {
                Ok(_) if domain != DOMAIN => return hresult::HOST_E_INVALIDOPERATION,
                Ok(clr) => clr,
                Err(why) => return why,
            };
            // SAFETY: zero-terminated or null, by COM's rules.
            let Some(path) = (unsafe { absolute(assembly) }) else {
                return hresult::E_POINTER;
            };
            let _inside = match task::inside() {
                Ok(inside) => inside,
                Err(why) => return why,
            };
            clr.load(Path::new(&path));
            let path = wide::zero_terminated(&path);
            // SAFETY: the caller's arguments and place for the result, which the runtime checks for null.
            unsafe {
                clr.host()
                    .ExecuteAssembly(domain, path.as_ptr(), arguments, argv, result)
            }
        })
    }
}

impl ICLRRuntimeHost4_Impl for RuntimeHost_Impl {
    unsafe fn UnloadAppDomain2(&self, domain: u32, wait: BOOL, exit_code: *mut i32) -> HRESULT {
        method(|| {
            answer(match started() {
                // SAFETY: the caller's pointer, which the runtime checks for null.
                Ok(clr) => unsafe { clr.host().UnloadAppDomain2(domain, wait, exit_code) }
                    .ok()
                    .map_err(|e| e.code()),
                // The answer of CoreCLR before its Start.
                Err(_) => Err(hresult::HOST_E_INVALIDOPERATION),
            })
        })
    }
}

/// The path that the host means, from where the process is now. `None` if it is null.
///
/// # Safety
/// Null, or zero-terminated.
unsafe fn absolute(path: *const u16) -> Option<String> {
    // SAFETY: by the contract.
    let path = unsafe { wide::read(path) }?;
    let full = full_path(Path::new(&path)).into_os_string().into_string();
    Some(full.unwrap_or(path))
}
