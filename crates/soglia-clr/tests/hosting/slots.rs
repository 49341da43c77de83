//! The engine's own task manager, as a host uses it: by itself, with another one behind it, and
//! under load.

use std::{ffi::c_void, ptr::null_mut, sync::atomic::Ordering::Relaxed};

use soglia_abi::{
    BOOL, HRESULT,
    hosting::{
        host_task::{IHostTask, IHostTaskManager},
        own::{ISogliaSlots, SogliaSlotFigures},
        runtime_host::ICLRRuntimeHost4,
        types::INFINITE,
    },
    hresult::*,
    param::{Array, Lent, Out, WideString},
};
use windows_core::Interface;

use crate::{
    api::{Library, start},
    host::offers,
    script::{self, Acting, Told, wait_for},
};

type Create = unsafe extern "system" fn(
    u32,
    u32,
    Lent<'_, IHostTaskManager>,
    Out<'_, *mut c_void>,
) -> HRESULT;

pub fn create(library: &Library) -> Create {
    // SAFETY: the headers declare the function with this type.
    unsafe { library.function("SogliaCreateTaskManager") }
}

pub fn manager(
    library: &Library,
    slots: u32,
    milliseconds: u32,
    inner: Option<&IHostTaskManager>,
) -> IHostTaskManager {
    let inner = inner.map_or(Lent::null(), Lent::new);
    let mut made = null_mut();
    // SAFETY: the library under test stays loaded until the process ends.
    let answer = unsafe { create(library)(slots, milliseconds, inner, Out::new(&mut made)) };
    assert_eq!(answer, S_OK);
    // SAFETY: of that interface, with a reference for us.
    unsafe { IHostTaskManager::from_raw(made) }
}

pub fn figures(manager: &IHostTaskManager) -> SogliaSlotFigures {
    let slots: ISogliaSlots = manager.cast().unwrap();
    let mut figures = SogliaSlotFigures::default();
    // SAFETY: a place for the answer.
    assert_eq!(unsafe { slots.GetFigures(Out::new(&mut figures)) }, S_OK);
    figures
}

/// The four crossings, on the calling thread.
fn leave(manager: &IHostTaskManager) -> HRESULT {
    // SAFETY: the object is alive, and its method takes any number.
    unsafe { manager.LeaveRuntime(1) }
}

fn enter(manager: &IHostTaskManager) -> HRESULT {
    // SAFETY: the object is alive, and its method has no parameters.
    unsafe { manager.EnterRuntime() }
}

fn reverse_enter(manager: &IHostTaskManager) -> HRESULT {
    // SAFETY: the object is alive, and its method has no parameters.
    unsafe { manager.ReverseEnterRuntime() }
}

fn reverse_leave(manager: &IHostTaskManager) -> HRESULT {
    // SAFETY: the object is alive, and its method has no parameters.
    unsafe { manager.ReverseLeaveRuntime() }
}

/// On a thread of its own.
fn elsewhere<T: Send>(body: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(body).join().unwrap())
}

/// A manager that other threads may call.
struct Everywhere(IHostTaskManager);

// SAFETY: the manager under test may be called from any thread.
unsafe impl Sync for Everywhere {}

