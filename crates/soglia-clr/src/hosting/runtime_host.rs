//! `ICLRRuntimeHost` and its successors: start the runtime, and run code in it.
//!
//! Most of it is CoreCLR's own object, behind checks for what that does not know. The engine counts
//! starts, and has its own `SetHostControl`.

use std::{
    ffi::c_void,
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
    param::{Array, In, Lent, Out, Wide},
};
use soglia_dotnet::OLDEST_MAJOR;

use super::{
    assemblies,
    clr::{self, DOMAIN},
    code, control,
    domains::{self, Wanted},
    events, host, host_memory, hostfxr, managed,
    method::{answer, giving, method, running, running_with_memory},
    policy,
    runtimes::Runtime,
    settings,
    starts::{self, started},
    sync, thread_pool,
};
use crate::{
    com::{Object, class, interface_of},
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
            host_memory::started();
            thread_pool::started();
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
        running(|| {
            let clr = match started() {
                Ok(clr) => clr,
                Err(why) => return why,
            };
            let _entered = match domains::enter(domain) {
                Ok(entered) => entered,
                Err(why) => return why,
            };
            // SAFETY: the runtime is alive, and the caller of this method vouches for the callback
            // and its cookie. CoreCLR knows only its own domain.
            unsafe { clr.host().ExecuteInAppDomain(DOMAIN, callback, cookie) }
        })
    }

    unsafe fn GetCurrentAppDomainId(&self, mut id: Out<'_, u32>) -> HRESULT {
        method(|| {
            let clr = match started() {
                Ok(clr) => clr,
                Err(why) => return why,
            };
            // SAFETY: the runtime is alive, and checks the pointer for null.
            let answer = unsafe { clr.host().GetCurrentAppDomainId(id.reborrow()) };
            if answer.is_ok() {
                // CoreCLR has stored the number of its only domain there.
                id.write_if_wanted(domains::current());
            }
            answer
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
        result: Out<'_, u32>,
    ) -> HRESULT {
        signals::make_room();
        running_with_memory(|| code::execute(DOMAIN, [assembly, class, name, argument], result))
    }
}

impl ICLRRuntimeHost2_Impl for RuntimeHost_Impl {
    unsafe fn CreateAppDomainWithManager(
        &self,
        name: Wide<'_>,
        _flags: u32,
        manager_assembly: Wide<'_>,
        manager_type: Wide<'_>,
        properties: i32,
        names: Array<'_, Wide<'_>>,
        values: Array<'_, Wide<'_>>,
        id: Out<'_, u32>,
    ) -> HRESULT {
        signals::make_room();
        running_with_memory(|| match started() {
            Ok(_) => id.fill(|| {
                let wanted = Wanted {
                    name,
                    manager: [manager_assembly, manager_type],
                    count: properties,
                    names,
                    values,
                };
                // SAFETY: the caller of this method passes as many properties as it says.
                unsafe { domains::create(&wanted) }
            }),
            Err(why) => why,
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
        running(|| code::function(domain, [assembly, class, name], address))
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
        // SAFETY: the caller of this method passes as many arguments as it says.
        running_with_memory(|| unsafe { code::run(domain, assembly, arguments, argv, result) })
    }
}

impl ICLRRuntimeHost4_Impl for RuntimeHost_Impl {
    unsafe fn UnloadAppDomain2(
        &self,
        domain: u32,
        wait: BOOL,
        mut exit_code: Out<'_, i32>,
    ) -> HRESULT {
        method(|| {
            let unloaded = match started() {
                Ok(clr) if domain == DOMAIN => {
                    // SAFETY: the runtime is alive, and checks the pointer for null.
                    return unsafe { clr.host().UnloadAppDomain2(domain, wait, exit_code) };
                }
                Ok(_) => domains::unload(domain, wait.as_bool()),
                // The answer of CoreCLR before its Start.
                Err(_) => Err(hresult::HOST_E_INVALIDOPERATION),
            };
            answer(unloaded.map(|code| exit_code.write_if_wanted(code)))
        })
    }
}
