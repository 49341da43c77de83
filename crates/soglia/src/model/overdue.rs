//! Calls that missed their deadlines, as reports see them.

use serde::Serialize;
use soglia_core::{
    crossing::Side,
    policy::Glob,
    time::Scale,
    trace::{
        log::Record,
        names::Names,
        overdue::{Done, HowEnded, Overdue},
        snapshot::TaskSnapshot,
    },
};

use super::build::{callers, target_row};

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
    /// When it began, since the start.
    pub t: u64,
    /// `open`, `returned`, `failed` (it ended by an exception) or `gone` (nobody told how it ended).
    pub outcome: &'static str,
    /// How long it took, or has taken up to when the recording was read or the process ended. If it is gone: at most that.
    pub duration_ns: u64,
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
    /// When, since the start.
    pub t: u64,
    /// How long the call had taken then.
    pub duration_ns: u64,
    /// The operating system's number of the thread.
    pub os_thread: u32,
    /// Layers that were nested in the call then: if there are any, what the innermost is at is what it waits for.
    pub nested: u32,
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
    (!names.deadlines.is_empty()).then(|| Deadlines {
        rules: names.deadlines.clone(),
        idle_rules: names.deadlines.iter().filter(idle).cloned().collect(),
    })
}

/// The calls of a recording that missed one, in the order in which that was found. `since_start`: from ticks; `until`: when the recording was
/// read, or the process ended, both in nanoseconds since the start.
pub(super) fn rows(
    names: &Names,
    tasks: &[TaskSnapshot],
    scale: Scale,
    since_start: impl Fn(u64) -> u64,
    until: u64,
) -> Vec<OverdueRow> {
    let mut rows: Vec<((u32, u64), OverdueRow)> = Vec::new();
    for record in &names.overdue {
        let call = match record {
            Record::Overdue(overdue) => (overdue.task, overdue.since),
            Record::OverdueEnd(end) => (end.task, end.since),
            Record::OverdueAction(action) => (action.task, action.since),
            _ => continue,
        };
        let place = rows.iter().position(|(known, _)| *known == call);
        let row = match (place, record) {
            (Some(place), _) => &mut rows[place].1,
            (None, Record::Overdue(overdue)) => {
                let target = target_row(names, overdue.target, Side::Unmanaged);
                rows.push((
                    call,
                    OverdueRow {
                        target: target.name(),
                        runtime_internal: target.runtime_internal,
                        task: overdue.task,
                        t: since_start(overdue.since),
                        ..OverdueRow::default()
                    },
                ));
                let (_, row) = rows.last_mut().unwrap_or_else(|| unreachable!());
                row
            }
            // The report itself had no room.
            (None, _) => continue,
        };
        match record {
            Record::Overdue(overdue) => {
                let report = report(names, overdue, scale, since_start(overdue.at));
                row.duration_ns = report.duration_ns;
                row.reports.push(report);
            }
            Record::OverdueEnd(end) => {
                row.outcome = end.how.name();
                row.duration_ns = scale.ns(end.at.saturating_sub(end.since));
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
    for ((task, since), row) in rows.iter_mut().filter(|(_, row)| row.outcome.is_empty()) {
        let of_task = tasks.iter().filter(|t| t.number == *task);
        let mut open = of_task.flat_map(|t| &t.open);
        if open.any(|layer| layer.since == *since) {
            row.outcome = "open";
            row.duration_ns = until.saturating_sub(row.t).max(row.duration_ns);
        } else {
            row.outcome = HowEnded::Gone.name();
        }
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

/// One time that a call was found to have missed its deadline.
pub(crate) fn report(names: &Names, overdue: &Overdue, scale: Scale, t: u64) -> OverdueReport {
    let frames = |stack| names.stack(stack).into_iter().map(str::to_owned).collect();
    OverdueReport {
        deadline: deadline(names, overdue.deadline),
        t,
        duration_ns: scale.ns(overdue.at.saturating_sub(overdue.since)),
        os_thread: overdue.os_thread,
        nested: overdue.nested,
        thread: overdue.thread.clone(),
        stack: callers(names, overdue.target, overdue.stack),
        no_stack: overdue.no_stack.clone(),
        native_stack: frames(overdue.native),
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
