//! Memory that runs out for the engine (`scarce.c`). The process does not end where a host can get
//! an error.

use std::{
    ffi::{CStr, c_long, c_void},
    sync::atomic::{AtomicI64, Ordering::Acquire},
};

use soglia_abi::{
    GUID, HRESULT,
    hosting::{
        clr_task::ICLRTaskManager,
        control::ICLRControl,
        metahost::{CLSID_CLRMetaHost, ICLRMetaHost, ICLRRuntimeInfo},
        runtime_host::{CLSID_CLRRuntimeHost, ICLRRuntimeHost4},
    },
    hresult::*,
    param::{Buffer, In, InOut, Out, Wide},
};
use windows_core::{IUnknown, Interface};

use crate::{
    api::{self, Library, get, start, wide},
    script::{self, Acting},
};

fn symbol<T>(name: &CStr) -> *mut T {
    // SAFETY: the name is a C string, and the default handle is always open.
    let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    assert!(!symbol.is_null(), "{name:?} is preloaded");
    symbol.cast()
}

fn value(name: &CStr) -> i64 {
    // SAFETY: a variable of that type.
    unsafe { &*symbol::<AtomicI64>(name) }.load(Acquire)
}

/// Does `body` while the engine's allocations from `first` to `last` fail. Returns how many
/// succeeded beside them.
fn scarce<T>(first: c_long, last: c_long, body: impl FnOnce() -> T) -> (T, i64) {
    // SAFETY: scarce.c defines the functions with these arguments.
    unsafe {
        let arm: extern "C" fn(c_long, c_long) =
            std::mem::transmute(symbol::<c_void>(c"scarce_arm"));
        let disarm: extern "C" fn() = std::mem::transmute(symbol::<c_void>(c"scarce_disarm"));
        arm(first, last);
        let result = body();
        disarm();
        (result, value(c"scarce_failed"))
    }
}

/// Without memory, `ask` returns `E_OUTOFMEMORY`. If one allocation fails, or all from one on, it
/// returns that or what it always does.
#[track_caller]
fn sweep(what: &str, mut ask: impl FnMut() -> HRESULT) {
    assert_eq!(ask(), S_OK, "{what}");
    let (answer, failed) = scarce(0, c_long::MAX, &mut ask);
    assert_eq!(answer, E_OUTOFMEMORY, "{what}");
    assert!(failed > 0);
    let (answer, _) = scarce(c_long::MAX, c_long::MAX, &mut ask);
    assert_eq!(answer, S_OK, "{what}");
    let count = value(c"scarce_count");
    assert!(count > 0, "{what}");
    // A few of many, if there are many.
    for nth in (0..count.min(40)).chain((40..count).step_by(37)) {
        for last in [nth, c_long::MAX] {
            let (answer, _) = scarce(nth, last, &mut ask);
            assert!(
                [S_OK, E_OUTOFMEMORY].contains(&answer),
                "{what}, {nth} of {count}: {answer:?}"
            );
        }
    }
    assert_eq!(ask(), S_OK, "{what}");
}

fn given<T: Interface>(ask: impl FnOnce(In<'_, GUID>, Out<'_, *mut c_void>) -> HRESULT) -> HRESULT {
    get::<T>(ask).err().unwrap_or(S_OK)
}

