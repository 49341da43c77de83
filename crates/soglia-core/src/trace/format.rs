//! The bytes of a recording. If you change anything here, raise [`VERSION`] and change
//! `docs/format.md`.
//!
//! Everything is little-endian, and the recorded process writes it in place. Fields that change
//! while other processes read are atomics. One thread writes each, unless its description says
//! otherwise.
#![allow(unsafe_code, reason = "structures are laid over a mapped file")]

use std::sync::atomic::{
    AtomicI32, AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
};

use crate::{
    fault::Fault, histogram::BUCKETS, layer::Layer, order::keep_stores_in_order, time::Anchor,
};

/// The first eight bytes. The last two reveal transfers as text and stop `cat` on a terminal.
pub const MAGIC: [u8; 8] = *b"SOGLIA\x1a\n";
/// The version of this format.
pub const VERSION: u32 = 7;
/// The unit of allocation, in bytes. The header and chunks are aligned to it.
pub const BLOCK: usize = 4096;
/// The most blocks of a file (256 GiB): layers name slots by 32 bits, in units of 64 bytes.
pub const MOST_BLOCKS: u32 = 1 << 26;
/// The first four bytes of a chunk: `SGCK`. Stored last, when the rest of the chunk's header is
/// there.
pub const CHUNK_MAGIC: u32 = u32::from_le_bytes(*b"SGCK");
/// Where the engine says why it could not record, for the tool that started it.
pub const NOTE_OFFSET: usize = 1024;
/// Bytes of that note.
pub const NOTE_BYTES: usize = 512;

/// Bytes of [`Header::session`].
pub const SESSION_BYTES: usize = 16;

/// Why there was no room. Each reason has a counter in [`Header::no_room`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum NoRoom {
    /// The recording had its full size.
    Full = 0,
    /// The same, and a limit on the size of files or of address space had made it smaller than
    /// asked for.
    Small = 1,
    /// The disk was full.
    Disk = 2,
    /// There was no memory.
    Memory = 3,
    /// A process had made the file shorter.
    Cut = 4,
    /// The program had closed the descriptor of the file, or put it to another use.
    Closed = 5,
    /// The operating system gave another error.
    Refused = 6,
}

impl NoRoom {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::Small,
        Self::Disk,
        Self::Memory,
        Self::Cut,
        Self::Closed,
        Self::Refused,
    ];

    /// The word for it in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Small => "small",
            Self::Disk => "disk",
            Self::Memory => "memory",
            Self::Cut => "cut",
            Self::Closed => "closed",
            Self::Refused => "refused",
        }
    }
}

/// What the process does with the recording: values of [`Header::state`].
pub mod state {
    /// The tool has made it, and no process records yet.
    pub const CREATED: u32 = 0;
    /// A process records.
    pub const RECORDING: u32 = 1;
    /// The runtime of that process has announced its shutdown.
    pub const SHUTDOWN: u32 = 2;
}

/// How the process or its recording ended, as far as it was seen: values of [`Header::end_kind`].
pub mod end {
    /// No process saw it end.
    pub const UNKNOWN: u32 = 0;
    /// It exited. `end_code` has the code.
    pub const EXITED: u32 = 1;
    /// A signal ended it. `end_code` has the signal's number.
    pub const SIGNALLED: u32 = 2;
    /// The engine stopped to record a process that runs on. `end_code` means nothing.
    pub const LET_GO: u32 = 3;
}

