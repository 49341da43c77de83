//! The file of a recording as its starter sees it: how it is made, and what is written into it when
//! the process is gone.
#![allow(
    unsafe_code,
    reason = "asks the OS for files without names, random bytes and limits"
)]

use std::{
    fs::{self, File, OpenOptions},
    io,
    mem::offset_of,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use super::{
    format::{
        BLOCK, CHUNK_MAGIC, ChunkHeader, ChunkKind, Header, MAGIC, MOST_BLOCKS, NOTE_BYTES,
        NOTE_OFFSET, SESSION_BYTES, VERSION, end,
    },
    identity::{self, Identity},
    log::Record,
    room::allocate,
};
use crate::{
    process, regular,
    time::{Anchor, TickSource, wall_ns},
};

/// How much the engine records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Level {
    /// How often each target was called, per task. Nothing is timed, and returns are not recorded.
    /// This is for calls that wrappers record. Those that the runtime reports are recorded as with
    /// `Summary`.
    Counts = 0,
    /// Counts and times, per task and target.
    Summary = 1,
    /// Also every crossing.
    Events = 2,
}

impl Level {
    /// The level with this number in a recording.
    pub const fn from_number(number: u32) -> Self {
        match number {
            0 => Self::Counts,
            1 => Self::Summary,
            _ => Self::Events,
        }
    }
}

/// How calls are timed by sample: see [`crate::sampling`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// Nanoseconds between two ticks of the coarse clock. A call that lasts for two of them is
    /// always timed.
    pub clock_ns: u32,
    /// The part of the run that timing may take, in millionths.
    pub budget_ppm: u32,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            clock_ns: 1_000_000,
            budget_ppm: 10_000,
        }
    }
}

/// The options of a new recording.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much the engine records.
    pub level: Level,
    /// The size of the file in bytes; at most 256 GiB.
    pub max_bytes: u64,
    /// Calls that take at least this many nanoseconds are slow; 0: none is.
    pub slow_ns: u64,
    /// Whether calls are timed by sample; `None`: every call is timed. With [`Level::Summary`].
    pub sampling: Option<Sampling>,
}

/// The smallest useful size: the header, some tasks, their names.
pub const MIN_BYTES: u64 = 1 << 20;

impl Default for Options {
    fn default() -> Self {
        Self {
            level: Level::Summary,
            max_bytes: 1 << 30,
            slow_ns: 100_000_000,
            sampling: None,
        }
    }
}

/// Makes a new recording at `path`, for a process to claim. Removes a recording that was there
/// before, instead of overwriting it: it may be of a program that still runs.
///
/// # Errors
/// A file at `path` is neither a recording nor empty, the file cannot be written, or the disk is
/// full.
pub fn create(path: &Path, options: &Options) -> io::Result<File> {
    match regular::open_no_link(path) {
        Ok(there) if may_be_replaced(&there)? => fs::remove_file(path)?,
        Ok(_) => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the file exists and is not a recording, so soglia does not overwrite it: choose another name",
            ));
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        // Command lines and stacks concern their owner only.
        .mode(0o600)
        .open(path)?;
    initialise(&file, options).inspect_err(|_| {
        // The error is about the disk. An empty file would only add to it.
        let _ = fs::remove_file(path);
    })?;
    Ok(file)
}

/// Whether the file is empty or a recording, so that it may be removed.
fn may_be_replaced(file: &File) -> io::Result<bool> {
    match is_recording(file) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Ok(file.metadata()?.len() == 0)
        }
        known => known,
    }
}

/// Whether the file begins as recordings of any version do.
///
/// # Errors
/// Those of reading the file; [`io::ErrorKind::UnexpectedEof`] if it is shorter.
pub(super) fn is_recording(file: &File) -> io::Result<bool> {
    let mut magic = [0; MAGIC.len()];
    file.read_exact_at(&mut magic, 0)?;
    Ok(magic == MAGIC)
}

/// Makes a new recording without a name. It is gone with the last process that has it open. Other
/// processes open it by the path that is returned, while this process keeps the file.
///
/// # Errors
/// Those of the operating system.
pub fn create_unnamed(options: &Options) -> io::Result<(File, PathBuf)> {
    // SAFETY: the name is a literal C string. A result that is not negative is a new descriptor,
    // which has no other owner.
    let file = unsafe {
        let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
        let descriptor = libc::memfd_create(c"soglia".as_ptr(), flags);
        if descriptor < 0 {
            return Err(io::Error::last_os_error());
        }
        File::from(OwnedFd::from_raw_fd(descriptor))
    };
    initialise(&file, options)?;
    // Sealed, no process can cut it while it is mapped, and it need not grow. It works without
    // seals too.
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW;
    // SAFETY: `file` keeps its descriptor open, and this request takes a number, no pointer.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) };
    let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    Ok((file, path.into()))
}

