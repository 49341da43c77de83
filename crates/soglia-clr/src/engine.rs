//! What is the same for the whole process: the recording, the CLR's interfaces, the options.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{
        Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicPtr, AtomicU32, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};

use soglia_abi::profiler::info::{ICorProfilerInfo, ICorProfilerInfo2};
use soglia_core::{
    arguments::Choice,
    trace::{
        log::{MOST_KEPT, Record, Unwatched},
        writer::{self, Recording},
    },
};

use crate::{
    known::{modules::Modules, names::Names, targets::Targets},
    objects::{self, Epoch},
    policy::Rules,
};

pub use soglia_core::trace::log::{Scope, Source};

/// The engine, of a recording. There is one at a time: for as long as the process if it was started
/// with the engine, and for a session if the engine came later.
///
/// None is ever freed, since threads that have found it may go on to use it.
pub struct Engine {
    /// The file that it writes.
    pub recording: &'static Recording,
    /// The path by which that was opened.
    pub path: PathBuf,
    /// The CLR.
    pub info: ICorProfilerInfo,
    /// The CLR's stack walker.
    pub info2: ICorProfilerInfo2,
    /// Frames and stacks by number.
    pub names: Names,
    /// The targets that were called.
    pub targets: Targets,
    /// The modules that are loaded.
    pub modules: Modules,
    /// Where crossings come from.
    pub source: Source,
    /// Whose crossings are watched.
    pub scope: Scope,
    /// See [`crate::variables::CALLERS`].
    pub callers: bool,
    /// What was recorded as not watched.
    pub recorded_unwatched: Mutex<HashSet<Unwatched>>,
    /// The policy.
    pub rules: Rules,
    /// Whose arguments are recorded.
    pub arguments: Choice,
    /// Whether a host is notified of crossings, so that wrappers are made for that.
    pub notifies: bool,
    /// Whether the program's own code polls: [`crate::host::polls`].
    pub polls: bool,
    /// Whether crossings are recorded, or a host is notified. If not, nothing is woven.
    pub watches: bool,
    /// Whether a recording was asked for, so that stacks are kept.
    pub records: bool,
    /// The major version of the runtime.
    pub major: u16,
    /// Whether this is a session in a process that ran before: native calls may return that began
    /// before it.
    pub attached: bool,
}

// SAFETY: the CLR documents its information interfaces as callable from any thread, and the engine
// never releases them.
unsafe impl Send for Engine {}
// SAFETY: the CLR documents its information interfaces as callable from any thread. All other
// fields are constant or have locks of their own.
unsafe impl Sync for Engine {}

impl Engine {
    /// An engine that watches and records what a session does without further wishes. Callers
    /// change what is different for them.
    pub fn new(
        recording: &'static Recording,
        path: PathBuf,
        (info, info2): (ICorProfilerInfo, ICorProfilerInfo2),
        major: u16,
    ) -> Self {
        Self {
            recording,
            path,
            info,
            info2,
            names: Default::default(),
            targets: Default::default(),
            modules: Default::default(),
            source: Source::Woven,
            scope: Scope::All,
            callers: false,
            recorded_unwatched: Default::default(),
            rules: Rules::none(),
            arguments: Choice::default(),
            notifies: false,
            polls: false,
            watches: true,
            records: true,
            major,
            attached: true,
        }
    }
}

static ENGINE: AtomicPtr<Engine> = AtomicPtr::new(std::ptr::null_mut());

/// Native calls of at least this many ticks are slow.
pub static SLOW_TICKS: AtomicU64 = AtomicU64::new(u64::MAX);

/// Goes up when a module is unloaded, since the CLR may reuse the numbers of its functions.
///
/// The top bit is set once the runtime has announced its shutdown. Tasks never take it over. So
/// from then on no function is found in a task's table, and every crossing that opens a layer takes
/// the path that counts it as late.
pub static GENERATION: AtomicU32 = AtomicU32::new(0);
/// The top bit of [`GENERATION`].
pub const SHUT_DOWN: u32 = 1 << 31;

/// The era of a task's table of functions: an address may come to mean another function when an
/// object was loaded.
#[inline(always)]
pub fn era() -> u64 {
    u64::from(GENERATION.load(Relaxed)) | objects::loads() << 32
}

/// The same for a table that is filled now, when this many objects were loaded.
pub fn era_at(epoch: Epoch) -> u64 {
    u64::from(GENERATION.load(Relaxed) & !SHUT_DOWN) | epoch.mark() << 32
}

/// Callbacks return at once.
pub static FLOOR: AtomicBool = AtomicBool::new(false);

/// The most records of this kind. A program that loads assemblies for ever must not fill the log.
const MOST_UNWATCHED: usize = 1000;

/// The engine, while something is recorded.
#[inline]
pub fn get() -> Option<&'static Engine> {
    // SAFETY: the pointer is null or comes from `set`, which never frees the engine.
    unsafe { ENGINE.load(Acquire).as_ref() }
}

/// Keeps the engine.
pub fn set(engine: Engine) -> &'static Engine {
    let engine = Box::leak(Box::new(engine));
    ENGINE.store(engine, Release);
    engine
}

/// Takes the engine away: from now on, nothing is recorded.
pub fn clear() -> Option<&'static Engine> {
    let engine = ENGINE.swap(std::ptr::null_mut(), AcqRel);
    // SAFETY: as in `get`.
    unsafe { engine.as_ref() }
}

impl Engine {
    /// Whether this is the engine that records now. Work that goes on by itself ends when it is
    /// not.
    pub fn is_current(&self) -> bool {
        std::ptr::eq(ENGINE.load(Acquire), self)
    }

    /// Whether calls are only counted.
    pub fn counts(&self) -> bool {
        self.recording.level() == writer::Level::Counts
    }

    /// Records, once, something that crosses and that the source does not see. Not for the hot
    /// path.
    ///
    /// Its fields except the text say which targets, as narrowly as possible: `soglia verify`
    /// expects nothing of those.
    pub fn unwatched(&self, what: Unwatched) {
        let mut told = self
            .recorded_unwatched
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if told.len() < MOST_UNWATCHED && told.insert(what.clone()) {
            self.recording.log(&Record::Unwatched(what));
        }
    }

    /// The number of a text for stacks.
    pub fn text(&self, text: String) -> u32 {
        let mut tables = self.names.lock();
        let next = tables.texts.len() as u32 + 1;
        let number = *tables.texts.entry(text.clone()).or_insert(next);
        if number == next {
            self.recording.log(&Record::Text { number, text });
        }
        number
    }

    /// The number of a stack with these frames.
    pub fn stack(&self, frames: Vec<u32>) -> u32 {
        let mut tables = self.names.lock();
        let next = tables.stacks.len() as u32 + 1;
        let number = *tables.stacks.entry(frames.clone()).or_insert(next);
        if number == next {
            self.recording.log(&Record::Stack { number, frames });
        }
        number
    }

    /// Forgets what it has found out, when the recording has ended. The engine itself stays.
    pub fn forget_all(&self) {
        self.names.forget_all();
        self.targets.forget_all();
        self.modules.clear();
        let recorded = self.recorded_unwatched.lock();
        *recorded.unwrap_or_else(PoisonError::into_inner) = HashSet::new();
    }

    /// Whether one more slow call may be recorded. Counts it as dropped if not.
    pub fn take_slow(&self) -> bool {
        let mut tables = self.names.lock();
        tables.slow += 1;
        if tables.slow > MOST_KEPT {
            self.recording
                .header()
                .dropped_records
                .fetch_add(1, Relaxed);
        }
        tables.slow <= MOST_KEPT
    }
}
