//! The reader of a recording: at any time, of any process, alive or dead.
//!
//! The reader believes nothing that a file says: the file may be cut, foreign, hostile, or still be
//! written. What makes no sense is left out. No count, length or place in a file decides how much
//! memory or time reading takes: only the size of what is really in the file does.

use std::{
    io,
    mem::offset_of,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    bytes::Bytes,
    clocks,
    events::Words,
    format::{
        BLOCK, CHUNK_MAGIC, ChunkHeader, ChunkKind, Header, MAGIC, MOST_BLOCKS, NOTE_BYTES,
        NOTE_OFFSET, NoRoom, VERSION, state,
    },
    starter::{Level, Sampling},
};
use crate::{regular, time::Scale};

/// Why a file could not be read as a recording.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system gave an error.
    #[error("cannot read {}", path.display())]
    Os {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not begin like a recording.
    #[error("{} is not a recording of soglia (`soglia run -o FILE` makes one)", .0.display())]
    Foreign(PathBuf),
    /// An older or newer soglia wrote it.
    #[error("{} is a recording of format {found}, and this soglia reads format {VERSION}: read it with the soglia that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Not even its header is complete.
    #[error("{} is cut short within its header: nothing of it can be read. Copy it again", .0.display())]
    Headless(PathBuf),
    /// Its end is missing.
    #[error("{} is cut short: {have} of {should} bytes. Copy it again, or read what is left with --partial", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes there.
        have: u64,
        /// Bytes that it should have.
        should: u64,
    },
    /// It became shorter while it was read.
    #[error("{} was cut while it was read: copy it again, or read what is left with --partial", .0.display())]
    Cut(PathBuf),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) at: usize,
    pub(super) kind: ChunkKind,
    pub(super) bytes: usize,
    pub(super) task: u32,
    pub(super) sequence: u32,
}

/// An open recording.
#[derive(Debug)]
pub struct Reader {
    pub(super) bytes: Bytes,
    /// By kind, task and sequence.
    pub(super) chunks: Vec<Chunk>,
    pub(super) scale: Scale,
    path: PathBuf,
}

/// How often the reader opens a recording again that grows.
const MOST_TRIES: u32 = 20;

/// The note in which the engine says why it did not record into this file. Reads nothing else.
pub fn note_of(path: &Path) -> Option<String> {
    let mut note = [0; NOTE_BYTES];
    let file = regular::open(path).ok()?;
    file.read_exact_at(&mut note, NOTE_OFFSET as u64).ok()?;
    let end = note.iter().position(|byte| *byte == 0);
    let text = &note[..end.unwrap_or(NOTE_BYTES)];
    Some(String::from_utf8_lossy(text).into_owned()).filter(|note| !note.is_empty())
}

