//! A recording as reports see it: names instead of numbers, nanoseconds instead of ticks.
//!
//! The fields are the JSON of `soglia report --format json`; `docs/report.schema.json` describes it.

mod build;
mod lists;
pub mod no_room;
pub(crate) mod overdue;
mod room;
mod symbols;
mod targets;

pub use no_room::NoRoomRow;
pub use overdue::{Deadlines, OverdueReport, OverdueRow};
use serde::Serialize;
pub use symbols::names;
pub use targets::target_infos;

/// All that a report can tell.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Model {
    /// The recorded program: the assembly where `dotnet` was asked to run one, else the executable.
    pub program: String,
    /// The command line of the recorded process.
    pub command_line: Vec<String>,
    /// Its number.
    pub pid: u32,
    /// The runtime in it.
    pub runtime: Runtime,
    /// `exit`, `signal`, `killed`, `running` or `unknown`.
    pub ended: &'static str,
    /// If it exited and that is known.
    pub exit_code: Option<i32>,
    /// If a signal ended it.
    pub signal: Option<i32>,
    /// From the start of the runtime.
    pub duration_ns: u64,
    /// Nobody saw the end: the process ran at least so long.
    pub duration_at_least: bool,
    /// `counts`, `summary` or `events`.
    pub level: &'static str,
    /// Crossings, targets and tasks are made anew from the events, not read from the counters. Not in JSON, so that the two can be
    /// compared.
    #[serde(skip)]
    pub replayed: bool,
    /// Where the crossings come from: `transitions` or `woven`; none if the recording does not tell.
    pub source: Option<&'static str>,
    /// Whose crossings are watched: `user`, `framework`, `corelib` or `all`.
    pub scope: Option<&'static str>,
    /// Why `woven` was not possible, where it would have been the choice.
    pub fallback: Option<String>,
    /// What crosses and is not seen.
    pub not_watched: Vec<Unwatched>,
    /// What was not called as the program meant to.
    pub policy: Option<Policy>,
    /// How long native calls were to take at most.
    pub deadlines: Option<Deadlines>,
    /// A bound on the tasks in managed code.
    pub slots: Option<Slots>,
    /// How many of each.
    pub crossings: Crossings,
    /// What did not fit.
    pub faults: Vec<FaultRow>,
    /// Crossings, slow calls and stacks for which there was no room.
    pub dropped: u64,
    /// Of these: crossings that are counted but not among the events.
    pub dropped_events: u64,
    /// Of these: crossings that are in no account at all.
    pub dropped_crossings: u64,
    /// Why there was no room.
    pub no_room: Vec<NoRoomRow>,
    /// One per target, longest total first.
    pub targets: Vec<TargetRow>,
    /// One per task.
    pub tasks: Vec<TaskRow>,
    /// Slow calls, in the order of their ends.
    pub slow: Vec<SlowRow>,
    /// Calls at least this long are slow; 0: none is.
    pub slow_threshold_ns: u64,
    /// Calls that missed a deadline, in the order in which that was found.
    pub overdue: Vec<OverdueRow>,
    /// Calls that had not returned when the recording was read, or when the process ended.
    pub open: Vec<OpenRow>,
    /// What is not in these lists, because the report would be too large.
    pub left_out: LeftOut,
    /// What a reader should know.
    pub remarks: Vec<String>,
}

/// Rows that a report leaves out: how many of each list. None of a recording that a program has made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Names, stacks and other records.
    pub records: u64,
    /// Of `targets`.
    pub targets: u64,
    /// Of `tasks`.
    pub tasks: u64,
    /// Of `slow`: the shortest.
    pub slow: u64,
    /// Of `overdue`.
    pub overdue: u64,
    /// Of `open`.
    pub open: u64,
}

/// A policy that the process was under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Policy {
    /// Nothing was refused or redirected; what is called refused would have been.
    pub audit: bool,
    /// A refused call ended the process.
    pub deny_fatal: bool,
    /// As they are written on the command line, in the order in which they were looked at.
    pub rules: Vec<String>,
    /// Of these: about nothing that a watched module declares.
    pub idle_rules: Vec<String>,
}

