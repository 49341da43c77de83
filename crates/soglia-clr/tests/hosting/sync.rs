//! Waits of threads on events of a host.

use std::{ptr::null_mut, sync::Mutex, thread};

use soglia_abi::{
    HRESULT,
    hosting::{
        clr_task::{ICLRTask2, ICLRTaskManager},
        runtime_host::ICLRRuntimeHost4,
    },
    hresult::*,
    param::Out,
};
use windows_core::Interface;

use crate::{
    api::{self, Library, assembly, call_in, control, manager},
    cases::{Case, case},
    detector::{detects, detects_without_tasks},
    host::Shared,
    script::wait_for,
};

pub const CASES: &[Case] = &[
    case("a_deadlock_is_broken", a_deadlock_is_broken),
    case("threads_wait_on_events", threads_wait_on_events),
    case("a_host_answers_waits", a_host_answers_waits),
    case("threads_contend", threads_contend),
    case("owners_are_told", owners_are_told),
    case(
        "a_wait_on_an_event_is_aborted",
        a_wait_on_an_event_is_aborted,
    ),
    case("events_need_tasks", events_need_tasks),
];

fn call(host: &ICLRRuntimeHost4, name: &str, argument: &str) -> Result<i32, HRESULT> {
    let path = assembly();
    call_in(
        host,
        path.to_str().unwrap(),
        "Soglia.Hosted.Locks",
        name,
        argument,
    )
}

const OUT_OF_RANGE: HRESULT = HRESULT(0x8013_1502_u32 as i32);
const INTERRUPTED: i32 = COR_E_THREADINTERRUPTED.0;

/// Each thread has a lock and waits for the next one's; the host finds that, and frees one thread.
pub fn a_deadlock_is_broken(library: &Library, version: &str) {
    let host = library.host(version);
    let detector = detects(&host);
    for kind in ["plain", "hashed", "writer", "lock"] {
        // .NET 8 has no such lock.
        if kind == "lock" && version.starts_with("8.") {
            continue;
        }
        for count in [2, 3, 5] {
            let answer = call(&host, "Deadlock", &format!("{kind} {count}"));
            assert_eq!(answer, Ok(1000 + count - 1), "{kind} {count}");
            let told = detector.told(&["Wait"]);
            assert!(told.iter().all(|line| line == "Wait -1 2"), "{told:?}");
            assert!(told.len() >= count as usize, "{told:?}");
        }
    }
}

pub fn threads_wait_on_events(library: &Library, version: &str) {
    let host = library.host(version);
    let detector = detects(&host);
    assert_eq!(call(&host, "Handover", "50"), Ok(1));
    let told = detector.told(&["SetCLRSyncManager", "CreateMonitorEvent", "Wait", "Set"]);
    assert_eq!(
        told[..3],
        ["SetCLRSyncManager", "CreateMonitorEvent", "Wait -1 2"],
        "{told:?}"
    );
    assert!(told[3..].iter().any(|line| line == "Set"), "{told:?}");
    // The event is there already.
    for kind in ["plain", "hashed"] {
        assert_eq!(call(&host, "Wait", &format!("200 {kind}")), Ok(0));
        let told = detector.told(&["CreateMonitorEvent", "Wait"]);
        assert!(
            told[0].starts_with("Wait ") && told[0].ends_with(" 2"),
            "{told:?}"
        );
    }
    // What is not to wait, does not.
    assert_eq!(call(&host, "Wait", "0 plain"), Ok(0));
    assert_eq!(call(&host, "Wait", "-2 plain"), Ok(OUT_OF_RANGE.0));
    assert_eq!(detector.told(&["Wait"]), Vec::<String>::new());
    for time in ["-1", "1000000"] {
        assert_eq!(call(&host, "Interrupt", time), Ok(INTERRUPTED));
        // None if the thread had no task yet.
        assert!(detector.told(&["Alert"]).len() <= 1);
    }
}

