//! A host that runs the work items of the thread pool.

use std::{
    cell::Cell,
    ffi::c_void,
    sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering::SeqCst},
    thread,
};

use soglia_abi::{
    HRESULT,
    hosting::{
        host_task::IHostTaskManager,
        runtime_host::ICLRRuntimeHost4,
        thread_pool::{IHostThreadpoolManager, IHostThreadpoolManager_Impl},
        types::LPTHREAD_START_ROUTINE,
    },
    hresult::*,
    param::{Lent, Out},
};
use windows_core::{ComObject, Interface, implement};

use crate::{
    api::{Library, assembly, call_in, start},
    cases::{Case, case},
    host::offers,
    script::{self, script, wait_for},
};

pub const CASES: &[Case] = &[
    case("a_host_runs_work_items", a_host_runs_work_items),
    case("a_host_declines_work_items", a_host_declines_work_items),
    case(
        "a_host_takes_turns_with_the_pool",
        a_host_takes_turns_with_the_pool,
    ),
    case("a_host_sets_the_pools_bounds", a_host_sets_the_pools_bounds),
    case("a_pool_that_fails", a_pool_that_fails),
    case("a_pool_without_tasks", a_pool_without_tasks),
];

/// What the host answers to `QueueUserWorkItem`, and to the others.
static QUEUES: AtomicI32 = AtomicI32::new(0);
static BOUNDS: AtomicI32 = AtomicI32::new(0);
/// Every other request is declined.
static ALTERNATES: AtomicBool = AtomicBool::new(false);
static ASKED: AtomicUsize = AtomicUsize::new(0);
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static OVER: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicU32 = AtomicU32::new(77);
static LEAST: AtomicU32 = AtomicU32::new(5);

thread_local! {
    static OWN: Cell<bool> = const { Cell::new(false) };
}

extern "C" fn is_own() -> i32 {
    OWN.get().into()
}

#[implement(IHostThreadpoolManager)]
struct Manager;

impl IHostThreadpoolManager_Impl for Manager_Impl {
    unsafe fn QueueUserWorkItem(
        &self,
        function: Option<LPTHREAD_START_ROUTINE>,
        context: *mut c_void,
        flags: u32,
    ) -> HRESULT {
        assert_eq!(flags, 0);
        let asked = ASKED.fetch_add(1, SeqCst);
        let answer = match ALTERNATES.load(SeqCst) && asked % 2 == 1 {
            true => E_NOTIMPL,
            false => HRESULT(QUEUES.load(SeqCst)),
        };
        if answer.is_ok() {
            TAKEN.fetch_add(1, SeqCst);
            let (function, context) = (function.unwrap(), context as usize);
            thread::spawn(move || {
                OWN.set(true);
                // SAFETY: the runtime wants this function called with its context.
                unsafe { function(context as *mut c_void) };
                OVER.fetch_add(1, SeqCst);
            });
        }
        answer
    }
    unsafe fn SetMaxThreads(&self, number: u32) -> HRESULT {
        let answer = HRESULT(BOUNDS.load(SeqCst));
        if answer == S_OK {
            MOST.store(number, SeqCst);
        }
        answer
    }
    unsafe fn GetMaxThreads(&self, mut number: Out<'_, u32>) -> HRESULT {
        number.write_if_wanted(MOST.load(SeqCst));
        HRESULT(BOUNDS.load(SeqCst))
    }
    unsafe fn GetAvailableThreads(&self, mut number: Out<'_, u32>) -> HRESULT {
        number.write_if_wanted(u32::MAX);
        HRESULT(BOUNDS.load(SeqCst))
    }
    unsafe fn SetMinThreads(&self, number: u32) -> HRESULT {
        let answer = HRESULT(BOUNDS.load(SeqCst));
        if answer == S_OK {
            LEAST.store(number, SeqCst);
        }
        answer
    }
    unsafe fn GetMinThreads(&self, mut number: Out<'_, u32>) -> HRESULT {
        number.write_if_wanted(LEAST.load(SeqCst));
        HRESULT(BOUNDS.load(SeqCst))
    }
}

/// A host with a thread pool, and with tasks if it wants them.
fn started(library: &Library, version: &str, has_tasks: bool) -> ICLRRuntimeHost4 {
    let host = library.host(version);
    let pool: IHostThreadpoolManager = ComObject::new(Manager).into_interface();
    let pool = (IHostThreadpoolManager::IID, pool.into());
    let control = match has_tasks {
        true => {
            let tasks = script::manager(&script(|_, _| S_OK));
            offers([pool, (IHostTaskManager::IID, tasks.into())])
        }
        false => offers([pool]),
    };
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(&host);
    host
}

fn try_run(host: &ICLRRuntimeHost4, method: &str, argument: &str) -> Result<i32, HRESULT> {
    let path = assembly();
    call_in(
        host,
        path.to_str().unwrap(),
        "Soglia.Hosted.Pool",
        method,
        argument,
    )
}

