//! What every thread of a process was doing at a moment.

use serde::Serialize;
use soglia_core::trace::{
    attached::Snapshot,
    names::{Names, UNMANAGED},
    reader::Reader,
};

use super::{clock::WallClock, program::program, room::Room, targets::callers};

/// The threads of a process at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stacks {
    /// The number of the process, as it numbers itself.
    pub pid: u32,
    /// The program: the assembly where `dotnet` was asked to run one, else the executable.
    pub program: String,
    /// Its command line.
    pub command_line: Vec<String>,
    /// The version of its runtime.
    pub runtime: Option<String>,
    /// The time of day: RFC 3339, in UTC.
    pub time: Option<String>,
    /// The same in the time zone of this machine.
    #[serde(skip)]
    pub local_time: Option<String>,
    /// Why there are no managed stacks, if the runtime could not be suspended.
    pub no_stacks: Option<String>,
    /// The threads, in the order of their numbers.
    pub threads: Vec<ThreadRow>,
    /// How many threads are left out, because there are too many.
    pub left_out: u64,
    /// What else there is to know.
    pub remarks: Vec<String>,
}

/// Where a thread was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// In a native function that managed code has called.
    Native,
    /// In the runtime, which managed code has called: it waits, collects or compiles.
    Runtime,
    /// In managed code.
    Managed,
    /// In native code, without managed frames.
    Unmanaged,
    /// It cannot be found out.
    #[default]
    Unknown,
}

/// A thread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ThreadRow {
    /// The operating system's number.
    pub os_thread: u32,
    /// Its name. `None`: that of the process.
    pub name: Option<String>,
    /// Where it was.
    pub state: State,
    /// The native function that it was inside: `library!entry`.
    pub inside: Option<String>,
    /// What it did, as the operating system says.
    pub doing: Option<String>,
    /// Its managed frames, innermost first.
    pub stack: Vec<String>,
    /// Why they are missing, or why there is only one.
    pub no_stack: Option<String>,
    /// Its native frames, innermost first, up to the managed ones.
    pub native_stack: Vec<String>,
    /// Why these end, if they do not reach managed code.
    pub native_end: Option<String>,
}

impl Stacks {
    /// Those in a recording.
    pub fn of(reader: &Reader) -> Self {
        let names = reader.names();
        let wall = WallClock::of(reader);
        let (program, command_line) = program(&names.program);
        let mut room = Room::new();
        let fits = |snapshot: &&Snapshot| {
            let texts = [&snapshot.thread, &snapshot.callee, &snapshot.doing];
            let texts = texts.into_iter().chain([&snapshot.no_stack]).flatten();
            let frames = names.stack(snapshot.stack).into_iter();
            let frames = frames.chain(names.stack(snapshot.native));
            room.takes(texts.map(String::as_str).chain(frames))
        };
        let fitting = names.snapshots.iter().filter(fits);
        let threads: Vec<ThreadRow> = fitting.map(|s| ThreadRow::of(&names, s)).collect();
        let why = threads.iter().map(|thread| &thread.no_stack);
        // A single thread may have a reason of its own.
        let alike = why.clone().all(|why| why.is_some());
        Self {
            pid: reader.pid(),
            program,
            command_line,
            runtime: names.runtime.as_ref().map(|(_, version)| version.clone()),
            time: wall.utc(0),
            local_time: wall.local(0),
            no_stacks: why.flatten().next().filter(|_| alike).cloned(),
            left_out: room.left_out.saturating_add(names.left_out),
            remarks: names.remarks.clone(),
            threads,
        }
    }
}

impl ThreadRow {
    fn of(names: &Names, snapshot: &Snapshot) -> Self {
        let stack = callers(names, snapshot.stack);
        let native_stack = callers(names, snapshot.native);
        let is_managed = stack.iter().any(|frame| frame != UNMANAGED);
        let state = match (snapshot.inside, is_managed, &snapshot.no_stack) {
            (true, ..) => State::Native,
            (false, true, _) if native_stack.is_empty() => State::Managed,
            (false, true, _) => State::Runtime,
            (false, false, None) => State::Unmanaged,
            (false, false, Some(_)) => State::Unknown,
        };
        Self {
            os_thread: snapshot.os_thread,
            name: snapshot.thread.clone(),
            state,
            inside: snapshot.callee.clone(),
            doing: snapshot.doing.clone(),
            stack,
            no_stack: snapshot.no_stack.clone(),
            native_stack,
            native_end: snapshot.native_ends.clone(),
        }
    }
}
