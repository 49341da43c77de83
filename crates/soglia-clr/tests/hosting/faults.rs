//! Hosts that throw: in C++ (`throws.cpp`), and in Rust.

use std::{
    env,
    ffi::{CStr, CString, c_int, c_void},
    sync::atomic::{
        AtomicI32, AtomicUsize,
        Ordering::{Acquire, Relaxed},
    },
};

use soglia_abi::{
    HRESULT,
    hosting::{
        control::IHostControl,
        host_task::{IHostTaskManager, IHostTaskManager_Vtbl},
        policy::{Event_ClrDisabled, IActionOnCLREvent, ICLROnEventManager},
    },
    hresult::*,
    param::Lent,
};
use windows_core::Interface;

use crate::{
    api::{Library, control, manager, start},
    host::{self},
    script::{self, Acting, wait_for},
};

/// The library with the host in C++.
struct Throws(*mut c_void);

impl Throws {
    fn load(library: &Library) -> Self {
        let path = library.folder().join("libthrows.so");
        let path = CString::new(path.into_os_string().into_string().unwrap()).unwrap();
        // SAFETY: a C string; a library of ours.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW) };
        assert!(!handle.is_null());
        Self(handle)
    }

    fn symbol<T>(&self, name: &CStr) -> *mut T {
        // SAFETY: an open library and a C string.
        let symbol = unsafe { libc::dlsym(self.0, name.as_ptr()) };
        assert!(!symbol.is_null(), "{name:?}");
        symbol.cast()
    }

    /// From now on, this method throws. What it throws first, then the next kind.
    fn throw_in(&self, method: &str, what: c_int) {
        let name = CString::new(method).unwrap();
        // SAFETY: the variables have these types, and there is room for the name of a method.
        unsafe {
            self.symbol::<c_int>(c"throws_what").write(what);
            libc::strcpy(self.symbol(c"throws_in"), name.as_ptr());
        }
    }

    fn count(&self) -> i32 {
        // SAFETY: throws.cpp defines the variable with this type, and its library stays loaded.
        unsafe { &*self.symbol::<AtomicI32>(c"throws_count") }.load(Acquire)
    }

    /// Nothing that was on the stack, or thrown, is left; the C++ runtime agrees.
    #[track_caller]
    fn assert_clean(&self) {
        // SAFETY: throws.cpp defines the symbols with these types, and its library stays loaded.
        unsafe {
            assert_eq!(
                (*self.symbol::<AtomicI32>(c"throws_alive")).load(Acquire),
                0
            );
            let in_flight: extern "C" fn() -> c_int =
                std::mem::transmute(self.symbol::<c_void>(c"throws_in_flight"));
            assert_eq!(in_flight(), 0);
        }
    }

    /// An object that one of its functions makes, with a reference.
    fn make<T: Interface>(&self, name: &CStr) -> T {
        // SAFETY: the functions make objects of the types that they are asked for here.
        unsafe {
            let make: extern "C" fn() -> *mut c_void =
                std::mem::transmute(self.symbol::<c_void>(name));
            T::from_raw(make())
        }
    }
}

/// Each case has it from its environment.
fn method_to_throw() -> String {
    env::var("THROWS_IN").unwrap()
}

/// Methods that are called while the host hands over its managers.
pub fn thrown_while_handing_over(library: &Library, version: &str) {
    let throws = Throws::load(library);
    let host = library.host(version);
    let control: IHostControl = throws.make(c"throws_control");
    throws.throw_in(&method_to_throw(), 0);
    // SAFETY: the host and the control are alive during the call.
    unsafe {
        assert_eq!(
            host.SetHostControl(Lent::new(&control)),
            HOST_E_CLRNOTAVAILABLE
        );
        assert_eq!(host.Start(), HOST_E_CLRNOTAVAILABLE);
    }
    assert!(throws.count() > 0);
    throws.assert_clean();
    throws.throw_in("", 0);
}

/// Methods that are called while code runs: the kind of call, how often an exception comes out of
/// it, and whether native code is called.
const RUNNING: &[(&str, &str, i32, bool)] = &[
    ("GetCurrentTask", "plain", 0, true),
    ("SetCLRTask", "plain", 8, false),
    ("CallNeedsHostHook", "plain", 0, true),
    ("LeaveRuntime", "plain", 8, false),
    ("LeaveRuntime", "pointer", 8, false),
    ("LeaveRuntime", "callback-delegate", 8, false),
    ("EnterRuntime", "plain", 8, true),
    ("EnterRuntime", "pointer", 8, true),
    ("EnterRuntime", "callback", 8, true),
    ("ReverseEnterRuntime", "callback", 8, true),
    ("ReverseEnterRuntime", "callback-delegate", 8, true),
    ("ReverseEnterRuntime", "thread", 0, true),
    ("ReverseEnterRuntime", "thread-delegate", 0, true),
    ("ReverseLeaveRuntime", "callback", 0, true),
    ("ReverseLeaveRuntime", "callback-delegate", 0, true),
    ("ReverseLeaveRuntime", "thread-delegate", 0, true),
    ("SuspensionStarting", "collect", 0, false),
    ("SuspensionEnding", "collect", 0, false),
    ("GetMemoryLoad", "collect", 0, false),
    ("Sleep", "sleep", 0, false),
    ("SwitchToTask", "switch", 0, false),
    ("Join", "join", 0, false),
    ("Alert", "interrupt", 0, false),
    ("SetPriority", "priority", 0, false),
    ("BeginThreadAffinity", "affinity", 0, false),
    ("EndThreadAffinity", "affinity", 0, false),
    ("BeginDelayAbort", "region", 0, false),
    ("SetLocale", "culture", 8, false),
    // Of the task, when its thread ends.
    ("Release", "thread", 0, true),
];