/// Block 0.
#[derive(Debug)]
#[repr(C)]
pub struct Header {
    /// [`MAGIC`].
    pub magic: [u8; 8],
    /// [`VERSION`].
    pub version: u32,
    /// 0: counts only, 1: summary, 2: also events.
    pub level: u32,
    /// [`crate::time::TickSource`].
    pub tick_source: u32,
    /// Blocks of the file.
    pub max_blocks: u32,
    /// Chunks of events are made below this block only, so that the rest has room.
    pub event_blocks: u32,
    /// The first block that no chunk has claimed. Any thread adds to it.
    pub next_block: AtomicU32,
    /// The kernel's boot id. While it is the same, ticks can be compared with those of now.
    pub boot: [u8; 16],
    /// Calls that take at least this many nanoseconds are slow; 0: none is.
    pub slow_ns: u64,
    /// Nanoseconds since 1970 when the recording was made.
    pub wall_ns: u64,
    /// Taken when the starter made the recording.
    pub made: Anchor,
    /// Taken when a process began to record: time 0 of all reports.
    pub start: [AtomicU64; 2],
    /// Two anchors, overwritten in turn; the one with more ticks is the latest.
    pub last: [[AtomicU64; 2]; 2],
    /// The starter takes it when the process has ended; zero before.
    pub ended: [AtomicU64; 2],
    /// [`end`].
    pub end_kind: AtomicU32,
    /// The exit code or the signal.
    pub end_code: AtomicI32,
    /// [`state`].
    pub state: AtomicU32,
    /// The recorded process; 0 before. Claimed by compare-and-swap.
    pub pid: AtomicU32,
    /// When that process started, in clock ticks since boot (`/proc/PID/stat`, field 22). It tells
    /// the process from a later one that has its number.
    pub pid_started: AtomicU64,
    /// Numbers given to tasks so far.
    pub tasks: AtomicU32,
    /// Other .NET processes that found the recording taken.
    pub turned_away: AtomicU32,
    /// The file holds at least this many blocks, unless it was cut afterwards. Any thread raises
    /// it.
    pub reserved_blocks: AtomicU32,
    /// The pid namespace in which `pid` is the process's number; 0: not known.
    pub pid_namespace: AtomicU32,
    /// Crossings of threads for which there was no room at all. They are counted nowhere else.
    pub dropped_crossings: AtomicU64,
    /// Slow calls and stacks for which there was no room.
    pub dropped_records: AtomicU64,
    /// Taken now and then while the process lives: by its starter, or by the engine if no starter
    /// does so. Zero before the first.
    pub alive: [AtomicU64; 2],
    /// The process takes it when it exits; zero before.
    pub exited: [AtomicU64; 2],
    /// The code with which the process exits, if `exited` is there.
    pub exit_code: AtomicI32,
    /// The time namespace of the process, whose clock its anchors show; 0: not known.
    pub time_namespace: AtomicU32,
    /// The file's own inode number, which a copy does not have; 0: not known.
    pub inode: AtomicU64,
    /// 1: the process holds a lock on the file until it is gone.
    pub locked: AtomicU32,
    /// 1: the file could not be made as large as asked for.
    pub is_small: u32,
    /// Random bytes that no other recording has. The process that is to record into this one knows
    /// them.
    pub session: [u8; SESSION_BYTES],
    /// How often there was no room for a chunk, by [`NoRoom`]. Any thread adds to it.
    pub no_room: [AtomicU32; NoRoom::ALL.len()],
    /// Nanoseconds between two ticks of the coarse clock, where calls are timed by sample; 0: every
    /// call is timed.
    pub clock_ns: AtomicU32,
    /// The part of the run that timing may take, in millionths, where calls are timed by sample.
    pub budget_ppm: u32,
    /// Unused.
    pub reserved: AtomicU32,
}

/// What a chunk holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum ChunkKind {
    /// [`crate::trace::log`] records, of the whole process.
    Log = 1,
    /// A [`TaskRecord`], its first layers and its first slots.
    Task = 2,
    /// More [`Slot`]s of a task.
    Slots = 3,
    /// More layers of a task.
    Layers = 4,
    /// [`crate::trace::events`] of a task.
    Events = 5,
    /// [`OpenArguments`](super::argument_places::OpenArguments) of a task.
    Arguments = 6,
}

impl ChunkKind {
    /// The kind with this number.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Log),
            2 => Some(Self::Task),
            3 => Some(Self::Slots),
            4 => Some(Self::Layers),
            5 => Some(Self::Events),
            6 => Some(Self::Arguments),
            _ => None,
        }
    }
}

/// The head of every chunk.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct ChunkHeader {
    /// [`CHUNK_MAGIC`].
    pub magic: AtomicU32,
    /// [`ChunkKind`].
    pub kind: AtomicU32,
    /// Its size, this header included.
    pub blocks: AtomicU32,
    /// The number of the task to which it belongs; 0: it belongs to the process.
    pub task: AtomicU32,
    /// Its place among the chunks of the same kind and task, from 0.
    pub sequence: AtomicU32,
    /// Task and Slots: slots in use.
    pub used: AtomicU32,
    /// Events: the ticks from which the first word counts.
    pub base_ticks: AtomicU64,
    /// Events: the operating system's number of the thread.
    pub os_thread: AtomicU32,
}

/// Layers in a task chunk. More are in chunks of their own.
pub const FIRST_LAYERS: usize = 32;
/// Bytes of a task's name that are kept.
pub const NAME_BYTES: usize = 64;
/// Blocks of a task chunk.
pub const TASK_BLOCKS: u32 = 4;
/// Blocks of a chunk with more slots.
pub const SLOT_BLOCKS: u32 = 4;
/// Blocks of a chunk with more layers.
pub const LAYER_BLOCKS: u32 = 16;
/// Blocks of a chunk of the log.
pub const LOG_BLOCKS: u32 = 4;
/// Where the layers of a task chunk begin.
pub const LAYERS_OFFSET: usize = size_of::<ChunkHeader>() + size_of::<TaskRecord>();
/// Where the slots of a task chunk begin.
pub const TASK_SLOTS_OFFSET: usize =
    (LAYERS_OFFSET + FIRST_LAYERS * size_of::<Layer>()).next_multiple_of(align_of::<Slot>());
