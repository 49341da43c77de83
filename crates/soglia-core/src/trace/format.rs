//! The bytes of a recording. If you change anything here, raise [`VERSION`] and tell `docs/format.md`.
//!
//! Everything is little-endian, and written in place by the recorded process: fields that change while others read are
//! atomics, written by one thread each unless said otherwise.
#![allow(unsafe_code, reason = "structures are laid over a mapped file")]

use std::sync::atomic::{
    AtomicI32, AtomicU32, AtomicU64,
    Ordering::{Relaxed, Release},
};

use crate::{fault::Fault, histogram::BUCKETS, layer::Layer, time::Anchor};

/// The first eight bytes. The last two catch transfers as text and `cat` on a terminal.
pub const MAGIC: [u8; 8] = *b"SOGLIA\x1a\n";
/// The version of this format.
pub const VERSION: u32 = 4;
/// The unit of allocation, in bytes; chunks and the header are aligned to it.
pub const BLOCK: usize = 4096;
/// The most blocks of a file (256 GiB): layers name slots by 32 bits, in units of 64 bytes.
pub const MOST_BLOCKS: u32 = 1 << 26;
/// The first four bytes of a chunk: `SGCK`. Stored last, when the rest of its header stands.
pub const CHUNK_MAGIC: u32 = u32::from_le_bytes(*b"SGCK");
/// Where the engine writes why it could not record, for the tool that started it.
pub const NOTE_OFFSET: usize = 1024;
/// Room for that note.
pub const NOTE_BYTES: usize = 512;

/// Bytes of [`Header::session`].
pub const SESSION_BYTES: usize = 16;

/// Why there was no room, each with a counter in [`Header::no_room`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum NoRoom {
    /// The recording had come to the size that was asked for.
    Full = 0,
    /// It had come to a smaller size: a limit on the size of files, or of address space, did not let it be as large.
    Small = 1,
    /// There was no room on the disk.
    Disk = 2,
    /// There was no memory.
    Memory = 3,
    /// The file had become shorter: somebody cut it.
    Cut = 4,
    /// The descriptor of the file was closed, or had become that of another one.
    Closed = 5,
    /// The operating system said no for another reason.
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

/// What the process does with the recording: [`Header::state`].
pub mod state {
    /// Made by the tool; no process has begun to record.
    pub const CREATED: u32 = 0;
    /// A process records.
    pub const RECORDING: u32 = 1;
    /// The runtime of that process has announced its shutdown.
    pub const SHUTDOWN: u32 = 2;
}

/// How the recorded process ended, as far as its starter saw it: [`Header::end_kind`].
pub mod end {
    /// Nobody saw it end.
    pub const UNKNOWN: u32 = 0;
    /// It exited; the code is in `end_code`.
    pub const EXITED: u32 = 1;
    /// A signal ended it; its number is in `end_code`.
    pub const SIGNALLED: u32 = 2;
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
    /// The recording never grows beyond this many blocks.
    pub max_blocks: u32,
    /// Chunks of events are only made below this many blocks, so that the rest has room.
    pub event_blocks: u32,
    /// The first block that no chunk has claimed. Added to by any thread.
    pub next_block: AtomicU32,
    /// The kernel's boot id: ticks can be compared with now while it is the same.
    pub boot: [u8; 16],
    /// Calls of at least this many nanoseconds are slow; 0: none is.
    pub slow_ns: u64,
    /// Nanoseconds since 1970 when the recording was made.
    pub wall_ns: u64,
    /// Taken when the recording was made.
    pub made: Anchor,
    /// Taken when a process began to record: time 0 of all reports.
    pub start: [AtomicU64; 2],
    /// Two anchors, overwritten in turn; the one with more ticks is the latest.
    pub last: [[AtomicU64; 2]; 2],
    /// Taken by the starter when the process had ended; zero before.
    pub ended: [AtomicU64; 2],
    /// [`end`].
    pub end_kind: AtomicU32,
    /// The exit code or the signal.
    pub end_code: AtomicI32,
    /// [`state`].
    pub state: AtomicU32,
    /// The recorded process; 0 before. Claimed by compare-and-swap.
    pub pid: AtomicU32,
    /// When that process started, in clock ticks since boot (`/proc/PID/stat`, field 22): tells it from a later one with its number.
    pub pid_started: AtomicU64,
    /// Numbers given to tasks so far.
    pub tasks: AtomicU32,
    /// Other .NET processes that found the recording taken.
    pub turned_away: AtomicU32,
    /// The file holds at least this many blocks, unless it was cut afterwards. Raised by any thread.
    pub reserved_blocks: AtomicU32,
    /// The process's pid namespace, in which `pid` is its number; 0: not known.
    pub pid_namespace: AtomicU32,
    /// Crossings of threads for which there was no room at all: not in any account.
    pub dropped_crossings: AtomicU64,
    /// Slow calls and stacks for which there was no room.
    pub dropped_records: AtomicU64,
    /// Taken now and then while the process lives: by its starter, or where it has none by the engine. Zero before the first.
    pub alive: [AtomicU64; 2],
    /// Taken by the process when it exits; zero before.
    pub exited: [AtomicU64; 2],
    /// The exit code that the process has exited with, if there is such an anchor.
    pub exit_code: AtomicI32,
    /// The time namespace of the process, whose clock its anchors are of; 0: not known.
    pub time_namespace: AtomicU32,
    /// The file's own inode number: of a copy it is another one; 0: not known.
    pub inode: AtomicU64,
    /// 1: the process holds a lock on the file until it is gone.
    pub locked: AtomicU32,
    /// 1: the file could not be made as large as was asked for.
    pub is_small: u32,
    /// Random, like that of no other recording: a process that is to record into this one knows it.
    pub session: [u8; SESSION_BYTES],
    /// How often there was no room for a chunk, by [`NoRoom`]. Added to by any thread.
    pub no_room: [AtomicU32; NoRoom::ALL.len()],
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
    /// The number of the task that it belongs to; 0: to the process.
    pub task: AtomicU32,
    /// Its place among the chunks of the same kind and task.
    pub sequence: AtomicU32,
    /// Task and Slots: slots in use.
    pub used: AtomicU32,
    /// Events: ticks that the first word counts from.
    pub base_ticks: AtomicU64,
    /// Events: the operating system's number of the thread.
    pub os_thread: AtomicU32,
}

