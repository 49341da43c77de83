//! Domains that are unloaded.

use std::{
    ffi::c_void,
    ptr::null_mut,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use soglia_abi::{
    HRESULT,
    hosting::{
        clr_task::{ICLRTask2, ICLRTaskManager},
        gc::ICLRAppDomainResourceMonitor,
        policy::{
            EClrEvent, Event_DomainUnload, IActionOnCLREvent, IActionOnCLREvent_Impl,
            ICLROnEventManager,
        },
    },
    hresult::*,
    param::{Lent, Out},
};
use windows_core::{ComObject, Interface, implement};

use crate::{
    api::{Library, call, control, manager, start},
    cases::{Case, case},
    domains::Domains,
    host::Shared,
    script::{script, set_control, wait_for},
    watch::watch,
};

pub const CASES: &[Case] = &[
    case("a_domain_is_unloaded", a_domain_is_unloaded),
    case(
        "pointers_outlive_their_domain",
        pointers_outlive_their_domain,
    ),
    case("an_unload_waits_for_threads", an_unload_waits_for_threads),
    case(
        "a_thread_does_not_wait_for_itself",
        a_thread_does_not_wait_for_itself,
    ),
    case(
        "what_holds_a_domain_is_waited_for",
        what_holds_a_domain_is_waited_for,
    ),
    Case {
        tells: &[
            "default action 3 4",
            "event of 2",
            "default action 3 4",
            "event of 3",
        ],
        ..case("the_end_of_a_domain_is_told", the_end_of_a_domain_is_told)
    },
    case("many_domains_come_and_go", many_domains_come_and_go),
    case(
        "a_task_in_a_domain_is_aborted",
        a_task_in_a_domain_is_aborted,
    ),
];

impl Domains {
    fn unload(&self, domain: u32, waits: bool) -> HRESULT {
        // SAFETY: the object is alive, and its method takes no pointers.
        unsafe { self.host.UnloadAppDomain(domain, waits.into()) }
    }
}

pub fn a_domain_is_unloaded(library: &Library, version: &str) {
    let host = library.host(version);
    let early = control(&host);
    start(&host);
    let domains = Domains::of(library, host);
    let monitor = manager::<ICLRAppDomainResourceMonitor>(&early).unwrap();
    let monitored = |domain| {
        let mut bytes = 0;
        // SAFETY: the object is alive, and safe code has made the parameters.
        unsafe { monitor.GetCurrentAllocated(domain, Out::new(&mut bytes)) }
    };
    let [first, second] = ["a", "b"].map(|name| domains.make(name, &[]).unwrap());
    for domain in [first, second] {
        assert_eq!(domains.run(domain, "Count", ""), Ok(1));
        assert_eq!(domains.run(domain, "Watch", "unloaded"), Ok(1));
    }
    assert_eq!(monitored(first), E_NOTIMPL);
    let loaded = || domains.run(1, "Loaded", "hosted").unwrap();
    assert_eq!(loaded(), 3);
    assert_eq!(call(&domains.host, "Property", "unloaded"), Ok(-1));
    assert_eq!(domains.unload(first, true), S_OK);
    assert_eq!(loaded(), 2);
    assert_eq!(call(&domains.host, "Property", "unloaded"), Ok(8));
    assert_eq!(domains.run(second, "Count", ""), Ok(2));
    // Gone for good.
    let gone = COR_E_APPDOMAINUNLOADED;
    assert_eq!(monitored(first), gone);
    for waits in [true, false] {
        assert_eq!(domains.unload(first, waits), gone);
    }
    assert_eq!(domains.run(first, "Count", ""), Err(gone));
    assert_eq!(domains.pointer(first, "CountFromNative"), Err(gone));
    assert_eq!(domains.inside(first, || panic!()), gone);
    // SAFETY: the object is alive, and checks its parameters.
    unsafe {
        let host = &domains.host;
        assert_eq!(host.UnloadAppDomain2(first, true.into(), Out::null()), gone);
        for unknown in [0, 1, 7, u32::MAX] {
            let answer = host.UnloadAppDomain2(unknown, true.into(), Out::null());
            assert_eq!(answer, HOST_E_INVALIDOPERATION, "{unknown}");
        }
        let mut code = 7;
        let answer = host.UnloadAppDomain2(second, true.into(), Out::new(&mut code));
        assert_eq!((answer, code), (S_OK, 0));
    }
    assert_eq!(loaded(), 1);
    // Numbers are not used again.
    assert_eq!(domains.make("c", &[]), Ok(second + 1));
    // A handler that throws keeps nothing.
    assert_eq!(domains.run(second + 1, "ThrowAtTheEnd", "no"), Ok(1));
    assert_eq!(domains.unload(second + 1, true), S_OK);
}

pub fn pointers_outlive_their_domain(library: &Library, version: &str) {
    let domains = Domains::start(library, version);
    let domain = domains.make("going", &[]).unwrap();
    let pointer = domains.pointer(domain, "CountFromNative").unwrap();
    // SAFETY: the method has this signature.
    let count: extern "C" fn() -> i32 = unsafe { std::mem::transmute(pointer) };
    assert_eq!([count(), count()], [1, 2]);
    assert_eq!(domains.unload(domain, true), S_OK);
    assert_eq!(count(), 0);
    // Another domain may have its code in the same place.
    let other = domains.make("coming", &[]).unwrap();
    let pointer = domains.pointer(other, "CountFromNative").unwrap();
    // SAFETY: the method has this signature.
    let other: extern "C" fn() -> i32 = unsafe { std::mem::transmute(pointer) };
    assert_eq!([other(), count(), other()], [1, 0, 2]);
}

/// A thread that stays in a domain until it may leave.
struct Stays {
    is_there: AtomicBool,
    may_leave: AtomicBool,
}

pub fn an_unload_waits_for_threads(library: &Library, version: &str) {
    let domains = Arc::new(Shared(Domains::start(library, version)));
    let domain = domains.0.make("used", &[]).unwrap();
    assert_eq!(domains.0.run(domain, "Count", ""), Ok(1));
    let stays = Arc::new(Stays {
        is_there: AtomicBool::new(false),
        may_leave: AtomicBool::new(false),
    });
    let (own, there) = (domains.clone(), stays.clone());
    let thread = thread::spawn(move || {
        own.0.inside(domain, || {
            there.is_there.store(true, SeqCst);
            wait_for(|| there.may_leave.load(SeqCst));
            // No other may come in, and a thread that is there may not either.
            assert_eq!(own.0.run(domain, "Count", ""), Err(COR_E_APPDOMAINUNLOADED));
            assert_eq!(own.0.current(), domain);
        })
    });
    wait_for(|| stays.is_there.load(SeqCst));
    assert_eq!(domains.0.unload(domain, false), S_OK);
    assert_eq!(
        domains.0.run(domain, "Count", ""),
        Err(COR_E_APPDOMAINUNLOADED)
    );
    // It can be asked for again, and is waited for.
    assert_eq!(domains.0.unload(domain, false), S_OK);
    let own = domains.clone();
    let waits = thread::spawn(move || own.0.unload(domain, true));
    stays.may_leave.store(true, SeqCst);
    assert_eq!(thread.join().unwrap(), S_FALSE);
    let answer = waits.join().unwrap();
    // It may have been gone before that thread asked.
    assert!(
        [S_OK, COR_E_APPDOMAINUNLOADED].contains(&answer),
        "{answer:?}"
    );
    assert_eq!(domains.0.unload(domain, true), COR_E_APPDOMAINUNLOADED);
}

pub fn a_thread_does_not_wait_for_itself(library: &Library, version: &str) {
    let domains = Domains::start(library, version);
    let [outer, inner] = ["a", "b"].map(|name| domains.make(name, &[]).unwrap());
    let answer = domains.inside(outer, || {
        assert_eq!(
            domains.inside(inner, || {
                for domain in [outer, inner] {
                    assert_eq!(domains.unload(domain, true), COR_E_CANNOTUNLOADAPPDOMAIN);
                }
            }),
            S_FALSE
        );
        assert_eq!(domains.unload(inner, true), S_OK);
        // Nothing was begun, so it still takes threads.
        assert_eq!(domains.run(outer, "Count", ""), Ok(1));
        assert_eq!(domains.unload(outer, false), S_OK);
        assert_eq!(domains.current(), outer);
    });
    assert_eq!(answer, S_FALSE);
    wait_for(|| domains.unload(outer, false) == COR_E_APPDOMAINUNLOADED);
}

/// Something of the framework refers to it, or native code.
pub fn what_holds_a_domain_is_waited_for(library: &Library, version: &str) {
    let domains = Domains::start(library, version);
    let domain = domains.make("held", &[]).unwrap();
    let pointer = domains.pointer(domain, "HoldFromNative").unwrap();
    // SAFETY: the method has this signature.
    let hold: extern "C" fn() -> isize = unsafe { std::mem::transmute(pointer) };
    let handle = hold();
    assert_ne!(handle, 0);
    assert_eq!(domains.unload(domain, true), HOST_E_TIMEOUT);
    assert_eq!(
        domains.run(domain, "Count", ""),
        Err(COR_E_APPDOMAINUNLOADED)
    );
    assert_eq!(hold(), 0, "it takes no threads");
    assert_eq!(domains.run(1, "Free", &handle.to_string()), Ok(1));
    assert_eq!(domains.unload(domain, true), S_OK);
    assert_eq!(domains.unload(domain, true), COR_E_APPDOMAINUNLOADED);
}

/// Prints the number of the domain.
#[implement(IActionOnCLREvent)]
struct Action;

impl IActionOnCLREvent_Impl for Action_Impl {
    unsafe fn OnEvent(&self, event: EClrEvent, data: *mut c_void) -> HRESULT {
        assert_eq!(event, Event_DomainUnload);
        GONE.lock().unwrap().push(data as usize);
        println!("event of {}", data as usize);
        S_OK
    }
}

static GONE: Mutex<Vec<usize>> = Mutex::new(Vec::new());

pub fn the_end_of_a_domain_is_told(library: &Library, version: &str) {
    let host = library.host(version);
    watch(&host, S_OK);
    let events = manager::<ICLROnEventManager>(&control(&host)).unwrap();
    let action: IActionOnCLREvent = ComObject::new(Action).into_interface();
    // SAFETY: the object is alive during the call.
    let answer = unsafe { events.RegisterActionOnEvent(Event_DomainUnload, Lent::new(&action)) };
    assert_eq!(answer, S_OK);
    start(&host);
    let domains = Domains::of(library, host);
    let [first, second] = ["a", "b"].map(|name| domains.make(name, &[]).unwrap());
    for domain in [first, second] {
        assert_eq!(domains.run(domain, "Count", ""), Ok(1));
    }
    assert_eq!(domains.unload(first, true), S_OK);
    assert_eq!(*GONE.lock().unwrap(), [first as usize]);
    assert_eq!(domains.unload(second, false), S_OK);
    wait_for(|| GONE.lock().unwrap().len() == 2);
    // No host has the number of a domain whose manager fails.
    let path = crate::api::assembly();
    let failing = Some((path.to_str().unwrap(), "Soglia.Hosted.FailingManager"));
    let failed = domains.managed("c", &[], failing);
    assert_eq!(failed, Err(COR_E_NOTSUPPORTED));
    wait_for(|| domains.unload(second + 1, false) == COR_E_APPDOMAINUNLOADED);
    assert_eq!(GONE.lock().unwrap().len(), 2);
}

pub fn many_domains_come_and_go(library: &Library, version: &str) {
    let domains = Arc::new(Shared(Domains::start(library, version)));
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let domains = domains.clone();
            thread::spawn(move || {
                for _ in 0..10 {
                    let domains = &domains.0;
                    let domain = domains.make("one of many", &[]).unwrap();
                    assert_eq!(domains.run(domain, "Count", ""), Ok(1));
                    let pointer = domains.pointer(domain, "CountFromNative").unwrap();
                    // SAFETY: the method has this signature.
                    let count: extern "C" fn() -> i32 = unsafe { std::mem::transmute(pointer) };
                    assert_eq!(count(), 2);
                    assert_eq!(domains.unload(domain, true), S_OK);
                    assert_eq!(count(), 0);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(domains.0.make("the last", &[]), Ok(42));
}

pub fn a_task_in_a_domain_is_aborted(library: &Library, version: &str) {
    let host = library.host(version);
    let tasks = manager::<ICLRTaskManager>(&control(&host)).unwrap();
    set_control(&host, &script(|_, _| S_OK));
    start(&host);
    let domains = Arc::new(Shared((Domains::of(library, host), tasks)));
    let domain = domains.0.0.make("aborted", &[]).unwrap();
    let place = Arc::new(Mutex::new(None));
    let (own, given) = (domains.clone(), place.clone());
    let thread = thread::spawn(move || {
        let (domains, tasks) = &own.0;
        let mut task = null_mut();
        assert_eq!(domains.run(domain, "Count", ""), Ok(1));
        // SAFETY: a place for the answer, which is lent.
        let task = unsafe {
            assert_eq!(tasks.GetCurrentTask(Out::new(&mut task)), S_OK);
            ICLRTask2::from_raw_borrowed(&task).unwrap().clone()
        };
        *given.lock().unwrap() = Some(Shared(task));
        let path = crate::api::assembly();
        let (file, class) = (path.to_str().unwrap(), "Soglia.Hosted.Entry");
        let aborted = domains.run_in(domain, file, class, "Wait", "");
        (aborted, domains.run(domain, "Count", ""))
    });
    wait_for(|| place.lock().unwrap().is_some());
    let task = place.lock().unwrap().take().unwrap();
    // As soon as there is something to abort.
    // SAFETY: the object is alive, and its method takes no pointers.
    wait_for(|| unsafe { task.0.Abort() } == S_OK);
    let (aborted, count) = thread.join().unwrap();
    assert_eq!((aborted, count), (Err(COR_E_THREADABORTED), Ok(2)));
    assert_eq!(domains.0.0.unload(domain, true), S_OK);
}