/// Returns that a task chunk keeps. A power of two.
pub const LAST_RETURNS: usize = 64;
/// Slots in a task chunk.
pub const TASK_SLOTS: u32 =
    ((TASK_BLOCKS as usize * BLOCK - TASK_SLOTS_OFFSET - LAST_RETURNS * size_of::<LastReturn>())
        / size_of::<Slot>()) as u32;
/// Where the last returns of a task chunk lie.
pub const LAST_RETURNS_OFFSET: usize = TASK_SLOTS_OFFSET + TASK_SLOTS as usize * size_of::<Slot>();
/// Slots in a chunk of slots.
pub const CHUNK_SLOTS: u32 =
    ((SLOT_BLOCKS as usize * BLOCK - size_of::<ChunkHeader>()) / size_of::<Slot>()) as u32;
/// Layers in a chunk of layers.
pub const CHUNK_LAYERS: usize =
    (LAYER_BLOCKS as usize * BLOCK - size_of::<ChunkHeader>()) / size_of::<Layer>();

/// What a task is, as far as the runtime and the operating system say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum TaskKind {
    /// A managed thread of no special kind.
    #[default]
    Thread = 0,
    /// The thread that runs `Main`.
    Main = 1,
    /// The finalizer thread.
    Finalizer = 2,
    /// A thread of the thread pool.
    Pool = 3,
    /// The thread of `System.Threading.Timer`.
    Timer = 4,
    /// A thread that native code made, and that called managed code.
    Native = 5,
    /// One of the runtime's other threads.
    Runtime = 6,
}

impl TaskKind {
    /// The word for it in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Thread => "thread",
            Self::Main => "main",
            Self::Finalizer => "finalizer",
            Self::Pool => "pool",
            Self::Timer => "timer",
            Self::Native => "native",
            Self::Runtime => "runtime",
        }
    }

    /// The kind with this number.
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Main,
            2 => Self::Finalizer,
            3 => Self::Pool,
            4 => Self::Timer,
            5 => Self::Native,
            6 => Self::Runtime,
            _ => Self::Thread,
        }
    }
}

/// A task's own record, behind the header of its chunk.
#[derive(Debug)]
#[repr(C)]
pub struct TaskRecord {
    /// Layers open now. Stored when the layer is there, which publishes the layer.
    pub depth: AtomicU32,
    /// The most layers that were open at a time.
    pub max_depth: AtomicU32,
    /// Its number, from 1.
    pub number: AtomicU32,
    /// The operating system's number of the thread; of the latest, if several were recorded as this
    /// task.
    pub os_thread: AtomicU32,
    /// [`TaskKind`].
    pub kind: AtomicU32,
    /// Threads that were recorded as this task, one after the other. More than 1 in programs with
    /// very many short-lived threads.
    pub threads: AtomicU32,
    /// Faults, by [`Fault`].
    pub faults: [AtomicU32; Fault::ALL.len()],
    /// Bytes of the name.
    pub name_bytes: AtomicU32,
    /// Ticks at the first crossing.
    pub first: AtomicU64,
    /// Ticks at the end of the thread; 0 before.
    pub ended: AtomicU64,
    /// Returns without a call, by [`crate::crossing::Crossing`] number minus one. They are in no
    /// slot.
    pub unmatched: [AtomicU32; 4],
    /// Returns from calls that were too deep to be timed, in the same order.
    pub untimed: [AtomicU32; 4],
    /// Crossings that are not among the events because the recording was full.
    pub dropped: AtomicU64,
    /// UTF-8.
    pub name: [AtomicU64; NAME_BYTES / 8],
}

impl TaskRecord {
    /// Names the task. Any thread may call it. If two do so at once, one wins or the name is
    /// garbled.
    pub fn rename(&self, name: &str) {
        let mut end = name.len().min(NAME_BYTES);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        self.name_bytes.store(0, Release);
        keep_stores_in_order();
        for (word, bytes) in self.name.iter().zip(name.as_bytes()[..end].chunks(8)) {
            let mut eight = [0; 8];
            eight[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(eight), Relaxed);
        }
        self.name_bytes.store(end as u32, Release);
    }

    /// Sets the task's kind.
    pub fn set_kind(&self, kind: TaskKind) {
        self.kind.store(kind as u32, Relaxed);
    }
}

