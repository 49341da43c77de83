//! The managed stacks of other threads.
//!
//! On Linux the CLR walks the stack of another thread only while a profiler has it suspended: no
//! managed code runs for that time. A thread in native code goes on meanwhile.

use std::{
    ops::Range,
    sync::{
        Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use soglia_abi::{
    hresult,
    ids::ThreadId,
    profiler::{
        info::{ICorProfilerInfo, ICorProfilerInfo2, ICorProfilerInfo4, ICorProfilerThreadEnum},
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
const TRIES: u32 = 400;
const BETWEEN_TRIES: Duration = Duration::from_millis(5);
/// How long all stacks may be walked, while the program stands still.
const MOST_TIME: Duration = Duration::from_millis(200);
/// The most threads whose stacks are walked at once.
const MOST_THREADS: usize = 8192;
/// The most frames of all of them together.
const MOST_OF_ALL: usize = 1 << 18;

/// How many times stacks are being walked.
static WALKING: AtomicU32 = AtomicU32::new(0);

/// The managed stacks of several threads, as they were at one moment.
#[derive(Debug, Default)]
pub struct Stacks {
    frames: Vec<Walked>,
    threads: Vec<(u32, Range<usize>)>,
    /// How many threads have no stack here, because walking took too long.
    pub left_out: u32,
}

impl Stacks {
    /// The threads, by the operating system's number, with their frames, innermost first.
    pub fn threads(&self) -> impl Iterator<Item = (u32, &[Walked])> {
        let frames = |range: &Range<usize>| self.frames.get(range.clone()).unwrap_or_default();
        self.threads.iter().map(move |(n, at)| (*n, frames(at)))
    }
}

type Answer = Result<Stacks, &'static str>;

/// The CLR's interfaces for this.
struct Asked {
    info: ICorProfilerInfo,
    info2: ICorProfilerInfo2,
    info4: ICorProfilerInfo4,
    info10: ICorProfilerInfo10,
    /// The thread whose stack is wanted. `None`: all are.
    thread: Option<u32>,
}

// SAFETY: the CLR documents its information interfaces as callable from any thread.
unsafe impl Send for Asked {}

/// Carries questions and answers between the thread that asks and the one that walks.
///
/// A channel would not do: to wait at one, a thread registers a destructor with the loader. The
/// stuck call may hold the loader's lock, in a library's constructor.
static DESK: Mutex<Desk> = Mutex::new(Desk {
    waits: false,
    question: None,
    answer: None,
});
static ASKED: Condvar = Condvar::new();
static ANSWERED: Condvar = Condvar::new();

struct Desk {
    /// A question has no answer yet.
    waits: bool,
    question: Option<Asked>,
    /// The last answer. `None`: there is none yet, or it was taken.
    answer: Option<Answer>,
}

fn desk() -> MutexGuard<'static, Desk> {
    DESK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the thread that walks stacks, once; `false`: it could not be made. It is made in advance,
/// since a new thread may have to wait for the loader too.
pub fn prepare() -> bool {
    static MADE: OnceLock<bool> = OnceLock::new();
    *MADE.get_or_init(|| clerk::thread("soglia-stacks", work))
}

fn work() {
    loop {
        let nothing_new = |desk: &mut Desk| desk.question.is_none();
        let waited = ASKED.wait_while(desk(), nothing_new);
        let question = waited
            .unwrap_or_else(PoisonError::into_inner)
            .question
            .take();
        let Some(question) = question else { continue };
        // Takes the question, so that this thread has none of the CLR's interfaces when the answer
        // is there.
        let answer = boundary::fence(Err("soglia has a defect"), move || walk(question));
        let mut desk = desk();
        desk.answer = Some(answer);
        desk.waits = false;
        ANSWERED.notify_all();
    }
}

/// The frames on the stack of a thread of the operating system, innermost first.
///
/// Returns within [`PATIENCE`], even if something keeps the runtime from being suspended: another
/// engine thread waits for that.
///
/// # Errors
/// Why there is none, for people.
pub fn of_thread(engine: &Engine, os_thread: u32) -> Result<Vec<Walked>, &'static str> {
    ask(&engine.info, Some(os_thread)).map(|stacks| stacks.frames)
}

/// The stacks of all managed threads, for which the runtime is suspended once. Returns as
/// [`of_thread`].
///
/// # Errors
/// Why there are none, for people.
pub fn of_all(info: &ICorProfilerInfo) -> Answer {
    ask(info, None)
}

/// Whether a question waits for its answer, so that the thread that walks has the CLR's interfaces.
pub fn is_busy() -> bool {
    desk().waits
}

fn ask(info: &ICorProfilerInfo, thread: Option<u32>) -> Answer {
    let interface = |_| "the runtime has no means to do that";
    let question = Asked {
        info: info.clone(),
        info2: info.cast().map_err(interface)?,
        info4: info.cast().map_err(interface)?,
        info10: info.cast().map_err(interface)?,
        thread,
    };
    let mut desk = desk();
    if desk.waits {
        return Err(
            "the runtime still waits for a thread, since it was last to be suspended: a call without \
             a GC transition may have lasted since then",
        );
    }
    desk.waits = true;
    desk.question = Some(question);
    desk.answer = None;
    ASKED.notify_one();
    let none_yet = |desk: &mut Desk| desk.waits;
    let waited = ANSWERED.wait_timeout_while(desk, PATIENCE, none_yet);
    let (mut desk, _) = waited.unwrap_or_else(PoisonError::into_inner);
    let late = Err(
        "the runtime could not be suspended within 5 s: a thread that runs may be in a call without a \
         GC transition, and managed code stands still until that returns",
    );
    desk.answer.take().unwrap_or(late)
}

/// Read while functions on stacks are asked about, and written by an unload, which so waits.
static IN_USE: RwLock<()> = RwLock::new(());

/// As long as the result lives, no module is unloaded.
pub fn keep_modules() -> RwLockReadGuard<'static, ()> {
    IN_USE.read().unwrap_or_else(PoisonError::into_inner)
}

/// A module is about to be unloaded. Waits until no function on a stack is asked about.
pub fn module_unloaded() {
    drop(IN_USE.write().unwrap_or_else(PoisonError::into_inner));
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

fn walk(asked: Asked) -> Answer {
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
    // While other threads are suspended, this one must not wait for a lock, and so must not
    // allocate.
    let (frames, threads) = match asked.thread {
        Some(_) => (MOST_WALKED, 1),
        None => (MOST_OF_ALL, MOST_THREADS),
    };
    let mut walk = Walk {
        frames: Vec::with_capacity(frames),
        threads: Vec::with_capacity(threads),
        one: Vec::with_capacity(MOST_WALKED),
        left_out: 0,
    };
    let suspended = Suspended::by(&asked.info10)?;
    let walked = walk.walk(&asked);
    drop(suspended);
    walked?;
    walk.frames.shrink_to_fit();
    Ok(Stacks {
        frames: walk.frames,
        threads: walk.threads,
        left_out: walk.left_out,
    })
}

/// Stacks that are being walked. Its vectors have their full capacity and do not grow.
struct Walk {
    frames: Vec<Walked>,
    threads: Vec<(u32, Range<usize>)>,
    /// The frames of one thread.
    one: Vec<Walked>,
    left_out: u32,
}

impl Walk {
    /// Walks the stacks that are wanted, while the runtime is suspended.
    fn walk(&mut self, asked: &Asked) -> Result<(), &'static str> {
        let began = Instant::now();
        for (thread, os_thread) in Threads::of(asked)? {
            if asked.thread.is_some_and(|wanted| wanted != os_thread) {
                continue;
            }
            let fits = self.threads.len() < self.threads.capacity()
                && self.frames.len() + MOST_WALKED <= self.frames.capacity();
            if !fits || began.elapsed() > MOST_TIME {
                self.left_out += 1;
                continue;
            }
            let walked = self.of(asked, thread);
            if asked.thread.is_some() {
                walked?;
                return Ok(());
            }
            let from = self.frames.len() - self.one.len();
            self.threads.push((os_thread, from..self.frames.len()));
        }
        match asked.thread {
            Some(_) => Err("the thread is not a managed one"),
            None => Ok(()),
        }
    }

    /// Walks the stack of one thread.
    fn of(&mut self, asked: &Asked, thread: ThreadId) -> Result<(), &'static str> {
        self.one.clear();
        // SAFETY: the CLR holds the lock of its threads while it is suspended, so the thread stays.
        // `collect` gets the vector that it expects. There is no seed context.
        let answer = unsafe {
            asked.info2.DoStackSnapshot(
                thread,
                Some(collect),
                HOW,
                (&raw mut self.one).cast(),
                std::ptr::null(),
                0,
            )
        };
        // When `collect` has enough frames, the CLR says that the walk was aborted.
        if answer.is_err() && self.one.len() < self.one.capacity() {
            self.one.clear();
            return Err("the runtime could not walk it");
        }
        self.frames.extend_from_slice(&self.one);
        Ok(())
    }
}

/// The runtime, suspended for as long as this lives.
struct Suspended<'a>(&'a ICorProfilerInfo10);

