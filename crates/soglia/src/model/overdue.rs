//! The rows of calls that missed their deadlines.

use std::collections::{HashMap, HashSet};

use soglia_core::{
    deadline::Stuck,
    policy::Glob,
    time::Scale,
    trace::{
        log::Record,
        names::Names,
        overdue::{Done, HowEnded, Overdue},
    },
};

use super::{
    clock::Clock,
    passed::{self, Passed},
    process::FIRST,
    room::Room,
    rows::{OverdueReport, OverdueRow},
    targets::{callers, is_internal, target_name},
    whole::DeadlineSummary,
};

/// The most comparisons of deadlines with targets. No command line has so many deadlines.
const MOST_COMPARISONS: usize = 1 << 20;

/// The deadlines of a recording.
pub(super) fn deadlines(names: &Names) -> Option<DeadlineSummary> {
    let called = |glob: &Glob| {
        let of_target = names.targets.values();
        let mut named = of_target.filter_map(|t| Some((t.library.as_ref()?, t.entry.as_ref()?)));
        named.any(|(library, entry)| glob.matches(library, entry))
    };
    // A text that is not a glob comes from another version of soglia. It does not count as idle.
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
    // That calls can be stuck is no deadline of this program.
    let own = names.deadlines.iter().filter(|text| !Stuck::is_rule(text));
    let rules: Vec<String> = own.cloned().collect();
    (!rules.is_empty()).then_some(DeadlineSummary { rules, idle_rules })
}

/// The calls that missed a deadline, in the order in which the engine found them. `open` has the
/// task and begin of each open call.
pub(super) fn rows(
    names: &Names,
    passed: &Passed,
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
            let given = passed.open(call).filter(|_| !places.contains_key(&call));
            if !room.takes(texts(names, overdue).chain(passed::texts(given))) {
                continue;
            }
            places.entry(call).or_insert_with(|| {
                let row = OverdueRow {
                    args: given.map(passed::rows),
                    ..row(names, overdue, clock)
                };
                rows.push((call, row));
                rows.len() - 1
            });
        }
        // A call without a row had no room for it.
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
        // A call that is gone was last seen at its last report.
        row.duration_at_least = row.outcome != "open" || clock.at_least;
    }
    rows.into_iter().map(|(_, row)| row).collect()
}

fn row(names: &Names, overdue: &Overdue, clock: &Clock) -> OverdueRow {
    let began = clock.since_start(overdue.since);
    OverdueRow {
        target: target_name(names, overdue.target),
        runtime_internal: is_internal(names, overdue.target),
        process: FIRST,
        task: overdue.task,
        t: began,
        time: clock.wall.utc(began),
        began,
        ..OverdueRow::default()
    }
}

/// The texts of a report, for the room that it takes.
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
            let found = clock.since_start(overdue.at);
            let report = OverdueReport {
                time: clock.wall.utc(found),
                ..report(names, overdue, clock.scale, found)
            };
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

/// One time that the engine found a call past its deadline.
pub(crate) fn report(names: &Names, overdue: &Overdue, scale: Scale, t: u64) -> OverdueReport {
    OverdueReport {
        deadline: deadline(names, overdue.deadline),
        t,
        time: None,
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

/// A deadline, as the command line writes it.
pub(crate) fn deadline(names: &Names, index: u32) -> String {
    names
        .deadlines
        .get(index as usize)
        .cloned()
        .unwrap_or_default()
}
