//! The managed stack of another thread.
//!
//! On Linux the CLR walks the stack of another thread only while a profiler has it suspended: all managed code, for as long as that takes.
//! That is done where a call is reported, and nowhere else. A thread that is in native code goes on meanwhile.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
        mpsc::{Sender, channel, sync_channel},
    },
    thread,
    time::Duration,
};

use soglia_abi::{
    hresult,
    ids::{FunctionId, ThreadId},
    profiler::{
        info::{ICorProfilerInfo4, ICorProfilerThreadEnum},
        info_later::ICorProfilerInfo10,
        types::COR_PRF_SNAPSHOT_DEFAULT,
    },
};
use windows_core::Interface;

use crate::{
    boundary, clerk,
    engine::{Engine, GENERATION, SHUT_DOWN},
    stacks::{MOST_FRAMES, collect},
};

/// The runtime is suspended within moments, or something holds it up.
const PATIENCE: Duration = Duration::from_secs(5);
/// While the collector or somebody else has the runtime suspended, we cannot.
const TRIES: u32 = 40;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// Stacks are being walked.
static WALKING: AtomicU32 = AtomicU32::new(0);
/// A walk did not end in time, and goes on.
static STUCK: AtomicBool = AtomicBool::new(false);

type Work = Box<dyn FnOnce() + Send>;

/// The managed functions on the stack of a thread of the operating system's, innermost first; null ones stand for runs of native frames.
///
/// Not on a thread that waits for others: it may take as long as somebody keeps the runtime from being suspended, and answers before that
/// only because another thread of ours does it.
///
/// # Errors
/// Why there is none, for people.
pub fn of_thread(engine: &'static Engine, os_thread: u32) -> Result<Vec<FunctionId>, &'static str> {
    /// `None`: the thread could not be made.
    static WALKER: OnceLock<Option<Sender<Work>>> = OnceLock::new();
    if STUCK.load(SeqCst) {
        return Err("the runtime does not let itself be suspended");
    }
    let hire = || {
        let (walker, work) = channel::<Work>();
        let walk = move || work.into_iter().for_each(|work| boundary::fence((), work));
        clerk::thread("soglia-stacks", walk).then_some(walker)
    };
    let none = "there is no thread to walk it";
    let walker = WALKER.get_or_init(hire).as_ref().ok_or(none)?;
    let (answer, answered) = sync_channel(1);
    let work = Box::new(move || {
        let walked = walk(engine, os_thread);
        STUCK.store(false, SeqCst);
        // If nobody waits any more, nobody needs the answer.
        let _ = answer.send(walked);
    });
    walker.send(work).map_err(|_| none)?;
    answered.recv_timeout(PATIENCE).unwrap_or_else(|_| {
        STUCK.store(true, SeqCst);
        // It may have come at the last moment.
        answered
            .try_recv()
            .inspect(|_| STUCK.store(false, SeqCst))
            .unwrap_or(Err("the runtime could not be suspended within 5 s"))
    })
}

/// The runtime has announced its shutdown: returns when no stack is walked any more, or after a while.
pub fn shut_down() {
    for _ in 0..50 {
        if WALKING.load(SeqCst) == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn walk(engine: &Engine, os_thread: u32) -> Result<Vec<FunctionId>, &'static str> {
    struct Walking;
    impl Drop for Walking {
        fn drop(&mut self) {
            WALKING.fetch_sub(1, SeqCst);
        }
    }
    WALKING.fetch_add(1, SeqCst);
    let _walking = Walking;
    if GENERATION.load(SeqCst) & SHUT_DOWN != 0 {
        return Err("the runtime is shutting down");
    }
    let interface = "the runtime has no means to do that";
    let info10: ICorProfilerInfo10 = engine.info.cast().map_err(|_| interface)?;
    let info4: ICorProfilerInfo4 = engine.info.cast().map_err(|_| interface)?;
    // Nothing of ours may wait for a lock, nor allocate, while others are suspended.
    let mut functions: Vec<FunctionId> = Vec::with_capacity(MOST_FRAMES);
    let _suspended = Suspended::by(info10)?;
    let thread = thread_of(engine, &info4, os_thread).ok_or("the thread is not a managed one")?;
    // SAFETY: the thread stays, because the CLR holds the lock of its threads for whoever has it suspended; `collect` gets the vector that
    // it expects. There is no seed context.
    let answer = unsafe {
        engine.info2.DoStackSnapshot(
            thread,
            Some(collect),
            COR_PRF_SNAPSHOT_DEFAULT,
            (&raw mut functions).cast(),
            std::ptr::null(),
            0,
        )
    };
    // When `collect` has enough, the walk is said to be aborted.
    if answer.is_ok() || functions.len() == functions.capacity() {
        Ok(functions)
    } else {
        Err("the runtime could not walk it")
    }
}

/// The runtime, suspended for as long as this lives.
struct Suspended(ICorProfilerInfo10);

impl Suspended {
    fn by(info: ICorProfilerInfo10) -> Result<Self, &'static str> {
        for _ in 0..TRIES {
            // SAFETY: this thread runs no managed code and is in no callback, and everybody who gets here resumes what was suspended.
            match unsafe { info.SuspendRuntime() } {
                answer if answer.is_ok() => return Ok(Self(info)),
                hresult::CORPROF_E_SUSPENSION_IN_PROGRESS => thread::sleep(BETWEEN_TRIES),
                _ => return Err("the runtime could not be suspended"),
            }
        }
        Err("the runtime was suspended by others all the time")
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        // SAFETY: suspended by us.
        let _ = unsafe { self.0.ResumeRuntime() };
    }
}

/// The CLR's number of a thread of the operating system's.
fn thread_of(engine: &Engine, info: &ICorProfilerInfo4, os_thread: u32) -> Option<ThreadId> {
    let mut threads = std::ptr::null_mut();
    // SAFETY: pointer to a local.
    let answer = unsafe { info.EnumThreads(&raw mut threads) };
    if answer.is_err() || threads.is_null() {
        return None;
    }
    // SAFETY: on success the CLR gives a reference of its own to an enumerator.
    let threads = unsafe { ICorProfilerThreadEnum::from_raw(threads) };
    loop {
        let (mut thread, mut fetched, mut number) = (ThreadId::NULL, 0, 0);
        // SAFETY: room for one, pointers to locals.
        let next = unsafe { threads.Next(1, &raw mut thread, &raw mut fetched) };
        if next.is_err() || fetched == 0 {
            return None;
        }
        // SAFETY: a thread that the CLR has just told, and that stays while it is suspended.
        let known = unsafe { engine.info.GetThreadInfo(thread, &raw mut number) };
        if known.is_ok() && number == os_thread {
            return Some(thread);
        }
    }
}