pub fn a_bound_is_what_its_header_says(library: &Library, _version: &str) {
    let mut place = null_mut();
    let make = |slots, place: Out<'_, *mut c_void>| {
        // SAFETY: the library under test stays loaded until the process ends.
        unsafe { create(library)(slots, INFINITE, Lent::null(), place) }
    };
    assert_eq!(make(1, Out::null()), E_POINTER);
    for slots in [0, 65536, u32::MAX] {
        assert_eq!(make(slots, Out::new(&mut place)), E_INVALIDARG);
        assert!(place.is_null());
    }
    let one = Everywhere(manager(library, 1, 0, None));
    let one = &one;
    let own = &one.0;
    assert_eq!((figures(own).Slots, figures(own).Free), (1, 1));
    assert_eq!((leave(own), enter(own), figures(own).Free), (S_OK, S_OK, 0));
    // Another thread neither gets the slot nor gives it.
    elsewhere(|| {
        let one = &one.0;
        assert_eq!((leave(one), enter(one)), (S_OK, HOST_E_TIMEOUT));
        assert_eq!(reverse_enter(one), HOST_E_TIMEOUT);
        assert_eq!((leave(one), leave(one)), (S_OK, HOST_E_NOT_OWNER));
        assert_eq!(reverse_leave(one), HOST_E_NOT_OWNER);
    });
    assert_eq!((figures(own).Free, figures(own).TimedOut), (0, 2));
    assert_eq!((leave(own), figures(own).Free), (S_OK, 1));
    // A thread that ends gives it back.
    elsewhere(|| assert_eq!(reverse_enter(&one.0), S_OK));
    assert_eq!((figures(own).Free, enter(own)), (1, S_OK));
    // SAFETY: none of these takes anything.
    unsafe {
        for _ in 0..2 {
            assert_eq!(own.EndDelayAbort(), E_UNEXPECTED);
            assert_eq!(own.BeginDelayAbort(), S_OK);
            assert_eq!(own.BeginDelayAbort(), E_UNEXPECTED);
            assert_eq!(own.EndDelayAbort(), S_OK);
            assert_eq!(own.EndThreadAffinity(), E_UNEXPECTED);
            assert_eq!(
                (own.BeginThreadAffinity(), own.BeginThreadAffinity()),
                (S_OK, S_OK)
            );
            assert_eq!(
                (own.EndThreadAffinity(), own.EndThreadAffinity()),
                (S_OK, S_OK)
            );
        }
    }
    // Every thread has a task, and every function gives notifications.
    let (mut task, mut needs) = (null_mut(), BOOL(0));
    // SAFETY: the object is alive, and it stores a task with a reference for us.
    unsafe {
        assert_eq!(own.GetCurrentTask(Out::new(&mut task)), S_OK);
        drop(IHostTask::from_raw(task));
        assert_eq!(own.CallNeedsHostHook(1, Out::new(&mut needs)), S_OK);
        assert_eq!(own.Sleep(0, 0), E_NOTIMPL);
    }
    assert!(needs.as_bool());
}

/// A thread is gone from one moment to the next, with the only slot.
pub fn a_dead_threads_slot_comes_back(library: &Library, _version: &str) {
    extern "C" fn die(manager: *mut c_void) -> *mut c_void {
        // SAFETY: the live manager that the thread was given.
        let manager = unsafe { IHostTaskManager::from_raw_borrowed(&manager) }.unwrap();
        assert_eq!(reverse_enter(manager), S_OK);
        // SAFETY: ends the thread, and none of its destructors run.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
        null_mut()
    }
    let own = manager(library, 1, INFINITE, None);
    let mut thread = 0;
    // SAFETY: the function has the type that `CreateTask` asks for. The manager lives until the
    // thread is joined.
    unsafe {
        let started = libc::pthread_create(&raw mut thread, std::ptr::null(), die, own.as_raw());
        assert_eq!(started, 0);
        assert_eq!(libc::pthread_join(thread, null_mut()), 0);
    }
    assert_eq!(leave(&own), S_OK);
    assert_eq!(enter(&own), HOST_E_ABANDONED);
    assert_eq!((figures(&own).Abandoned, figures(&own).Free), (1, 0));
    assert_eq!((leave(&own), enter(&own)), (S_OK, S_OK));
}

/// Has a runtime's host give this manager.
pub fn give(host: &ICLRRuntimeHost4, manager: &IHostTaskManager) {
    let control = offers([(IHostTaskManager::IID, manager.clone().into())]);
    // SAFETY: the host and the control are alive during the call.
    assert_eq!(unsafe { host.SetHostControl(Lent::new(&control)) }, S_OK);
}

/// A runtime whose host has given this manager; and the script, if one is behind it.
fn under(
    library: &Library,
    version: &str,
    manager: &IHostTaskManager,
    script: std::sync::Arc<script::Script>,
) -> Acting {
    let host = library.host(version);
    give(&host, manager);
    start(&host);
    Acting::joined(library, host, script)
}

/// The manager behind hears what it would hear alone, and what it refuses is refused.
pub fn a_bound_passes_on_what_it_is_told(library: &Library, version: &str) {
    let script = script::script(|script, told| match told {
        Told::Leave(_) if script.deaf.load(Relaxed) => E_ACCESSDENIED,
        Told::ReverseEnter if script.deaf.load(Relaxed) => E_ACCESSDENIED,
        _ => S_OK,
    });
    let bound = manager(library, 1, INFINITE, Some(&script::manager(&script)));
    let acting = under(library, version, &bound, script);
    assert_eq!(acting.get("Call", "callback"), 11);
    acting.script.lines();
    assert_eq!(acting.get("Call", "callback"), 11);
    assert_eq!(acting.script.line(), "L(call_back) R V E");
    assert_eq!(acting.get("Nest", "4"), 4);
    assert_eq!(
        acting.script.line(),
        "L(call_back) R L(call_back) R L(call_back) R L(call_back) R V E V E V E V E"
    );
    let denied = Err("UnauthorizedAccessException 80070005".to_owned());
    acting.script.deaf.store(true, Relaxed);
    for _ in 0..3 {
        assert_eq!(acting.attempt("plain"), denied);
        assert_eq!(acting.get("Threads", "nothing 3"), 0);
    }
    acting.script.deaf.store(false, Relaxed);
    // No thread has lost the slot by that.
    assert_eq!(acting.get("Threads", "callback 10"), 110);
    let figures = figures(&bound);
    assert_eq!(
        (figures.Slots, figures.TimedOut, figures.Abandoned),
        (1, 0, 0)
    );
}

