//! The writing end of a recording: claims the file, and hands out its blocks.
#![allow(
    unsafe_code,
    reason = "lays structures over the mapped file and asks the OS for room in it"
)]

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    path::Path,
    ptr::NonNull,
    sync::{
        Mutex, PoisonError, RwLock,
        atomic::{
            AtomicBool, AtomicU8, AtomicU32, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};

use super::{
    argument_places::ArgumentPlaces,
    attached::Detach,
    failure::{CALLS, FailedCalls, Failure},
    format::{
        BLOCK, CHUNK_MAGIC, ChunkHeader, ChunkKind, Header, LOG_BLOCKS, NOTE_BYTES, NOTE_OFFSET,
        NoRoom, end, state, store_anchor,
    },
    identity::{self, Identity},
    log::Record,
    mapping::Mapping,
    more_layers::MoreLayers,
    room::{Room, out_of_the_way},
    starter::{event_blocks, options_in},
    tables::Tables,
};
use crate::{
    errno, process,
    sampling::Plan,
    time::{Anchor, Scale, TickSource},
};

mod retire;
mod times;

pub use super::{
    identity::ClaimError,
    starter::{
        Level, MIN_BYTES, Options, Sampling, append, conclude, create, create_unnamed, note,
        options_of, trim,
    },
};

/// A recording that this process writes.
#[derive(Debug)]
pub struct Recording {
    map: Mapping,
    room: Room,
    /// The first block that no chunk has claimed. The header's number is for readers: the process
    /// believes nothing that lies in the file.
    next_block: AtomicU32,
    /// Up to this block, the mapping may be read and written.
    open_blocks: AtomicU32,
    max_blocks: u32,
    level: Level,
    made: Anchor,
    is_small: bool,
    /// Whether nothing is written any more: this process is the child of a fork, and the recording
    /// is its parent's, or the recording is retired.
    left: AtomicBool,
    /// Whether the recording is retired. Held while blocks are taken.
    retired: RwLock<bool>,
    /// Whether calls may return that began before it.
    began_later: AtomicBool,
    log: Mutex<Log>,
    /// The thread that stores an anchor holds it.
    time: Mutex<()>,
    tables: Tables,
    more_layers: MoreLayers,
    open_arguments: ArgumentPlaces,
    slow_ticks: u64,
    /// How calls are timed by sample, if they are.
    plan: Option<Plan>,
    no_clock: AtomicBool,
    /// Calls that take at least this many ticks are noted, for code that looks into returns.
    noted_ticks: AtomicU64,
}

#[derive(Debug, Default)]
struct Log {
    /// The place of the next record, and how many words fit there.
    at: Option<(NonNull<u32>, usize)>,
    chunks: u32,
}

// SAFETY: the pointer leads into the mapping, which lives as long as the recording that owns this
// log. The mutex around the log lets one thread at a time use it.
unsafe impl Send for Log {}

impl Recording {
    /// Claims a recording made by [`create`] for this process, and maps it.
    ///
    /// # Errors
    /// See [`ClaimError`]. [`note`] then tells the starter why.
    pub fn claim(path: &Path) -> Result<Self, ClaimError> {
        Self::claim_that(path, None)
    }

    /// The same, for the expected recording only, if there is one.
    ///
    /// # Errors
    /// See [`ClaimError`].
    pub fn claim_that(path: &Path, expected: Option<&Identity>) -> Result<Self, ClaimError> {
        let file = out_of_the_way(identity::open(path, expected)?);
        let recording = Self::claim_file(&file)?;
        recording.room.keep(file);
        Ok(recording)
    }

    /// The same, for a recording that is open. Does not keep the file: the mapping keeps it, and
    /// the lock on it, until the process ends. For a thread with a table of descriptors of its own,
    /// whose numbers mean nothing to other threads.
    ///
    /// # Errors
    /// See [`ClaimError`].
    pub fn claim_open(file: &File, expected: &Identity) -> Result<Self, ClaimError> {
        identity::check(file, Some(expected))?;
        Self::claim_file(file)
    }

    fn claim_file(file: &File) -> Result<Self, ClaimError> {
        let about = file.metadata()?;
        let options = options_in(file)?;
        // Nothing that lies in the file becomes an address without a check.
        let bytes = options.max_bytes.min(about.len());
        if bytes < MIN_BYTES / 4 {
            return Err(ClaimError::Foreign);
        }
        let map = Mapping::of_as_much_as_possible(file, bytes / BLOCK as u64 * BLOCK as u64)?;
        let max_blocks = (map.len() / BLOCK) as u32;
        let mut recording = Self {
            room: Room::of((about.dev(), about.ino())),
            next_block: AtomicU32::new(1),
            open_blocks: AtomicU32::new(1),
            max_blocks,
            level: options.level,
            made: Anchor::default(),
            is_small: u64::from(max_blocks) * (BLOCK as u64) < options.max_bytes,
            left: AtomicBool::new(false),
            retired: RwLock::new(false),
            began_later: AtomicBool::new(false),
            map,
            log: Mutex::new(Log::default()),
            time: Mutex::new(()),
            tables: Tables::default(),
            more_layers: MoreLayers::default(),
            open_arguments: ArgumentPlaces::default(),
            slow_ticks: u64::MAX,
            plan: None,
            no_clock: AtomicBool::new(false),
            noted_ticks: AtomicU64::new(u64::MAX),
        };
        // A dump of the process would fetch the whole hole into memory. Not all dumpers follow the
        // advice, so the mapping is opened bit by bit.
        recording.advise(recording.map.at(), recording.map.len(), libc::MADV_DONTDUMP);
        recording.close_hole();
        let header = recording.header();
        let (made, is_small) = (header.made, header.is_small != 0);
        if let Some(source) = TickSource::from_number(header.tick_source) {
            source.select();
        }
        recording.made = made;
        recording.is_small |= is_small;
        if options.slow_ns != 0 {
            recording.slow_ticks = recording.scale().ticks(options.slow_ns);
            recording.note_from(recording.slow_ticks);
        }
        recording.set_plan(&options);
        let header = recording.header();
        let pid = std::process::id();
        if header
            .pid
            .compare_exchange(0, pid, AcqRel, Relaxed)
            .is_err()
        {
            header.turned_away.fetch_add(1, Relaxed);
            return Err(ClaimError::Taken);
        }
        header
            .pid_started
            .store(process::started(pid).unwrap_or(0), Relaxed);
        let spaces = (process::pid_namespace(), process::time_namespace());
        header.pid_namespace.store(spaces.0, Relaxed);
        header.time_namespace.store(spaces.1, Relaxed);
        header.inode.store(about.ino(), Relaxed);
        let locked = process::lock(file).is_ok();
        header.locked.store(u32::from(locked), Relaxed);
        store_anchor(&header.start, Anchor::take());
        header.state.store(state::RECORDING, Release);
        Ok(recording)
    }

    /// Block 0.
    #[inline]
    pub fn header(&self) -> &Header {
        // SAFETY: the mapping is at least one block long, page-aligned, and lives as long as
        // `self`. All fields that change after the claim are atomics.
        unsafe { &*self.map.at().cast::<Header>() }
    }

    /// Where the mapping begins.
    pub(super) fn base(&self) -> *mut u8 {
        self.map.at()
    }

    /// How many bytes may be read.
    pub(super) fn bytes(&self) -> usize {
        self.open_blocks.load(Acquire) as usize * BLOCK
    }

    /// How much is recorded.
    pub const fn level(&self) -> Level {
        self.level
    }

    /// Forward calls of at least this many ticks are slow.
    pub const fn slow_ticks(&self) -> u64 {
        self.slow_ticks
    }

    /// Asks tasks to note returns of forward calls that took at least this many ticks, as they note
    /// those of slow calls ([`TaskWriter::recall`](super::task_writer::TaskWriter::recall)).
    /// Applies to tasks that are made from now on.
    pub fn note_from(&self, ticks: u64) {
        self.noted_ticks.fetch_min(ticks, Relaxed);
    }

    /// See [`Recording::note_from`].
    pub(super) fn noted_ticks(&self) -> u64 {
        self.noted_ticks.load(Relaxed)
    }

    /// Ticks to nanoseconds, as exactly as is known now.
    pub fn scale(&self) -> Scale {
        Scale::between(self.made, Anchor::take()).unwrap_or(Scale::IDENTITY)
    }

    /// Where tasks keep the arguments of their open calls.
    pub(super) const fn open_arguments(&self) -> &ArgumentPlaces {
        &self.open_arguments
    }

    /// Layers that lie outside the chunk of their task.
    pub(super) const fn more_layers(&self) -> &MoreLayers {
        &self.more_layers
    }

    /// Stores an anchor of now, so that a reader knows the length of a tick even if nothing
    /// follows.
    pub fn keep_time(&self) {
        if self.is_left() {
            return;
        }
        // The thread that holds it stores an anchor that is as good.
        let Ok(_held) = self.time.try_lock() else {
            return;
        };
        let anchor = Anchor::take();
        let last = &self.header().last;
        let older = usize::from(last[0][0].load(Relaxed) > last[1][0].load(Relaxed));
        store_anchor(&last[older], anchor);
    }

    /// Records that the runtime has announced its shutdown. From now on no task's table has an id,
    /// so every call takes the path that counts it as late.
    pub fn shut_down(&self) {
        self.keep_time();
        if !self.is_left() {
            self.header().state.store(state::SHUTDOWN, Release);
        }
        self.tables.end();
    }

    /// Records that the engine stops to record a process that runs on. If no hooks stay, the
    /// recording ends here.
    pub fn let_go(&self, detach: Detach) {
        self.log(&Record::Detach(detach));
        if detach.kept || self.is_left() {
            return;
        }
        store_anchor(&self.header().ended, Anchor::take());
        self.header().end_kind.store(end::LET_GO, Release);
    }

    /// Takes the tables of wrappers away, so that the next call of each task is not found in its
    /// table. The task then opens its table again.
    pub fn hold_tables(&self) {
        self.tables.hold();
    }

    /// The tables of wrappers.
    pub(super) const fn tables(&self) -> &Tables {
        &self.tables
    }

    /// Stops writing. For the child of a fork, which shares the mapping with its parent, to which
    /// the recording belongs.
    pub fn leave(&self) {
        self.left.store(true, Relaxed);
    }

    fn is_left(&self) -> bool {
        self.left.load(Relaxed)
    }

    /// A new chunk of zeros with its header, not yet published. Returns `None` if there is no room,
    /// and counts that.
    ///
    /// Asks the operating system, so it is not for the hot path.
    pub(super) fn chunk(
        &self,
        kind: ChunkKind,
        task: u32,
        sequence: u32,
        blocks: u32,
    ) -> Option<NonNull<ChunkHeader>> {
        if self.is_left() {
            return None;
        }
        let chunk = errno::kept(|| self.take_blocks(kind, blocks));
        let chunk = chunk.inspect_err(|why| {
            self.header().no_room[*why as usize].fetch_add(1, Relaxed);
        });
        let chunk = chunk.ok()?;
        // SAFETY: the chunk is page-aligned, lies within the mapping and is zeroed. It belongs to
        // this thread alone until its magic is stored.
        let head = unsafe { chunk.as_ref() };
        head.kind.store(kind as u32, Relaxed);
        head.blocks.store(blocks, Relaxed);
        head.task.store(task, Relaxed);
        head.sequence.store(sequence, Relaxed);
        Some(chunk)
    }

    /// Closes the whole mapping except the header, so that no code reads or writes there by
    /// mistake.
    fn close_hole(&self) {
        let bytes = self.map.len() - BLOCK;
        // SAFETY: these pages of our own mapping lie behind the header, and no chunk is there yet,
        // so no reference leads to them. If the call fails, they stay open.
        unsafe { libc::mprotect(self.base().add(BLOCK).cast(), bytes, libc::PROT_NONE) };
    }

    /// Opens the mapping up to this block: the whole of it, so that a number in the file leads to
    /// no closed page below.
    fn open_to(&self, block: u32) -> Result<(), NoRoom> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: these are whole pages of our own mapping. They get the access that pages in use
        // have already, so no reference to them loses anything.
        match unsafe { libc::mprotect(self.base().cast(), block as usize * BLOCK, access) } {
            0 => {
                self.open_blocks.fetch_max(block, Release);
                Ok(())
            }
            _ => Err(NoRoom::Memory),
        }
    }

    /// Claims blocks in a row, and takes the room for them.
    fn take_blocks(&self, kind: ChunkKind, blocks: u32) -> Result<NonNull<ChunkHeader>, NoRoom> {
        let limit = if kind == ChunkKind::Events {
            event_blocks(self.max_blocks)
        } else {
            self.max_blocks
        };
        let claim = |next: u32| next.checked_add(blocks).filter(|end| *end <= limit);
        let Ok(block) = self.next_block.fetch_update(AcqRel, Relaxed, claim) else {
            return Err(if self.is_small {
                NoRoom::Small
            } else {
                NoRoom::Full
            });
        };
        let end = block + blocks;
        let retired = self.retired.read().unwrap_or_else(PoisonError::into_inner);
        if *retired {
            return Err(NoRoom::Refused);
        }
        // SAFETY: `limit` is not above the number of blocks of the mapping, so the claimed blocks
        // lie within it.
        let at = unsafe { self.base().add(block as usize * BLOCK) };
        let at = NonNull::new(at).ok_or(NoRoom::Refused)?;
        let (offset, bytes) = (u64::from(block) * BLOCK as u64, blocks as usize * BLOCK);
        let opened = self.open_to(end);
        // SAFETY: the blocks are part of our mapping, `fetch_update` gave them to this thread
        // alone, and nothing refers to them yet.
        if let Err(why) = opened.and_then(|()| unsafe { self.room.take(at, offset, bytes) }) {
            // If other threads have claimed blocks behind these, these stay without room: a hole of
            // zeros, which readers skip.
            let _ = self
                .next_block
                .compare_exchange(end, block, AcqRel, Relaxed);
            return Err(why);
        }
        let header = self.header();
        header.next_block.fetch_max(end, AcqRel);
        header.reserved_blocks.fetch_max(end, Relaxed);
        Ok(at.cast())
    }

    /// Publishes a chunk whose header is there.
    pub(super) fn publish(&self, chunk: NonNull<ChunkHeader>) {
        // SAFETY: `chunk` made it, so it lies in our mapping, which lives as long as `self`. All
        // its fields are atomics.
        unsafe { chunk.as_ref() }.magic.store(CHUNK_MAGIC, Release);
    }

    /// Gives pages that are no longer written back to the operating system. Their bytes are in the
    /// file. They should not be read afterwards: the kernel maps sixteen pages around one that is
    /// read.
    pub(super) fn release(&self, at: NonNull<u8>, bytes: usize) {
        self.advise(at.as_ptr(), bytes, libc::MADV_DONTNEED);
    }

    /// Advises the kernel about a part of the mapping.
    fn advise(&self, at: *mut u8, bytes: usize, what: i32) {
        // SAFETY: callers pass whole pages of our own mapping. It is shared, so its bytes are in
        // the file, and its pages come back when they are touched.
        errno::kept(|| unsafe { libc::madvise(at.cast(), bytes, what) });
    }

    /// Appends a record to the log. Returns `false` if there is no room, and counts the record as
    /// dropped.
    pub fn log(&self, record: &Record) -> bool {
        self.append(record).is_some()
    }

    /// Appends the record of an exception that calls end by. Returns the place where they are
    /// counted, unless there is no room.
    pub fn log_failure(&'static self, failure: Failure) -> Option<FailedCalls> {
        let at = self.append(&Record::Failure(failure))?;
        // SAFETY: the record was just written there, and is that long. Its words are aligned, lie
        // in the mapping, which is never unmapped, and are otherwise only read.
        let word = |n: usize| unsafe { AtomicU32::from_ptr(at.as_ptr().add(CALLS + n)) };
        Some(FailedCalls([word(0), word(1)]))
    }

    /// Appends a record to the log. Returns its place, if there was room.
    fn append(&self, record: &Record) -> Option<NonNull<u32>> {
        if self.is_left() {
            return None;
        }
        let words = record.encode();
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        // One word more, so that a zero always ends the run.
        if log.at.is_none_or(|(_, room)| room <= words.len()) {
            let bytes = words.len() * 4 + size_of::<ChunkHeader>() + 4;
            let blocks = (bytes.div_ceil(BLOCK) as u32).max(LOG_BLOCKS);
            let Some(chunk) = self.chunk(ChunkKind::Log, 0, log.chunks, blocks) else {
                self.header().dropped_records.fetch_add(1, Relaxed);
                return None;
            };
            self.publish(chunk);
            log.chunks += 1;
            // SAFETY: a chunk is at least one block long, and so longer than its header.
            let at = unsafe { chunk.add(1) }.cast::<u32>();
            log.at = Some((at, (blocks as usize * BLOCK - size_of::<ChunkHeader>()) / 4));
        }
        let (at, room) = log.at?;
        for (n, word) in words.iter().enumerate().rev() {
            // SAFETY: `room` says that all words fit, words are 4-byte aligned, and the mutex keeps
            // other writers away. The first word is stored last.
            unsafe { AtomicU32::from_ptr(at.as_ptr().add(n)) }.store(*word, Release);
        }
        // SAFETY: `room` is greater than the number of words, so the place behind them is still in
        // the chunk.
        log.at = Some((unsafe { at.add(words.len()) }, room - words.len()));
        Some(at)
    }
}

impl Recording {
    /// Leaves a note for the reader of the recording. Takes no lock, so it may be called while the
    /// process crashes.
    pub fn note(&self, text: &str) {
        if self.is_left() {
            return;
        }
        // A zero ends it, so that nothing of a longer note stays behind it.
        for (n, byte) in text.bytes().chain([0]).take(NOTE_BYTES).enumerate() {
            // SAFETY: the note lies within block 0, which stays mapped, and behind the header's
            // fields. A byte is always aligned.
            unsafe { AtomicU8::from_ptr(self.base().add(NOTE_OFFSET + n)) }.store(byte, Relaxed);
        }
    }
}
