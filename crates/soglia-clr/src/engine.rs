//! What is the same for the whole process: the recording, the CLR's interfaces, the options.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use soglia_abi::profiler::info::{ICorProfilerInfo, ICorProfilerInfo2};
use soglia_core::trace::{
    log::{MOST_KEPT, Record, Unwatched},
    writer::{self, Recording},
};

use crate::{
    known::{modules::Modules, names::Names, targets::Targets},
    objects::{self, Epoch},
    policy::Rules,
};

pub use soglia_core::trace::log::{Scope, Source};

/// The engine. There is one, for as long as the process.
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
    /// Whether a host is notified of crossings, so that wrappers are made for that.
    pub notifies: bool,
    /// Whether crossings are recorded, or a host is notified. If not, nothing is woven.
    pub watches: bool,
    /// Whether a recording was asked for, so that stacks are kept.
    pub records: bool,
    /// The major version of the runtime.
    pub major: u16,
}

// SAFETY: the CLR documents its information interfaces as callable from any thread, and the engine
// never releases them.
unsafe impl Send for Engine {}
// SAFETY: the CLR documents its information interfaces as callable from any thread. All other
// fields are constant or have locks of their own.
unsafe impl Sync for Engine {}

static ENGINE: OnceLock<Engine> = OnceLock::new();

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
    u64::from(GENERATION.load(Relaxed) & !SHUT_DOWN) | epoch.loads << 32
}

/// Callbacks return at once.
pub static FLOOR: AtomicBool = AtomicBool::new(false);

/// The most records of this kind. A program that loads assemblies for ever must not fill the log.
const MOST_UNWATCHED: usize = 1000;

/// The engine, once the CLR has started it.
#[inline]
pub fn get() -> Option<&'static Engine> {
    ENGINE.get()
}

/// Keeps the engine, once.
pub fn set(engine: Engine) -> &'static Engine {
    ENGINE.get_or_init(|| engine)
}

impl Engine {
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
