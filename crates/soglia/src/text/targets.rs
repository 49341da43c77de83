//! The table of targets.

use std::io::{self, Write};

use anstyle::Style;
use soglia_core::{plain::plain, trace::names::UNMANAGED};

use super::{
    columns::{Row, Table},
    frames::{method, short_method},
    moments::Moments,
    place::Files,
    screen::Line,
    shown::Shown,
    style::{DIM, WARN, arrow},
    words::{count, denied, plural, time, time_of},
};
use crate::model::{Model, TargetRow};

pub(super) fn targets(
    model: &Model,
    moments: &Moments,
    shown: Shown,
    out: &mut impl Write,
) -> io::Result<()> {
    let wanted = |row: &&TargetRow| shown.all || !row.runtime_internal;
    let all: Vec<&TargetRow> = model.targets.iter().filter(wanted).collect();
    let top = if shown.top == 0 {
        all.len()
    } else {
        shown.top.min(all.len())
    };
    // If calls were only counted, the times are missing.
    let timed = model.level != "counts" || all.iter().any(|row| row.returned > 0);
    let files = Files::of(&model.targets);
    let is_full = shown.screen.columns.is_none();
    let rows = all[..top].iter().map(|row| Row {
        is_first: timed && first_was_longest(row, model),
        name: format!("{} {}", arrow(row.direction), plain(&method(&row.name()))),
        caller: caller(row, is_full),
        notes: notes(row, model, (timed, is_full), &files)
            .into_iter()
            .chain(within(row, moments).map(|within| (DIM, within)))
            .collect(),
        of: row,
    });
    let table = Table::of(rows.collect(), timed, shown);
    if !all.is_empty() {
        writeln!(out)?;
        table.write(out)?;
    }
    let note = |mark: &str, text: &str, out: &mut _| {
        let line = Line::default().right(table.first_column(), mark).text("  ");
        shown.screen.sentences(line, DIM, text, out)
    };
    if top < all.len() {
        let rest = count((all.len() - top) as u64);
        let line = Line::default().right(table.first_column(), &rest);
        line.text(" more (--top 0 shows all)")
            .write(shown.screen, out)?;
    }
    if timed && all[..top].iter().any(|row| first_was_longest(row, model)) {
        let what = if model.source == Some("woven") {
            ", which includes loading the function"
        } else {
            ""
        };
        note("*", &format!("the longest call was the first{what}"), out)?;
    }
    if all[..top].iter().any(|row| row.is_estimated()) {
        note("~", &estimated(&all[..top], model.clock_ns), out)?;
    }
    if !shown.all {
        let own = || model.targets.iter().filter(|row| row.runtime_internal);
        let sum = |of: fn(&TargetRow) -> u64| own().map(of).fold(0, u64::saturating_add);
        let calls = sum(|row| row.calls);
        if calls > 0 {
            let took = match timed {
                true => format!(", {} in them", time(sum(|row| row.self_ns))),
                false => String::new(),
            };
            let targets = plural(own().count() as u64, "target", "targets");
            let what = format!("calls of {targets} of the runtime's own{took} (--all shows them)");
            note(&count(calls), &what, out)?;
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
    let crossed = model
        .crossings
        .leave
        .saturating_add(model.crossings.reverse_enter);
    if model.targets.is_empty() && crossed.saturating_add(model.dropped_crossings) == 0 {
        let watched = unseen.map_or("", |_| "watched ");
        writeln!(
            out,
            "\nno {watched}code made native calls, and none was called back"
        )?;
    }
    if let Some((what, option)) = unseen {
        note("-", &format!("{what} were not watched ({option})"), out)?;
    }
    Ok(())
}

/// Whether the longest call was the first of several. Under `woven` the first call includes loading
/// the function, so there a single call counts too. A program that ran already has made its
/// first calls before.
fn first_was_longest(row: &TargetRow, model: &Model) -> bool {
    let least = if model.source == Some("woven") { 1 } else { 2 };
    model.attach.is_none()
        && row.returned >= least
        && row.first_call_ns.is_some()
        && row.first_call_ns == row.max_ns
}

/// Who called a target: the most frequent caller of those that the recording kept. With namespaces
/// where there is room for everything.
pub(super) fn caller(row: &TargetRow, is_full: bool) -> String {
    let frame = row
        .callers
        .first()
        .map_or(&row.first_caller, |caller| &caller.stack);
    let Some(name) = calling(frame, row.method.as_deref()) else {
        return String::new();
    };
    let name = if is_full {
        method(name)
    } else {
        short_method(name)
    };
    match row.callers.len() {
        0 | 1 => plain(&name).to_string(),
        n => format!("{} (+{})", plain(&name), n - 1),
    }
}

/// The innermost managed frame that is not what stands for the target itself.
pub(super) fn calling<'a>(stack: &'a [String], target: Option<&str>) -> Option<&'a String> {
    let mut managed = stack.iter().filter(|frame| *frame != UNMANAGED);
    let innermost = managed.next()?;
    // The method that `LibraryImport` fills in has the name of its P/Invoke.
    let is_target = target.is_some_and(|target| method(target) == method(innermost));
    Some(managed.next().filter(|_| is_target).unwrap_or(innermost))
}

