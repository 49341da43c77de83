//! Waits of managed threads for locks, on events that a host's `IHostSyncManager` has made.
//!
//! A lock of .NET stays what it is. Only where a thread would block does it wait on an event of the
//! host, and then it tries again. `managed/Waiting.cs` does that. CoreLib calls it by the functions
//! in a [`Table`] ([`crate::weave`]), and it calls the host by the functions here, in preemptive
//! mode:
//!
//! ```text
//!   Monitor.Enter -- contended --> Waiting.Enter --> TryEnter, wait, TryEnter, wait ...
//!                                                            | event.Wait(time)
//!   Monitor.Exit  -- *contended -> Waiting.Released -----------' event.Set()
//! ```
//!
//! An event is never freed: the object that it is for changes, and so does the owner that a host is
//! given for its cookie.

use std::{
    ffi::c_void,
    ptr::null_mut,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{
            AtomicBool, AtomicI32, AtomicIsize, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release, SeqCst},
        },
    },
    thread,
    time::Duration,
};

use soglia_abi::{
    HRESULT,
    hosting::{
        sync::{IHostAutoEvent, IHostManualEvent, IHostSemaphore, IHostSyncManager},
        types::{TT_THREADPOOL_WORKER, TT_USER, WAIT_ALERTABLE, WAIT_NOTINDEADLOCK},
    },
    hresult::{HOST_E_ABANDONED, HOST_E_DEADLOCK, HOST_E_INTERRUPTED, HOST_E_TIMEOUT, S_OK},
    param::Out,
};

use super::thread::{self as threads, Known};
use crate::{
    boundary::{fence, keeping_errno},
    clerk,
    host::{failure::heed, fenced, managers, shared::Shared, task},
    slots,
};

/// What CoreLib, managed code and the engine share. Managed code declares the same.
#[repr(C)]
pub struct Table {
    /// Managed functions that CoreLib calls, each `int32(object, object, int32)`; 0 until they are
    /// there.
    pub enter: AtomicUsize,
    pub released: AtomicUsize,
    pub wait_one: AtomicUsize,
    pub signal: AtomicUsize,
    pub release: AtomicUsize,
    pub wake: AtomicUsize,
    pub wait_pulse: AtomicUsize,
    pub pulse: AtomicUsize,
    pub note: AtomicUsize,
    /// How many objects threads wait for.
    pub contended: AtomicIsize,
    /// How many threads wait for a pulse.
    pub pulsed: AtomicIsize,
    mine: extern "C" fn(i32) -> i32,
    make: extern "C" fn(i32) -> *mut Event,
    wait: extern "C" fn(&Event, i32, i32) -> i32,
    set: extern "C" fn(&Event),
    reset: extern "C" fn(&Event),
    pause: extern "C" fn(),
}

pub static TABLE: Table = Table {
    enter: AtomicUsize::new(0),
    released: AtomicUsize::new(0),
    wait_one: AtomicUsize::new(0),
    signal: AtomicUsize::new(0),
    release: AtomicUsize::new(0),
    wake: AtomicUsize::new(0),
    wait_pulse: AtomicUsize::new(0),
    pulse: AtomicUsize::new(0),
    note: AtomicUsize::new(0),
    contended: AtomicIsize::new(0),
    pulsed: AtomicIsize::new(0),
    mine,
    make,
    wait,
    set,
    reset,
    pause,
};

/// An event of the host, for one object at a time.
#[repr(C)]
pub struct Event {
    /// The managed number of the thread that owns the object, or the negative number that the
    /// system has for it; 0: none, or it is unknown. Managed code stores it.
    owner: AtomicI32,
    host: OnceLock<Host>,
}

/// The host's half of an event.
enum Host {
    Auto(Shared<IHostAutoEvent>),
    Manual(Shared<IHostManualEvent>),
    Semaphore(Shared<IHostSemaphore>),
}

/// All events, whose addresses are the cookies that hosts get.
static EVENTS: Mutex<Vec<&'static Event>> = Mutex::new(Vec::new());

