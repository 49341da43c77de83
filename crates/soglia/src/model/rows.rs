//! The rows of a report's lists.

use serde::Serialize;
use soglia_core::trace::names::UNMANAGED;

use super::{
    arguments::{ArgumentRow, RequestRow},
    histogram::{self, Bucket},
};

/// One target.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TargetRow {
    /// The target's number in the recording. Of several targets in one row, the first one's.
    #[serde(skip)]
    pub number: u32,
    /// `forward` for a call to native code, `reverse` for a callback.
    pub direction: &'static str,
    /// The managed method, `Namespace.Type.Method`.
    pub method: Option<String>,
    /// The assembly of the method.
    pub assembly: Option<String>,
    /// The library, as `DllImport` names it.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// `LIBRARY` or `LIBRARY!ENTRY` that a policy had called instead.
    pub redirected_to: Option<String>,
    /// The address of the native function, in hexadecimal.
    pub address: Option<String>,
    /// The loaded object that holds the address.
    pub file: Option<String>,
    /// The address as that file has it, in hexadecimal.
    pub offset: Option<String>,
    /// The symbol at the address.
    pub symbol: Option<String>,
    /// The target is one of the runtime's own.
    pub runtime_internal: bool,
    /// All calls.
    pub calls: u64,
    /// Calls that returned.
    pub returned: u64,
    /// Calls that have not returned yet.
    pub open: u64,
    /// How long the longest open call has lasted.
    pub open_max_ns: Option<u64>,
    /// The end of the process was not seen: `open_max_ns` is a lower bound.
    pub open_at_least: bool,
    /// Calls that an exception, a `longjmp` or the end of a thread unwound past.
    pub abandoned: u64,
    /// Calls that ended by an exception.
    pub failed: u64,
    /// Calls that were counted and not timed.
    pub untimed: u64,
    /// Calls that a policy denied. They are not among `calls`.
    pub refused: u64,
    /// Time in calls that returned. An estimate if not all of them were timed.
    pub total_ns: u64,
    /// The same without the time of nested callbacks and calls.
    pub self_ns: u64,
    /// Calls that returned and were timed. Where these are fewer than `returned`, times are
    /// estimates, except for those of the shortest and the longest call.
    pub timed_calls: u64,
    /// The standard error of `total_ns`. `None`: it is exact.
    pub total_ns_se: Option<u64>,
    /// The standard error of `self_ns`. `None`: it is exact.
    pub self_ns_se: Option<u64>,
    /// The shortest call that returned.
    pub min_ns: Option<u64>,
    /// The mean.
    pub mean_ns: Option<u64>,
    /// The median.
    pub p50_ns: Option<u64>,
    /// The 90th percentile.
    pub p90_ns: Option<u64>,
    /// The 99th percentile.
    pub p99_ns: Option<u64>,
    /// The longest call that returned.
    pub max_ns: Option<u64>,
    /// The calls that returned, by duration. Buckets without calls are left out.
    #[serde(serialize_with = "histogram::compact")]
    pub histogram: Vec<Bucket>,
    /// The first call that returned, if the recording has it.
    pub first_call_ns: Option<u64>,
    /// The number of tasks that called it.
    pub tasks: u64,
    /// The processes that called it, with their part. One row in the report of one process.
    pub processes: Vec<ShareRow>,
    /// The managed stack of the first call, innermost frame first. Of several processes, that of
    /// the first one in `processes`.
    pub first_caller: Vec<String>,
    /// Who made the calls whose stacks the recording kept, most calls first.
    pub callers: Vec<CallerRow>,
    /// The method asks the runtime for a call without a GC transition
    /// (`SuppressGCTransition`): no collection can begin before it returns.
    pub suppresses_gc_transition: bool,
    /// `self_ns` as a part of the duration of the run. Above 1 if threads ran it at the same time.
    /// `None` if calls were only counted.
    pub share_of_run: Option<f64>,
    /// Result and parameters of the native function, as C# writes them.
    pub signature: Option<String>,
    /// The method asks the runtime to keep the error code of the last call (`SetLastError`).
    pub sets_last_error: bool,
    /// In a window: `self_ns` of the time that lies in the window, also of open calls. This field
    /// is not in the JSON.
    #[serde(skip)]
    pub busy_ns: u64,
}

