//! Aborts of tasks that neither cross nor wait.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    thread::{self, JoinHandle},
    time::Duration,
};

use soglia_abi::{
    HRESULT,
    hosting::{
        clr_task::ICLRTask2,
        policy::{
            EClrOperation, EPolicyAction, FAIL_StackOverflow, ICLRPolicyManager, OPR_ThreadAbort,
            OPR_ThreadRudeAbortInNonCriticalRegion, eFastExitProcess, eRudeAbortThread,
            eThrowException,
        },
        runtime_host::ICLRRuntimeHost4,
    },
    hresult::*,
};

use crate::{
    aborts::{ABORTED, Host, abort, ask},
    api::{self, Library, assembly, call_in, control, manager},
    cases::{Case, case},
    script::wait_for,
    watch::watch,
};

const POLLS: &[(&str, &str)] = &[("SOGLIA_POLLS", "1")];

pub const CASES: &[Case] = &[
    polling("loops_are_aborted", loops_are_aborted),
    polling("blocks_run_to_their_end", blocks_run_to_their_end),
    polling("a_rude_abort_ends_everything", a_rude_abort_ends_everything),
    polling("recursion_ends_by_an_exception", recursion_ends),
    polling("others_go_on", others_go_on),
    case("without_a_wish_nothing_polls", without_a_wish_nothing_polls),
    case(
        "an_overflow_becomes_an_exception",
        an_overflow_becomes_an_exception,
    ),
    Case {
        tells: &["default action 0 2", "timeout 0 3", "default action 1 3"],
        ..case("an_abort_that_takes_long_becomes_rude", becomes_rude)
    },
    Case {
        exit_code: 0x29,
        tells: &["timeout 0 3", "timeout 1 7"],
        never_tells: &["event"],
        ..case(
            "an_abort_that_takes_longer_ends_the_process",
            ends_the_process,
        )
    },
    case("policies_have_an_order", policies_have_an_order),
];

const fn polling(name: &'static str, run: fn(&Library, &str)) -> Case {
    Case {
        environment: POLLS,
        ..case(name, run)
    }
}

fn call(host: &ICLRRuntimeHost4, name: &str, argument: &str) -> Result<i32, HRESULT> {
    let path = assembly();
    call_in(
        host,
        path.to_str().unwrap(),
        "Soglia.Hosted.Loops",
        name,
        argument,
    )
}

/// That of an `InsufficientExecutionStackException`.
const INSUFFICIENT: HRESULT = HRESULT(0x8013_1578_u32 as i32);

fn rude(task: &ICLRTask2) -> HRESULT {
    // SAFETY: the object is alive, and its method takes no pointers.
    unsafe { task.RudeAbort() }
}

/// How a method has ended, and another one after it.
type Ends = (Result<i32, HRESULT>, Result<i32, HRESULT>);

/// Starts a method on a task, and waits until it is inside.
fn begun(host: &Host, method: &'static str) -> (ICLRTask2, JoinHandle<Ends>) {
    let began = call(&host.host, "Began", "").unwrap();
    let (task, thread) = host.task(move |host, _| {
        let result = call(host, method, "text");
        // The thread is as good as before.
        (result, call(host, "Sum", "300"))
    });
    wait_for(|| thread.is_finished() || call(&host.host, "Began", "").unwrap() > began);
    thread::sleep(Duration::from_millis(30));
    (task, thread)
}

/// Starts a method on a task, aborts it once it is inside, and returns how it ended.
fn aborted(host: &Host, method: &'static str, abort: impl Fn(&ICLRTask2)) -> Ends {
    let (task, thread) = begun(host, method);
    if !thread.is_finished() {
        abort(&task);
    }
    wait_for(|| thread.is_finished());
    thread.join().unwrap()
}

pub fn loops_are_aborted(library: &Library, version: &str) {
    let host = Host::start(library, version);
    let methods = [
        "While",
        "Do",
        "ForEach",
        "Goto",
        "Optimized",
        "Exponential",
        "Lambda",
        "Generic",
        "Finally",
    ];
    for method in methods {
        assert_eq!(
            aborted(&host, method, abort),
            (ABORTED, Ok(100)),
            "{method}"
        );
    }
    let (once, _) = aborted(&host, "Once", abort);
    assert_eq!(once, Ok(COR_E_THREADABORTED.0));
}