impl Reader {
    /// Opens a recording.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let mut tries = 0;
        loop {
            let reader = Self::open_partial(path)?;
            let have = reader.bytes.file_len();
            let should =
                u64::from(reader.bytes.word(offset_of!(Header, reserved_blocks))) * BLOCK as u64;
            if have >= should {
                return Ok(reader);
            }
            // A recording that is being written may just have grown.
            tries += 1;
            let grown = std::fs::metadata(path).is_ok_and(|about| about.len() > have);
            if !grown || tries == MOST_TRIES {
                return Err(ReadError::Truncated {
                    path: path.to_owned(),
                    have,
                    should,
                });
            }
        }
    }

    /// Opens a recording even if its end is missing.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn open_partial(path: &Path) -> Result<Self, ReadError> {
        let os = |source| ReadError::Os {
            path: path.to_owned(),
            source,
        };
        let file = regular::open(path).map_err(os)?;
        let len = file.metadata().map_err(os)?.len();
        let mut head = [0; offset_of!(Header, reserved_blocks) + 4];
        let read = head.len().min(usize::try_from(len).unwrap_or(usize::MAX));
        if read < 12 || file.read_exact_at(&mut head[..read], 0).is_err() || head[..8] != MAGIC {
            return Err(ReadError::Foreign(path.to_owned()));
        }
        let word =
            |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let found = word(8);
        if found != VERSION {
            return Err(ReadError::Version {
                path: path.to_owned(),
                found,
            });
        }
        if len < BLOCK as u64 {
            return Err(ReadError::Headless(path.to_owned()));
        }
        let [claimed, reserved] = [
            offset_of!(Header, next_block),
            offset_of!(Header, reserved_blocks),
        ]
        .map(word);
        let blocks = claimed.max(reserved).clamp(1, MOST_BLOCKS);
        let bytes = Bytes::map(file, len, len.min(u64::from(blocks) * BLOCK as u64));
        let mut reader = Self {
            bytes: bytes.map_err(os)?,
            chunks: Vec::new(),
            scale: Scale::IDENTITY,
            path: path.to_owned(),
        };
        reader.chunks = reader.scan();
        reader.scale = clocks::rate(&reader.bytes);
        Ok(reader)
    }

    /// Checks whether the file is still as long as when it was opened. To be called when all is
    /// read: the part of a file that was cut meanwhile reads as zeros.
    ///
    /// # Errors
    /// [`ReadError::Cut`].
    pub fn check_whole(&self) -> Result<(), ReadError> {
        let end = |offset| u64::from(self.bytes.word(offset)) * BLOCK as u64;
        let used =
            end(offset_of!(Header, next_block)).min(end(offset_of!(Header, reserved_blocks)));
        if self.bytes.is_cut(used.max(BLOCK as u64)) {
            return Err(ReadError::Cut(self.path.clone()));
        }
        Ok(())
    }

    pub(super) fn scan(&self) -> Vec<Chunk> {
        let blocks = self.bytes.len() / BLOCK;
        let claimed = self.bytes.word(offset_of!(Header, next_block)) as usize;
        let blocks_to_scan = blocks.min(claimed);
        let mut chunks = Vec::new();
        let mut block = 1;
        while block < blocks_to_scan {
            let at = block * BLOCK;
            let field = self.bytes.head(at);
            block += 1;
            let magic = field(offset_of!(ChunkHeader, magic));
            if magic == 0 {
                // A file can have a hole of terabytes.
                block = match self.bytes.next_data(at) {
                    Some(data) => block.max(data / BLOCK),
                    None => break,
                };
            }
            if magic != CHUNK_MAGIC {
                continue;
            }
            let size = field(offset_of!(ChunkHeader, blocks)) as usize;
            // Chunks of an unknown kind are skipped as a whole.
            let after = block + size.saturating_sub(1);
            if let Some(kind) = ChunkKind::from_number(field(offset_of!(ChunkHeader, kind)))
                && size > 0
            {
                chunks.push(Chunk {
                    at,
                    kind,
                    bytes: size.min(blocks - block + 1) * BLOCK,
                    task: field(offset_of!(ChunkHeader, task)),
                    sequence: field(offset_of!(ChunkHeader, sequence)),
                });
            }
            block = after;
        }
        chunks.sort_by_key(|c| (c.kind as u32, c.task, c.sequence));
        chunks
    }

    /// The chunks of a kind and a task, by sequence.
    pub(super) fn chunks(&self, kind: ChunkKind, task: u32) -> impl Iterator<Item = &Chunk> {
        let wanted = (kind as u32, task);
        let first = self
            .chunks
            .partition_point(|c| (c.kind as u32, c.task) < wanted);
        let from_first = self.chunks[first..].iter().inspect(|_| self.bytes.step());
        from_first.take_while(move |c| c.kind == kind && c.task == task)
    }

    /// Ticks to nanoseconds.
    pub const fn scale(&self) -> Scale {
        self.scale
    }

    /// How much the process was to record.
    pub fn level(&self) -> Level {
        Level::from_number(self.bytes.word(offset_of!(Header, level)))
    }

    /// Whether the process was to record every crossing.
    pub fn has_events(&self) -> bool {
        self.level() == Level::Events
    }

    /// Whether a process has recorded into it.
    pub fn is_claimed(&self) -> bool {
        self.bytes.word(offset_of!(Header, state)) != state::CREATED
    }

    /// Whether its runtime has announced its shutdown.
    pub fn has_shut_down(&self) -> bool {
        self.bytes.word(offset_of!(Header, state)) == state::SHUTDOWN
    }

    /// How many bytes the file has and should have, if something that was recorded is cut off.
    pub fn cut_off(&self) -> Option<(u64, u64)> {
        let end = |offset| u64::from(self.bytes.word(offset)) * BLOCK as u64;
        let should = end(offset_of!(Header, reserved_blocks));
        let used = end(offset_of!(Header, next_block)).min(should);
        (self.bytes.file_len() < used).then_some((self.bytes.file_len(), should))
    }

    /// The recorded process.
    pub fn pid(&self) -> u32 {
        self.bytes.word(offset_of!(Header, pid))
    }

    /// Other .NET processes that found the recording taken.
    pub fn turned_away(&self) -> u32 {
        self.bytes.word(offset_of!(Header, turned_away))
    }

    /// Why the engine did not record, if it could say.
    pub fn note(&self) -> Option<String> {
        Some(self.bytes.text(NOTE_OFFSET, NOTE_BYTES)).filter(|note| !note.is_empty())
    }

    /// Nanoseconds since 1970 when the recording was made.
    pub fn wall_ns(&self) -> u64 {
        self.bytes.long(offset_of!(Header, wall_ns))
    }

    /// Nanoseconds since 1970 at a time of the recording, as far as the clock was not set since it
    /// was made.
    pub fn wall_ns_at(&self, ticks: u64) -> u64 {
        let made = self.bytes.long(offset_of!(Header, made));
        let since = self.scale().ns(ticks.saturating_sub(made));
        self.wall_ns().saturating_add(since)
    }

    /// Calls of at least this many nanoseconds were to be recorded as slow; 0: none.
    pub fn slow_ns(&self) -> u64 {
        self.bytes.long(offset_of!(Header, slow_ns))
    }

    /// How calls were timed by sample; `None`: every call was timed, or none.
    pub fn sampling(&self) -> Option<Sampling> {
        let sampling = Sampling {
            clock_ns: self.bytes.word(offset_of!(Header, clock_ns)),
            budget_ppm: self.bytes.word(offset_of!(Header, budget_ppm)),
        };
        Some(sampling).filter(|by| by.clock_ns != 0 && self.level() == Level::Summary)
    }

    /// Ticks at time 0.
    pub fn start_ticks(&self) -> u64 {
        self.bytes.long(offset_of!(Header, start))
    }

    /// Crossings of threads for which there was no room at all.
    pub fn dropped_crossings(&self) -> u64 {
        self.bytes.long(offset_of!(Header, dropped_crossings))
    }

    /// Slow calls and stacks for which there was no room.
    pub fn dropped_records(&self) -> u64 {
        self.bytes.long(offset_of!(Header, dropped_records))
    }

    /// How often there was no room for a chunk, for this reason.
    pub fn no_room(&self, why: NoRoom) -> u32 {
        self.bytes
            .word(offset_of!(Header, no_room) + 4 * why as usize)
    }

    /// The events of a task, chunk by chunk in order, each with the number of the thread that wrote
    /// it. Ends at the first gap.
    pub fn events(&self, task: u32) -> impl Iterator<Item = (u32, Words<impl Fn(usize) -> u32>)> {
        let in_order = self.chunks(ChunkKind::Events, task).enumerate();
        in_order
            .take_while(|(n, c)| *n as u32 == c.sequence)
            .map(move |(_, chunk)| {
                let first = chunk.at + size_of::<ChunkHeader>();
                let end = chunk.at + chunk.bytes;
                let base = self
                    .bytes
                    .long(chunk.at + offset_of!(ChunkHeader, base_ticks));
                let os_thread = self
                    .bytes
                    .word(chunk.at + offset_of!(ChunkHeader, os_thread));
                let word = move |n: usize| {
                    let at = first + n * 4;
                    if at < end { self.bytes.word(at) } else { 0 }
                };
                (os_thread, Words::new(word, base))
            })
    }
}

#[cfg(test)]
mod tests;
