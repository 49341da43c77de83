//! The memory that a host has.

use std::{
    collections::BTreeMap,
    ffi::c_void,
    sync::{
        Mutex,
        atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering::SeqCst},
    },
};

use soglia_abi::{
    HRESULT,
    hosting::{
        memory::{
            EMemoryCriticalLevel, ICLRMemoryNotificationCallback, IHostMemoryManager,
            IHostMemoryManager_Impl,
        },
        runtime_host::ICLRRuntimeHost4,
    },
    hresult::*,
    param::{Lent, Out},
};
use windows_core::{ComObject, Interface, implement};

use crate::{
    api::{Library, assembly, call, call_in, start},
    cases::{Case, case},
    domains::Domains,
    faults::thrown_while_running,
    host::offers,
};

pub const CASES: &[Case] = &[
    case(
        "the_collector_sees_a_hosts_memory",
        the_collector_sees_a_hosts_memory,
    ),
    case("answers_about_memory", answers_about_memory),
    case("scarce_memory_is_collected", scarce_memory_is_collected),
    case("address_space_is_told_of", address_space_is_told_of),
    case("a_host_makes_room", a_host_makes_room),
    case(
        "a_host_that_fails_about_memory",
        a_host_that_fails_about_memory,
    ),
    Case {
        environment: &[("THROWS_IN", "GetMemoryLoad:collect")],
        ..case(
            "thrown_while_running:GetMemoryLoad:collect",
            thrown_while_running,
        )
    },
];

/// What the host answers, and what it was asked.
struct State {
    answer: AtomicI32,
    load: AtomicU32,
    available: AtomicUsize,
    asked: AtomicUsize,
    /// What the runtime has, as the host knows it.
    taken: Mutex<BTreeMap<usize, usize>>,
    acquired: AtomicUsize,
    released: AtomicUsize,
    needed: AtomicUsize,
    /// The limit of address space that is raised when more is needed; 0: none.
    limit: AtomicUsize,
}

static STATE: State = State {
    answer: AtomicI32::new(0),
    load: AtomicU32::new(0),
    available: AtomicUsize::new(usize::MAX),
    asked: AtomicUsize::new(0),
    taken: Mutex::new(BTreeMap::new()),
    acquired: AtomicUsize::new(0),
    released: AtomicUsize::new(0),
    needed: AtomicUsize::new(0),
    limit: AtomicUsize::new(0),
};

#[implement(IHostMemoryManager)]
struct Manager;

impl IHostMemoryManager_Impl for Manager_Impl {
    unsafe fn CreateMalloc(&self, _: u32, _: Out<'_, *mut c_void>) -> HRESULT {
        panic!("not called")
    }
    unsafe fn VirtualAlloc(
        &self,
        _: *mut c_void,
        _: usize,
        _: u32,
        _: u32,
        _: EMemoryCriticalLevel,
        _: Out<'_, *mut c_void>,
    ) -> HRESULT {
        panic!("not called")
    }
    unsafe fn VirtualFree(&self, _: *mut c_void, _: usize, _: u32) -> HRESULT {
        panic!("not called")
    }
    unsafe fn VirtualQuery(
        &self,
        _: *mut c_void,
        _: *mut c_void,
        _: usize,
        _: Out<'_, usize>,
    ) -> HRESULT {
        panic!("not called")
    }
    unsafe fn VirtualProtect(&self, _: *mut c_void, _: usize, _: u32, _: Out<'_, u32>) -> HRESULT {
        panic!("not called")
    }
    unsafe fn GetMemoryLoad(
        &self,
        mut load: Out<'_, u32>,
        mut available: Out<'_, usize>,
    ) -> HRESULT {
        STATE.asked.fetch_add(1, SeqCst);
        let answer = HRESULT(STATE.answer.load(SeqCst));
        if answer == S_OK {
            assert_eq!(load.write(STATE.load.load(SeqCst)), S_OK);
            assert_eq!(available.write(STATE.available.load(SeqCst)), S_OK);
        }
        answer
    }
    unsafe fn RegisterMemoryNotificationCallback(
        &self,
        _: Lent<'_, ICLRMemoryNotificationCallback>,
    ) -> HRESULT {
        S_OK
    }
    unsafe fn NeedsVirtualAddressSpace(&self, _: *mut c_void, size: usize) -> HRESULT {
        assert_ne!(size, 0);
        STATE.needed.fetch_add(1, SeqCst);
        match STATE.limit.swap(0, SeqCst) {
            0 => E_OUTOFMEMORY,
            limit => {
                limit_address_space(limit as u64);
                S_OK
            }
        }
    }
    unsafe fn AcquiredVirtualAddressSpace(&self, start: *mut c_void, size: usize) -> HRESULT {
        let (begin, end) = (start as usize, start as usize + size);
        let mut taken = STATE.taken.lock().unwrap();
        if let Some((at, last)) = taken.range(..end).next_back() {
            assert!(*last <= begin, "{at:x}-{last:x} and {begin:x}-{end:x}");
        }
        taken.insert(begin, end);
        STATE.acquired.fetch_add(1, SeqCst);
        HRESULT(STATE.answer.load(SeqCst))
    }
    unsafe fn ReleasedVirtualAddressSpace(&self, start: *mut c_void) -> HRESULT {
        let released = STATE.taken.lock().unwrap().remove(&(start as usize));
        assert!(released.is_some(), "{start:?} was acquired");
        STATE.released.fetch_add(1, SeqCst);
        HRESULT(STATE.answer.load(SeqCst))
    }
}