pub fn thrown_while_running(library: &Library, version: &str) {
    let method = method_to_throw();
    let (_, kind, exceptions, called) = RUNNING
        .iter()
        .find(|(name, kind, ..)| format!("{name}:{kind}") == method)
        .unwrap();
    let (name, _) = method.split_once(':').unwrap();
    let throws = Throws::load(library);
    let host = library.host(version);
    let control: IHostControl = throws.make(c"throws_control");
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(&host);
    let acting = Acting::joined(library, host, script::script(|_, _| S_OK));
    let before = acting.calls();
    throws.throw_in(name, 0);
    // What is thrown changes from time to time.
    assert_eq!(acting.get("TryOften", &format!("{kind} 8")), *exceptions);
    if *exceptions > 0 {
        let exception = match name {
            // As it is with any failure.
            "SetLocale" => "ArgumentException 80070057",
            _ => "COMException 80004005",
        };
        assert_eq!(acting.text(), exception);
    }
    let made = if *called { 8 } else { 0 };
    assert_eq!(acting.calls() - before, made);
    wait_for(|| throws.count() > 0);
    // The host is asked once. The first time that a thread waits it looks for something else, and
    // the other thread may end.
    if !["CallNeedsHostHook", "Join"].contains(&name) {
        wait_for(|| throws.count() >= 8);
    }
    throws.throw_in("", 0);
    wait_for(|| acting.run("Call", kind) == Err(HOST_E_CLRNOTAVAILABLE));
    throws.assert_clean();
}

/// When the program exits, which goes on.
pub fn thrown_by_a_policy_manager(library: &Library, version: &str) {
    let throws = Throws::load(library);
    let host = library.host(version);
    let control: IHostControl = throws.make(c"throws_control");
    // SAFETY: the host and the control are alive during the call.
    unsafe {
        assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK);
        start(&host);
        throws.throw_in("OnDefaultAction", 0);
        let answer = library.meta_host().ExitProcess(42);
        panic!("still here: {answer:?}");
    }
}

pub fn thrown_at_the_end(library: &Library, version: &str) {
    let throws = Throws::load(library);
    let clr = library.host(version);
    let events = manager::<ICLROnEventManager>(&control(&clr)).unwrap();
    let (action, other) = (host::action(), host::action());
    let bad: IActionOnCLREvent = throws.make(c"throws_action");
    // SAFETY: the objects are alive during these calls.
    unsafe {
        for action in [&action, &bad, &other] {
            let answer = events.RegisterActionOnEvent(Event_ClrDisabled, Lent::new(action));
            assert_eq!(answer, S_OK);
        }
        start(&clr);
        throws.throw_in("OnEvent", 0);
        let answer = library.meta_host().ExitProcess(42);
        panic!("still here: {answer:?}");
    }
}

/// A host that ends the thread in a method. That is no exception, and nothing catches it.
pub fn a_host_ends_a_thread(library: &Library, version: &str) {
    let throws = Throws::load(library);
    let host = library.host(version);
    let control: IHostControl = throws.make(c"throws_control");
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(&host);
    let acting = Acting::joined(library, host, script::script(|_, _| S_OK));
    for (method, kind) in [
        ("GetCurrentTask", "plain"),
        ("SetCLRTask", "plain"),
        ("LeaveRuntime", "plain"),
        ("EnterRuntime", "plain"),
        ("ReverseEnterRuntime", "callback"),
        ("ReverseLeaveRuntime", "callback"),
    ] {
        assert_eq!(
            acting.get("Call", kind),
            if kind == "plain" { 2 } else { 11 }
        );
        throws.throw_in(method, 4);
        assert_eq!(acting.get("EndThreadBy", kind), 1, "{method}");
        throws.throw_in("", 0);
        assert_eq!(acting.get("Collect", "1"), 1);
    }
    assert_eq!(throws.count(), 6);
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C-unwind" fn panics(_this: *mut c_void, _target: usize) -> HRESULT {
    PANICS.fetch_add(1, Relaxed);
    panic!("in LeaveRuntime");
}

/// A task manager of Rust's that panics, in functions that may unwind. This program has another
/// copy of Rust's runtime than the library.
pub fn a_panic_of_another_library(library: &Library, version: &str) {
    let script = script::script(|_, _| S_OK);
    let manager = script::manager(&script);
    // The methods of that manager, except one.
    let mut methods: IHostTaskManager_Vtbl;
    // SAFETY: the table is a copy, which lives as long as the process. One function is replaced by
    // one with the same arguments.
    unsafe {
        methods = std::ptr::read(manager.vtable());
        type Unwinding = unsafe extern "C-unwind" fn(*mut c_void, usize) -> HRESULT;
        type Method = unsafe extern "system" fn(*mut c_void, usize) -> HRESULT;
        methods.LeaveRuntime = std::mem::transmute::<Unwinding, Method>(panics);
        let table = Box::leak(Box::new(methods));
        manager
            .as_raw()
            .cast::<*const IHostTaskManager_Vtbl>()
            .write(table);
    }
    let host = library.host(version);
    let control = host::offers([(IHostTaskManager::IID, manager.into())]);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(&host);
    let acting = Acting::joined(library, host, script);
    assert_eq!(acting.get("TryOften", "plain 5"), 5);
    assert_eq!(acting.text(), "COMException 80004005");
    assert_eq!(PANICS.load(Relaxed), 5);
    assert_eq!(acting.calls(), 0);
    assert_eq!(acting.run("Call", "plain"), Err(HOST_E_CLRNOTAVAILABLE));
}