/// The options with which a recording was made: for another one like it.
///
/// # Errors
/// Those of reading the file.
pub fn options_of(path: &Path) -> io::Result<Options> {
    options_in(&regular::open(path)?)
}

pub(super) fn options_in(file: &File) -> io::Result<Options> {
    let mut head = [0; size_of::<Header>()];
    file.read_exact_at(&mut head, 0)?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let slow = offset_of!(Header, slow_ns);
    Ok(Options {
        level: Level::from_number(word(offset_of!(Header, level))),
        max_bytes: u64::from(word(offset_of!(Header, max_blocks))) * BLOCK as u64,
        slow_ns: u64::from(word(slow)) | u64::from(word(slow + 4)) << 32,
        sampling: Some(Sampling {
            clock_ns: word(offset_of!(Header, clock_ns)),
            budget_ppm: word(offset_of!(Header, budget_ppm)),
        })
        .filter(|sampling| sampling.clock_ns != 0),
    })
}

fn initialise(file: &File, options: &Options) -> io::Result<()> {
    // Takes room for a small program at once, so that a full disk is found before the program
    // starts.
    allocate(file, 0, MIN_BYTES / 4)?;
    TickSource::detect().select();
    let wanted =
        (options.max_bytes.max(MIN_BYTES) / BLOCK as u64).min(u64::from(MOST_BLOCKS)) as u32;
    let blocks = extend(file, wanted)?;
    let mut header = vec![0_u8; BLOCK];
    let anchor = Anchor::take();
    let mut put =
        |offset: usize, bytes: &[u8]| header[offset..offset + bytes.len()].copy_from_slice(bytes);
    put(offset_of!(Header, magic), &MAGIC);
    put(offset_of!(Header, version), &VERSION.to_le_bytes());
    put(
        offset_of!(Header, level),
        &(options.level as u32).to_le_bytes(),
    );
    put(
        offset_of!(Header, tick_source),
        &(TickSource::detect() as u32).to_le_bytes(),
    );
    put(offset_of!(Header, max_blocks), &blocks.to_le_bytes());
    put(
        offset_of!(Header, event_blocks),
        &event_blocks(blocks).to_le_bytes(),
    );
    put(offset_of!(Header, next_block), &1_u32.to_le_bytes());
    put(
        offset_of!(Header, reserved_blocks),
        &((MIN_BYTES / 4 / BLOCK as u64) as u32).to_le_bytes(),
    );
    put(
        offset_of!(Header, is_small),
        &u32::from(blocks < wanted).to_le_bytes(),
    );
    put(offset_of!(Header, session), &random()?);
    put(offset_of!(Header, boot), &process::boot_id());
    put(offset_of!(Header, slow_ns), &options.slow_ns.to_le_bytes());
    if let Some(sampling) = options.sampling {
        put(
            offset_of!(Header, clock_ns),
            &sampling.clock_ns.to_le_bytes(),
        );
        put(
            offset_of!(Header, budget_ppm),
            &sampling.budget_ppm.to_le_bytes(),
        );
    }
    put(offset_of!(Header, wall_ns), &wall_ns().to_le_bytes());
    put(offset_of!(Header, made), &anchor.ticks.to_le_bytes());
    put(
        offset_of!(Header, made) + 8,
        &anchor.monotonic_ns.to_le_bytes(),
    );
    file.write_all_at(&header, 0)
}

/// Chunks of events are made below this block only.
pub(super) const fn event_blocks(max_blocks: u32) -> u32 {
    max_blocks - max_blocks / 8
}

/// Gives the file its size, as a hole: so many blocks, or as many as limits allow.
fn extend(file: &File, blocks: u32) -> io::Result<u32> {
    // Trying more raises a signal that ends the process.
    let allowed = file_size_limit() / BLOCK as u64;
    let mut blocks = allowed.min(blocks.into()) as u32;
    loop {
        match file.set_len(u64::from(blocks) * BLOCK as u64) {
            Ok(()) => return Ok(blocks),
            Err(_) if u64::from(blocks / 2) * BLOCK as u64 >= MIN_BYTES => blocks /= 2,
            Err(error) => return Err(error),
        }
    }
}

fn random() -> io::Result<[u8; SESSION_BYTES]> {
    let mut bytes = [0; SESSION_BYTES];
    // SAFETY: `bytes` is valid for writing as many bytes as are asked for.
    match unsafe { libc::getrandom(bytes.as_mut_ptr().cast(), bytes.len(), 0) } {
        SESSION_LENGTH => Ok(bytes),
        _ => Err(io::Error::last_os_error()),
    }
}

