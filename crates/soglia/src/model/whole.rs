//! The report as a whole.

use serde::Serialize;

use super::activities::ActivityRow;
use super::answers::{FailureRow, Finding};
use super::arguments::DeniedRow;
use super::attach::{AttachRow, BeforeRow};
use super::clock::WallClock;
use super::process::{ProcessRow, RuntimeVersion};
use super::rows::{
    CrashRow, FaultRow, NoRoomRow, OpenRow, OverdueRow, SlowRow, TargetRow, TaskRow, UnwatchedRow,
};
use super::window::Window;

/// All that a report can say about one recorded process, or about several.
///
/// Times ending in `_ns` are durations in nanoseconds. Points in time are nanoseconds since the
/// start of the runtime.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Model {
    /// The recorded processes, in the order of their starts. There is one, unless this report is a
    /// merged one: then the fields below that are about one process are `None`, or about the first.
    pub processes: Vec<ProcessRow>,
    /// The recorded program: the assembly if `dotnet` ran one, else the executable.
    pub program: String,
    /// The command line of the recorded process.
    pub command_line: Vec<String>,
    /// The number of the process. `None` if there are several.
    pub pid: Option<u32>,
    /// The runtime in the process.
    pub runtime: RuntimeVersion,
    /// `exit`, `signal`, `killed`, `detached`, `running` or `unknown`.
    pub ended: &'static str,
    /// The exit code, if the process exited and the code is known.
    pub exit_code: Option<i32>,
    /// The signal that ended the process.
    pub signal: Option<i32>,
    /// The time of day at the start of the runtime: RFC 3339, in UTC.
    pub time: Option<String>,
    /// The clock of the other times of day.
    #[serde(skip)]
    pub wall: WallClock,
    /// What is known about the end of a process that did not end by itself.
    pub crash: Option<CrashRow>,
    /// From the start of the runtime to the end of the process, or to now while it runs.
    pub duration_ns: u64,
    /// The end was not seen: `duration_ns` is a lower bound.
    pub duration_at_least: bool,
    /// When the engine was attached to the process, if the process ran already. The report is about
    /// the time since. `None` if the process was started with the engine.
    pub attach: Option<AttachRow>,
    /// What threads did when the engine was attached, and since before.
    pub before: Vec<BeforeRow>,
    /// The part of the run that crossings, targets, tasks and slow calls are about. `None` if the
    /// report is about the whole run.
    pub window: Option<Window>,
    /// `counts`, `summary` or `events`.
    pub level: &'static str,
    /// How calls were timed: `exact`, `sampled` or `off`.
    pub times: &'static str,
    /// Where calls were timed by sample: how often the clock ticked that finds long calls.
    pub clock_ns: Option<u64>,
    /// Crossings, targets and tasks were computed from the events, not read from the counters.
    /// This field is not in the JSON, so that the two can be compared.
    #[serde(skip)]
    pub replayed: bool,
    /// Where the engine learned of crossings: `transitions` or `woven`. `None` if the recording
    /// ends before it says so.
    pub source: Option<&'static str>,
    /// Whose crossings the engine watched: `user`, `framework`, `corelib` or `all`.
    pub scope: Option<&'static str>,
    /// Why `transitions` took the place of `woven`.
    pub fallback: Option<String>,
    /// Crossings that the engine knew of and did not watch.
    pub not_watched: Vec<UnwatchedRow>,
    /// The policy, if the process had one.
    pub policy: Option<PolicySummary>,
    /// The deadlines, if the process had any.
    pub deadlines: Option<DeadlineSummary>,
    /// The slots, if the number of threads in managed code was limited.
    pub slots: Option<SlotSummary>,
    /// What is worth a look, most important first.
    pub findings: Vec<Finding>,
    /// The number of crossings of each kind.
    pub crossings: CrossingCounts,
    /// Crossings that did not nest, by kind.
    pub faults: Vec<FaultRow>,
    /// Crossings, slow calls and stacks for which the recording had no room.
    pub dropped: u64,
    /// Of `dropped`: crossings that are counted but not among the events.
    pub dropped_events: u64,
    /// Of `dropped`: crossings that are not counted anywhere.
    pub dropped_crossings: u64,
    /// Why the recording had no room.
    pub no_room: Vec<NoRoomRow>,
    /// One row per target, longest total first.
    pub targets: Vec<TargetRow>,
    /// One row per task.
    pub tasks: Vec<TaskRow>,
    /// Slow calls, in the order of their ends.
    pub slow: Vec<SlowRow>,
    /// The slow calls by what their threads were working on, most time first. Empty if none of them
    /// was made in an activity.
    pub activities: Vec<ActivityRow>,
    /// Calls that take at least this long are slow. 0 if no call is.
    pub slow_threshold_ns: u64,
    /// Calls that missed a deadline, in the order in which the engine found them.
    pub overdue: Vec<OverdueRow>,
    /// Calls that had not returned when the recording was read, or when the process ended.
    pub open: Vec<OpenRow>,
    /// Calls that failed, by target and reason.
    pub failures: Vec<FailureRow>,
    /// Calls that a policy denied and whose arguments were recorded, in their order.
    pub denied: Vec<DeniedRow>,
    /// Rows that are not in these lists, because the report would be too large.
    pub left_out: LeftOut,
    /// What else a reader should know, in sentences.
    pub remarks: Vec<String>,
}

