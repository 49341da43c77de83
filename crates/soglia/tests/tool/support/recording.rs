//! A recording, and what the tool reports of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Output;

use serde::Deserialize;
use serde_json::Value;

use super::space::{Space, text};

/// A recording and the commands that read it.
pub struct Recording<'a> {
    pub space: &'a Space,
    pub path: PathBuf,
}

impl Space {
    /// The recording of that name.
    pub fn recording(&self, name: &str) -> Recording<'_> {
        Recording {
            space: self,
            path: self.path(name),
        }
    }
}

impl Recording<'_> {
    fn read(&self, args: &str) -> Output {
        self.space.soglia(args).arg(&self.path).output().unwrap()
    }

    /// The report as JSON, if there is one yet.
    pub fn try_json(&self, options: &str) -> Result<Value, String> {
        let output = self.read(&format!("report --format json {options}"));
        if output.status.success() {
            Ok(serde_json::from_slice(&output.stdout).unwrap())
        } else {
            Err(text(&output.stderr))
        }
    }

    pub fn json(&self, options: &str) -> Value {
        self.try_json(options)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn report(&self) -> Report {
        serde_json::from_value(self.json("")).unwrap()
    }

    pub fn replayed(&self) -> Report {
        serde_json::from_value(self.json("--replay")).unwrap()
    }

    /// The lines of `soglia events --format jsonl`.
    pub fn event_lines(&self) -> String {
        let output = self.read("events --format jsonl");
        assert!(output.status.success(), "{}", text(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn events(&self) -> Vec<Line> {
        let lines = self.event_lines();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
            .collect()
    }
}

/// A line of events.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Line {
    pub t: u64,
    pub time: String,
    pub task: u32,
    pub os_thread: u32,
    pub crossing: String,
    pub outcome: String,
    pub depth: usize,
    pub method: Option<String>,
    pub assembly: Option<String>,
    pub library: Option<String>,
    pub entry: Option<String>,
    pub address: Option<String>,
    pub runtime_internal: bool,
}

/// A report, as far as tests look into it one field at a time.
#[derive(Debug, Deserialize)]
pub struct Report {
    pub pid: u32,
    pub runtime: BTreeMap<String, String>,
    pub ended: String,
    pub exit_code: Option<i32>,
    pub signal: Option<i32>,
    pub duration_ns: u64,
    pub duration_at_least: bool,
    pub level: String,
    pub source: Option<String>,
    pub scope: Option<String>,
    pub fallback: Option<String>,
    pub not_watched: Vec<NotWatched>,
    #[serde(deserialize_with = "those_that_are_told")]
    pub crossings: BTreeMap<String, u64>,
    pub faults: Vec<FaultRow>,
    pub dropped: u64,
    pub targets: Vec<Target>,
    pub tasks: Vec<Task>,
    pub slow: Vec<Slow>,
    pub slow_threshold_ns: u64,
    pub overdue: Vec<Overdue>,
    pub open: Vec<Open>,
}

/// Without those that are null.
fn those_that_are_told<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, u64>, D::Error> {
    let all = BTreeMap::<String, Option<u64>>::deserialize(from)?;
    let told = all.into_iter().filter_map(|(name, n)| Some((name, n?)));
    Ok(told.collect())
}

#[derive(Debug, Deserialize)]
pub struct Overdue {
    pub target: String,
    pub task: u32,
    pub outcome: String,
    pub duration_ns: u64,
    pub reports: Vec<OverdueReport>,
    pub dump: Option<PathBuf>,
    pub no_dump: Option<String>,
    pub killed: bool,
}

#[derive(Debug, Deserialize)]
pub struct OverdueReport {
    pub deadline: String,
    pub duration_ns: u64,
    pub os_thread: u32,
    pub nested: u32,
    pub thread: Option<String>,
    pub stack: Vec<String>,
    pub no_stack: Option<String>,
    pub native_stack: Vec<String>,
    pub native_end: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct NotWatched {
    pub what: String,
    pub direction: Option<String>,
    pub assembly: Option<String>,
    pub method: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct FaultRow {
    pub kind: String,
    pub count: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Target {
    pub direction: String,
    pub method: Option<String>,
    pub assembly: Option<String>,
    pub library: Option<String>,
    pub entry: Option<String>,
    pub address: Option<String>,
    pub file: Option<PathBuf>,
    #[allow(dead_code, reason = "read by the tests with needs")]
    pub offset: Option<String>,
    #[allow(dead_code, reason = "read by the tests with needs")]
    pub symbol: Option<String>,
    pub runtime_internal: bool,
    pub calls: u64,
    pub returned: u64,
    pub failed: u64,
    pub untimed: u64,
    pub first_call_ns: Option<u64>,
    pub total_ns: u64,
    pub self_ns: u64,
    pub min_ns: Option<u64>,
    pub mean_ns: Option<u64>,
    pub p50_ns: Option<u64>,
    pub p90_ns: Option<u64>,
    pub p99_ns: Option<u64>,
    pub max_ns: Option<u64>,
    pub first_caller: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub struct Task {
    pub task: u32,
    pub os_thread: u32,
    pub name: Option<String>,
    pub kind: String,
    pub crossings: u64,
    #[serde(default)]
    pub max_depth: Option<usize>,
    pub threads: u64,
}

#[derive(Debug, Deserialize)]
pub struct Slow {
    pub target: String,
    pub runtime_internal: bool,
    pub began: u64,
    pub returned: u64,
    pub task: u32,
    pub duration_ns: u64,
    pub stack: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Open {
    pub task: u32,
    pub depth: usize,
    pub direction: String,
    pub target: String,
    pub runtime_internal: bool,
    pub began: u64,
    pub duration_ns: u64,
    pub duration_at_least: bool,
}

impl Report {
    /// Calls of this entry point.
    pub fn calls(&self, entry: &str) -> u64 {
        let rows = self
            .targets
            .iter()
            .filter(|row| row.entry.as_deref() == Some(entry));
        rows.map(|row| row.calls).sum()
    }

    /// Callbacks into methods of this name.
    pub fn callbacks(&self, method: &str) -> u64 {
        let named = |row: &&Target| {
            row.method
                .as_deref()
                .is_some_and(|full| full.rsplit('.').next() == Some(method))
        };
        self.targets
            .iter()
            .filter(|row| row.direction == "reverse")
            .filter(named)
            .map(|row| row.calls)
            .sum()
    }
}
