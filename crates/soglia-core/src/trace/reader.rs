//! The reading end of a recording: at any time, of any process, alive or dead.
//!
//! Nothing that a file says is believed: it may be cut, foreign, or still be written. What makes no sense is left out.
#![allow(
    unsafe_code,
    reason = "reads a mapped file that another process may be writing"
)]

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io,
    mem::offset_of,
    path::{Path, PathBuf},
};

use memmap2::{MmapOptions, MmapRaw};

use super::{
    events::Words,
    format::{
        BLOCK, CHUNK_LAYERS, CHUNK_MAGIC, ChunkHeader, ChunkKind, FIRST_LAYERS, Header,
        LAYERS_OFFSET, MAGIC, NAME_BYTES, NOTE_BYTES, NOTE_OFFSET, Slot, TASK_SLOTS_OFFSET,
        TaskKind, TaskRecord, VERSION, end, state,
    },
    log::{Record, TargetNames},
    writer::{boot_id, process_started},
};
use crate::{
    account::Total,
    crossing::Side,
    fault::Fault,
    histogram::BUCKETS,
    layer::{Layer, MAX_DEPTH},
    time::{Anchor, Scale, TickSource},
};

/// Why a file could not be read as a recording.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The operating system said no.
    #[error("cannot read {}: {source}", path.display())]
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
struct Bytes {
    map: MmapRaw,
}

impl Bytes {
    #[inline]
    fn word(&self, at: usize) -> u32 {
        if at.is_multiple_of(4) && at.checked_add(4).is_some_and(|end| end <= self.map.len()) {
            // SAFETY: within the mapping, aligned; another process may store to it, hence volatile.
            u32::from_le(unsafe { self.map.as_ptr().add(at).cast::<u32>().read_volatile() })
        } else {
            0
        }
    }

    #[inline]
    fn long(&self, at: usize) -> u64 {
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

    fn text(&self, at: usize, bytes: usize) -> String {
        let words = (at..at + bytes)
            .step_by(4)
            .flat_map(|at| self.word(at).to_le_bytes());
        let text: Vec<u8> = words.take(bytes).take_while(|byte| *byte != 0).collect();
        String::from_utf8_lossy(&text).into_owned()
    }
}

#[derive(Clone, Copy, Debug)]
struct Chunk {
    at: usize,
    kind: ChunkKind,
    bytes: usize,
    task: u32,
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

/// A task as it was found.
#[derive(Clone, Debug, Default)]
pub struct TaskSnapshot {
    /// Its number, from 1.
    pub number: u32,
    /// The operating system's number of its (latest) thread.
    pub os_thread: u32,
    /// What it is.
    pub kind: TaskKind,
    /// Threads that were folded into it.
    pub threads: u32,
    /// Its name, or nothing.
    pub name: String,
    /// The deepest nesting.
    pub max_depth: u32,
    /// By [`Fault`].
    pub faults: [u32; Fault::ALL.len()],
    /// Crossings by [`Crossing`](crate::crossing::Crossing) number minus one.
    pub crossings: [u64; 4],
    /// Crossings that are not among the events.
    pub dropped: u64,
    /// Whether its thread has ended.
    pub ended: bool,
    /// Its account.
    pub targets: HashMap<(u32, Side), Total>,
    /// Calls open when it was read, outermost first; `slot` is the target's number.
    pub open: Vec<Layer>,
}

/// A slow call.
#[derive(Clone, Copy, Debug)]
pub struct SlowCall {
    /// The target.
    pub target: u32,
    /// The task.
    pub task: u32,
    /// Ticks when it returned.
    pub at: u64,
    /// Ticks that it took.
    pub took: u64,
    /// A stack's number, or 0.
    pub stack: u32,
}

/// What the log tells.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By number.
    pub targets: BTreeMap<u32, TargetNames>,
    /// Address, file and symbol by target.
    pub addresses: HashMap<u32, (u64, Option<String>, Option<String>)>,
    /// Stack of the first call by target.
    pub first_calls: HashMap<u32, u32>,
    /// Slow calls, in the order of their ends.
    pub slow: Vec<SlowCall>,
    /// Name and version of the runtime.
    pub runtime: Option<(String, String)>,
    /// The program and its arguments.
    pub program: Vec<String>,
    /// What a reader of a report should know.
    pub remarks: Vec<String>,
    texts: HashMap<u32, String>,
    stacks: HashMap<u32, Vec<u32>>,
}

impl Names {
    /// The frames of a stack, innermost first.
    pub fn stack(&self, number: u32) -> Vec<&str> {
        let frames = self.stacks.get(&number).map_or(&[][..], Vec::as_slice);
        let text = |n: &u32| match n {
            0 => "[unmanaged]",
            n => self.texts.get(n).map_or("?", String::as_str),
        };
        frames.iter().map(text).collect()
    }
}

/// An open recording.
#[derive(Debug)]
pub struct Reader {
    bytes: Bytes,
    chunks: Vec<Chunk>,
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
        if len < 12
            || std::os::unix::fs::FileExt::read_exact_at(&file, &mut head, 0).is_err()
            || head[..8] != MAGIC
        {
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
            return Err(ReadError::Truncated {
                path: path.to_owned(),
                have: len as u64,
                should: BLOCK as u64,
            });
        }
        let map = MmapOptions::new()
            .len(len)
            .map_raw_read_only(&file)
            .map_err(os)?;
        let mut reader = Self {
            bytes: Bytes { map },
            chunks: Vec::new(),
            scale: Scale::IDENTITY,
        };
        reader.chunks = reader.scan();
        reader.scale = reader.rate();
        Ok(reader)
    }