fn limit_address_space(bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: a structure that is alive.
    let answer = unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) };
    assert_eq!(answer, 0);
}

/// A host with a memory manager, started.
fn started(library: &Library, version: &str) -> ICLRRuntimeHost4 {
    let host = library.host(version);
    let manager: IHostMemoryManager = ComObject::new(Manager).into_interface();
    let control = offers([(IHostMemoryManager::IID, manager.into())]);
    // SAFETY: the host and the control are alive during the call.
    unsafe { assert_eq!(host.SetHostControl(Lent::new(&control)), S_OK) };
    start(&host);
    host
}

fn ask(host: &ICLRRuntimeHost4, method: &str, argument: &str) -> i32 {
    let path = assembly();
    let file = path.to_str().unwrap();
    call_in(host, file, "Soglia.Hosted.Memory", method, argument).unwrap()
}

/// The load that the collector sees, in percent.
fn seen(host: &ICLRRuntimeHost4) -> i32 {
    ask(host, "Load", "")
}

pub fn the_collector_sees_a_hosts_memory(library: &Library, version: &str) {
    let host = started(library, version);
    for load in [10, 97, 50, 0, 100] {
        STATE.load.store(load, SeqCst);
        let asked = STATE.asked.load(SeqCst);
        let seen = seen(&host);
        assert!(seen.abs_diff(load as i32) <= 1, "{seen} and not {load}");
        assert!(STATE.asked.load(SeqCst) > asked);
    }
    // The bytes say that there is less than the load says.
    STATE.load.store(10, SeqCst);
    STATE.available.store(1 << 20, SeqCst);
    assert!(seen(&host) >= 99);
    STATE.available.store(usize::MAX, SeqCst);
    assert!(seen(&host).abs_diff(10) <= 1);
}

pub fn answers_about_memory(library: &Library, version: &str) {
    let host = started(library, version);
    STATE.load.store(99, SeqCst);
    assert!(seen(&host) >= 98);
    // Anything but S_OK leaves it to the system.
    for answer in [
        E_NOTIMPL,
        S_FALSE,
        E_OUTOFMEMORY,
        HOST_E_INVALIDOPERATION,
        S_OK,
    ] {
        STATE.answer.store(answer.0, SeqCst);
        let is_hosts = answer == S_OK;
        assert_eq!(seen(&host) >= 98, is_hosts, "{answer:?}");
    }
    STATE.load.store(u32::MAX, SeqCst);
    assert!(seen(&host) >= 99);
    assert_eq!(call(&host, "Length", "abc"), Ok(3));
}

pub fn scarce_memory_is_collected(library: &Library, version: &str) {
    let host = started(library, version);
    STATE.load.store(10, SeqCst);
    let plenty = ask(&host, "FullCollections", "512");
    STATE.load.store(99, SeqCst);
    let scarce = ask(&host, "FullCollections", "512");
    assert!(scarce > plenty, "{scarce} and {plenty}");
}

pub fn address_space_is_told_of(library: &Library, version: &str) {
    let host = started(library, version);
    let domains = Domains::of(library, host);
    let acquired = || STATE.acquired.load(SeqCst);
    let before = acquired();
    for _ in 0..5 {
        let domain = domains.make("mapped", &[]).unwrap();
        assert_eq!(domains.run(domain, "Count", ""), Ok(1));
        assert!(acquired() > before);
        // SAFETY: the object is alive, and its method takes no pointers.
        let answer = unsafe { domains.host.UnloadAppDomain(domain, true.into()) };
        assert_eq!(answer, S_OK);
    }
    assert!(STATE.released.load(SeqCst) > 0);
}

pub fn a_host_makes_room(library: &Library, version: &str) {
    let host = started(library, version);
    // Everything that this needs is there.
    assert_eq!(call(&host, "Dependency", "abc"), Ok(6));
    let domains = Domains::of(library, host);
    let domain = domains.make("before", &[]).unwrap();
    assert_eq!(domains.run(domain, "Count", ""), Ok(1));
    assert_eq!(STATE.needed.load(SeqCst), 0);
    STATE.limit.store(u64::MAX as usize, SeqCst);
    limit_address_space(1 << 20);
    let domain = domains.make("after", &[]).unwrap();
    assert_eq!(domains.run(domain, "Count", ""), Ok(1));
    assert_eq!(STATE.needed.load(SeqCst), 1);
}

pub fn a_host_that_fails_about_memory(library: &Library, version: &str) {
    let host = started(library, version);
    assert_eq!(call(&host, "Length", "abc"), Ok(3));
    STATE.answer.store(E_FAIL.0, SeqCst);
    // The collection goes on, and the CLR is out of use from then on.
    let path = assembly();
    let (file, class) = (path.to_str().unwrap(), "Soglia.Hosted.Memory");
    let _ = call_in(&host, file, class, "Load", "");
    let answer = call(&host, "Length", "abc");
    assert_eq!(answer, Err(HOST_E_CLRNOTAVAILABLE));
}