pub fn blocks_run_to_their_end(library: &Library, version: &str) {
    let host = Host::start(library, version);
    assert_eq!(aborted(&host, "Finally", abort), (ABORTED, Ok(100)));
    assert_eq!(call(&host.host, "Ended", ""), Ok(1));
    assert_eq!(held_back(&host, "InFinally"), ABORTED);
    // A rude abort leaves the type unusable.
    assert_eq!(held_back(&host, "Constructor"), ABORTED);
    const NOT_INITIALIZED: HRESULT = HRESULT(0x8013_1534_u32 as i32);
    assert_eq!(call(&host.host, "Constructor", ""), Err(NOT_INITIALIZED));
}

/// Aborts a task in vain, and then rudely.
fn held_back(host: &Host, method: &'static str) -> Result<i32, HRESULT> {
    let (task, thread) = begun(host, method);
    abort(&task);
    thread::sleep(Duration::from_millis(100));
    assert!(!thread.is_finished(), "{method}");
    assert_eq!(rude(&task), S_OK);
    thread.join().unwrap().0
}

pub fn a_rude_abort_ends_everything(library: &Library, version: &str) {
    let host = Host::start(library, version);
    let rudely = |task: &ICLRTask2| assert_eq!(rude(task), S_OK);
    for method in [
        "While",
        "InFinally",
        "Stubborn",
        "StubbornByCalls",
        "Sleepless",
    ] {
        assert_eq!(
            aborted(&host, method, rudely),
            (ABORTED, Ok(100)),
            "{method}"
        );
    }
    // What a filter throws is lost, and the exception that it was asked about goes on.
    let (filter, _) = aborted(&host, "Filter", rudely);
    assert_eq!(filter, Err(COR_E_INVALIDOPERATION));
    let after_an_abort = |task: &ICLRTask2| {
        assert_eq!(ask(task), S_OK);
        thread::sleep(Duration::from_millis(30));
        rudely(task);
    };
    assert_eq!(
        aborted(&host, "Stubborn", after_an_abort),
        (ABORTED, Ok(100))
    );
}

pub fn recursion_ends(library: &Library, version: &str) {
    let host = Host::start(library, version);
    let methods = [
        "Recurse",
        "RecurseByInterface",
        "RecurseInGeneric",
        "RecurseByDelegate",
    ];
    for method in methods {
        for _ in 0..3 {
            assert_eq!(call(&host.host, method, ""), Err(INSUFFICIENT), "{method}");
        }
    }
}

/// One task is aborted again and again, and the others compute what they should.
pub fn others_go_on(library: &Library, version: &str) {
    let host = Host::start(library, version);
    let (others, threads): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| {
            host.task(|host, _| {
                (0..20)
                    .map(|_| call(host, "Sum", "3000000"))
                    .collect::<Vec<_>>()
            })
        })
        .unzip();
    for _ in 0..20 {
        let (task, thread) = host.task(|host, _| call(host, "While", ""));
        abort(&task);
        assert_eq!(thread.join().unwrap(), ABORTED);
    }
    for thread in threads {
        assert!(
            thread
                .join()
                .unwrap()
                .iter()
                .all(|sum| *sum == Ok(1_000_000))
        );
    }
    drop(others);
}

pub fn without_a_wish_nothing_polls(library: &Library, version: &str) {
    let host = Host::start(library, version);
    let (task, _thread) = host.task(|host, _| call(host, "While", ""));
    wait_for(|| call(&host.host, "Began", "") == Ok(1));
    assert_eq!(ask(&task), S_OK);
    thread::sleep(Duration::from_millis(200));
    // It still runs, so there is still something to abort.
    assert_eq!(rude(&task), S_OK);
}

fn policy(host: &ICLRRuntimeHost4) -> ICLRPolicyManager {
    manager(&control(host)).unwrap()
}

