//! Several recorded processes in one report.
//!
//! | part | adds up |
//! | --- | --- |
//! | `targets` | the rows of targets |
//! | `sums` | what is summed or the same for all processes: crossings, faults, rules, slots |
//! | `remarks` | sentences, with the processes that they are about |
//! | this | the lists, whose rows name their process |
//!
//! What is a sum is exact: numbers of calls, times, faults, histograms. The squares of standard
//! errors add up. The deepest nesting is that of the deepest process.

mod remarks;
mod sums;
mod targets;

use std::{cmp::Reverse, collections::HashMap};

use self::{remarks::Remarks, sums::Sums, targets::Targets};
use super::{
    activities,
    process::{FIRST, ProcessRow},
    rows::SlowRow,
    whole::Model,
};

/// The most rows of one list, except those of targets and processes. The slow calls that are left
/// out are the shortest.
const MOST_ROWS: usize = 20_000;

/// Makes one report of several.
#[derive(Debug, Default)]
pub struct Merger {
    /// The first report, until there is a second one.
    only: Option<Box<Model>>,
    /// The lists of all.
    all: Model,
    targets: Targets,
    sums: Sums,
    remarks: Remarks,
}

impl Merger {
    /// Adds the report of a process, and the name of its recording.
    pub fn add(&mut self, model: Model, recording: Option<String>) {
        let model = model.recorded_in(recording);
        if self.all.processes.is_empty() && self.only.is_none() {
            self.only = Some(Box::new(model));
            return;
        }
        if let Some(first) = self.only.take() {
            self.take(*first);
        }
        self.take(model);
    }

    fn take(&mut self, mut model: Model) {
        let number = FIRST + self.all.processes.len() as u32;
        model.each_process(|process| *process = number);
        self.sums.add(&model);
        self.remarks.add(number, &mut model);
        let all = &mut self.all;
        for row in model.targets {
            self.targets.add(row);
        }
        let (mine, theirs) = (&mut all.left_out, model.left_out);
        mine.records = mine.records.saturating_add(theirs.records);
        mine.targets = mine.targets.saturating_add(theirs.targets);
        mine.before = mine.before.saturating_add(theirs.before);
        mine.tasks += theirs.tasks + append(&mut all.tasks, model.tasks);
        mine.overdue += theirs.overdue + append(&mut all.overdue, model.overdue);
        mine.open += theirs.open + append(&mut all.open, model.open);
        mine.failures += theirs.failures + append(&mut all.failures, model.failures);
        mine.denied += theirs.denied + append(&mut all.denied, model.denied);
        mine.slow += theirs.slow;
        all.slow.extend(model.slow);
        if all.slow.len() > 2 * MOST_ROWS {
            mine.slow += keep_longest(&mut all.slow);
        }
        all.findings.extend(model.findings);
        all.processes.extend(model.processes);
    }

    /// The report of all: that of one process is as it was. `None` if there is no process.
    pub fn finish(self) -> Option<Model> {
        if let Some(only) = self.only {
            return Some(*only);
        }
        let Self { mut all, .. } = self;
        let lived = all.processes.iter().map(|row| row.duration_ns);
        all.targets = self.targets.rows(lived.fold(0, u64::saturating_add));
        all.left_out.slow += keep_longest(&mut all.slow);
        let numbers = in_order(&mut all);
        let names = ProcessRow::names(&all.processes);
        all.remarks = self.remarks.sentences(&numbers, &names);
        all.activities = activities::rows(&all.slow);
        self.sums.give(&mut all);
        let first = all.processes.first()?;
        (all.program, all.command_line) = (first.program.clone(), first.command_line.clone());
        (all.time, all.wall) = (first.time.clone(), first.wall);
        (all.duration_ns, all.duration_at_least) = span(&all.processes);
        all.ended = ended(&all.processes);
        Some(all)
    }
}

/// Moves rows to others, as far as there is room. Returns how many are left out.
fn append<T>(all: &mut Vec<T>, rows: Vec<T>) -> u64 {
    let room = MOST_ROWS.saturating_sub(all.len());
    let left_out = rows.len().saturating_sub(room);
    all.extend(rows.into_iter().take(room));
    left_out as u64
}

/// Leaves the longest slow calls, in their order. Returns how many are left out.
fn keep_longest(slow: &mut Vec<SlowRow>) -> u64 {
    let left_out = slow.len().saturating_sub(MOST_ROWS);
    if left_out > 0 {
        slow.sort_by_key(|row| Reverse(row.duration_ns));
        slow.truncate(MOST_ROWS);
    }
    left_out as u64
}

/// Numbers the processes in the order of their starts, and sorts all rows by it. Returns the number
/// that each process now has, by the one that it had.
fn in_order(all: &mut Model) -> HashMap<u32, u32> {
    let began = |row: &ProcessRow| row.wall.start_ns();
    all.processes.sort_by_key(|row| (began(row), row.process));
    let old = all.processes.iter().map(|row| row.process);
    let new: HashMap<u32, u32> = old.zip(FIRST..).collect();
    all.each_process(|process| *process = new.get(process).copied().unwrap_or(*process));
    all.tasks.sort_by_key(|row| (row.process, row.task));
    all.slow.sort_by_key(|row| (row.process, row.returned));
    all.overdue.sort_by_key(|row| row.process);
    all.open.sort_by_key(|row| row.process);
    all.failures.sort_by_key(|row| row.process);
    all.denied.sort_by_key(|row| row.process);
    all.findings
        .sort_by_key(|row| (rank(row.severity), row.process));
    for row in &mut all.targets {
        row.processes.sort_by_key(|share| share.process);
    }
    new
}

/// Problems come first.
fn rank(severity: &str) -> u8 {
    match severity {
        "problem" => 0,
        "warning" => 1,
        _ => 2,
    }
}

/// From the first start to the last end, and whether that is a lower bound.
fn span(processes: &[ProcessRow]) -> (u64, bool) {
    let at_least = processes.iter().any(|row| row.duration_at_least);
    let starts = processes.iter().filter_map(|row| row.wall.start_ns());
    let first = starts.min().unwrap_or(0);
    let until = processes.iter().map(|row| {
        let began = row.wall.start_ns().unwrap_or(first).saturating_sub(first);
        began.saturating_add(row.duration_ns)
    });
    (until.max().unwrap_or(0), at_least)
}

/// How all ended: `exit` if each one exited, else how the first one did that did not.
fn ended(processes: &[ProcessRow]) -> &'static str {
    let others = || {
        processes
            .iter()
            .map(|row| row.ended)
            .filter(|how| *how != "exit")
    };
    let running = others().find(|how| *how == "running");
    running.or_else(|| others().next()).unwrap_or("exit")
}
