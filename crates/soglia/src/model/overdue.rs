//! Calls that missed their deadlines, as reports see them.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use soglia_core::{
    policy::Glob,
    time::Scale,
    trace::{
        log::Record,
        names::{Names, UNMANAGED},
        overdue::{Done, HowEnded, Overdue},
    },
};

use super::{
    build::Clock,
    room::Room,
    targets::{callers, is_internal, target_name},
};

/// Comparisons of deadlines with what was called that are made at most. No command line has so many deadlines.
const MOST_COMPARISONS: usize = 1 << 20;

/// The deadlines of native calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Deadlines {
    /// As they are written on the command line, in the order in which they were looked at.
    pub rules: Vec<String>,
    /// Of these: about nothing that was called.
    pub idle_rules: Vec<String>,
}

/// A call that has missed a deadline.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OverdueRow {
    /// The target's name.
    pub target: String,
    /// One of the runtime's own.
    pub runtime_internal: bool,
    /// The task.
    pub task: u32,
    /// The same as `began`.
    pub t: u64,
    /// When it began, since the start.
    pub began: u64,
    /// When it ended, since the start, if it has ended and that is known; if it is gone: at the latest.
    pub returned: Option<u64>,
    /// `open`, `returned`, `failed` (it ended by an exception) or `gone` (nobody told how it ended).
    pub outcome: &'static str,
    /// How long it took, or has taken up to when the recording was read or the process ended. If it is gone: at most that.
    pub duration_ns: u64,
    /// It is open, and nobody saw the process end; or it is gone, and nobody saw when: it took at least so long.
    pub duration_at_least: bool,
    /// Each time it was found to have missed one.
    pub reports: Vec<OverdueReport>,
    /// A core dump that was written because of it.
    pub dump: Option<String>,
    /// Why there is no core dump, if one was wanted.
    pub no_dump: Option<String>,
    /// The process was ended because of it.
    pub killed: bool,
}

/// A call was found to have missed a deadline.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OverdueReport {
    /// Which, as it was written.
    pub deadline: String,
    /// The same as `found`.
    pub t: u64,
    /// When, since the start.
    pub found: u64,
    /// How long the call had taken then.
    pub duration_ns: u64,
    /// The operating system's number of the thread.
    pub os_thread: u32,
    /// Layers that were nested in the call then: if there are any, what the innermost is at is what it waits for.
    pub nested: u32,
    /// Layers that it was nested in.
    #[serde(skip)]
    pub depth: u32,
    /// What the operating system says that the thread was doing.
    pub thread: Option<String>,
    /// The managed stack, innermost frame first.
    pub stack: Vec<String>,
    /// Why there is none.
    pub no_stack: Option<String>,
    /// The frames of native code above managed code, innermost first: `object!function+0x10`.
    pub native_stack: Vec<String>,
    /// Why these do not reach to managed code.
    pub native_end: Option<String>,
}

impl OverdueReport {
    /// Who made the call. Where others are nested in it, a stretch of native frames lies before its caller for each callback; `None` if
    /// the stack has other such stretches than callbacks have left there, so that they cannot be told apart.
    pub fn caller(&self) -> Option<&str> {
        if self.nested == 0 {
            return self.stack.first().map(String::as_str);
        }
        let (inside, outside) = (self.nested.div_ceil(2) as usize, (self.depth / 2) as usize);
        let mut stretches = self.stack.split(|frame| frame == UNMANAGED);
        // Behind the last one, the thread begins in native code.
        let callers = stretches
            .clone()
            .filter(|frames| !frames.is_empty())
            .count();
        let as_expected = callers == inside + outside + 1;
        let frames = stretches.nth(inside).filter(|_| as_expected)?;
        frames.first().map(String::as_str)
    }
}

/// The deadlines of a recording.
pub(super) fn deadlines(names: &Names) -> Option<Deadlines> {
    let called = |glob: &Glob| {
        let of_target = names.targets.values();
        let mut named = of_target.filter_map(|t| Some((t.library.as_ref()?, t.entry.as_ref()?)));
        named.any(|(library, entry)| glob.matches(library, entry))
    };
    // What is no glob is of another soglia, and not judged.
    let idle = |text: &&String| {
        let glob = text
            .rsplit_once('=')
            .and_then(|(glob, _)| glob.parse().ok());
        glob.is_some_and(|glob| !called(&glob))
    };
    let comparisons = names.deadlines.len().saturating_mul(names.targets.len());
    let idle_rules = match comparisons {
        0..=MOST_COMPARISONS => names.deadlines.iter().filter(idle).cloned().collect(),
        _ => Vec::new(),
    };
    (!names.deadlines.is_empty()).then(|| Deadlines {
        rules: names.deadlines.clone(),
        idle_rules,
    })
}