/// Whatever a host answers, the lock is what it is.
pub fn a_host_answers_waits(library: &Library, version: &str) {
    let host = library.host(version);
    let detector = detects(&host);
    let handover = |method, answer| {
        detector.answers(method, answer);
        detector.told(&[]);
        assert_eq!(call(&host, "Handover", "30"), Ok(1), "{method} {answer:?}");
        detector.told(&[method])
    };
    // There is no event, or none that is S_OK: .NET waits.
    for answer in [E_NOTIMPL, S_OK, S_FALSE, E_OUTOFMEMORY] {
        let told = handover("CreateMonitorEvent", answer);
        assert_eq!(told, ["CreateMonitorEvent"]);
    }
    assert_eq!(call(&host, "Wait", "10 plain"), Ok(0));
    detector.works();
    // It does not wait: .NET waits.
    for answer in [
        E_NOTIMPL,
        S_FALSE,
        HOST_E_ABANDONED,
        HOST_E_TIMEOUT,
        HOST_E_CLRNOTAVAILABLE,
        HOST_E_NOT_OWNER,
    ] {
        let told = handover("Wait", answer);
        assert_eq!(told, ["Wait -1 2"], "{answer:?}");
        assert_eq!(call(&host, "Wait", "10 plain"), Ok(0), "{answer:?}");
    }
    // It wakes threads for nothing, again and again.
    for answer in [S_OK, HOST_E_INTERRUPTED] {
        let told = handover("Wait", answer);
        assert!(
            told.len() > 1 && told.iter().all(|line| line == "Wait -1 2"),
            "{told:?}"
        );
        assert_eq!(call(&host, "Wait", "10 plain"), Ok(0));
    }
    // It ends a wait that is in no deadlock.
    detector.answers("Wait", HOST_E_DEADLOCK);
    for time in ["-1", "1000000"] {
        for kind in ["plain", "hashed"] {
            let answer = call(&host, "Wait", &format!("{time} {kind}"));
            assert_eq!(answer, Ok(HOST_E_DEADLOCK.0), "{time} {kind}");
        }
    }
    // The time is over, says the host.
    detector.answers("Wait", HOST_E_TIMEOUT);
    assert_eq!(call(&host, "Wait", "1000000 plain"), Ok(0));
    // And works again.
    detector.works();
    assert_eq!(call(&host, "Handover", "10"), Ok(1));
    // The last word of a host.
    detector.answers("Wait", E_FAIL);
    assert_eq!(call(&host, "Handover", "10"), Ok(1));
    assert_eq!(call(&host, "Handover", "10"), Err(HOST_E_CLRNOTAVAILABLE));
}

pub fn threads_contend(library: &Library, version: &str) {
    let host = library.host(version);
    let detector = detects(&host);
    detector.storms(|seed| call(&host, "Contend", &format!("64 200 {seed}")));
}

pub fn owners_are_told(library: &Library, version: &str) {
    let host = library.host(version);
    let detector = detects(&host);
    assert_eq!(call(&host, "Handover", "10"), Ok(1));
    let clr = detector.clr();
    let (mut task, mut list) = (std::ptr::dangling_mut(), 0);
    // SAFETY: the object is alive, and the pointers are to locals, or null.
    unsafe {
        assert_eq!(clr.GetMonitorOwner(7, Out::new(&mut task)), S_OK);
        assert!(task.is_null());
        assert_eq!(clr.GetMonitorOwner(7, Out::null()), E_POINTER);
        assert_eq!(clr.CreateRWLockOwnerIterator(7, Out::null()), E_POINTER);
        assert_eq!(clr.CreateRWLockOwnerIterator(7, Out::new(&mut list)), S_OK);
        for _ in 0..2 {
            assert_eq!(clr.GetRWLockOwnerNext(list, Out::new(&mut task)), S_OK);
            assert!(task.is_null());
        }
        assert_eq!(clr.GetRWLockOwnerNext(list, Out::null()), E_POINTER);
        assert_eq!(clr.DeleteRWLockOwnerIterator(list), S_OK);
        assert_eq!(clr.DeleteRWLockOwnerIterator(list), E_INVALIDARG);
        assert_eq!(
            clr.GetRWLockOwnerNext(list, Out::new(&mut task)),
            E_INVALIDARG
        );
    }
}

pub fn a_wait_on_an_event_is_aborted(library: &Library, version: &str) {
    let host = library.host(version);
    let tasks = manager::<ICLRTaskManager>(&control(&host)).unwrap();
    let detector = detects(&host);
    let place = Mutex::new(None);
    thread::scope(|scope| {
        let shared = Shared((host.clone(), tasks.clone()));
        let place = &place;
        let victim = scope.spawn(move || {
            let (host, tasks) = &{ &shared }.0;
            assert_eq!(api::call(host, "Nap", "1"), Ok(1));
            let mut task = null_mut();
            // SAFETY: a place for the answer, which is lent.
            let task = unsafe {
                assert_eq!(tasks.GetCurrentTask(Out::new(&mut task)), S_OK);
                ICLRTask2::from_raw_borrowed(&task).unwrap().clone()
            };
            *place.lock().unwrap() = Some(Shared(task));
            (api::call(host, "Enter", ""), api::call(host, "Nap", "2"))
        });
        wait_for(|| place.lock().unwrap().is_some());
        let task = place.lock().unwrap().take().unwrap().0;
        let waits = || {
            detector
                .told(&["Wait"])
                .iter()
                .any(|line| line == "Wait -1 2")
        };
        wait_for(waits);
        // SAFETY: the object is alive, and its method takes no pointers.
        assert_eq!(unsafe { task.Abort() }, S_OK);
        let answers = victim.join().unwrap();
        assert_eq!(answers, (Err(COR_E_THREADABORTED), Ok(2)));
    });
    assert_eq!(detector.told(&["Alert"]).len(), 1);
}

/// Without tasks, a host has no use for events.
pub fn events_need_tasks(library: &Library, version: &str) {
    let host = library.host(version);
    let detector = detects_without_tasks(&host);
    assert_eq!(call(&host, "Handover", "10"), Ok(1));
    let told = detector.told(&["SetCLRSyncManager", "CreateMonitorEvent", "Wait", "Set"]);
    assert_eq!(told, ["SetCLRSyncManager"]);
}
