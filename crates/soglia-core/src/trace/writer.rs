//! The writing end of a recording: claiming the file, and handing out its blocks.
#![allow(
    unsafe_code,
    reason = "lays structures over the mapped file and asks the OS for room in it"
)]

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    path::Path,
    ptr::NonNull,
    sync::{
        Mutex, PoisonError,
        atomic::{
            AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
};

use memmap2::{MmapOptions, MmapRaw};

use super::{
    format::{
        BLOCK, CHUNK_MAGIC, ChunkHeader, ChunkKind, Header, LOG_BLOCKS, NOTE_BYTES, NOTE_OFFSET,
        NoRoom, state, store_anchor,
    },
    identity::{self, Identity},
    log::Record,
    more_layers::MoreLayers,
    room::Room,
    starter::{event_blocks, options_in},
};
use crate::{
    errno, process,
    time::{Anchor, Scale, TickSource},
};

pub use super::{
    identity::ClaimError,
    starter::{
        Level, MIN_BYTES, Options, conclude, create, create_unnamed, note, options_of, trim,
    },
};

/// A recording that this process writes.
#[derive(Debug)]
pub struct Recording {
    map: MmapRaw,
    room: Room,
    /// The first block that no chunk has claimed. The header's is for readers: what lies in the file is not believed.
    next_block: AtomicU32,
    /// Up to this block the mapping may be read and written.
    open_blocks: AtomicU32,
    max_blocks: u32,
    level: Level,
    made: Anchor,
    is_small: bool,
    /// This process is the child of a fork: the recording is its parent's.
    left: AtomicBool,
    log: Mutex<Log>,
    /// Held by the thread that stores an anchor.
    time: Mutex<()>,
    tables: Mutex<Tables>,
    more_layers: MoreLayers,
    slow_ticks: u64,
    /// Forward calls of at least this many ticks are told to whoever looks into returns.
    noted_ticks: AtomicU64,
}

/// The limits of all tasks' tables of ids.
#[derive(Debug, Default)]
struct Tables {
    limits: Vec<&'static AtomicUsize>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Log {
    /// Where the next record goes, and how many words there are room for.
    at: Option<(NonNull<u32>, usize)>,
    chunks: u32,
}

// SAFETY: the pointer is into the mapping, which lives as long as the recording, and is used under the mutex alone.
unsafe impl Send for Log {}

impl Recording {
    /// Claims a recording made by [`create`] for this process, and maps it.
    ///
    /// # Errors
    /// See [`ClaimError`]. The file tells its starter why, by [`note`].
    pub fn claim(path: &Path) -> Result<Self, ClaimError> {
        Self::claim_that(path, None)
    }

    /// The same; if it is said which recording it must be, no other.
    ///
    /// # Errors
    /// See [`ClaimError`].
    pub fn claim_that(path: &Path, expected: Option<&Identity>) -> Result<Self, ClaimError> {
        let file = out_of_the_way(identity::open(path, expected)?);
        let about = file.metadata()?;
        let options = options_in(&file)?;
        // Nothing in the file is believed that an address is made of.
        let bytes = options.max_bytes.min(about.len());
        if bytes < MIN_BYTES / 4 {
            return Err(ClaimError::Foreign);
        }
        let map = map_as_much_as_possible(&file, bytes / BLOCK as u64 * BLOCK as u64)?;
        let max_blocks = (map.len() / BLOCK) as u32;
        let mut recording = Self {
            room: Room {
                file,
                identity: (about.dev(), about.ino()),
            },
            next_block: AtomicU32::new(1),
            open_blocks: AtomicU32::new(1),
            max_blocks,
            level: options.level,
            made: Anchor::default(),
            is_small: u64::from(max_blocks) * (BLOCK as u64) < options.max_bytes,
            left: AtomicBool::new(false),
            map,
            log: Mutex::new(Log::default()),
            time: Mutex::new(()),
            tables: Mutex::default(),
            more_layers: MoreLayers::default(),
            slow_ticks: u64::MAX,
            noted_ticks: AtomicU64::new(u64::MAX),
        };
        // A dump of the process would fetch the whole of the hole into memory. Not all dumpers heed the advice, so the hole is opened bit
        // by bit.
        recording.advise(
            recording.map.as_mut_ptr(),
            recording.map.len(),
            libc::MADV_DONTDUMP,
        );
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
        header.inode.store(recording.room.identity.1, Relaxed);
        let locked = process::lock(&recording.room.file).is_ok();
        header.locked.store(u32::from(locked), Relaxed);
        store_anchor(&header.start, Anchor::take());
        header.state.store(state::RECORDING, Release);
        Ok(recording)
    }

    /// Block 0.
    #[inline]
    pub fn header(&self) -> &Header {
        // SAFETY: the mapping is at least one block long, page-aligned, and lives as long as `self`. All fields that
        // change after the claim are atomics.
        unsafe { &*self.map.as_ptr().cast::<Header>() }
    }

    /// Where the mapping begins.
    pub(super) fn base(&self) -> *mut u8 {
        self.map.as_mut_ptr()
    }

    /// How much may be read.
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

    /// Returns of forward calls that took at least this many ticks shall be looked into, as those of slow calls are
    /// ([`TaskWriter::recall`](super::task_writer::TaskWriter::recall)). Holds for tasks that are made from now on.
    pub fn note_from(&self, ticks: u64) {
        self.noted_ticks.fetch_min(ticks, Relaxed);
    }

    /// See [`Recording::note_from`].
    pub(super) fn noted_ticks(&self) -> u64 {
        self.noted_ticks.load(Relaxed)
    }

    /// Ticks to nanoseconds, as exact as can be told by now.
    pub fn scale(&self) -> Scale {
        Scale::between(self.made, Anchor::take()).unwrap_or(Scale::IDENTITY)
    }

    /// Layers that do not lie in the chunk of their task.
    pub(super) const fn more_layers(&self) -> &MoreLayers {
        &self.more_layers
    }

    /// Notes ticks and clock of now, so that a reader can tell the rate of ticks even if nothing follows.
    pub fn keep_time(&self) {
        if self.is_left() {
            return;
        }
        // Whoever else holds it stores an anchor as good.
        let Ok(_held) = self.time.try_lock() else {
            return;
        };
        let anchor = Anchor::take();
        let last = &self.header().last;
        let older = usize::from(last[0][0].load(Relaxed) > last[1][0].load(Relaxed));
        store_anchor(&last[older], anchor);
    }

    /// The runtime has announced its shutdown. From now on no id is found in a task's table, so every call takes the path where it
    /// is counted as late.
    pub fn shut_down(&self) {
        self.keep_time();
        if !self.is_left() {
            self.header().state.store(state::SHUTDOWN, Release);
        }
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.ended = true;
        for limit in tables.limits.drain(..) {
            limit.store(0, Relaxed);
        }
    }

    /// Sets the limit of a new table of ids, until [`Recording::shut_down`].
    pub(super) fn open_table(&self, limit: &'static AtomicUsize, entries: usize) {
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if !tables.ended {
            limit.store(entries, Relaxed);
            tables.limits.push(limit);
        }
    }

    /// Nothing is written into the recording any more: in the child of a fork, which shares the mapping with its parent, whose recording it
    /// is.
    pub fn leave(&self) {
        self.left.store(true, Relaxed);
    }

    fn is_left(&self) -> bool {
        self.left.load(Relaxed)
    }

    /// A new chunk of zeros with its header, not yet published; `None`: no room, which is counted.
    ///
    /// Not for the hot path: asks the operating system.
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
        // SAFETY: page-aligned, within the mapping, zeroed, ours alone until its magic is stored.
        let head = unsafe { chunk.as_ref() };
        head.kind.store(kind as u32, Relaxed);
        head.blocks.store(blocks, Relaxed);
        head.task.store(task, Relaxed);
        head.sequence.store(sequence, Relaxed);
        Some(chunk)
    }

    /// Closes all of the mapping but the header: nobody reads or writes there.
    fn close_hole(&self) {
        let bytes = self.map.len() - BLOCK;
        // SAFETY: behind the header, where no chunk is yet, in our own mapping. If it fails the rest stays open.
        unsafe { libc::mprotect(self.base().add(BLOCK).cast(), bytes, libc::PROT_NONE) };
    }

    /// Opens the mapping up to this block: all of it, so that there are no holes in what a number in the file may lead to.
    fn open_to(&self, block: u32) -> Result<(), NoRoom> {
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: whole pages of our own mapping, which get the access that those in use have.
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
        // SAFETY: the claimed blocks lie within the mapping (`limit`).
        let at = unsafe { self.base().add(block as usize * BLOCK) };
        let at = NonNull::new(at).ok_or(NoRoom::Refused)?;
        let (offset, bytes) = (u64::from(block) * BLOCK as u64, blocks as usize * BLOCK);
        let opened = self.open_to(end);
        // SAFETY: a part of our mapping that this thread alone has claimed.
        if let Err(why) = opened.and_then(|()| unsafe { self.room.take(at, offset, bytes) }) {
            // If others have claimed blocks behind them, they stay without room: a hole of zeros, which readers skip.
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

    /// Publishes a chunk whose header stands.
    pub(super) fn publish(&self, chunk: NonNull<ChunkHeader>) {
        // SAFETY: made by `chunk`, so it lies in our mapping.
        unsafe { chunk.as_ref() }.magic.store(CHUNK_MAGIC, Release);
    }

    /// Gives pages that are written no more back to the operating system; their bytes are in the file. Nothing in them should
    /// be read afterwards: the kernel maps sixteen pages around one that is read.
    pub(super) fn release(&self, at: NonNull<u8>, bytes: usize) {
        self.advise(at.as_ptr(), bytes, libc::MADV_DONTNEED);
    }

    /// Tells the kernel about a part of the mapping.
    fn advise(&self, at: *mut u8, bytes: usize, what: i32) {
        // SAFETY: called with whole pages of our own mapping, which is shared: its bytes are in the file, and its pages come back when they
        // are touched.
        errno::kept(|| unsafe { libc::madvise(at.cast(), bytes, what) });
    }

    /// Appends a record to the log. `false`, and counted as dropped: there is no room.
    pub fn log(&self, record: &Record) -> bool {
        if self.is_left() {
            return false;
        }
        let words = record.encode();
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        // One word more, so that a zero always ends the run.
        if log.at.is_none_or(|(_, room)| room <= words.len()) {
            let bytes = words.len() * 4 + size_of::<ChunkHeader>() + 4;
            let blocks = (bytes.div_ceil(BLOCK) as u32).max(LOG_BLOCKS);
            let Some(chunk) = self.chunk(ChunkKind::Log, 0, log.chunks, blocks) else {
                self.header().dropped_records.fetch_add(1, Relaxed);
                return false;
            };
            self.publish(chunk);
            log.chunks += 1;
            // SAFETY: the chunk is longer than its header.
            let at = unsafe { chunk.add(1) }.cast::<u32>();
            log.at = Some((at, (blocks as usize * BLOCK - size_of::<ChunkHeader>()) / 4));
        }
        let Some((at, room)) = log.at else {
            return false;
        };
        for (n, word) in words.iter().enumerate().rev() {
            // SAFETY: there is room for all words; 4-byte aligned; under the mutex. The first word is stored last.
            unsafe { AtomicU32::from_ptr(at.as_ptr().add(n)) }.store(*word, Release);
        }
        // SAFETY: within the chunk, by the check above.
        log.at = Some((unsafe { at.add(words.len()) }, room - words.len()));
        true
    }
}

impl Recording {
    /// Leaves a note for whoever reads the recording. Takes no lock, and may be called while the process is in ruins.
    pub fn note(&self, text: &str) {
        if self.is_left() {
            return;
        }
        // A zero ends it, so that nothing of an earlier note stays behind this one.
        for (n, byte) in text.bytes().chain([0]).take(NOTE_BYTES).enumerate() {
            // SAFETY: within block 0, behind the header's fields; a byte is always aligned.
            unsafe { AtomicU8::from_ptr(self.base().add(NOTE_OFFSET + n)) }.store(byte, Relaxed);
        }
    }
}

/// Moves the descriptor out of the low numbers, which programs may count on, but not beyond the 64 that the kernel's table
/// of descriptors has room for from the start: to enlarge it in a process with threads takes 10 ms and more.
fn out_of_the_way(file: File) -> File {
    // SAFETY: duplicates our own descriptor; the result, if not negative, is a new one that nobody else owns.
    unsafe {
        match libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 48) {
            high if high >= 0 => File::from(OwnedFd::from_raw_fd(high)),
            _ => file,
        }
    }
}

/// Under a limit of address space a smaller mapping may still fit.
fn map_as_much_as_possible(file: &File, bytes: u64) -> io::Result<MmapRaw> {
    let mut bytes = bytes as usize;
    loop {
        match MmapOptions::new().len(bytes).map_raw(file) {
            Err(_) if bytes as u64 / 2 >= MIN_BYTES => bytes = bytes / 2 / BLOCK * BLOCK,
            result => return result,
        }
    }
}
