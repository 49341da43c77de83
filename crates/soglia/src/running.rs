//! The programs that run, under soglia or without it, found by the numbers of their processes.
//!
//! A recording of `soglia run` without `-o` has no name. But the recorded process maps it, and the
//! tool holds it open, so `/proc` leads to it. All that is asked for is what the kernel shows to
//! the user who asks: their own processes, and to root all of them.

pub(crate) mod process;

use std::{
    collections::HashSet,
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use soglia_core::trace::reader::{ReadError, Reader};

use crate::{
    attach::{Target, port},
    model::command_line,
};
use process::{Mapping, Process, Why};

/// Why a process has no recording that can be read.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// There is no such process.
    #[error("there is no process {0}")]
    NoProcess(u32),
    /// It is the number of a thread, as `top -H` and debuggers show it.
    #[error("{0} is a thread of process {1}: give the number of the process")]
    Thread(u32, u32),
    /// It is a zombie.
    #[error(
        "process {0} has ended: only a recording that was kept with `soglia run -o FILE` can be read then"
    )]
    Ended(u32),
    /// The system does not let this user look into it.
    #[error("process {pid} belongs to {user}, and only that user and root can look into it")]
    NotYours {
        /// The process.
        pid: u32,
        /// The name of its user, or the number.
        user: String,
    },
    /// It has no recording.
    #[error("process {0} does not run under soglia: `soglia run` starts programs that do")]
    NotRecorded(u32),
    /// Another process has this number where that one runs.
    #[error("process {inside} of another container is process {outside} here: give that number")]
    Elsewhere {
        /// The number in the other namespace.
        inside: u32,
        /// The number here.
        outside: u32,
    },
}

/// A .NET program that runs.
#[derive(Clone, Debug)]
pub struct Program {
    /// Its process.
    pub pid: u32,
    /// Whether soglia records it.
    pub is_recorded: bool,
    /// The program and its arguments.
    pub command_line: Vec<String>,
    /// The time when its recording was made, or when it was started.
    pub since: SystemTime,
}

/// The .NET programs that this user may look at: those that soglia records, then the others, by
/// process.
pub fn programs() -> Vec<Program> {
    let listeners = port::listeners();
    let known = |process: Process| recorded(&process).or_else(|| other(&process, &listeners));
    let mut all: Vec<Program> = process::all().filter_map(known).collect();
    all.sort_by_key(|program| (!program.is_recorded, program.pid));
    all
}

fn recorded(process: &Process) -> Option<Program> {
    let reader = Reader::open_partial(&own(process)?).ok()?;
    Some(Program {
        pid: process.pid,
        is_recorded: true,
        command_line: command_line(&reader),
        since: SystemTime::UNIX_EPOCH + Duration::from_nanos(reader.wall_ns()),
    })
}

/// A program that nothing records, if it has a runtime that can be attached to. `listeners` are
/// those in this network.
fn other(process: &Process, listeners: &HashSet<u32>) -> Option<Program> {
    let network = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
    let its = network(&process.pid.to_string())?;
    // Most processes are no .NET, and looking closer costs time.
    let is_here = network("self").is_some_and(|own| own == its);
    if is_here && !listeners.contains(process.numbers().last()?) {
        return None;
    }
    let target = Target::of(process.pid).ok()?;
    if !target.listens_for_diagnostics() {
        return None;
    }
    let command_line = fs::read(process.path("cmdline")).unwrap_or_default();
    let words = command_line.split(|byte| *byte == 0);
    let mut words: Vec<String> = words
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect();
    // Each word ends with a zero.
    words.pop();
    let age = soglia_core::process::age_ns_of(process.pid)?;
    Some(Program {
        pid: process.pid,
        is_recorded: false,
        command_line: words,
        since: SystemTime::now() - Duration::from_nanos(age),
    })
}

/// A path by which the recording of this process can be opened as long as the process runs. The
/// process is one that records, or a `soglia run` that waits for one.
///
/// # Errors
/// See [`FindError`].
pub fn find(pid: u32) -> Result<PathBuf, FindError> {
    let process = Process { pid };
    if let Some(whole) = process.has_as_thread() {
        return Err(FindError::Thread(pid, whole));
    }
    let why = match process.mappings() {
        Ok(mappings) => match own_of(&process, &mappings).or_else(|| held(&process)) {
            Some(path) => return Ok(path),
            None if process.is_zombie() => FindError::Ended(pid),
            None => FindError::NotRecorded(pid),
        },
        Err(Why::Absent) => FindError::NoProcess(pid),
        Err(Why::Denied) => FindError::NotYours {
            pid,
            user: process.user().unwrap_or_else(|| "another user".into()),
        },
    };
    // A number that is only right inside a container is easily taken for one of the host.
    let is_it = |other: &Process| {
        own(other).is_some_and(|path| recorded_in(&path).is_some_and(|of| of == pid))
    };
    match process::all().find(|other| other.pid != pid && is_it(other)) {
        Some(outside) => Err(FindError::Elsewhere {
            inside: pid,
            outside: outside.pid,
        }),
        None => Err(why),
    }
}

/// Whether this process records.
pub fn is_recorded(pid: u32) -> bool {
    own(&Process { pid }).is_some()
}

/// The recording that this process writes.
fn own(process: &Process) -> Option<PathBuf> {
    own_of(process, &process.mappings().ok()?)
}

fn own_of(process: &Process, mappings: &[Mapping]) -> Option<PathBuf> {
    let numbers = process.numbers();
    let mapped = mappings.iter().filter(|mapping| mapping.may_be_recording());
    mapped
        .flat_map(|mapping| ways_to(process, mapping))
        .find(|path| {
            // A process that was forked has its parent's mapping, and not its own recording.
            is_recording(path) && recorded_in(path).is_none_or(|pid| numbers.contains(&pid))
        })
}

/// Paths that may lead to a mapped file, the likely ones first.
fn ways_to<'a>(
    process: &'a Process,
    mapping: &'a Mapping,
) -> impl Iterator<Item = PathBuf> + use<'a> {
    let is_it = |path: &PathBuf| path.metadata().is_ok_and(|m| m.ino() == mapping.inode);
    let tools = process.ancestors();
    let holders = std::iter::once(Process { pid: process.pid }).chain(tools);
    // A tool that has attached to the process holds the recording, and is not its parent.
    let others = process::all().filter(|_| mapping.has_no_name());
    let open = holders
        .chain(others)
        .flat_map(|holder| holder.open_files())
        .filter(|(_, name)| *name == mapping.name)
        .map(|(path, _)| path);
    // The process may see other file systems than this one.
    let named = Path::new("/proc")
        .join(process.pid.to_string())
        .join("root")
        .join(mapping.name.strip_prefix("/").unwrap_or(&mapping.name));
    let named = Some(named).filter(|_| !mapping.has_no_name());
    // Only root may follow this one.
    let by_address = process.path("map_files").join(&mapping.range);
    open.chain(named).filter(is_it).chain([by_address])
}

/// A recording that a process holds open, as `soglia run` does.
fn held(process: &Process) -> Option<PathBuf> {
    let mut files = process.open_files().into_iter().map(|(path, _)| path);
    files.find(|path| is_recording(path))
}

/// Whether this is a recording, also one of another version.
fn is_recording(path: &Path) -> bool {
    matches!(
        Reader::open_partial(path),
        Ok(_) | Err(ReadError::Version { .. } | ReadError::Headless(_))
    )
}

/// The process that records into it, as the file says, if this version can read that.
fn recorded_in(path: &Path) -> Option<u32> {
    Reader::open_partial(path).ok().map(|reader| reader.pid())
}