/// The number of rows that a report leaves out of each list. All 0 for a recording that a program
/// has made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Names, stacks and other records.
    pub records: u64,
    /// Rows of `targets`.
    pub targets: u64,
    /// Rows of `tasks`.
    pub tasks: u64,
    /// Rows of `slow`: the shortest calls.
    pub slow: u64,
    /// Reports of `overdue`.
    pub overdue: u64,
    /// Rows of `open`.
    pub open: u64,
    /// Rows of `failures`.
    pub failures: u64,
    /// Rows of `denied`.
    pub denied: u64,
    /// Rows of `before`.
    pub before: u64,
}

/// The policy of the process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicySummary {
    /// No call was denied or redirected. Calls that count as refused would have been denied.
    pub audit: bool,
    /// A denied call ended the process.
    pub deny_fatal: bool,
    /// The rules as the command line writes them, in the order in which the engine tries them.
    pub rules: Vec<String>,
    /// The rules that match no function that a watched module declares.
    pub idle_rules: Vec<String>,
}

/// The deadlines of native calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeadlineSummary {
    /// The deadlines as the command line writes them, in the order in which the engine tries them.
    pub rules: Vec<String>,
    /// The deadlines that match no target that was called.
    pub idle_rules: Vec<String>,
}

/// The limit on threads that run managed code at once, and the waits that it caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SlotSummary {
    /// The number of slots.
    pub count: u16,
    /// The longest that a thread may wait for a slot. `None` if it waits without limit.
    pub timeout_ns: Option<u64>,
    /// The process ended before it wrote the last figures. Those that follow are lower bounds.
    pub at_least: bool,
    /// Waits for a slot that are over.
    pub waits: u64,
    /// The time in these waits.
    pub waited_ns: u64,
    /// The longest of these waits.
    pub longest_wait_ns: u64,
    /// The waits that ended by the timeout.
    pub timed_out: u64,
    /// Slots of sleeping threads that others used meanwhile. A thread that wakes up goes on at
    /// once, so for moments more threads could run managed code.
    pub lent: u64,
    /// Slots whose threads ended inside a callback.
    pub abandoned: u64,
}

impl Model {
    /// Calls a second, if the report is about a part of the life of a process, of which totals say
    /// little.
    pub fn rate(&self, calls: u64) -> Option<f64> {
        let window = self.window.map(|window| window.duration_ns);
        let attached = self.attach.as_ref().map(|_| self.duration_ns);
        let ns = window.or(attached).filter(|ns| *ns > 0)?;
        Some(calls as f64 * 1e9 / ns as f64)
    }
}

/// The number of crossings of each kind.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct CrossingCounts {
    /// `LeaveRuntime`: calls to native code.
    pub leave: u64,
    /// `EnterRuntime`: their returns. `None` if calls were only counted.
    pub enter: Option<u64>,
    /// `ReverseEnterRuntime`: callbacks.
    pub reverse_enter: u64,
    /// `ReverseLeaveRuntime`: their returns. `None` if calls were only counted.
    pub reverse_leave: Option<u64>,
}

impl CrossingCounts {
    /// The sum of all kinds. `None` if the returns were not counted.
    pub fn all(&self) -> Option<u64> {
        Some(self.leave + self.enter? + self.reverse_enter + self.reverse_leave?)
    }
}
