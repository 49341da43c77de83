//! The table of targets.

use std::io::{self, Write};

use soglia_core::plain::plain;

use super::{
    place::Files,
    shown::Shown,
    style::{DIM, HEAD, WARN, arrow},
    words::{count, denied, plural, time, time_of},
};
use crate::model::{Model, TargetRow};

pub(super) fn targets(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let wanted = |row: &&TargetRow| shown.all || !row.runtime_internal;
    let all: Vec<&TargetRow> = model.targets.iter().filter(wanted).collect();
    let top = if shown.top == 0 {
        all.len()
    } else {
        shown.top.min(all.len())
    };
    // If calls were only counted, these columns are empty.
    let timed = model.level != "counts" || all.iter().any(|row| row.returned > 0);
    if !all.is_empty() {
        write!(out, "{HEAD}{:>11}", "calls")?;
        for column in ["total", "self", "mean", "p50", "p99", "max"] {
            if timed {
                write!(out, " {column:>8}")?;
            }
        }
        writeln!(out, "  target{HEAD:#}")?;
    }
    let files = Files::of(&model.targets);
    for row in &all[..top] {
        line(row, model, timed, &files, out)?;
    }
    if top < all.len() {
        let rest = all.len() - top;
        writeln!(out, "{:>11} more (--top 0 shows all)", count(rest as u64))?;
    }
    if timed && all[..top].iter().any(|row| first_was_longest(row, model)) {
        let what = if model.source == Some("woven") {
            ", which includes loading the function"
        } else {
            ""
        };
        writeln!(
            out,
            "{:>11} {DIM}the longest call was the first{what}{DIM:#}",
            "*"
        )?;
    }
    if !shown.all {
        let own: Vec<&TargetRow> = model
            .targets
            .iter()
            .filter(|row| row.runtime_internal)
            .collect();
        let calls = own.iter().map(|row| row.calls).sum();
        let total = own.iter().map(|row| row.self_ns).sum();
        if calls > 0 {
            write!(out, "{:>11}", count(calls))?;
            if timed {
                write!(out, " {:>8} {:>8} {:>35}", "", time(total), "")?;
            }
            writeln!(
                out,
                "  {DIM}{} of the runtime's own (--all shows them){DIM:#}",
                plural(own.len() as u64, "target", "targets"),
            )?;
        }
    }
    let unseen = match (model.source, model.scope) {
        (Some("woven"), Some("user")) => Some((
            "the framework's own calls",
            "--framework or --corelib adds them",
        )),
        (Some("woven"), Some("framework")) => {
            Some(("the core library's own calls", "--corelib adds them"))
        }
        _ => None,
    };
    let crossed = model.crossings.leave + model.crossings.reverse_enter;
    if model.targets.is_empty() && crossed.saturating_add(model.dropped_crossings) == 0 {
        let watched = unseen.map_or("", |_| "watched ");
        writeln!(
            out,
            "no {watched}code made native calls, and none was called back"
        )?;
    }
    if let Some((what, option)) = unseen {
        writeln!(
            out,
            "{:>11} {DIM}{what} were not watched ({option}){DIM:#}",
            "-"
        )?;
    }
    Ok(())
}

/// Whether the longest call was the first of several. Under `woven` the first call includes loading
/// the function, so there a single call counts too.
fn first_was_longest(row: &TargetRow, model: &Model) -> bool {
    let least = if model.source == Some("woven") { 1 } else { 2 };
    row.returned >= least && row.first_call_ns.is_some() && row.first_call_ns == row.max_ns
}

/// Writes the line of one target.
fn line(
    row: &TargetRow,
    model: &Model,
    timed: bool,
    files: &Files,
    out: &mut impl Write,
) -> io::Result<()> {
    let optional = |ns: Option<u64>| ns.map_or_else(|| "-".into(), time);
    write!(out, "{:>11}", count(row.calls))?;
    for ns in [
        row.mean_ns.map(|_| row.total_ns),
        row.mean_ns.map(|_| row.self_ns),
        row.mean_ns,
        row.p50_ns,
        row.p99_ns,
        row.max_ns,
    ] {
        if timed {
            write!(out, " {:>8}", optional(ns))?;
        }
    }
    let mark = if timed && first_was_longest(row, model) {
        "*"
    } else {
        " "
    };
    let arrow = arrow(row.direction);
    write!(out, "{mark} {arrow} {}", plain(&row.name()))?;
    let mut notes = Vec::new();
    notes.extend(declared_as(row));
    notes.extend(files.place(row));
    notes.extend(
        row.redirected_to
            .as_ref()
            .map(|to| format!("redirected to {}", plain(to))),
    );
    if row.open > 0 {
        let longest = row.open_max_ns.filter(|_| timed);
        let longest = longest.map(|ns| format!(" for {}", time_of(ns, row.open_at_least)));
        // The return of such a call may be among the events that were dropped.
        let where_ = if model.replayed && model.dropped_events > 0 {
            " where its events end"
        } else {
            ""
        };
        notes.push(format!(
            "{} open{}{where_}",
            count(row.open),
            longest.unwrap_or_default()
        ));
    }
    let mut ended = Vec::new();
    for (n, what) in [
        (row.abandoned, "abandoned"),
        (row.failed, "failed"),
        (row.refused, denied(model)),
    ] {
        if n > 0 {
            ended.push(format!("{WARN}{} {what}{WARN:#}", count(n)));
        }
    }
    let notes = notes.into_iter().map(|note| format!("{DIM}{note}{DIM:#}"));
    let notes: Vec<String> = notes.chain(ended).collect();
    if !notes.is_empty() {
        write!(out, "  {}", notes.join(", "))?;
    }
    writeln!(out)
}

/// The assembly that declares a target with an entry point, and the method if it has another name.
fn declared_as(row: &TargetRow) -> Option<String> {
    if row.method.is_none() && row.library.is_some() {
        return Some("by function pointer".into());
    }
    let (entry, method) = (row.entry.as_ref()?, row.method.as_ref()?);
    let assembly = row.assembly.as_ref()?;
    let same = method
        .strip_suffix(entry.as_str())
        .is_some_and(|rest| rest.ends_with('.'));
    Some(if same {
        plain(assembly).to_string()
    } else {
        format!("{}, {}", plain(assembly), plain(method))
    })
}