/// Before there is a runtime.
pub fn scarce_at_the_door(library: &Library, version: &str) {
    let create = library.create();
    // SAFETY: valid pointers, here and below.
    sweep("CLRCreateInstance", || {
        // SAFETY: the object is alive, and safe code has made the parameters.
        given::<ICLRMetaHost>(|id, object| unsafe {
            create(In::new(&CLSID_CLRMetaHost), id, object)
        })
    });
    let meta = library.meta_host();
    let wanted = wide(version);
    sweep("GetRuntime", || {
        // SAFETY: the object is alive, and safe code has made the parameters.
        given::<ICLRRuntimeInfo>(|id, object| unsafe { meta.GetRuntime(wanted.lent(), id, object) })
    });
    sweep("EnumerateInstalledRuntimes", || {
        // SAFETY: the object is alive, and safe code has made the parameters.
        given::<IUnknown>(|_, object| unsafe { meta.EnumerateInstalledRuntimes(object) })
    });
    let info = library.runtime(version);
    sweep("GetVersionString", || {
        let (mut text, mut length) = ([0; 64], 64);
        // SAFETY: the object is alive, and safe code has made the parameters.
        unsafe { info.GetVersionString(Buffer::new(&mut text), InOut::new(&mut length)) }
    });
    sweep("GetInterface", || {
        // SAFETY: the object is alive, and safe code has made the parameters.
        given::<ICLRRuntimeHost4>(|id, object| unsafe {
            info.GetInterface(In::new(&CLSID_CLRRuntimeHost), id, object)
        })
    });
    // SAFETY: the headers declare the function with this type.
    let bind = unsafe { library.function::<api::Bind>("CorBindToRuntimeEx") };
    sweep("CorBindToRuntimeEx", || {
        // SAFETY: the object is alive, and safe code has made the parameters.
        given::<ICLRRuntimeHost4>(|id, object| unsafe {
            bind(
                wanted.lent(),
                Wide::null(),
                0,
                In::new(&CLSID_CLRRuntimeHost),
                id,
                object,
            )
        })
    });
    let host = library.host(version);
    sweep("GetCLRControl", || {
        // SAFETY: the object is alive, and safe code has made the parameters.
        given::<ICLRControl>(|_, object| unsafe { host.GetCLRControl(object) })
    });
    let control = api::control(&host);
    sweep("GetCLRManager", || {
        // SAFETY: the object is alive, and safe code has made the parameters.
        given::<ICLRTaskManager>(|id, object| unsafe { control.GetCLRManager(id, object) })
    });
    sweep("SetHostControl", || {
        script::try_control(&host, &script::script(|_, _| S_OK))
    });
    // Nothing is broken by all that.
    start(&host);
    assert_eq!(
        script::run(&host, "Call", "plain"),
        Err(HRESULT(0x8013_1524_u32 as i32))
    );
    let acting = Acting::joined(library, host, script::script(|_, _| S_OK));
    assert_eq!(acting.get("Call", "plain"), 2);
}

/// Starting, calling, and the notifications on the way. Each process starts once, so a case has one
/// allocation that fails, or all from there on.
pub fn scarce_while_running(library: &Library, version: &str) {
    let host = library.host(version);
    let script = script::script(|_, _| S_OK);
    script::set_control(&host, &script);
    // SAFETY: the object is alive, and its method takes no pointers.
    let (answer, _) = scarce(0, c_long::MAX, || unsafe { host.Start() });
    assert_eq!(answer, E_OUTOFMEMORY);
    start(&host);
    let acting = Acting::joined(library, host, script);
    sweep("ExecuteInDefaultAppDomain", || {
        acting.run("Length", "abc").err().unwrap_or(S_OK)
    });
    // What a program does goes on, whatever of ours fails.
    for kind in [
        "plain",
        "callback",
        "callback-delegate",
        "delegate",
        "pointer",
        "thread",
        "thread-delegate",
        "text",
    ] {
        let text = format!("{kind} 3");
        // Linked, marshalled and asked for the first time, on threads that are new to us.
        let (_, failed) = scarce(1, c_long::MAX, || acting.run("Threads", &text));
        assert!(failed > 0 || kind == "pointer", "{kind}");
        assert!(acting.get("Threads", &text) > 0, "{kind}");
    }
    let [leave, enter, reverse_enter, reverse_leave] = acting.script.counted();
    assert_eq!((leave, reverse_enter), (enter, reverse_leave));
    assert_eq!(acting.get("Contexts", "2"), 2);
}
