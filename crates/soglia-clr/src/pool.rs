//! When the runtime's thread pool starves: work items wait, and no thread of the pool gets done.
//!
//! The pool says so itself, in an event that it writes when it adds a thread for that reason. The
//! engine asks for such events once the pool has more threads than there are processors, and not
//! before: most programs never get there, and pay nothing. The runtime then writes other events
//! about threads too. After many of them the engine ends the session, and begins another one when
//! the pool adds a thread again.

use std::{
    collections::HashSet,
    ptr::null,
    sync::{
        Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU32, AtomicU64,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread,
    time::{Duration, Instant},
};

use soglia_abi::{
    BOOL,
    profiler::{
        info_later::{ICorProfilerInfo5, ICorProfilerInfo12},
        types::{COR_PRF_EVENTPIPE_PROVIDER_CONFIG, COR_PRF_HIGH_MONITOR_EVENT_PIPE},
    },
};
use soglia_core::{
    time,
    trace::{facts::Starvation, log::Record},
};
use windows_core::Interface;

use crate::{
    clerk,
    engine::{self, GENERATION, SHUT_DOWN},
    metadata::before::wide,
};

/// The name of the pool's threads.
const WORKER: &str = ".NET TP Worker";
const PROVIDER: &str = "Microsoft-Windows-DotNETRuntime";
/// The keyword of events about threads.
const THREADING: u64 = 0x1_0000;
const INFORMATIONAL: u32 = 4;

/// `ThreadPoolWorkerThreadAdjustmentAdjustment`: a double, the number of threads and a reason.
const ADJUSTMENT: u32 = 55;
const STARVATION: u32 = 6;

/// The most records.
const MOST: u32 = 1000;
/// The most events of one session.
const MOST_EVENTS: u32 = 5000;
/// The time from the end of a session to the beginning of the next one.
const BETWEEN: Duration = Duration::from_secs(5);

/// The pool's threads.
static WORKERS: Mutex<Option<HashSet<u32>>> = Mutex::new(None);
/// Whether there is a session, or one is about to begin or to end.
static LISTENS: AtomicBool = AtomicBool::new(false);
static SESSION: AtomicU64 = AtomicU64::new(0);
static EVENTS: AtomicU32 = AtomicU32::new(0);
/// When the last session ended.
static ENDED: Mutex<Option<Instant>> = Mutex::new(None);
static KEPT: AtomicU32 = AtomicU32::new(0);

fn with<T>(body: impl FnOnce(&mut HashSet<u32>) -> T) -> T {
    let mut workers = WORKERS.lock().unwrap_or_else(PoisonError::into_inner);
    body(workers.get_or_insert_default())
}

/// Notes the name of a thread, which has this number in the operating system.
pub fn named(os_thread: u32, name: &str) {
    if name != WORKER {
        return;
    }
    let workers = with(|workers| {
        workers.insert(os_thread);
        workers.len()
    });
    let processors = thread::available_parallelism().map_or(1, usize::from);
    if workers <= processors || KEPT.load(Relaxed) >= MOST {
        return;
    }
    let ended = *ENDED.lock().unwrap_or_else(PoisonError::into_inner);
    let is_time = ended.is_none_or(|ended| ended.elapsed() >= BETWEEN);
    if is_time && !LISTENS.swap(true, Relaxed) {
        // The runtime starts the managed half of the session on the thread that asks for it.
        clerk::thread_for_others(listen);
    }
}

/// Notes that a thread has ended.
pub fn ended(os_thread: u32) {
    with(|workers| workers.remove(&os_thread));
}

/// Asks the runtime for the pool's events. Where it has none, there are no records.
fn listen() {
    let Some(engine) = engine::get() else {
        return;
    };
    if GENERATION.load(SeqCst) & SHUT_DOWN != 0 {
        return;
    }
    let (Ok(info5), Ok(info12)) = (
        engine.info.cast::<ICorProfilerInfo5>(),
        engine.info.cast::<ICorProfilerInfo12>(),
    ) else {
        return;
    };
    let (mut low, mut high) = (0, 0);
    let provider = wide(PROVIDER);
    let config = COR_PRF_EVENTPIPE_PROVIDER_CONFIG {
        providerName: provider.as_ptr(),
        keywords: THREADING,
        loggingLevel: INFORMATIONAL,
        filterData: null(),
    };
    let mut session = 0;
    EVENTS.store(0, SeqCst);
    // SAFETY: these functions may be called at any time from threads that run no managed code. The
    // pointers are to locals, which live until the calls return; the runtime copies the strings.
    unsafe {
        let answer = info5.GetEventMask2(&raw mut low, &raw mut high);
        if answer.is_err() {
            return;
        }
        let answer = info5.SetEventMask2(low, high | COR_PRF_HIGH_MONITOR_EVENT_PIPE);
        if answer.is_err() {
            return;
        }
        let (one, no_rundown) = (1, BOOL(0));
        let answer =
            info12.EventPipeStartSession(one, &raw const config, no_rundown, &raw mut session);
        if answer.is_ok() {
            SESSION.store(session, SeqCst);
        }
    }
    // The call above has written events already.
    if EVENTS.load(SeqCst) > MOST_EVENTS {
        leave();
    }
}

/// Asks for no more events, and forgets the pool's threads, when the recording has ended.
pub fn end() {
    leave();
    with(HashSet::clear);
    KEPT.store(0, Relaxed);
}

/// Ends the session.
fn leave() {
    let session = SESSION.swap(0, SeqCst);
    if session == 0 {
        return;
    }
    if let Some(engine) = engine::get()
        && let Ok(info) = engine.info.cast::<ICorProfilerInfo12>()
    {
        // SAFETY: the runtime has given this session, which is ended once: this thread has taken
        // its number.
        let _ = unsafe { info.EventPipeStopSession(session) };
        *ENDED.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        LISTENS.store(false, Relaxed);
    }
}

/// An event of the session was written. Called on the thread that has written it.
pub fn event(id: u32, data: &[u8]) {
    if EVENTS.fetch_add(1, SeqCst) == MOST_EVENTS {
        clerk::thread_for_others(leave);
    }
    let word = |at: usize| {
        let bytes = data.get(at..at + 4)?.try_into().ok()?;
        Some(u32::from_le_bytes(bytes))
    };
    if id != ADJUSTMENT || word(12) != Some(STARVATION) {
        return;
    }
    if let (Some(engine), Some(threads)) = (engine::get(), word(8))
        && KEPT.fetch_add(1, Relaxed) < MOST
    {
        let at = time::now();
        engine
            .recording
            .log(&Record::Starvation(Starvation { at, threads }));
    }
}
