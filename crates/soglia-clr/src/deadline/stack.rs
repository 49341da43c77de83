//! The managed stack of another thread.
//!
//! On Linux the CLR walks the stack of another thread only while a profiler has it suspended: no
//! managed code runs for that time. The engine does so only where it reports a call. A thread in
//! native code goes on meanwhile.

use std::{
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use soglia_abi::{
    hresult,
    ids::ThreadId,
    profiler::{
        info::{ICorProfilerInfo4, ICorProfilerThreadEnum},
        info_later::ICorProfilerInfo10,
    },
};
use windows_core::Interface;

use crate::{
    boundary, clerk,
    engine::{Engine, GENERATION, SHUT_DOWN},
    stacks::{HOW, MOST_WALKED, Walked, collect},
};

/// How long to wait. The runtime is suspended within moments, unless something prevents it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to try. The engine cannot suspend the runtime while the collector or another profiler
/// API has it suspended.
const TRIES: u32 = 40;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);

/// How many stacks are being walked.
static WALKING: AtomicU32 = AtomicU32::new(0);

type Answer = Result<Vec<Walked>, &'static str>;

/// Carries questions and answers between the thread that asks and the one that walks.
///
/// A channel would not do: to wait at one, a thread registers a destructor with the loader. The
/// stuck call may hold the loader's lock, in a library's constructor.
static DESK: Mutex<Desk> = Mutex::new(Desk {
    asked: 0,
    answered: 0,
    thread: 0,
    answer: None,
});
static ASKED: Condvar = Condvar::new();
static ANSWERED: Condvar = Condvar::new();

struct Desk {
    /// Questions so far. There is a new one if they are more than the answers.
    asked: u64,
    answered: u64,
    /// The thread whose stack is wanted.
    thread: u32,
    /// The last answer. `None`: no thread gives one, or it was taken.
    answer: Option<Answer>,
}

fn desk() -> MutexGuard<'static, Desk> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the thread that walks stacks; `false`: it could not be made. It is made in advance, since
/// a new thread may have to wait for the loader too.
pub fn prepare(engine: &'static Engine) -> bool {
    clerk::thread("soglia-stacks", move || {
        let nothing_new = |desk: &mut Desk| desk.asked == desk.answered;
        loop {
            let waited = ASKED.wait_while(desk(), nothing_new);
            let thread = waited.unwrap_or_else(PoisonError::into_inner).thread;
            let answer = boundary::fence(Err("soglia has a defect"), || walk(engine, thread));
            let mut desk = desk();
            desk.answer = Some(answer);
            desk.answered = desk.asked;
            ANSWERED.notify_all();
        }
    })
}

/// The frames on the stack of a thread of the operating system, innermost first.
///
/// Returns within [`PATIENCE`], even if something keeps the runtime from being suspended: another
/// engine thread waits for that.
///
/// # Errors
/// Why there is none, for people.
pub fn of_thread(os_thread: u32) -> Answer {
    let mut desk = desk();
    if desk.asked != desk.answered {
        return Err("the runtime does not let itself be suspended");
    }
    desk.asked += 1;
    desk.thread = os_thread;
    desk.answer = None;
    ASKED.notify_one();
    let none_yet = |desk: &mut Desk| desk.asked != desk.answered;
    let waited = ANSWERED.wait_timeout_while(desk, PATIENCE, none_yet);
    let (mut desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
    let late = Err("the runtime could not be suspended within 5 s");
    desk.answer.take().unwrap_or(late)
}

/// The runtime has announced its shutdown. Returns when no stack is being walked any more, or after
/// a while.
pub fn shut_down() {
    for _ in 0..50 {
        if WALKING.load(SeqCst) == 0 {
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn walk(engine: &Engine, os_thread: u32) -> Answer {
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
    // While other threads are suspended, this one must not wait for a lock, and so must not
    // allocate.
    let mut walked: Vec<Walked> = Vec::with_capacity(MOST_WALKED);
    let _suspended = Suspended::by(info10)?;
    let thread = thread_of(engine, &info4, os_thread).ok_or("the thread is not a managed one")?;
    // SAFETY: the CLR holds the lock of its threads while it is suspended, so the thread stays.
    // `collect` gets the vector that it expects. There is no seed context.
    let answer = unsafe {
        engine.info2.DoStackSnapshot(
            thread,
            Some(collect),
            HOW,
            (&raw mut walked).cast(),
            std::ptr::null(),
            0,
        )
    };
    // When `collect` has enough frames, the CLR says that the walk was aborted.
    if answer.is_ok() || walked.len() == walked.capacity() {
        Ok(walked)
    } else {
        Err("the runtime could not walk it")
    }
}

/// The runtime, suspended for as long as this lives.
struct Suspended(ICorProfilerInfo10);

impl Suspended {
    fn by(info: ICorProfilerInfo10) -> Result<Self, &'static str> {
        for _ in 0..TRIES {
            // SAFETY: this thread runs no managed code and is in no callback. The value that is
            // returned resumes the runtime.
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
        // SAFETY: this value has suspended the runtime.
        let _ = unsafe { self.0.ResumeRuntime() };
    }
}

/// The CLR's number of a thread of the operating system.
fn thread_of(engine: &Engine, info: &ICorProfilerInfo4, os_thread: u32) -> Option<ThreadId> {
    let mut threads = std::ptr::null_mut();
    // SAFETY: the pointer is to a local.
    let answer = unsafe { info.EnumThreads(&raw mut threads) };
    if answer.is_err() || threads.is_null() {
        return None;
    }
    // SAFETY: on success the CLR returns a counted reference to an enumerator.
    let threads = unsafe { ICorProfilerThreadEnum::from_raw(threads) };
    loop {
        let (mut thread, mut fetched, mut number) = (ThreadId::NULL, 0, 0);
        // SAFETY: the place has room for one, and the pointers are to locals.
        let next = unsafe { threads.Next(1, &raw mut thread, &raw mut fetched) };
        if next.is_err() || fetched == 0 {
            return None;
        }
        // SAFETY: the CLR has just named this thread, which stays while the runtime is suspended.
        // The pointer is to a local.
        let known = unsafe { engine.info.GetThreadInfo(thread, &raw mut number) };
        if known.is_ok() && number == os_thread {
            return Some(thread);
        }
    }
}