/// Whether threads wait on events of the host. Does not change while the runtime runs.
pub fn on() -> bool {
    managers::sync_manager().is_some() && managers::task_manager().is_some()
}

/// What managed code does with a wait that came back: looks again.
const LOOK: i32 = 0;
/// The time is over.
const OVER: i32 = 1;
/// .NET checks whether the thread was interrupted, and looks again if not.
const INTERRUPTED: i32 = 2;
/// .NET waits itself.
const OWN: i32 = 3;
/// The host says that the owner has gone.
const ABANDONED: i32 = 4;

/// The running thread, if its waits are the host's.
fn own() -> Option<&'static Known> {
    let own = threads::current()?.known()?;
    // The finalizer and other threads of .NET's own wait by .NET, which may wait for them.
    let runs_program = |kind| kind == TT_USER || kind == TT_THREADPOOL_WORKER;
    let kind = task::here().map(|task| task.kind);
    kind.is_none_or(runs_program).then_some(own)
}

/// Whether waits of the running thread, of which .NET has this number, are the host's.
extern "C" fn mine(number: i32) -> i32 {
    keeping_errno(|| match own() {
        Some(own) => {
            own.number.store(number, Relaxed);
            1
        }
        None => 0,
    })
}

/// What an event is for, as managed code has it.
const LOCK: i32 = 0;
const MANUAL: i32 = 2;
const SEMAPHORE: i32 = 3;
const WRITER: i32 = 5;
const READER: i32 = 6;

/// Has the host make an event of this kind. Null: there is none.
extern "C" fn make(kind: i32) -> *mut Event {
    let Some(manager) = managers::sync_manager() else {
        return null_mut();
    };
    let event: &'static Event = Box::leak(Box::new(Event {
        owner: AtomicI32::new(0),
        host: OnceLock::new(),
    }));
    let place = std::ptr::from_ref(event);
    // The host may ask for the owner at once.
    fence((), || all().push(event));
    keeping_errno(|| {
        let mut object = null_mut();
        let answer = heed(create(
            manager,
            kind,
            place.expose_provenance(),
            &mut object,
        ));
        if answer != S_OK || object.is_null() {
            return null_mut();
        }
        // SAFETY: the host gave an object of this interface with a reference, which the engine
        // keeps.
        let host = unsafe {
            match kind {
                MANUAL | READER => Host::Manual(Shared(fenced::stand_in(object))),
                SEMAPHORE => Host::Semaphore(Shared(fenced::stand_in(object))),
                _ => Host::Auto(Shared(fenced::stand_in(object))),
            }
        };
        let _ = event.host.set(host);
        place.cast_mut()
    })
}

fn create(
    manager: &IHostSyncManager,
    kind: i32,
    cookie: usize,
    object: &mut *mut c_void,
) -> HRESULT {
    let object = Out::new(object);
    // SAFETY: the host's manager lives as long as the process.
    unsafe {
        match kind {
            LOCK => manager.CreateMonitorEvent(cookie, object),
            MANUAL => manager.CreateManualEvent(false.into(), object),
            SEMAPHORE => manager.CreateSemaphore(0, i32::MAX as u32, object),
            WRITER => manager.CreateRWLockWriterEvent(cookie, object),
            READER => manager.CreateRWLockReaderEvent(false.into(), cookie, object),
            _ => manager.CreateAutoEvent(object),
        }
    }
}

