//! `ICLRRuntimeHost` and its successors: start the runtime, and run code in it.
//!
//! Most of it is CoreCLR's own object, behind checks for what that does not know. The engine counts
//! starts, and has its own `SetHostControl`.

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
        control::IHostControl,
        runtime_host::{
            ICLRRuntimeHost_Impl, ICLRRuntimeHost2_Impl, ICLRRuntimeHost4, ICLRRuntimeHost4_Impl,
            ICLRRuntimeHost4_Vtbl,
        },
        types::FExecuteInAppDomainCallback,
    },
    hresult,
    param::{Array, In, Lent, Out, Wide, WideString},
};
use soglia_dotnet::{OLDEST_MAJOR, full_path};

use super::{
    assemblies,
    clr::{self, DOMAIN},
    control, events, execution, host, hostfxr, managed,
    method::{answer, giving, method, running, running_with_memory},
    policy,
    runtimes::Runtime,
    settings,
    starts::{self, started},
    sync,
};
use crate::{
    com::{Object, class, interface_of},
    host::task,
    signals,
};

/// Gives out a host object for a runtime. This does not start the runtime.
pub fn create(runtime: Runtime, id: In<'_, GUID>, object: Out<'_, *mut c_void>) -> HRESULT {
    let host = RuntimeHost {
        runtime,
        starts: AtomicU32::new(0),
    };
    interface_of(&Object::counted(host), id, object)
}

class!(
    RuntimeHost,
    RuntimeHost_Impl,
    ICLRRuntimeHost4,
    ICLRRuntimeHost4_Vtbl
);

struct RuntimeHost {
    runtime: Runtime,
    /// Starts by this object that `Stop` has not taken back.
    starts: AtomicU32,
}

impl RuntimeHost {
    /// The runtime's major version. If that is unknown, the oldest one.
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
                // Where managed code cannot be called, the variable stays visible there, and in the
                // programs that are started from there.
                let _ = managed::forget(variable);
            }
            assemblies::started();
            events::started();
            policy::started();
            sync::started();
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

    unsafe fn SetHostControl(&self, control: Lent<'_, IHostControl>) -> HRESULT {
        giving(|| host::set_control(&control))
    }

    unsafe fn GetCLRControl(&self, control: Out<'_, *mut c_void>) -> HRESULT {
        giving(|| control.fill(|| Ok(control::create(clr::is_running(), self.major()))))
    }

    unsafe fn UnloadAppDomain(&self, domain: u32, wait: BOOL) -> HRESULT {
        // SAFETY: its contract is that of this method; null means that no exit code is wanted.
        unsafe { self.UnloadAppDomain2(domain, wait, Out::null()) }
    }

    unsafe fn ExecuteInAppDomain(
        &self,
        domain: u32,
        callback: Option<FExecuteInAppDomainCallback>,
        cookie: *mut c_void,
    ) -> HRESULT {
        signals::make_room();
        running(|| match started() {
            // SAFETY: the runtime is alive, and the caller of this method vouches for the callback
            // and its cookie.
            Ok(clr) => unsafe { clr.host().ExecuteInAppDomain(domain, callback, cookie) },
            Err(why) => why,
        })
    }

    unsafe fn GetCurrentAppDomainId(&self, id: Out<'_, u32>) -> HRESULT {
        method(|| match started() {
            // SAFETY: the runtime is alive, and checks the pointer for null.
            Ok(clr) => unsafe { clr.host().GetCurrentAppDomainId(id) },
            Err(why) => why,
        })
    }

    unsafe fn ExecuteApplication(
        &self,
        _name: Wide<'_>,
        _manifest_paths: u32,
        _manifests: Array<'_, Wide<'_>>,
        _activation_data: u32,
        _data: Array<'_, Wide<'_>>,
        _result: Out<'_, i32>,
    ) -> HRESULT {
        method(|| hresult::E_NOTIMPL)
    }

    unsafe fn ExecuteInDefaultAppDomain(
        &self,
        assembly: Wide<'_>,
        class: Wide<'_>,
        name: Wide<'_>,
        argument: Wide<'_>,
        mut result: Out<'_, u32>,
    ) -> HRESULT {
        signals::make_room();
        running_with_memory(|| {
            let clr = match started() {
                Ok(clr) => clr,
                Err(why) => return why,
            };
            let Some(place) = Place::of(assembly) else {
                return hresult::E_POINTER;
            };
            if class.is_null() || name.is_null() {
                return hresult::E_POINTER;
            }
            let inside = match task::inside() {
                Ok(inside) => inside,
                Err(why) => return why,
            };
            if let Place::File(path) = &place {
                clr.load(Path::new(path));
            }
            let (Place::File(path) | Place::Store(path)) = place;
            let path = WideString::new(&path);
            if !managed::is_there() {
                // SAFETY: the runtime is alive, and checks the pointers for null.
                return unsafe {
                    clr.host()
                        .ExecuteInDefaultAppDomain(path.lent(), class, name, argument, result)
                };
            }
            drop(inside);
            let executed = execution::controlled(|execution| {
                managed::execute(path.lent(), class, name, argument, execution)
            });
            answer(executed.map(|value| result.write_if_wanted(value as u32)))
        })
    }
}