pub fn an_overflow_becomes_an_exception(library: &Library, version: &str) {
    let mut kept = None;
    let host = Host::start_after(library, version, |host| {
        kept = Some(policy(host));
        // SAFETY: the object is alive, and its method takes no pointers.
        let set = unsafe { policy(host).SetActionOnFailure(FAIL_StackOverflow, eThrowException) };
        assert_eq!(set, S_OK);
    });
    assert_eq!(call(&host.host, "Recurse", ""), Err(INSUFFICIENT));
    let kept = kept.unwrap();
    // SAFETY: the object is alive, and its method takes no pointers.
    let late = unsafe { kept.SetActionOnFailure(FAIL_StackOverflow, eThrowException) };
    assert_eq!(late, E_NOTIMPL);
}

pub fn becomes_rude(library: &Library, version: &str) {
    let host = Host::start_after(library, version, |host| {
        watch(host, S_OK);
        let policy = policy(host);
        // SAFETY: the object is alive, and its method takes no pointers.
        let set = unsafe { policy.SetTimeoutAndAction(OPR_ThreadAbort, 100, eRudeAbortThread) };
        assert_eq!(set, S_OK);
    });
    for method in ["While", "Stubborn", "InFinally"] {
        assert_eq!(
            aborted(&host, method, abort),
            (ABORTED, Ok(100)),
            "{method}"
        );
    }
}

static HANGS: AtomicBool = AtomicBool::new(false);

extern "C" fn hang() {
    HANGS.store(true, SeqCst);
    thread::sleep(Duration::from_secs(600));
}

pub fn ends_the_process(library: &Library, version: &str) {
    let host = Host::start_after(library, version, |host| {
        watch(host, S_OK);
        let policy = policy(host);
        let rude = OPR_ThreadRudeAbortInNonCriticalRegion;
        // SAFETY: the object is alive, and its methods take no pointers.
        unsafe {
            assert_eq!(policy.SetTimeout(OPR_ThreadAbort, 50), S_OK);
            let then = policy.SetActionOnTimeout(OPR_ThreadAbort, eRudeAbortThread);
            assert_eq!(then, S_OK);
            let then = policy.SetTimeoutAndAction(rude, 100, eFastExitProcess);
            assert_eq!(then, S_OK);
        }
    });
    let (task, thread) = host.task(|host, _| {
        let hang = (hang as *const () as usize).to_string();
        api::call(host, "CallBack", &hang)
    });
    wait_for(|| HANGS.load(SeqCst));
    abort(&task);
    panic!("still here: {:?}", thread.join());
}

/// Each operation has a least severe action, and what follows a timeout has to be more severe.
pub fn policies_have_an_order(library: &Library, version: &str) {
    let host = library.host(version);
    let policy = policy(&host);
    let operations: Vec<_> = (0..8).map(EClrOperation).collect();
    let actions: Vec<_> = (0..11).map(EPolicyAction).collect();
    let least = [2, 3, 3, 4, 5, 6, 0];
    for (operation, least) in operations.iter().zip(least) {
        for action in &actions {
            let known = action.0 < 10;
            // SAFETY: the object is alive, and its methods take no pointers.
            let (by_default, on_timeout) = unsafe {
                (
                    policy.SetDefaultAction(*operation, *action),
                    policy.SetActionOnTimeout(*operation, *action),
                )
            };
            let invalid = [!known || action.0 < least, !known || action.0 <= least];
            for (answer, invalid) in [by_default, on_timeout].into_iter().zip(invalid) {
                assert_eq!(answer == E_INVALIDARG, invalid, "{operation:?} {action:?}");
                assert!([S_OK, E_NOTIMPL, E_INVALIDARG].contains(&answer));
            }
            let exits = [6, 7, 8].contains(&action.0);
            if operation.0 < 3 {
                let able = exits || action.0 == 3 || action.0 == 2;
                assert_eq!(
                    by_default == S_OK,
                    able && !invalid[0],
                    "{operation:?} {action:?}"
                );
                assert_eq!(
                    on_timeout == S_OK,
                    able && !invalid[1],
                    "{operation:?} {action:?}"
                );
            }
        }
    }
    // SAFETY: the object is alive, and its methods take no pointers.
    unsafe {
        for operation in &operations[..7] {
            assert_eq!(policy.SetTimeout(*operation, u32::MAX), S_OK);
            let bounded = policy.SetTimeout(*operation, 1000);
            assert_eq!(bounded, if operation.0 < 3 { S_OK } else { E_NOTIMPL });
        }
        assert_eq!(policy.SetTimeout(operations[7], 1000), E_INVALIDARG);
    }
}