impl<'a> Suspended<'a> {
    fn by(info: &'a ICorProfilerInfo10) -> Result<Self, &'static str> {
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

impl Drop for Suspended<'_> {
    fn drop(&mut self) {
        // SAFETY: this value has suspended the runtime.
        let _ = unsafe { self.0.ResumeRuntime() };
    }
}

/// The managed threads that have one of the operating system, and the number of that.
struct Threads<'a> {
    all: ICorProfilerThreadEnum,
    info: &'a ICorProfilerInfo,
}

impl<'a> Threads<'a> {
    fn of(asked: &'a Asked) -> Result<Self, &'static str> {
        let mut threads = std::ptr::null_mut();
        // SAFETY: the pointer is to a local.
        let answer = unsafe { asked.info4.EnumThreads(&raw mut threads) };
        if answer.is_err() || threads.is_null() {
            return Err("the runtime does not list its threads");
        }
        Ok(Self {
            // SAFETY: on success the CLR returns a counted reference to an enumerator.
            all: unsafe { ICorProfilerThreadEnum::from_raw(threads) },
            info: &asked.info,
        })
    }
}

impl Iterator for Threads<'_> {
    type Item = (ThreadId, u32);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (mut thread, mut fetched, mut number) = (ThreadId::NULL, 0, 0);
            // SAFETY: the place has room for one, and the pointers are to locals.
            let next = unsafe { self.all.Next(1, &raw mut thread, &raw mut fetched) };
            if next.is_err() || fetched == 0 {
                return None;
            }
            // SAFETY: the CLR has just named this thread, which stays while the runtime is
            // suspended. The pointer is to a local.
            let known = unsafe { self.info.GetThreadInfo(thread, &raw mut number) };
            if known.is_ok() && number != 0 {
                return Some((thread, number));
            }
        }
    }
}
