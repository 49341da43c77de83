//! The reading end of a recording: at any time, of any process, alive or dead.
//!
//! Nothing that a file says is believed: it may be cut, foreign, or still be written. What makes no sense is left out.
#![allow(
    unsafe_code,
    reason = "reads a mapped file that another process may be writing"
)]

use std::{
    fs::File,
    io,
    mem::offset_of,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use memmap2::{MmapOptions, MmapRaw};

use super::{
    events::Words,
    format::{
        BLOCK, CHUNK_MAGIC, ChunkHeader, ChunkKind, Header, MAGIC, NOTE_BYTES, NOTE_OFFSET,
        VERSION, end, state,
    },
    writer::{Level, boot_id, process_started},
};
use crate::time::{Anchor, Scale, TickSource};

/// Why a file could not be read as a recording.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system said no.
    #[error("cannot read {}", path.display())]
    Os {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It does not begin as recordings do.
    #[error("{} is not a recording of soglia (`soglia run -o FILE` makes one)", .0.display())]
    Foreign(PathBuf),
    /// A newer or older soglia wrote it.
    #[error("{} is a recording of format {found}, and this soglia reads format {VERSION}: read it with the soglia that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// Not even its header is whole.
    #[error("{} is cut short within its header: nothing of it can be read. Copy it again", .0.display())]
    Headless(PathBuf),
    /// Its end is missing.
    #[error("{} is cut short: {have} of {should} bytes. Copy it again, or read what is left with --partial", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes there.
        have: u64,
        /// Bytes that there were.
        should: u64,
    },
}

/// Words of the mapped file, as they are at the moment of reading.
#[derive(Debug)]
pub(super) struct Bytes {
    map: MmapRaw,
    file: File,
}

impl Bytes {
    /// The head of the chunk that may begin here.
    ///
    /// Not by the mapping: to touch a hole of a file in memory takes room, and is answered by a signal if there is none.
    fn head(&self, at: usize) -> impl Fn(usize) -> u32 {
        let mut head = [0; size_of::<ChunkHeader>()];
        if self.file.read_exact_at(&mut head, at as u64).is_err() {
            head.fill(0);
        }
        move |offset| {
            let word = head.get(offset..offset + 4).and_then(|w| w.try_into().ok());
            u32::from_le_bytes(word.unwrap_or_default())
        }
    }

    #[inline]
    pub(super) fn word(&self, at: usize) -> u32 {
        if at.is_multiple_of(4) && at.checked_add(4).is_some_and(|end| end <= self.map.len()) {
            // SAFETY: within the mapping, aligned; another process may store to it, hence volatile.
            u32::from_le(unsafe { self.map.as_ptr().add(at).cast::<u32>().read_volatile() })
        } else {
            0
        }
    }

    #[inline]
    pub(super) fn long(&self, at: usize) -> u64 {
        if at.is_multiple_of(8) && at.checked_add(8).is_some_and(|end| end <= self.map.len()) {
            // SAFETY: as in `word`. In one piece: of two halves, one could be from before a carry.
            u64::from_le(unsafe { self.map.as_ptr().add(at).cast::<u64>().read_volatile() })
        } else {
            0
        }
    }

    fn anchor(&self, at: usize) -> Anchor {
        Anchor {
            ticks: self.long(at),
            monotonic_ns: self.long(at + 8),
        }
    }

    pub(super) fn text(&self, at: usize, bytes: usize) -> String {
        let words = (at..at + bytes)
            .step_by(4)
            .flat_map(|at| self.word(at).to_le_bytes());
        let text: Vec<u8> = words.take(bytes).take_while(|byte| *byte != 0).collect();
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    pub(super) at: usize,
    pub(super) kind: ChunkKind,
    pub(super) bytes: usize,
    pub(super) task: u32,
    sequence: u32,
}

/// How the recorded process ended, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has not.
    Running,
    /// It exited; with this code, if anybody saw it.
    Exit(Option<i32>),
    /// This signal ended it.
    Signal(i32),
    /// It is gone, and nobody saw how.
    Killed,
}

/// An open recording.
#[derive(Debug)]
pub struct Reader {
    pub(super) bytes: Bytes,
    pub(super) chunks: Vec<Chunk>,
    scale: Scale,
}

