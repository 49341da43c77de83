//! A host that is notified of crossings, and what goes on beside: errors, collections, threads that
//! end, stops.

use std::sync::{
    Arc, Mutex,
    atomic::{
        AtomicBool, AtomicI32,
        Ordering::{Acquire, Relaxed, Release},
    },
    mpsc,
};

use soglia_abi::hresult::*;

use crate::{
    api::{Library, start},
    script::{self, Acting, Told, wait_for},
};

/// A host may do what it likes to errno.
pub fn errors_are_unharmed(library: &Library, version: &str) {
    let acting = Acting::new(library, version, |_, _| {
        // SAFETY: each thread has an errno of its own, which is always there.
        unsafe { *libc::__errno_location() = 99 };
        S_OK
    });
    for _ in 0..3 {
        assert_eq!(acting.get("LastError", "13"), 13);
        assert_eq!(acting.get("Call", "errno"), 77);
        assert_eq!(acting.get("Call", "error"), 11);
    }
}

/// Each of the four, held up: the collector does not wait.
pub fn a_host_may_block(library: &Library, version: &str) {
    let held = Arc::new(AtomicI32::new(0));
    let which = Arc::new(Mutex::new(None));
    let go = Arc::new(AtomicBool::new(false));
    let script = (held.clone(), which.clone(), go.clone());
    let acting = Acting::new(library, version, move |_, told| {
        let (held, which, go) = &script;
        if *which.lock().unwrap() == Some(std::mem::discriminant(&told)) {
            held.fetch_add(1, Release);
            wait_for(|| go.load(Acquire));
        }
        S_OK
    });
    let acting = Arc::new(acting);
    acting.get("Call", "callback");
    acting.get("Call", "callback-delegate");
    for told in [
        Told::Leave(0),
        Told::Enter,
        Told::ReverseEnter,
        Told::ReverseLeave,
        Told::GetTask,
        Told::SetTask,
    ] {
        for kind in ["callback", "callback-delegate", "thread", "thread-delegate"] {
            if matches!(told, Told::GetTask | Told::SetTask) && !kind.starts_with("thread") {
                continue;
            }
            held.store(0, Relaxed);
            go.store(false, Relaxed);
            *which.lock().unwrap() = Some(std::mem::discriminant(&told));
            let (done, is_done) = mpsc::channel();
            let other = acting.clone();
            let thread = std::thread::spawn(move || {
                let value = other.get("Call", kind);
                done.send(()).unwrap();
                value
            });
            wait_for(|| held.load(Acquire) > 0);
            // Not by this thread, which is not to be held up itself.
            assert_eq!(acting.get("Collect", "3"), 3, "{told:?} {kind}");
            assert!(is_done.try_recv().is_err(), "{told:?} {kind} waits");
            *which.lock().unwrap() = None;
            go.store(true, Release);
            assert_eq!(thread.join().unwrap(), 11);
        }
    }
}

pub fn tasks_end_with_their_threads(library: &Library, version: &str) {
    let acting = Acting::agreeing(library, version);
    let alive = || acting.script.made.load(Acquire) - acting.script.gone.load(Acquire);
    assert_eq!(acting.get("Call", "plain"), 2);
    assert_eq!(alive(), 1);
    assert_eq!(acting.get("Threads", "callback 10"), 110);
    assert_eq!(acting.get("Call", "thread"), 11);
    assert_eq!(acting.get("Call", "thread-delegate"), 11);
    wait_for(|| alive() == 1);
    assert_eq!(acting.script.made.load(Acquire), 13);
    acting.script.lines();
    // A thread that ends in the middle of a native call.
    assert_eq!(acting.get("EndThread", ""), 1);
    wait_for(|| alive() == 1);
    assert_eq!(acting.script.line(), "T S N(end_thread) L(end_thread)");
    assert_eq!(acting.get("Collect", "2"), 2);
    assert_eq!(acting.get("Call", "plain"), 2);
    // A thread that the host has started.
    std::thread::scope(|scope| {
        scope
            .spawn(|| assert_eq!(acting.get("Call", "plain"), 2))
            .join()
            .unwrap();
    });
    wait_for(|| alive() == 1);
}

