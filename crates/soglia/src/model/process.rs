//! The list of processes.

use std::collections::HashSet;

use serde::Serialize;

use super::{clock::WallClock, rows::CrashRow};

/// The number of the first process of a report.
pub const FIRST: u32 = 1;

/// One recorded process. Its fields mean what those of a report mean.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ProcessRow {
    /// The number of the process in this report, from 1. Rows of other lists refer to it.
    pub process: u32,
    /// The operating system's number of the process.
    pub pid: u32,
    /// The program.
    pub program: String,
    /// Its command line.
    pub command_line: Vec<String>,
    /// The runtime.
    pub runtime: RuntimeVersion,
    /// How it ended.
    pub ended: &'static str,
    /// The exit code, if the process exited and the code is known.
    pub exit_code: Option<i32>,
    /// The signal that ended it, if that is known.
    pub signal: Option<i32>,
    /// What is known about an end by a signal.
    pub crash: Option<CrashRow>,
    /// The time of day at the start of the runtime: RFC 3339, in UTC.
    pub time: Option<String>,
    /// The clock of its times.
    #[serde(skip)]
    pub wall: WallClock,
    /// From the start of the runtime to the end.
    pub duration_ns: u64,
    /// The end was not seen: `duration_ns` is a lower bound.
    pub duration_at_least: bool,
    /// How much was recorded.
    pub level: &'static str,
    /// How calls were timed.
    pub times: &'static str,
    /// Where the engine learned of crossings.
    pub source: Option<&'static str>,
    /// Whose crossings the engine watched.
    pub scope: Option<&'static str>,
    /// Native calls.
    pub calls: u64,
    /// Callbacks.
    pub callbacks: u64,
    /// The time of its threads in native code, without callbacks, in calls that returned. `None` if
    /// no call returned, or if calls were only counted.
    pub native_ns: Option<u64>,
    /// The number of threads that crossed.
    pub threads: u64,
    /// The deepest nesting. `None` if calls were only counted.
    pub max_depth: Option<u32>,
    /// Crossings, slow calls and stacks for which its recording had no room.
    pub dropped: u64,
    /// Its recording, as the command line names it. `None`: it was not kept, or it was found by the
    /// number of the process.
    pub recording: Option<String>,
}

/// The runtime in the recorded process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RuntimeVersion {
    /// `.NET`.
    pub name: String,
    /// The version, as in `10.0.12`.
    pub version: String,
}

impl ProcessRow {
    /// What reports call each process: by the number that the system gave it, or by its number in
    /// the report if several have the same, as in containers.
    pub fn names(processes: &[Self]) -> Vec<String> {
        let mut pids = HashSet::new();
        let distinct = processes.iter().all(|row| pids.insert(row.pid));
        let name = |row: &Self| match distinct {
            true => row.pid.to_string(),
            false => format!("#{}", row.process),
        };
        processes.iter().map(name).collect()
    }
}