impl Reader {
    /// Opens a recording.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let reader = Self::open_partial(path)?;
        let have = reader.bytes.map.len() as u64;
        let should =
            u64::from(reader.bytes.word(offset_of!(Header, reserved_blocks))) * BLOCK as u64;
        if have < should {
            // A recording that is still written may just have grown.
            if std::fs::metadata(path).is_ok_and(|about| about.len() > have) {
                return Self::open(path);
            }
            return Err(ReadError::Truncated {
                path: path.to_owned(),
                have,
                should,
            });
        }
        Ok(reader)
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
        let file = File::open(path).map_err(os)?;
        let about = file.metadata().map_err(os)?;
        if !about.is_file() {
            return Err(os(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file",
            )));
        }
        let len = about.len() as usize;
        let mut head = [0; 12];
        if len < 12 || file.read_exact_at(&mut head, 0).is_err() || head[..8] != MAGIC {
            return Err(ReadError::Foreign(path.to_owned()));
        }
        let found = u32::from_le_bytes([head[8], head[9], head[10], head[11]]);
        if found != VERSION {
            return Err(ReadError::Version {
                path: path.to_owned(),
                found,
            });
        }
        if len < BLOCK {
            return Err(ReadError::Headless(path.to_owned()));
        }
        let map = MmapOptions::new()
            .len(len)
            .map_raw_read_only(&file)
            .map_err(os)?;
        let mut reader = Self {
            bytes: Bytes { map, file },
            chunks: Vec::new(),
            scale: Scale::IDENTITY,
        };
        reader.chunks = reader.scan();
        reader.scale = reader.rate();
        Ok(reader)
    }

    pub(super) fn scan(&self) -> Vec<Chunk> {
        let blocks = self.bytes.map.len() / BLOCK;
        let claimed = self.bytes.word(offset_of!(Header, next_block)) as usize;
        let mut chunks = Vec::new();
        let mut block = 1;
        while block < blocks.min(claimed) {
            let at = block * BLOCK;
            let field = self.bytes.head(at);
            block += 1;
            if field(offset_of!(ChunkHeader, magic)) != CHUNK_MAGIC {
                continue;
            }
            let size = field(offset_of!(ChunkHeader, blocks)) as usize;
            // Chunks of a kind that is not known are skipped whole.
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
        chunks.sort_by_key(|c| c.sequence);
        chunks
    }

    pub(super) fn chunks(&self, kind: ChunkKind, task: u32) -> impl Iterator<Item = &Chunk> {
        self.chunks
            .iter()
            .filter(move |c| c.kind == kind && c.task == task)
    }

    fn rate(&self) -> Scale {
        if TickSource::from_number(self.bytes.word(offset_of!(Header, tick_source)))
            != Some(TickSource::Counter)
        {
            return Scale::IDENTITY;
        }
        let made = self.bytes.anchor(offset_of!(Header, made));
        let mut last = offset_of!(Header, last);
        let mut latest = self.bytes.anchor(offset_of!(Header, start));
        let ended = self.bytes.anchor(offset_of!(Header, ended));
        for _ in 0..2 {
            latest = [latest, self.bytes.anchor(last)]
                .into_iter()
                .max_by_key(|a| a.ticks)
                .unwrap_or(latest);
            last += size_of::<Anchor>();
        }
        if ended.ticks > latest.ticks {
            latest = ended;
        } else if self.same_boot() {
            // The counter runs at one rate until the machine is started anew: now is as good an anchor as any.
            TickSource::Counter.select();
            latest = Anchor::take();
        }
        Scale::between(made, latest).unwrap_or(Scale::IDENTITY)
    }

    fn same_boot(&self) -> bool {
        let at = offset_of!(Header, boot);
        let boot = boot_id();
        boot != [0; 16]
            && (0..4).all(|n| self.bytes.word(at + n * 4).to_le_bytes() == boot[n * 4..n * 4 + 4])
    }

    /// Ticks to nanoseconds.
    pub const fn scale(&self) -> Scale {
        self.scale
    }

    /// How much was to be recorded.
    pub fn level(&self) -> Level {
        Level::from_number(self.bytes.word(offset_of!(Header, level)))
    }

    /// Whether every crossing was to be recorded.
    pub fn has_events(&self) -> bool {
        self.level() == Level::Events
    }

    /// Whether a process ever recorded into it.
    pub fn is_claimed(&self) -> bool {
        self.bytes.word(offset_of!(Header, state)) != state::CREATED
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

    /// Calls of at least this many nanoseconds were to be noted as slow; 0: none.
    pub fn slow_ns(&self) -> u64 {
        self.bytes.long(offset_of!(Header, slow_ns))
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

    /// How the process ended.
    pub fn ended(&self) -> Ended {
        let code = self.bytes.word(offset_of!(Header, end_code)).cast_signed();
        match self.bytes.word(offset_of!(Header, end_kind)) {
            end::EXITED => return Ended::Exit(Some(code)),
            end::SIGNALLED => return Ended::Signal(code),
            _ => {}
        }
        let pid = self.pid();
        let started = self.bytes.long(offset_of!(Header, pid_started));
        if self.same_boot() && pid != 0 && process_started(pid) == Some(started) {
            Ended::Running
        } else if self.bytes.word(offset_of!(Header, state)) == state::SHUTDOWN {
            Ended::Exit(None)
        } else {
            Ended::Killed
        }
    }

    /// Nanoseconds from the start to the end, or to now, or to the last sign of life.
    pub fn duration_ns(&self) -> u64 {
        let start = self.bytes.anchor(offset_of!(Header, start));
        let ended = self.bytes.anchor(offset_of!(Header, ended));
        let last = offset_of!(Header, last);
        let until = if ended.ticks != 0 {
            ended.monotonic_ns
        } else if self.ended() == Ended::Running {
            crate::time::monotonic_ns()
        } else {
            let seen = [0, size_of::<Anchor>()].map(|n| self.bytes.anchor(last + n).monotonic_ns);
            seen.into_iter().max().unwrap_or(0)
        };
        until.saturating_sub(start.monotonic_ns)
    }

    /// The events of a task, chunk by chunk, in order, each with the number of the thread that wrote it. Ends at the first gap.
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