#[track_caller]
fn run(host: &ICLRRuntimeHost4, method: &str, argument: &str) -> i32 {
    try_run(host, method, argument).unwrap()
}

/// How many of 100 work items are on threads of the host.
fn on_own(host: &ICLRRuntimeHost4) -> i32 {
    run(
        host,
        "Ask",
        &format!("{} 100", is_own as *const () as usize),
    )
}

/// Everything that programs do with the pool.
fn everything_works(host: &ICLRRuntimeHost4) {
    assert_eq!(run(host, "Together", "8"), 8);
    assert_eq!(run(host, "Tasks", "200"), 2 * (199 * 200 / 2));
    assert_eq!(run(host, "IsPoolThread", ""), 1);
    assert_eq!(run(host, "WaitInside", ""), 7);
    assert!(run(host, "Counted", "8") >= 8);
}

pub fn a_host_runs_work_items(library: &Library, version: &str) {
    let host = started(library, version, true);
    assert_eq!(on_own(&host), 100);
    for _ in 0..5 {
        everything_works(&host);
    }
    assert_eq!(on_own(&host), 100);
    // The pool has made no thread.
    assert_eq!(run(&host, "Threads", ""), 0);
    wait_for(|| OVER.load(SeqCst) == TAKEN.load(SeqCst));
}

pub fn a_host_declines_work_items(library: &Library, version: &str) {
    let host = started(library, version, true);
    for answer in [E_NOTIMPL, E_OUTOFMEMORY, HOST_E_INVALIDOPERATION] {
        QUEUES.store(answer.0, SeqCst);
        assert_eq!(on_own(&host), 0);
    }
    everything_works(&host);
    assert!(ASKED.load(SeqCst) > 0);
    assert_eq!(TAKEN.load(SeqCst), 0);
}

pub fn a_host_takes_turns_with_the_pool(library: &Library, version: &str) {
    let host = started(library, version, true);
    ALTERNATES.store(true, SeqCst);
    BOUNDS.store(E_NOTIMPL.0, SeqCst);
    for _ in 0..5 {
        // The pool then has more threads of its own than it may have.
        assert_eq!(run(&host, "SetMax", "1000"), 1);
        assert_eq!(run(&host, "Together", "6"), 6);
        assert_eq!(run(&host, "SetMax", "2"), 1);
        let own = on_own(&host);
        assert!((0..=100).contains(&own));
        assert_eq!(run(&host, "Tasks", "100"), 2 * (99 * 100 / 2));
    }
    let taken = TAKEN.load(SeqCst);
    assert!(taken > 0 && taken < ASKED.load(SeqCst));
}

pub fn a_host_sets_the_pools_bounds(library: &Library, version: &str) {
    let host = started(library, version, true);
    BOUNDS.store(E_NOTIMPL.0, SeqCst);
    let [most, least] = ["Max", "Min"].map(|name| run(&host, name, ""));
    assert!(most > 1000 && least > 0);
    assert_eq!(run(&host, "SetMax", "500"), 1);
    assert_eq!((run(&host, "Max", ""), MOST.load(SeqCst)), (500, 77));
    BOUNDS.store(S_OK.0, SeqCst);
    assert_eq!(["Max", "Min"].map(|name| run(&host, name, "")), [77, 5]);
    // More than .NET can say.
    assert_eq!(run(&host, "Available", ""), i32::MAX);
    assert_eq!(run(&host, "SetMax", "50") + run(&host, "SetMin", "3"), 2);
    assert_eq!((MOST.load(SeqCst), LEAST.load(SeqCst)), (50, 3));
    assert_eq!(["Max", "Min"].map(|name| run(&host, name, "")), [50, 3]);
    // .NET refuses a negative number.
    assert_eq!(run(&host, "SetMax", "-1") + run(&host, "SetMin", "-1"), 0);
    for answer in [E_OUTOFMEMORY, HOST_E_INVALIDOPERATION] {
        BOUNDS.store(answer.0, SeqCst);
        assert_eq!(run(&host, "SetMax", "60") + run(&host, "SetMin", "4"), 0);
        assert_eq!(
            ["Max", "Min"].map(|name| run(&host, name, "")),
            [500, least]
        );
        assert!(run(&host, "Available", "") <= 500);
    }
}

pub fn a_pool_that_fails(library: &Library, version: &str) {
    let host = started(library, version, true);
    assert_eq!(on_own(&host), 100);
    // A thread that still looks for work would find more.
    wait_for(|| OVER.load(SeqCst) == TAKEN.load(SeqCst));
    QUEUES.store(E_FAIL.0, SeqCst);
    // The work is done, and the CLR is out of use from then on.
    assert_eq!(on_own(&host), 0);
    assert_eq!(try_run(&host, "Threads", ""), Err(HOST_E_CLRNOTAVAILABLE));
}

/// Such a host is not asked.
pub fn a_pool_without_tasks(library: &Library, version: &str) {
    let host = started(library, version, false);
    assert_eq!(on_own(&host), 0);
    everything_works(&host);
    assert_eq!(ASKED.load(SeqCst), 0);
}