/// A bound on the tasks that run managed code at a time, and what came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Slots {
    /// So many.
    pub count: u16,
    /// A task waited at most so long for a slot; none: for ever.
    pub timeout_ns: Option<u64>,
    /// The process did not come to write down the last figures: these are lower bounds.
    pub at_least: bool,
    /// Waits for a slot that are over.
    pub waits: u64,
    /// Time in them.
    pub waited_ns: u64,
    /// The longest.
    pub longest_wait_ns: u64,
    /// Of the waits: ended by the timeout.
    pub timed_out: u64,
    /// Slots of sleeping tasks that were given to others: for moments more tasks could run managed code.
    pub lent: u64,
    /// Slots whose tasks died.
    pub abandoned: u64,
}

/// Something that crosses and that the source does not see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unwatched {
    /// What, and why.
    pub what: String,
    /// `forward` or `reverse`; none: both.
    pub direction: Option<&'static str>,
    /// The assembly of the targets, if they are all of one.
    pub assembly: Option<String>,
    /// The method, if it is one, or `[function pointer]`.
    pub method: Option<String>,
}

/// Which runtime.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Runtime {
    /// `.NET`.
    pub name: String,
    /// As in `10.0.12`.
    pub version: String,
}

/// How many crossings of each kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Crossings {
    /// `LeaveRuntime`.
    pub leave: u64,
    /// `EnterRuntime`; none: calls were only counted, and their returns were not told.
    pub enter: Option<u64>,
    /// `ReverseEnterRuntime`.
    pub reverse_enter: u64,
    /// `ReverseLeaveRuntime`; none likewise.
    pub reverse_leave: Option<u64>,
}

impl Crossings {
    /// All together, if all are known.
    pub fn all(&self) -> Option<u64> {
        Some(self.leave + self.enter? + self.reverse_enter + self.reverse_leave?)
    }
}

/// How often crossings did not fit in one way.
#[derive(Clone, Debug, Serialize)]
pub struct FaultRow {
    /// The fault.
    pub kind: &'static str,
    /// How often.
    pub count: u64,
    /// On how many tasks.
    pub tasks: u64,
    /// In a sentence.
    pub meaning: &'static str,
}

/// One target.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TargetRow {
    /// `forward` or `reverse`.
    pub direction: &'static str,
    /// `Namespace.Type.Method`.
    pub method: Option<String>,
    /// Of the method.
    pub assembly: Option<String>,
    /// As written in `DllImport`.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// `LIBRARY` or `LIBRARY!ENTRY` that a policy had called instead.
    pub redirected_to: Option<String>,
    /// Of the native function, in hexadecimal.
    pub address: Option<String>,
    /// The loaded object that it lies in.
    pub file: Option<String>,
    /// The address as that file has it, in hexadecimal.
    pub offset: Option<String>,
    /// The symbol at the address.
    pub symbol: Option<String>,
    /// One of the runtime's own.
    pub runtime_internal: bool,
    /// All calls.
    pub calls: u64,
    /// Of these: returned, and timed.
    pub returned: u64,
    /// Of these: not returned yet.
    pub open: u64,
    /// How long the longest of those that are open has lasted.
    pub open_max_ns: Option<u64>,
    /// It lasted at least so long: nobody saw the process end.
    pub open_at_least: bool,
    /// Of these: unwound past.
    pub abandoned: u64,
    /// Of these: ended by an exception.
    pub failed: u64,
    /// Of these: counted, and not timed.
    pub untimed: u64,
    /// Calls that a policy did not let happen; not among the calls.
    pub refused: u64,
    /// Time in calls that returned.
    pub total_ns: u64,
    /// The same without what was nested in them.
    pub self_ns: u64,
    /// Shortest, if any returned.
    pub min_ns: Option<u64>,
    /// Mean.
    pub mean_ns: Option<u64>,
    /// Median.
    pub p50_ns: Option<u64>,
    /// 90th percentile.
    pub p90_ns: Option<u64>,
    /// 99th percentile.
    pub p99_ns: Option<u64>,
    /// Longest.
    pub max_ns: Option<u64>,
    /// The first call that returned, if that is known.
    pub first_call_ns: Option<u64>,
    /// Tasks that called it.
    pub tasks: u64,
    /// Who called it first, innermost frame first.
    pub first_caller: Vec<String>,
}