/// The counters of one target on one task.
///
/// A target can have several slots on one task: a reader adds them up. Target 0 stands for all
/// targets for which there was no room.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Slot {
    /// The target's number.
    pub target: AtomicU32,
    /// Calls that returned. Stored after the other fields.
    pub ended: AtomicU32,
    /// Calls that were unwound past.
    pub abandoned: AtomicU32,
    /// Calls that were counted and not timed: they were too deep, or only counts are recorded.
    pub untimed: AtomicU32,
    /// Ticks of the calls that returned.
    pub total: AtomicU64,
    /// Ticks of `total` that were spent in nested layers. Where calls are timed by sample: an
    /// estimate for all calls that returned.
    pub nested: AtomicU64,
    /// Ticks of the shortest; `u64::MAX` before the first.
    pub min: AtomicU64,
    /// Ticks of the longest.
    pub max: AtomicU64,
    /// The side of the target's layers.
    pub side: AtomicU32,
    /// Calls that ended by an exception.
    pub failed: AtomicU32,
    /// Calls that a policy denied.
    pub refused: AtomicU32,
    /// Calls until the next one is drawn, where calls are timed by sample.
    pub countdown: AtomicU32,
    /// More, where calls are timed by sample.
    pub sample: Sample,
    /// Calls that returned, by duration: see [`crate::histogram`]. Where calls are timed by sample,
    /// a drawn call adds as many as it stands for. A long call adds 1.
    pub histogram: [AtomicU32; BUCKETS],
}

/// What is known of a target's calls on one task from those that were drawn, where calls are timed
/// by sample: see [`crate::sampling`].
///
/// A drawn call stands for `w` calls. It takes `m` ticks, or [`crate::sampling::Plan::clip`] if
/// that is less. `total` of its slot has the ticks of drawn calls, each once.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Sample {
    /// Drawn calls that returned.
    pub timed: AtomicU32,
    /// The next call is drawn with a chance of 1 in 2 to this power.
    pub power: AtomicU32,
    /// Sum of `w` - 1.
    pub rest: AtomicU64,
    /// Sum of (`w` - 1) `m`.
    pub clipped: AtomicU64,
    /// Sum of `w` (`w` - 1).
    pub square: AtomicU64,
    /// Sum of `w` (`w` - 1) `m`.
    pub square_ticks: AtomicU64,
    /// Sum of `w` (`w` - 1) `m`².
    pub square_squares: AtomicU64,
    /// Ticks by which the coarse clock moved in calls that were not drawn.
    pub moved: AtomicU64,
    /// The variance of `moved`, in units of [`VARIANCE_UNIT`].
    pub moved_variance: AtomicU64,
    /// Ticks between two draws in which calls were left out.
    pub span: AtomicU64,
    /// When a call was drawn last.
    pub drawn: AtomicU64,
    /// The variance of `nested` that comes from drawn calls.
    pub nested_variance: AtomicU64,
    /// The variance of `nested` that comes from other calls, in units of [`VARIANCE_UNIT`].
    pub nested_moved_variance: AtomicU64,
    /// The greatest `w` (`w` - 1) `m`².
    pub greatest_square: AtomicU64,
    /// Unused.
    pub reserved: [AtomicU64; 3],
}

/// Squares of ticks of the coarse clock are kept in this unit.
pub const VARIANCE_UNIT: u64 = 1 << 20;

/// A call that returned lately: one of a task's last [`LAST_RETURNS`].
/// They are overwritten in turn.
#[derive(Debug)]
#[repr(C)]
pub struct LastReturn {
    /// Ticks when it returned; 0: none is here. Stored last.
    pub at: AtomicU64,
    /// The target's number.
    pub target: AtomicU32,
    /// Unused.
    pub reserved: AtomicU32,
}

const _: () = {
    assert!(size_of::<LastReturn>() == 16 && LAST_RETURNS.is_power_of_two());
    assert!(LAST_RETURNS_OFFSET.is_multiple_of(8));
    assert!(size_of::<Header>() <= NOTE_OFFSET);
    assert!(size_of::<ChunkHeader>() == 64);
    assert!(size_of::<Slot>() == 64 + 128 + BUCKETS * 4);
    assert!(size_of::<Layer>() == 40);
    assert!(LAYERS_OFFSET.is_multiple_of(8));
};

/// Stores an anchor, its ticks last: while they are 0, there is none.
pub fn store_anchor(to: &[AtomicU64; 2], anchor: Anchor) {
    to[0].store(0, Relaxed);
    to[1].store(anchor.monotonic_ns, Release);
    to[0].store(anchor.ticks, Release);
}