const SESSION_LENGTH: isize = SESSION_BYTES as isize;

/// Leaves a note in a recording that could not be claimed, for the tool that made it. Writes into
/// the expected recording only, if there is one.
pub fn note(path: &Path, expected: Option<&Identity>, text: &str) {
    if let Ok((file, _)) = identity::open_any(path, expected) {
        // All of it, so that nothing of a longer note stays behind this one.
        let mut bytes = [0; NOTE_BYTES];
        let length = text.len().min(NOTE_BYTES);
        bytes[..length].copy_from_slice(&text.as_bytes()[..length]);
        // If this fails too, the tool says that no runtime recorded, which is still true.
        let _ = file.write_all_at(&bytes, NOTE_OFFSET as u64);
    }
}

/// Writes into a recording how its process ended. For the process's starter, when that process is
/// gone.
///
/// # Errors
/// Those of writing the file.
pub fn conclude(file: &File, ended: Result<i32, i32>) -> io::Result<()> {
    let anchor = Anchor::take();
    let (kind, code) = match ended {
        Ok(code) => (end::EXITED, code),
        Err(signal) => (end::SIGNALLED, signal),
    };
    let at = offset_of!(Header, ended) as u64;
    // The ticks last: they say that there is an anchor.
    file.write_all_at(&anchor.monotonic_ns.to_le_bytes(), at + 8)?;
    file.write_all_at(&anchor.ticks.to_le_bytes(), at)?;
    file.write_all_at(&code.to_le_bytes(), offset_of!(Header, end_code) as u64)?;
    file.write_all_at(&kind.to_le_bytes(), offset_of!(Header, end_kind) as u64)
}

/// Appends a record to the log. For the process's starter, when that process is gone. Returns
/// `false` if the recording has no room for it.
///
/// # Errors
/// Those of reading and writing the file.
pub fn append(file: &File, record: &Record) -> io::Result<bool> {
    let word = |at: usize| {
        let mut bytes = [0; 4];
        file.read_exact_at(&mut bytes, at as u64)?;
        io::Result::Ok(u32::from_le_bytes(bytes))
    };
    let block = word(offset_of!(Header, next_block))?.max(1);
    let words = record.encode();
    // One word more, so that a zero ends the run.
    let bytes = size_of::<ChunkHeader>() + 4 * (words.len() + 1);
    let blocks = bytes.div_ceil(BLOCK) as u32;
    let end = block.saturating_add(blocks);
    if end > word(offset_of!(Header, max_blocks))? {
        return Ok(false);
    }
    let mut chunk = vec![0; blocks as usize * BLOCK];
    let mut put = |at: usize, word: u32| chunk[at..at + 4].copy_from_slice(&word.to_le_bytes());
    put(offset_of!(ChunkHeader, kind), ChunkKind::Log as u32);
    put(offset_of!(ChunkHeader, blocks), blocks);
    // Higher than that of any chunk before.
    put(offset_of!(ChunkHeader, sequence), block);
    for (n, word) in words.iter().enumerate() {
        put(size_of::<ChunkHeader>() + 4 * n, *word);
    }
    let at = u64::from(block) * BLOCK as u64;
    file.write_all_at(&chunk, at)?;
    let reserved = word(offset_of!(Header, reserved_blocks))?.max(end);
    for (field, value) in [
        (offset_of!(Header, next_block), end),
        (offset_of!(Header, reserved_blocks), reserved),
    ] {
        file.write_all_at(&value.to_le_bytes(), field as u64)?;
    }
    let magic = at + offset_of!(ChunkHeader, magic) as u64;
    file.write_all_at(&CHUNK_MAGIC.to_le_bytes(), magic)?;
    Ok(true)
}

/// Cuts the file behind its last chunk, where there is only a hole. For the process's starter, when
/// that process is gone: a process that stores to the part that is cut ends by a signal. Does
/// nothing to a recording without a name.
///
/// # Errors
/// Those of reading and cutting the file.
pub fn trim(file: &File) -> io::Result<()> {
    let mut blocks = [0; 4];
    file.read_exact_at(&mut blocks, offset_of!(Header, reserved_blocks) as u64)?;
    let bytes = u64::from(u32::from_le_bytes(blocks).max(1)) * BLOCK as u64;
    let about = file.metadata()?;
    if about.nlink() > 0 && bytes < about.len() {
        file.set_len(bytes)?;
    }
    Ok(())
}

fn file_size_limit() -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: `limit` is a whole rlimit on this stack, which the call writes.
    unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, &raw mut limit) };
    limit.rlim_cur
}