/// The name of what has no other.
pub const FUNCTION_POINTER: &str = "[function pointer]";

impl TargetRow {
    /// `library!entry` where there is one, else the method, else `library+offset`, else what it is.
    pub fn name(&self) -> String {
        name_of(
            self.library.as_deref(),
            self.entry.as_deref(),
            self.method.as_deref(),
            self.offset.as_deref(),
        )
    }
}

fn name_of(
    library: Option<&str>,
    entry: Option<&str>,
    method: Option<&str>,
    offset: Option<&str>,
) -> String {
    match (library, entry, method, offset) {
        (Some(library), Some(entry), ..) => format!("{library}!{entry}"),
        (_, _, Some(method), _) => method.into(),
        (Some(library), _, _, Some(offset)) => format!("{library}+{offset}"),
        _ => FUNCTION_POINTER.into(),
    }
}

/// One task.
#[derive(Clone, Debug, Serialize)]
pub struct TaskRow {
    /// Its number.
    pub task: u32,
    /// The operating system's number of its thread.
    pub os_thread: u32,
    /// Its name.
    pub name: Option<String>,
    /// What it is.
    pub kind: &'static str,
    /// Crossings of all kinds that are told: where calls are only counted, their returns are not.
    pub crossings: u64,
    /// Deepest nesting; none: calls were only counted.
    pub max_depth: Option<u32>,
    /// Time in native code, without callbacks, in calls that returned; none: none has, or calls were only counted.
    pub unmanaged_ns: Option<u64>,
    /// Threads that were recorded as this one.
    pub threads: u32,
    /// When it crossed first, since the start.
    pub began: u64,
    /// Whether its thread has ended.
    pub ended: bool,
    /// When its thread or the process ended, or when the recording was read, since the start.
    pub until: u64,
    /// Its end was not seen: it lasted at least until then.
    pub until_at_least: bool,
}

/// One slow call.
#[derive(Clone, Debug, Serialize)]
pub struct SlowRow {
    /// The target's name.
    pub target: String,
    /// One of the runtime's own.
    pub runtime_internal: bool,
    /// The same as `returned`.
    pub t: u64,
    /// When it began, since the start.
    pub began: u64,
    /// When it returned, since the start.
    pub returned: u64,
    /// The task.
    pub task: u32,
    /// How long it took.
    pub duration_ns: u64,
    /// The managed stack, innermost frame first.
    pub stack: Vec<String>,
}

/// One call that has not returned.
#[derive(Clone, Debug, Serialize)]
pub struct OpenRow {
    /// The task.
    pub task: u32,
    /// Layers below it.
    pub depth: u32,
    /// `forward` or `reverse`.
    pub direction: &'static str,
    /// The target's name.
    pub target: String,
    /// One of the runtime's own.
    pub runtime_internal: bool,
    /// The same as `began`.
    pub t: u64,
    /// When it began, since the start.
    pub began: u64,
    /// Until when the recording was read, or the process ended.
    pub duration_ns: u64,
    /// Nobody saw the process end: the call lasted at least so long.
    pub duration_at_least: bool,
    /// The managed stack, innermost frame first, where it is known: if this is the target's first call.
    pub stack: Vec<String>,
}

/// What a crossing line tells of its target.
#[derive(Clone, Debug, Default)]
pub struct TargetInfo {
    /// `Namespace.Type.Method`.
    pub method: Option<String>,
    /// Of the method.
    pub assembly: Option<String>,
    /// As written in `DllImport`.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// Of the native function, in hexadecimal.
    pub address: Option<String>,
    /// One of the runtime's own.
    pub runtime_internal: bool,
    /// For people.
    pub name: String,
}