pub fn contexts_come_and_go(library: &Library, version: &str) {
    let acting = Acting::agreeing(library, version);
    assert_eq!(acting.get("Contexts", "10"), 10);
    let [leave, enter, reverse_enter, reverse_leave] = acting.script.counted();
    assert_eq!((leave, reverse_enter), (enter, reverse_leave));
    assert!(leave >= 50, "{leave}");
}

pub fn many_threads_lose_no_pair(library: &Library, version: &str) {
    let acting = Acting::agreeing(library, version);
    acting.script.deaf.store(true, Relaxed);
    assert_eq!(acting.get("Hammer", "64 2000"), 0);
    let [leave, enter, reverse_enter, reverse_leave] = acting.script.counted();
    assert_eq!((leave, reverse_enter), (enter, reverse_leave));
    assert!(leave > 1000 && reverse_enter > 1000);
    // All of its threads have ended; this one has joined them.
    wait_for(|| acting.script.made.load(Acquire) == acting.script.gone.load(Acquire) + 1);
}

/// The runtime goes on when a host has stopped it, for the threads in managed code.
pub fn stopping_while_tasks_are_out(library: &Library, version: &str) {
    let held = Arc::new((
        AtomicBool::new(false),
        AtomicBool::new(false),
        AtomicBool::new(false),
    ));
    let script = held.clone();
    let acting = Acting::new(library, version, move |_, told| {
        let (hold, is_held, go) = &*script;
        if matches!(told, Told::Leave(_)) && hold.swap(false, Relaxed) {
            is_held.store(true, Release);
            wait_for(|| go.load(Acquire));
        }
        S_OK
    });
    acting.get("Call", "callback");
    acting.script.lines();
    let (hold, is_held, go) = &*held;
    hold.store(true, Relaxed);
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| acting.get("Call", "callback"));
        wait_for(|| is_held.load(Acquire));
        // SAFETY: the object is alive, and its method takes no pointers.
        unsafe {
            assert_eq!(acting.host.Stop(), S_OK);
            assert_eq!(acting.host.Stop(), HOST_E_CLRNOTAVAILABLE);
        }
        assert_eq!(acting.run("Call", "plain"), Err(HOST_E_CLRNOTAVAILABLE));
        go.store(true, Release);
        assert_eq!(thread.join().unwrap(), 11);
    });
    assert_eq!(acting.script.line(), "T S L(call_back) R V E");
    start(&acting.host);
    assert_eq!(acting.get("Call", "plain"), 2);
}

/// There is one task manager in a process: the first that was given.
pub fn the_first_of_two_hosts_is_told(library: &Library, version: &str) {
    let (first, second) = (library.host(version), library.host(version));
    let (told, untold) = (script::script(|_, _| S_OK), script::script(|_, _| S_OK));
    script::set_control(&first, &told);
    script::set_control(&second, &untold);
    start(&second);
    start(&first);
    let acting = Acting::joined(library, second, told);
    assert_eq!(acting.get("Call", "callback"), 11);
    assert_eq!(script::run(&first, "Call", "plain"), Ok(2));
    assert_eq!(
        acting.script.line(),
        "N(call_back) T S L(call_back) R V E N(plain) L(plain) E"
    );
    assert!(untold.lines().is_empty());
}

/// Where the runtime runs already, a host gets no more notifications.
pub fn a_late_host_is_not_told(library: &Library, version: &str) {
    let host = library.host(version);
    start(&host);
    let late = script::script(|_, _| S_OK);
    assert_eq!(
        script::try_control(&library.host(version), &late),
        E_ACCESSDENIED
    );
    let acting = Acting::joined(library, host, late);
    assert_eq!(acting.get("Call", "callback"), 11);
    assert!(acting.script.lines().is_empty());
}
