//! The section about calls that missed their deadlines.

use std::io::{self, Write};

use anstyle::Style;
use soglia_core::{deadline::Stuck, plain::plain};

use super::{
    calls::{INDENT, groups, heading, listed, passed, stack},
    frames::method,
    moments::{Moments, Thread},
    screen::{Line, Screen},
    shown::{MOST_ROWS, Shown},
    style::{DIM, HEAD},
    words::{more, plural, range},
};
use crate::model::{Model, OverdueReport, OverdueRow};

/// Writes the section of the report.
pub(super) fn section(
    model: &Model,
    moments: &Moments,
    shown: Shown,
    out: &mut impl Write,
) -> io::Result<()> {
    let rows: Vec<&OverdueRow> = model.overdue.iter().collect();
    if rows.is_empty() {
        return Ok(());
    }
    let title = Line::default().styled(
        HEAD,
        &format!(
            "{} {}",
            plural(rows.len() as u64 + model.left_out.overdue, "call", "calls"),
            if rows.iter().all(|row| is_stuck(row)) {
                "open for long"
            } else {
                "past a deadline"
            }
        ),
    );
    writeln!(out)?;
    let title = match rows.iter().any(|row| row.args.is_some()) {
        true => title,
        false => title.styled(DIM, " (arguments are not recorded)"),
    };
    title.write(shown.screen, out)?;
    let groups = groups(&rows, |row| {
        let of = (&row.target, row.outcome, row.killed);
        let last = row.reports.last();
        let last = last.map(|report| (&report.deadline, report.nested));
        let stacks = stacks(row).map(|(native, managed)| (&native.native_stack, &managed.stack));
        (of, last, stacks)
    });
    let hidden: usize = groups.iter().skip(MOST_ROWS).map(Vec::len).sum();
    for group in groups.iter().take(MOST_ROWS) {
        one(group, moments, shown.screen, out)?;
    }
    let left_out = model.left_out.overdue;
    more(hidden as u64 + left_out, left_out, out)
}

/// The reports that have the native and the managed stack: of several, the last ones.
fn stacks(row: &OverdueRow) -> Option<(&OverdueReport, &OverdueReport)> {
    let last = row.reports.last()?;
    let seen = |has: fn(&OverdueReport) -> bool| row.reports.iter().rev().find(|r| has(r));
    let native = seen(|report| !report.native_stack.is_empty()).unwrap_or(last);
    let managed = seen(|report| !report.stack.is_empty()).unwrap_or(last);
    Some((native, managed))
}

/// Writes calls that are alike.
fn one(
    group: &[&OverdueRow],
    moments: &Moments,
    screen: Screen,
    out: &mut impl Write,
) -> io::Result<()> {
    let longest = group.iter().max_by_key(|row| row.duration_ns);
    let Some(row) = longest.copied() else {
        return Ok(());
    };
    let (Some(last), Some((native, managed))) = (row.reports.last(), stacks(row)) else {
        return Ok(());
    };
    let ended = moments.ended(row.process);
    let outcome = match row.outcome {
        "returned" => "returned",
        "failed" => "ended by an exception",
        "open" if ended == "running" => "open now",
        "open" if ended == "detached" => "open when soglia let go",
        "open" => "open at the end",
        _ => "gone, how it ended is unknown",
    };
    let killed = if row.killed {
        ", so the process was killed"
    } else {
        ""
    };
    let least = group.iter().map(|row| row.duration_ns).min().unwrap_or(0);
    let long = range(least, row.duration_ns, row.duration_at_least);
    let name = format!("{}, {outcome}{killed}", method(&row.target));
    heading(group.len(), &long, 0, &name, screen, out)?;
    let tasks: Vec<Thread> = group.iter().map(|row| (row.process, row.task)).collect();
    let began = format!("began at {}", moments.moment(row.process, row.began));
    let when = match row.returned {
        Some(ended) if row.outcome == "gone" => {
            format!(
                "{began}, found gone at {}",
                moments.moment(row.process, ended)
            )
        }
        Some(ended) => format!("{began}, ended at {}", moments.moment(row.process, ended)),
        None => began,
    };
    let which = if group.len() == 1 { "" } else { "the longest " };
    let said = format!(
        "{}, {which}{when}, {}, reported {}",
        moments.threads(&tasks),
        plain(&limit(&last.deadline)),
        times(row.reports.len()),
    );
    let indent = || Line::indented(INDENT);
    screen.sentences(indent(), DIM, &said, out)?;
    if let Some(args) = &row.args {
        let said = format!("{which}with {}", passed(args));
        screen.sentences(indent(), Style::new(), &said, out)?;
    }
    let nested = match last.nested {
        0 => String::new(),
        n => format!(
            ", {} nested in the call",
            plural(n.into(), "layer", "layers")
        ),
    };
    if let Some(thread) = &last.thread {
        let said = format!("tid {}: {}{nested}", last.os_thread, plain(thread));
        screen.sentences(indent(), DIM, &said, out)?;
    }
    listed(&native.native_stack, screen, out)?;
    let missing = |none: &str, no_more: &str, frames: &[String], why: &Option<String>| {
        let what = if frames.is_empty() { none } else { no_more };
        let why = why.as_ref().filter(|_| !what.is_empty())?;
        Some(format!("({what}: {})", plain(why)))
    };
    let why = missing(
        "no native frames",
        "no more native frames",
        &native.native_stack,
        &native.native_end,
    );
    if let Some(why) = why {
        screen.sentences(indent(), DIM, &why, out)?;
    }
    stack(&managed.stack, screen, out)?;
    if let Some(why) = missing("no managed stack", "", &managed.stack, &managed.no_stack) {
        screen.sentences(indent(), DIM, &why, out)?;
    }
    let dumps = group
        .iter()
        .filter_map(|row| match (&row.dump, &row.no_dump) {
            (Some(path), _) => Some(format!("core dump: {}", plain(path))),
            (_, Some(why)) => Some(format!("no core dump: {}", plain(why))),
            _ => None,
        });
    for dump in dumps.take(MOST_ROWS) {
        screen.sentences(indent(), Style::new(), &dump, out)?;
    }
    Ok(())
}

/// Whether the call has no deadline of its own.
fn is_stuck(row: &OverdueRow) -> bool {
    let mut reports = row.reports.iter();
    reports.all(|report| Stuck::is_rule(&report.deadline))
}

/// The limit that a call has missed, as the command line writes it.
pub(super) fn limit(deadline: &str) -> String {
    if Stuck::is_rule(deadline) {
        deadline.to_owned()
    } else {
        format!("deadline '{deadline}'")
    }
}

fn times(n: usize) -> String {
    match n {
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{n} times"),
    }
}