/// The name of a target that has no other.
pub const FUNCTION_POINTER: &str = "[function pointer]";

impl TargetRow {
    /// Whether its times are estimates.
    pub const fn is_estimated(&self) -> bool {
        self.total_ns_se.is_some()
    }

    /// What stands before its times where they are estimates.
    pub const fn mark(&self) -> &'static str {
        if self.is_estimated() { "~" } else { "" }
    }

    /// `library!entry` if the target has both, else the method, else `library+offset`, else
    /// [`FUNCTION_POINTER`].
    pub fn name(&self) -> String {
        name_of(
            self.library.as_deref(),
            self.entry.as_deref(),
            self.method.as_deref(),
            self.offset.as_deref(),
        )
    }
}

/// The name of a target with these parts.
pub(super) fn name_of(
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

/// The names of a target, for the lines of `soglia events`.
#[derive(Clone, Debug, Default)]
pub struct TargetInfo {
    /// The managed method, `Namespace.Type.Method`.
    pub method: Option<String>,
    /// The assembly of the method.
    pub assembly: Option<String>,
    /// The library, as `DllImport` names it.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// The address of the native function, in hexadecimal.
    pub address: Option<String>,
    /// The target is one of the runtime's own.
    pub runtime_internal: bool,
    /// The same as [`TargetRow::name`].
    pub name: String,
}

/// What one process has done of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ShareRow {
    /// The number of the process in the report's list of processes.
    pub process: u32,
    /// All calls.
    pub calls: u64,
    /// Time in calls that returned.
    pub total_ns: u64,
    /// The same without the time of nested callbacks and calls.
    pub self_ns: u64,
}

/// A caller of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CallerRow {
    /// Its managed stack, innermost frame first.
    pub stack: Vec<String>,
    /// The number of its calls whose stacks the recording kept.
    pub calls: u64,
}

/// One task. It is a thread, or several threads one after the other.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TaskRow {
    /// The number of the process in the report's list of processes.
    pub process: u32,
    /// The number of the task, from 1.
    pub task: u32,
    /// The operating system's number of the thread.
    pub os_thread: u32,
    /// The name of the thread.
    pub name: Option<String>,
    /// `main`, `pool`, `finalizer` and so on.
    pub kind: &'static str,
    /// Crossings of all kinds. If calls were only counted, their returns are not among them.
    pub crossings: u64,
    /// The deepest nesting. `None` if calls were only counted.
    pub max_depth: Option<u32>,
    /// Time in native code, without callbacks, of calls that returned. `None` if no call returned,
    /// or if calls were only counted.
    pub unmanaged_ns: Option<u64>,
    /// The part of the thread's time that it was in native code, open calls included. A main thread
    /// counts from the start of the runtime, another one from its first crossing. `None` if calls
    /// were only counted.
    pub native_share: Option<f64>,
    /// In a window: the time in native code that lies in the window, also of open calls. This field
    /// is not in the JSON.
    #[serde(skip)]
    pub busy_ns: u64,
    /// The number of threads that were recorded as this task.
    pub threads: u32,
    /// The time of the first crossing.
    pub began: u64,
    /// The thread has ended.
    pub ended: bool,
    /// The time when the thread or the process ended, or when the recording was read.
    pub until: u64,
    /// The end was not seen: `until` is a lower bound.
    pub until_at_least: bool,
    /// Its last calls and callbacks that returned, the latest last: at most 16. Empty if calls were
    /// only counted.
    pub last: Vec<LastRow>,
}