    fn scan(&self) -> Vec<Chunk> {
        let blocks = self.bytes.map.len() / BLOCK;
        let claimed = self.bytes.word(offset_of!(Header, next_block)) as usize;
        let mut chunks = Vec::new();
        let mut block = 1;
        while block < blocks.min(claimed) {
            let at = block * BLOCK;
            let field = |offset: usize| self.bytes.word(at + offset);
            block += 1;
            if field(offset_of!(ChunkHeader, magic)) != CHUNK_MAGIC {
                continue;
            }
            let size = field(offset_of!(ChunkHeader, blocks)) as usize;
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
                block += size - 1;
            }
        }
        chunks.sort_by_key(|c| c.sequence);
        chunks
    }

    fn chunks(&self, kind: ChunkKind, task: u32) -> impl Iterator<Item = &Chunk> {
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

    /// Whether every crossing was to be recorded.
    pub fn has_events(&self) -> bool {
        self.bytes.word(offset_of!(Header, level)) > 1
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

    /// All tasks, by number.
    pub fn tasks(&self) -> Vec<TaskSnapshot> {
        let mut tasks: Vec<_> = self
            .chunks
            .iter()
            .filter(|c| c.kind == ChunkKind::Task)
            .map(|c| self.task(c))
            .collect();
        tasks.sort_by_key(|t| t.number);
        tasks
    }

    fn task(&self, chunk: &Chunk) -> TaskSnapshot {
        let record = chunk.at + size_of::<ChunkHeader>();
        let field = |offset: usize| self.bytes.word(record + offset);
        let array = |offset: usize, n: usize| field(offset + n * 4);
        let name = (field(offset_of!(TaskRecord, name_bytes)) as usize).min(NAME_BYTES);
        let mut task = TaskSnapshot {
            number: chunk.task,
            os_thread: field(offset_of!(TaskRecord, os_thread)),
            kind: TaskKind::from_number(field(offset_of!(TaskRecord, kind))),
            threads: field(offset_of!(TaskRecord, threads)),
            name: self.bytes.text(record + offset_of!(TaskRecord, name), name),
            max_depth: field(offset_of!(TaskRecord, max_depth)),
            faults: std::array::from_fn(|n| array(offset_of!(TaskRecord, faults), n)),
            dropped: self.bytes.long(record + offset_of!(TaskRecord, dropped)),
            ended: self.bytes.long(record + offset_of!(TaskRecord, ended)) != 0,
            ..TaskSnapshot::default()
        };
        for chunk in self.chunks(ChunkKind::Slots, chunk.task) {
            self.slots(chunk.at, size_of::<ChunkHeader>(), chunk.bytes, &mut task);
        }
        self.slots(chunk.at, TASK_SLOTS_OFFSET, chunk.bytes, &mut task);
        let depth = field(offset_of!(TaskRecord, depth)).min(MAX_DEPTH);
        // The writer stores the depth first, and a live one may have gone deeper since.
        task.max_depth = task.max_depth.max(depth);
        self.open_layers(chunk, depth, &mut task);
        // Which crossings there were follows from what became of the calls.
        for ((_, side), total) in &task.targets {
            let (open, close) = match side {
                Side::Unmanaged => (0, 1),
                Side::Managed => (2, 3),
            };
            task.crossings[open] += total.calls();
            task.crossings[close] += total.ended;
        }
        for n in 0..4 {
            task.crossings[n] += u64::from(array(offset_of!(TaskRecord, unmatched), n))
                + u64::from(array(offset_of!(TaskRecord, untimed), n));
        }
        task
    }

    fn slots(&self, chunk: usize, offset: usize, bytes: usize, task: &mut TaskSnapshot) {
        let used = self.bytes.word(chunk + offset_of!(ChunkHeader, used)) as usize;
        let room = bytes.saturating_sub(offset) / size_of::<Slot>();
        for n in 0..used.min(room) {
            let at = chunk + offset + n * size_of::<Slot>();
            let field = |offset: usize| self.bytes.word(at + offset);
            let long = |offset: usize| self.bytes.long(at + offset);
            let mut total = Total {
                open: 0,
                ended: u64::from(field(offset_of!(Slot, ended))),
                abandoned: u64::from(field(offset_of!(Slot, abandoned))),
                untimed: u64::from(field(offset_of!(Slot, untimed))),
                // Before the total, which the writer stores first: it must not look greater.
                own: long(offset_of!(Slot, own)),
                total: long(offset_of!(Slot, total)),
                min: long(offset_of!(Slot, min)),
                max: long(offset_of!(Slot, max)),
                histogram: Box::new([0; BUCKETS]),
            };
            for (n, bucket) in total.histogram.iter_mut().enumerate() {
                *bucket = u64::from(field(offset_of!(Slot, histogram) + n * 4));
            }
            let key = (
                field(offset_of!(Slot, target)),
                Side::from_number(field(offset_of!(Slot, side))),
            );
            task.targets.entry(key).or_default().add(&total);
        }
    }

    fn open_layers(&self, chunk: &Chunk, depth: u32, task: &mut TaskSnapshot) {
        let first = (chunk.at + LAYERS_OFFSET, FIRST_LAYERS);
        let more = self.chunks(ChunkKind::Layers, chunk.task);
        let more = more.map(|c| (c.at + size_of::<ChunkHeader>(), CHUNK_LAYERS));
        let places = std::iter::once(first)
            .chain(more)
            .flat_map(|(at, count)| (0..count).map(move |n| at + n * size_of::<Layer>()));
        for at in places.take(depth as usize) {
            let slot = self.bytes.word(at + offset_of!(Layer, slot)) as usize * align_of::<Slot>();
            let mut layer = Layer {
                since: self.bytes.long(at + offset_of!(Layer, since)),
                inner: self.bytes.long(at + offset_of!(Layer, inner)),
                mark: self.bytes.long(at + offset_of!(Layer, mark)),
                function: self.bytes.long(at + offset_of!(Layer, function)),
                slot: self.bytes.word(slot + offset_of!(Slot, target)),
                bits: self.bytes.word(at + offset_of!(Layer, bits)),
            };
            let gone = [offset_of!(Slot, ended), offset_of!(Slot, abandoned)]
                .map(|offset| self.bytes.word(slot + offset));
            if layer.is_counted(gone[0].wrapping_add(gone[1])) {
                continue;
            }
            // The slot's side, not the layer's: of a live task the layer may be half another one.
            layer.bits = self.bytes.word(slot + offset_of!(Slot, side)) & 1;
            task.targets
                .entry((layer.slot, layer.side()))
                .or_default()
                .open += 1;
            task.open.push(layer);
        }
    }

    /// All that the log tells now.
    pub fn names(&self) -> Names {
        let mut names = Names::default();
        // Scanned anew: a process that still runs may have told more since the tasks were read.
        for chunk in self.scan().iter().filter(|c| c.kind == ChunkKind::Log) {
            let mut at = chunk.at + size_of::<ChunkHeader>();
            let end = chunk.at + chunk.bytes;
            while at < end {
                let head = self.bytes.word(at);
                let payload = (head >> 8) as usize / 4;
                if head == 0 || at + 4 + payload * 4 > end {
                    break;
                }
                let words: Vec<u32> = (0..payload)
                    .map(|n| self.bytes.word(at + 4 + n * 4))
                    .collect();
                if let Some(record) = Record::decode(head & 0xff, &words) {
                    names.take(record);
                }
                at += 4 + payload * 4;
            }
        }
        names
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

impl Names {
    fn take(&mut self, record: Record) {
        match record {
            Record::Target(names) => {
                self.targets.insert(names.target, names);
            }
            Record::Address {
                target,
                address,
                file,
                symbol,
            } => {
                self.addresses.insert(target, (address, file, symbol));
            }
            Record::Text { number, text } => {
                self.texts.insert(number, text);
            }
            Record::Stack { number, frames } => {
                self.stacks.insert(number, frames);
            }
            Record::FirstCall { target, stack } => {
                self.first_calls.insert(target, stack);
            }
            Record::Slow {
                target,
                task,
                at,
                took,
                stack,
            } => {
                self.slow.push(SlowCall {
                    target,
                    task,
                    at,
                    took,
                    stack,
                });
            }
            Record::Runtime { name, version } => self.runtime = Some((name, version)),
            Record::Program { args } => self.program = args,
            Record::Remark { text } => self.remarks.push(text),
        }
    }
}