/// The calls of a recording that missed one, in the order in which that was found. `open`: task and begin of all calls that are open.
pub(super) fn rows(
    names: &Names,
    open: &HashSet<(u32, u64)>,
    clock: &Clock,
    room: &mut Room,
) -> Vec<OverdueRow> {
    let mut rows: Vec<((u32, u64), OverdueRow)> = Vec::new();
    let mut places: HashMap<(u32, u64), usize> = HashMap::new();
    for record in &names.overdue {
        let call = match record {
            Record::Overdue(overdue) => (overdue.task, overdue.since),
            Record::OverdueEnd(end) => (end.task, end.since),
            Record::OverdueAction(action) => (action.task, action.since),
            _ => continue,
        };
        if let Record::Overdue(overdue) = record {
            if !room.takes(texts(names, overdue)) {
                continue;
            }
            places.entry(call).or_insert_with(|| {
                rows.push((call, row(names, overdue, clock)));
                rows.len() - 1
            });
        }
        // Else the report itself had no room.
        if let Some(place) = places.get(&call) {
            take(record, names, clock, &mut rows[*place].1);
        }
    }
    for (call, row) in rows.iter_mut().filter(|(_, row)| row.outcome.is_empty()) {
        if open.contains(call) {
            row.outcome = "open";
            row.duration_ns = clock.until.saturating_sub(row.began).max(row.duration_ns);
        } else {
            row.outcome = HowEnded::Gone.name();
        }
        // One that is gone was there at its last report, and nothing was found of it later.
        row.duration_at_least = row.outcome != "open" || clock.at_least;
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

fn row(names: &Names, overdue: &Overdue, clock: &Clock) -> OverdueRow {
    let began = clock.since_start(overdue.since);
    OverdueRow {
        target: target_name(names, overdue.target),
        runtime_internal: is_internal(names, overdue.target),
        task: overdue.task,
        t: began,
        began,
        ..OverdueRow::default()
    }
}

/// All that a report of a call says, for the room that it takes.
fn texts<'a>(names: &'a Names, overdue: &'a Overdue) -> impl Iterator<Item = &'a str> {
    let own = [&overdue.thread, &overdue.no_stack, &overdue.native_ends];
    let target = names.targets.get(&overdue.target);
    let target = target.map(|of| [&of.library, &of.entry, &of.method]);
    let deadline = names.deadlines.get(overdue.deadline as usize);
    own.into_iter()
        .chain(target.into_iter().flatten())
        .flatten()
        .chain(deadline)
        .map(String::as_str)
        .chain(names.stack(overdue.stack))
        .chain(names.stack(overdue.native))
}

fn take(record: &Record, names: &Names, clock: &Clock, row: &mut OverdueRow) {
    match record {
        Record::Overdue(overdue) => {
            let report = report(names, overdue, clock.scale, clock.since_start(overdue.at));
            row.duration_ns = report.duration_ns;
            row.reports.push(report);
        }
        Record::OverdueEnd(end) => {
            row.outcome = end.how.name();
            row.duration_ns = clock.scale.ns(end.at.saturating_sub(end.since));
            row.returned = Some(clock.since_start(end.at));
        }
        Record::OverdueAction(action) => match &action.what {
            Done::Dumped(path) => row.dump = Some(path.clone()),
            Done::NotDumped(why) => row.no_dump = Some(why.clone()),
            Done::Killed => row.killed = true,
            Done::NotKilled(_) => {}
        },
        _ => {}
    }
}

/// One time that a call was found to have missed its deadline.
pub(crate) fn report(names: &Names, overdue: &Overdue, scale: Scale, t: u64) -> OverdueReport {
    OverdueReport {
        deadline: deadline(names, overdue.deadline),
        t,
        found: t,
        duration_ns: scale.ns(overdue.at.saturating_sub(overdue.since)),
        os_thread: overdue.os_thread,
        nested: overdue.nested,
        depth: overdue.depth,
        thread: overdue.thread.clone(),
        stack: callers(names, overdue.stack),
        no_stack: overdue.no_stack.clone(),
        native_stack: callers(names, overdue.native),
        native_end: overdue.native_ends.clone(),
    }
}

/// A deadline as it was written.
pub(crate) fn deadline(names: &Names, index: u32) -> String {
    names
        .deadlines
        .get(index as usize)
        .cloned()
        .unwrap_or_default()
}