/// A call that returned lately.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastRow {
    /// The target's name.
    pub target: String,
    /// The target is one of the runtime's own.
    pub runtime_internal: bool,
    /// `forward`: a call to native code. `reverse`: a callback. `None` if the target is not known.
    pub direction: Option<&'static str>,
    /// The same as `returned`.
    pub t: u64,
    /// The time of day at `t`: RFC 3339, in UTC.
    pub time: Option<String>,
    /// The time when it returned.
    pub returned: u64,
}

/// How a process was ended by a signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CrashRow {
    /// The signal, if it is known.
    pub signal: Option<i32>,
    /// The kernel ended the process because memory had run out.
    pub out_of_memory: bool,
    /// The address that the program wanted to use and could not, in hexadecimal.
    pub address: Option<String>,
    /// The address of the instruction, in hexadecimal.
    pub instruction: Option<String>,
    /// The file that the instruction is in.
    pub file: Option<String>,
    /// The address of the instruction as the file has it, in hexadecimal.
    pub offset: Option<String>,
    /// The function that it is in, and the distance from its begin: `f+0x10`.
    pub symbol: Option<String>,
    /// The task whose thread it was.
    pub task: Option<u32>,
    /// The native call that the task was in.
    pub target: Option<String>,
}

/// One slow call.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SlowRow {
    /// The target's name.
    pub target: String,
    /// `forward` for a call to native code, `reverse` for a callback.
    pub direction: &'static str,
    /// The target is one of the runtime's own.
    pub runtime_internal: bool,
    /// The same as `returned`.
    pub t: u64,
    /// The time of day at `t`: RFC 3339, in UTC.
    pub time: Option<String>,
    /// The time when the call began.
    pub began: u64,
    /// The time when the call returned.
    pub returned: u64,
    /// The number of the process in the report's list of processes.
    pub process: u32,
    /// The task that made the call.
    pub task: u32,
    /// How long the call took.
    pub duration_ns: u64,
    /// The managed stack, innermost frame first.
    pub stack: Vec<String>,
    /// The arguments. `None` if they were not recorded.
    pub args: Option<Vec<ArgumentRow>>,
    /// The returned value as people read it. `None` if it was not recorded, or if there is none.
    pub result: Option<String>,
    /// The last error that the call left, such as `ENOENT (2)`.
    pub error: Option<String>,
    /// What the thread was working on.
    #[serde(flatten)]
    pub request: RequestRow,
}

/// One call that has not returned.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OpenRow {
    /// The number of the process in the report's list of processes.
    pub process: u32,
    /// The task that made the call.
    pub task: u32,
    /// The number of calls and callbacks that this one is nested in.
    pub depth: u32,
    /// `forward` for a call to native code, `reverse` for a callback.
    pub direction: &'static str,
    /// The target's name.
    pub target: String,
    /// The target is one of the runtime's own.
    pub runtime_internal: bool,
    /// The same as `began`.
    pub t: u64,
    /// The time of day at `t`: RFC 3339, in UTC.
    pub time: Option<String>,
    /// The time when the call began.
    pub began: u64,
    /// How long the call had lasted when the process ended, or when the recording was read.
    pub duration_ns: u64,
    /// The end of the process was not seen: `duration_ns` is a lower bound.
    pub duration_at_least: bool,
    /// The managed stack, innermost frame first. Known only if this is the target's one call.
    pub stack: Vec<String>,
    /// The arguments. `None` if they were not recorded.
    pub args: Option<Vec<ArgumentRow>>,
}