impl ICLRRuntimeHost2_Impl for RuntimeHost_Impl {
    unsafe fn CreateAppDomainWithManager(
        &self,
        _name: Wide<'_>,
        _flags: u32,
        _manager_assembly: Wide<'_>,
        _manager_type: Wide<'_>,
        _properties: i32,
        _names: Array<'_, Wide<'_>>,
        _values: Array<'_, Wide<'_>>,
        id: Out<'_, u32>,
    ) -> HRESULT {
        method(|| match started() {
            Ok(_) if id.is_null() => hresult::E_POINTER,
            // There is only the domain that Start has made.
            _ => hresult::HOST_E_INVALIDOPERATION,
        })
    }

    unsafe fn CreateDelegate(
        &self,
        domain: u32,
        assembly: Wide<'_>,
        class: Wide<'_>,
        name: Wide<'_>,
        address: Out<'_, isize>,
    ) -> HRESULT {
        running(|| {
            let clr = match started() {
                Ok(clr) => clr,
                Err(why) => return why,
            };
            let names = [assembly, class, name].map(Wide::to_text);
            if let [Some(path), Some(class), Some(name)] = names
                && path.contains('/')
                && !address.is_null()
            {
                if domain != DOMAIN {
                    return hresult::HOST_E_INVALIDOPERATION;
                }
                let path = full_path(Path::new(&path));
                return address.fill(|| clr.method_of_file(&path, &class, &name));
            }
            // SAFETY: the runtime is alive, and checks the pointers for null.
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
        _type: Wide<'_>,
        _factory: Out<'_, *mut c_void>,
    ) -> HRESULT {
        method(|| hresult::E_NOTIMPL)
    }

    unsafe fn ExecuteAssembly(
        &self,
        domain: u32,
        assembly: Wide<'_>,
        arguments: i32,
        argv: Array<'_, Wide<'_>>,
        result: Out<'_, u32>,
    ) -> HRESULT {
        signals::make_room();
        running_with_memory(|| {
            let clr = match started() {
                Ok(_) if domain != DOMAIN => return hresult::HOST_E_INVALIDOPERATION,
                Ok(clr) => clr,
                Err(why) => return why,
            };
            let Some(path) = absolute(assembly) else {
                return hresult::E_POINTER;
            };
            let _inside = match task::inside() {
                Ok(inside) => inside,
                Err(why) => return why,
            };
            clr.load(Path::new(&path));
            let path = WideString::new(&path);
            // SAFETY: the runtime is alive, and checks the pointers for null. The caller of this
            // method passes as many arguments as it says.
            unsafe {
                clr.host()
                    .ExecuteAssembly(domain, path.lent(), arguments, argv, result)
            }
        })
    }
}

impl ICLRRuntimeHost4_Impl for RuntimeHost_Impl {
    unsafe fn UnloadAppDomain2(&self, domain: u32, wait: BOOL, exit_code: Out<'_, i32>) -> HRESULT {
        method(|| {
            answer(match started() {
                // SAFETY: the runtime is alive, and checks the pointer for null.
                Ok(clr) => unsafe { clr.host().UnloadAppDomain2(domain, wait, exit_code) }
                    .ok()
                    .map_err(|e| e.code()),
                // The answer of CoreCLR before its Start.
                Err(_) => Err(hresult::HOST_E_INVALIDOPERATION),
            })
        })
    }
}

/// Where an assembly is.
enum Place {
    /// In this file.
    File(String),
    /// The host provides it by this identity.
    Store(String),
}

impl Place {
    /// What the host means: the file of that name, or, if it provides assemblies and there is no
    /// such file, an identity. `None` if it is null.
    fn of(assembly: Wide<'_>) -> Option<Self> {
        let path = absolute(assembly)?;
        let text = assembly.to_text()?;
        let is_file = text.contains('/') || !assemblies::has_store() || Path::new(&path).is_file();
        Some(if is_file {
            Self::File(path)
        } else {
            Self::Store(text)
        })
    }
}

/// The absolute path that the host means, from the current folder. `None` if it is null.
fn absolute(path: Wide<'_>) -> Option<String> {
    let path = path.to_text()?;
    let full = full_path(Path::new(&path)).into_os_string().into_string();
    Some(full.unwrap_or(path))
}