fn all() -> std::sync::MutexGuard<'static, Vec<&'static Event>> {
    EVENTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on an event for so many milliseconds, or without limit for -1. Returns what to do then, or
/// a failure to throw. A wait to get a lock back must not end otherwise, so it is not `free`.
extern "C" fn wait(event: &Event, time: i32, free: i32) -> i32 {
    keeping_errno(|| {
        let (Some(host), Some(own)) = (event.host.get(), own()) else {
            return OWN;
        };
        let option = match free {
            0 => WAIT_NOTINDEADLOCK,
            // The host may not have woken the thread, which must not sleep over an interrupt.
            _ if own.interrupted.swap(false, Acquire) => return INTERRUPTED,
            _ => WAIT_ALERTABLE,
        };
        look_now_and_then();
        own.waits.store(free != 0, Release);
        slots::park();
        // SAFETY: the engine keeps a reference to the event.
        let answer = heed(unsafe {
            let time = time.cast_unsigned();
            match host {
                Host::Auto(host) => host.0.Wait(time, option),
                Host::Manual(host) => host.0.Wait(time, option),
                Host::Semaphore(host) => host.0.Wait(time, option),
            }
        });
        own.waits.store(false, Release);
        slots::slept();
        match answer {
            S_OK => LOOK,
            HOST_E_TIMEOUT => OVER,
            HOST_E_INTERRUPTED if free != 0 => {
                own.interrupted.store(false, Relaxed);
                INTERRUPTED
            }
            HOST_E_DEADLOCK if free != 0 => HOST_E_DEADLOCK.0,
            HOST_E_ABANDONED => ABANDONED,
            _ => OWN,
        }
    })
}

extern "C" fn set(event: &Event) {
    keeping_errno(|| {
        // SAFETY: the engine keeps a reference to the event.
        let _ = heed(unsafe {
            match event.host.get() {
                Some(Host::Auto(host)) => host.0.Set(),
                Some(Host::Manual(host)) => host.0.Set(),
                Some(Host::Semaphore(host)) => host.0.ReleaseSemaphore(1, Out::null()),
                None => S_OK,
            }
        });
    });
}

extern "C" fn reset(event: &Event) {
    keeping_errno(|| {
        if let Some(Host::Manual(host)) = event.host.get() {
            // SAFETY: the engine keeps a reference to the event.
            let _ = heed(unsafe { host.0.Reset() });
        }
    });
}

/// Lets others run for a moment.
extern "C" fn pause() {
    keeping_errno(|| thread::sleep(Duration::from_micros(500)));
}

/// How often the engine looks whether an object that threads wait for is free. .NET may free it
/// without a notification.
const LOOKS: Duration = Duration::from_millis(50);
/// So many looks without a thread that waits, and the engine's thread ends.
const IDLE: u32 = 40;

/// Looks once. Returns how many objects threads wait for; `None`: managed code cannot be called.
static CHECK: OnceLock<fn() -> Option<i32>> = OnceLock::new();
static LOOKING: AtomicBool = AtomicBool::new(false);

/// Has the engine's thread look by this function. To be called when managed code is there.
pub fn look_by(check: fn() -> Option<i32>) {
    let _ = CHECK.set(check);
}

/// Has a thread of the engine look while threads wait.
fn look_now_and_then() {
    let Some(check) = CHECK.get() else {
        return;
    };
    if LOOKING.load(Relaxed) || LOOKING.swap(true, SeqCst) {
        return;
    }
    let looks = move || {
        let mut idle = 0;
        loop {
            thread::sleep(LOOKS);
            match check() {
                Some(0) => idle += 1,
                Some(_) => idle = 0,
                None => return,
            }
            if idle > IDLE {
                LOOKING.store(false, SeqCst);
                // A thread that waits since then has relied on this one.
                if TABLE.contended.load(SeqCst) == 0 || LOOKING.swap(true, SeqCst) {
                    return;
                }
                idle = 0;
            }
        }
    };
    if !clerk::thread_for_others(looks) {
        LOOKING.store(false, SeqCst);
    }
}

/// The host's task that owns the object with this cookie, with a reference for the caller; null:
/// none, or it is unknown.
pub fn owner(cookie: usize) -> *mut c_void {
    let event = all()
        .iter()
        .copied()
        .find(|event| std::ptr::from_ref(*event).addr() == cookie);
    let owner = event.map_or(0, |event| event.owner.load(Acquire));
    match threads::known_by_number(owner) {
        Some(known) => {
            // The caller's reference is to the host's own object, behind the fence.
            std::mem::forget(known.task().clone());
            fenced::object(known.task())
        }
        None => null_mut(),
    }
}