/// Layers that a task chunk has room for; more are in chunks of their own.
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
/// Slots in a task chunk.
pub const TASK_SLOTS: u32 =
    ((TASK_BLOCKS as usize * BLOCK - TASK_SLOTS_OFFSET) / size_of::<Slot>()) as u32;
/// Slots in a chunk of slots.
pub const CHUNK_SLOTS: u32 =
    ((SLOT_BLOCKS as usize * BLOCK - size_of::<ChunkHeader>()) / size_of::<Slot>()) as u32;
/// Layers in a chunk of layers.
pub const CHUNK_LAYERS: usize =
    (LAYER_BLOCKS as usize * BLOCK - size_of::<ChunkHeader>()) / size_of::<Layer>();

/// What a task is, as far as the runtime and the operating system tell.
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
    /// A thread that native code made and that called into managed code.
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

/// A task's own record, at the head of its chunk.
#[derive(Debug)]
#[repr(C)]
pub struct TaskRecord {
    /// Layers open now. Stored when the layer stands: this publishes it.
    pub depth: AtomicU32,
    /// The deepest it ever was.
    pub max_depth: AtomicU32,
    /// Its number, from 1.
    pub number: AtomicU32,
    /// The operating system's number of the thread (the latest, if several were folded into one task).
    pub os_thread: AtomicU32,
    /// [`TaskKind`].
    pub kind: AtomicU32,
    /// Threads that were recorded as this task, one after the other: 1, or more in programs with very many short-lived ones.
    pub threads: AtomicU32,
    /// By [`Fault`].
    pub faults: [AtomicU32; Fault::ALL.len()],
    /// Bytes of the name.
    pub name_bytes: AtomicU32,
    /// Ticks at the first crossing.
    pub first: AtomicU64,
    /// Ticks at the end of the thread; 0 before.
    pub ended: AtomicU64,
    /// Returns without a call, by [`crate::crossing::Crossing`] number minus one: crossings that are in no slot.
    pub unmatched: [AtomicU32; 4],
    /// Returns from calls that were too deep to be timed, likewise.
    pub untimed: [AtomicU32; 4],
    /// Crossings that are not among the events, because the recording was full.
    pub dropped: AtomicU64,
    /// UTF-8.
    pub name: [AtomicU64; NAME_BYTES / 8],
}

impl TaskRecord {
    /// Says what the task is called. May be called by any thread; of two at once, one wins or the name is garbled.
    pub fn rename(&self, name: &str) {
        let mut end = name.len().min(NAME_BYTES);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        self.name_bytes.store(0, Release);
        for (word, bytes) in self.name.iter().zip(name.as_bytes()[..end].chunks(8)) {
            let mut eight = [0; 8];
            eight[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(eight), Relaxed);
        }
        self.name_bytes.store(end as u32, Release);
    }

    /// Says what kind of task it is.
    pub fn set_kind(&self, kind: TaskKind) {
        self.kind.store(kind as u32, Relaxed);
    }
}

/// The account of one target on one task.
///
/// A target can have several slots on one task: a reader adds them up. Target 0 stands for all for which there was no room.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Slot {
    /// The target's number.
    pub target: AtomicU32,
    /// Calls that returned. Stored after the other fields.
    pub ended: AtomicU32,
    /// Calls that were unwound past.
    pub abandoned: AtomicU32,
    /// Calls that were counted and not timed: too deep, or only counting was asked for.
    pub untimed: AtomicU32,
    /// Ticks of the calls that returned.
    pub total: AtomicU64,
    /// Of these: ticks in what was nested in them.
    pub nested: AtomicU64,
    /// The shortest; `u64::MAX` before the first.
    pub min: AtomicU64,
    /// The longest.
    pub max: AtomicU64,
    /// Side of the target's layers.
    pub side: AtomicU32,
    /// Calls that ended by an exception.
    pub failed: AtomicU32,
    /// Calls that a policy did not let happen.
    pub refused: AtomicU32,
    /// Unused.
    pub reserved: AtomicU32,
    /// Calls by duration: see [`crate::histogram`].
    pub histogram: [AtomicU32; BUCKETS],
}

const _: () = {
    assert!(size_of::<Header>() <= NOTE_OFFSET);
    assert!(size_of::<ChunkHeader>() == 64);
    assert!(size_of::<Slot>() == 64 + BUCKETS * 4);
    assert!(size_of::<Layer>() == 40);
    assert!(LAYERS_OFFSET.is_multiple_of(8));
};

/// Stores an anchor, its ticks last: while they are 0 it is none.
pub fn store_anchor(to: &[AtomicU64; 2], anchor: Anchor) {
    to[0].store(0, Relaxed);
    to[1].store(anchor.monotonic_ns, Release);
    to[0].store(anchor.ticks, Release);
}