/// A call that missed a deadline.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OverdueRow {
    /// The target's name.
    pub target: String,
    /// The target is one of the runtime's own.
    pub runtime_internal: bool,
    /// The number of the process in the report's list of processes.
    pub process: u32,
    /// The task that made the call.
    pub task: u32,
    /// The same as `began`.
    pub t: u64,
    /// The time of day at `t`: RFC 3339, in UTC.
    pub time: Option<String>,
    /// The time when the call began.
    pub began: u64,
    /// The time when the call ended, if that is known. For a call that is `gone`, the latest time
    /// at which it can have ended.
    pub returned: Option<u64>,
    /// `open`, `returned`, `failed` (ended by an exception) or `gone` (how it ended is unknown).
    pub outcome: &'static str,
    /// How long the call took, or has taken so far. For a call that is `gone`, an upper bound.
    pub duration_ns: u64,
    /// `duration_ns` is a lower bound: the call is open and the end of the process was not seen,
    /// or it is `gone` and the time of that was not seen.
    pub duration_at_least: bool,
    /// One entry for each time that the engine found the call past a deadline.
    pub reports: Vec<OverdueReport>,
    /// The arguments. `None` if they were not recorded.
    pub args: Option<Vec<ArgumentRow>>,
    /// The core dump that was written because of the call.
    pub dump: Option<String>,
    /// Why there is no core dump, if one was asked for.
    pub no_dump: Option<String>,
    /// The engine ended the process because of the call.
    pub killed: bool,
}

/// The engine found a call past a deadline.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OverdueReport {
    /// The deadline, as the command line writes it.
    pub deadline: String,
    /// The same as `found`.
    pub t: u64,
    /// The time of day at `t`: RFC 3339, in UTC.
    pub time: Option<String>,
    /// The time when the engine found the call.
    pub found: u64,
    /// How long the call had taken then.
    pub duration_ns: u64,
    /// The operating system's number of the thread.
    pub os_thread: u32,
    /// The number of layers nested in the call then. If there are any, the call waits for the
    /// innermost.
    pub nested: u32,
    /// The number of layers that the call is nested in.
    #[serde(skip)]
    pub depth: u32,
    /// What the thread was doing, according to the kernel.
    pub thread: Option<String>,
    /// The managed stack, innermost frame first.
    pub stack: Vec<String>,
    /// Why there is no managed stack.
    pub no_stack: Option<String>,
    /// The native frames above managed code, innermost first, as `object!function+0x10`.
    pub native_stack: Vec<String>,
    /// Why the native frames do not reach managed code.
    pub native_end: Option<String>,
}

impl OverdueReport {
    /// The method that made the call, if the stack shows it.
    ///
    /// If callbacks are nested in the call, the stack has one run of native frames for each of
    /// them before the caller. Returns `None` if the number of such runs is another one, since
    /// then they cannot be assigned.
    pub fn caller(&self) -> Option<&str> {
        if self.nested == 0 {
            return self.stack.first().map(String::as_str);
        }
        let (inside, outside) = (self.nested.div_ceil(2) as usize, (self.depth / 2) as usize);
        let mut runs = self.stack.split(|frame| frame == UNMANAGED);
        // The last run may be empty: the thread began in native code.
        let callers = runs.clone().filter(|frames| !frames.is_empty()).count();
        let as_expected = callers == inside + outside + 1;
        let frames = runs.nth(inside).filter(|_| as_expected)?;
        frames.first().map(String::as_str)
    }
}

/// One way in which crossings did not nest.
#[derive(Clone, Debug, Serialize)]
pub struct FaultRow {
    /// The kind of fault.
    pub kind: &'static str,
    /// How often it happened.
    pub count: u64,
    /// On how many tasks.
    pub tasks: u64,
    /// What it means, in a sentence.
    pub meaning: &'static str,
}

/// Crossings that the engine knew of and did not watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnwatchedRow {
    /// What was not watched, and why.
    pub what: String,
    /// `forward` or `reverse`. `None` for both.
    pub direction: Option<&'static str>,
    /// The assembly of the targets, if they all have the same.
    pub assembly: Option<String>,
    /// The method, if it is a single one, or [`FUNCTION_POINTER`].
    pub method: Option<String>,
}

/// A reason for which the recording had no room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoRoomRow {
    /// The reason, in a word.
    pub reason: &'static str,
    /// The number of chunks for which there was no room.
    pub times: u32,
}