/// A callback that the manager behind refuses leaves the slot free.
pub fn a_refused_callback_holds_no_slot(library: &Library, version: &str) {
    let script = script::script(|script, told| match told {
        Told::ReverseEnter if script.deaf.load(Relaxed) => E_ACCESSDENIED,
        _ => S_OK,
    });
    let bound = manager(library, 1, INFINITE, Some(&script::manager(&script)));
    let acting = under(library, version, &bound, script);
    acting.script.deaf.store(true, Relaxed);
    for kind in ["callback", "callback-delegate", "twice"] {
        let refused = Err("UnauthorizedAccessException 80070005".to_owned());
        assert_eq!(acting.attempt(kind), refused, "{kind}");
    }
    // On native threads there is no managed call to throw.
    assert_eq!(acting.attempt("thread-often"), Ok(0));
    acting.script.deaf.store(false, Relaxed);
    assert_eq!(acting.get("Threads", "thread 5"), 55);
    assert_eq!(figures(&bound).TimedOut, 0);
}

/// Sixty-four managed threads and as many native ones, which call down and up.
pub fn many_threads_share_few_slots(library: &Library, version: &str) {
    let bound = manager(library, 2, INFINITE, None);
    let acting = under(library, version, &bound, script::script(|_, _| S_OK));
    assert_eq!(acting.get("Hammer", "64 2000"), 0);
    let figures = figures(&bound);
    assert!(figures.Waits > 0, "{figures:?}");
    assert_eq!((figures.TimedOut, figures.Abandoned), (0, 0), "{figures:?}");
    // All but what the calling thread may hold.
    wait_for(|| self::figures(&bound).Free >= 1 && self::figures(&bound).Waiting == 0);
    assert_eq!(acting.get("Collect", "3"), 3);
    assert_eq!(acting.get("EndThread", ""), 1);
    assert_eq!(acting.get("Call", "plain"), 2);
}

/// Tasks of a host that give way, sleep and try: others get on, whether a manager is behind or not.
pub fn lookers_give_way(library: &Library, version: &str) {
    looks(library, version, None);
}

pub fn lookers_ask_the_next_too(library: &Library, version: &str) {
    // It sleeps and switches itself.
    let script = script::script(|_, _| S_OK);
    looks(library, version, Some(&script::manager(&script)));
}

fn looks(library: &Library, version: &str, inner: Option<&IHostTaskManager>) {
    let bound = manager(library, 1, INFINITE, inner);
    let acting = under(library, version, &bound, script::script(|_, _| S_OK));
    acting.load("libsemantics.so");
    let path = crate::api::assembly();
    let path = path.to_str().unwrap().replace("hosted", "turns");
    let words = "look yield sleep0 sleep1 sleepspan spinwait spinuntil spinlock taskyield tryenter tryenter0 waitone join";
    let words: Vec<_> = words.split(' ').map(crate::api::wide).collect();
    let words: Vec<_> = words.iter().map(WideString::lent).collect();
    let mut code = 99;
    // SAFETY: the object is alive, and there are as many words as is said.
    let answer = unsafe {
        let path = crate::api::wide(&path);
        acting.host.ExecuteAssembly(
            1,
            path.lent(),
            words.len() as i32,
            Array::new(&words),
            Out::new(&mut code),
        )
    };
    assert_eq!((answer, code), (S_OK, 0));
    assert_eq!(figures(&bound).TimedOut, 0);
    // A host may ask for it by itself. No thread waits now, and no manager is behind.
    // SAFETY: the object is alive, and its method takes no pointers.
    let switched = unsafe { bound.SwitchToTask(0) };
    assert_eq!(switched, if inner.is_some() { S_OK } else { E_NOTIMPL });
}