/// What the times are estimates of.
fn estimated(rows: &[&TargetRow], clock_ns: Option<u64>) -> String {
    let rows = || rows.iter().filter(|row| row.is_estimated());
    let sum = |of: fn(&TargetRow) -> u64| rows().map(|row| of(row)).fold(0, u64::saturating_add);
    let missed = clock_ns.map_or_else(String::new, |clock| {
        let missed = time(missed_ns(clock) as u64);
        format!(", up to about {missed} of rare calls that are shorter may be missing")
    });
    format!(
        "estimated from {} of {}; calls longer than two ticks of the clock are all timed{missed} \
         (--times exact times each call)",
        plural(sum(|row| row.timed_calls), "timed call", "timed calls"),
        count(sum(|row| row.returned)),
    )
}

/// The part of an estimate that the error of its sample is, in percent, if that is worth a word.
///
/// The standard error also says what rare calls the clock may have missed on each thread. That is
/// the same time for all targets, and more than most short calls take together: the note below the
/// table has it.
fn uncertain(row: &TargetRow, clock_ns: Option<u64>) -> Option<String> {
    let error = row.total_ns_se? as f64;
    let missed = missed_ns(clock_ns?) * (row.tasks as f64).sqrt();
    let error = (error * error - missed * missed).max(0.0).sqrt();
    let percent = 100.0 * error / row.total_ns.max(1) as f64;
    (percent >= WORTH_A_WORD).then(|| format!("±{percent:.0} %"))
}

/// The standard error of what a clock of this period may have missed of a target on a thread: see
/// docs/sampling.md.
fn missed_ns(clock_ns: u64) -> f64 {
    3.0_f64.sqrt() * clock_ns as f64
}

/// Percents.
const WORTH_A_WORD: f64 = 5.0;

/// What a reader should know of a target beside its numbers.
fn notes(
    row: &TargetRow,
    model: &Model,
    (timed, is_full): (bool, bool),
    files: &Files,
) -> Vec<(Style, String)> {
    let mut notes = Vec::new();
    notes.extend(declared_as(row).filter(|_| is_full));
    if row.method.is_none() && row.library.is_some() {
        notes.push("by function pointer".into());
    }
    if row.suppresses_gc_transition {
        notes.push("no GC transition".into());
    }
    notes.extend(uncertain(row, model.clock_ns));
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
    let mut notes: Vec<(Style, String)> = notes.into_iter().map(|note| (DIM, note)).collect();
    for (n, what) in [
        (row.abandoned, "abandoned"),
        (row.failed, "failed"),
        (row.refused, denied(model)),
    ] {
        if n > 0 {
            notes.push((WARN, format!("{} {what}", count(n))));
        }
    }
    notes
}

/// The processes that called a target, if it is not all of them.
fn within(row: &TargetRow, moments: &Moments) -> Option<String> {
    let processes: Vec<u32> = row.processes.iter().map(|of| of.process).collect();
    moments.within(&processes)
}

/// The assembly that declares a target with an entry point, and the method if it has another name.
fn declared_as(row: &TargetRow) -> Option<String> {
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
