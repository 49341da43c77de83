//! What a report says of a recording that began while the process ran.

use std::io::{self, Write};

use anstyle::Style;
use soglia_core::plain::plain;

use super::{
    calls::{DURATION, INDENT, groups, heading, listed, stack},
    frames::method,
    screen::Line,
    shown::{MOST_ROWS, Shown},
    style::{DIM, HEAD},
    words::{more, plural, time, time_of},
};
use crate::model::{AttachRow, BeforeRow, Model};

/// From when to when the engine was attached, and how long the process had run then.
pub(super) fn window(model: &Model, attach: &AttachRow) -> String {
    let running = model.ended == "running";
    let end = (!running).then_some(model.duration_ns);
    let since = if running { "since " } else { "" };
    let span = model.wall.span(0, end);
    let span = span.map_or_else(String::new, |span| format!(" {since}{span}"));
    let long = time_of(model.duration_ns, model.duration_at_least);
    let age = attach.process_age_ns.map(|age| {
        let runs = match model.ended {
            "running" | "detached" => "has run",
            _ => "had run",
        };
        match model.wall.before(attach.began, age) {
            Some(then) => format!(" of a process that {runs} since {then}"),
            None => format!(" of a process that had run for {}", lifetime(age)),
        }
    });
    format!("attached{span} ({long}{})", age.unwrap_or_default())
}

/// A duration that may be of days.
fn lifetime(ns: u64) -> String {
    let minutes = ns / 60_000_000_000;
    match minutes {
        0..2 => time(ns),
        2..120 => format!("{minutes} min"),
        _ if minutes < 48 * 60 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / (24 * 60)),
    }
}

/// What the engine did to watch the process.
pub(super) fn hooks(model: &Model, attach: &AttachRow) -> String {
    let hooked = format!(
        "{} that call {} were hooked in {}; {} looked through",
        plural(attach.callers.into(), "method", "methods"),
        plural(attach.targets.into(), "native function", "native functions"),
        time(attach.live_ns),
        plural(attach.modules.into(), "module", "modules"),
    );
    let end = match (attach.ended_by, attach.kept) {
        (Some("tool-gone"), _) => "; soglia was killed, so the engine let go by itself",
        (Some("engine"), _) => "; the engine gave up and let go",
        (_, true) if model.ended == "running" => "; the hooks stay (--keep)",
        _ => "",
    };
    format!("{hooked}{end}")
}

/// Calls a second, in a few digits.
pub(super) fn rate(model: &Model, calls: u64) -> String {
    match model.rate(calls) {
        Some(rate) if rate >= 99.95 => format!(" ({}/s)", super::words::count(rate as u64)),
        Some(rate) if calls > 0 => format!(" ({rate:.1}/s)"),
        _ => String::new(),
    }
}

/// Writes the calls that began before the attach.
pub(super) fn section(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let inside = model.before.iter().filter(|row| row.inside);
    let rows: Vec<&BeforeRow> = inside.collect();
    if rows.is_empty() {
        return Ok(());
    }
    let left_out = model.left_out.before;
    let title = format!(
        "{} since before the attach",
        plural(
            rows.len() as u64 + left_out,
            "thread inside a native call",
            "threads inside native calls"
        )
    );
    writeln!(out)?;
    Line::default()
        .styled(HEAD, &title)
        .styled(DIM, " (not counted)")
        .write(shown.screen, out)?;
    let groups = groups(&rows, |row| {
        (&row.callee, &row.stack, &row.native_stack, row.crossed)
    });
    let hidden: usize = groups.iter().skip(MOST_ROWS).map(Vec::len).sum();
    for group in groups.iter().take(MOST_ROWS) {
        one(group, model, shown, out)?;
    }
    more(hidden as u64 + left_out, left_out, out)
}

/// Writes threads that are alike.
fn one(group: &[&BeforeRow], model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let Some(row) = group.first() else {
        return Ok(());
    };
    let screen = shown.screen;
    let name = row.callee.as_deref().map(method);
    let name = name.as_deref().unwrap_or("a native function");
    heading(1, "before", 0, name, screen, out)?;
    let since = match (row.crossed, model.ended) {
        (true, _) => "has made recorded calls since",
        (false, "running") => "has made no recorded call yet",
        (false, _) => "made no recorded call later",
    };
    let said = format!("{}, {since}", threads(group));
    screen.sentences(Line::indented(INDENT), DIM, &said, out)?;
    listed(&row.native_stack, screen, out)?;
    stack(&row.stack, screen, out)
}

/// The threads of a group that are named one by one.
const MOST_NAMED: usize = 4;

/// `thread 4711 "worker"`, or `3 threads: 4711 "worker", 4712 and 4713`. The numbers are those of
/// the operating system: most of these threads have made no call that is recorded.
fn threads(group: &[&BeforeRow]) -> String {
    let name = |row: &&BeforeRow| match &row.name {
        Some(name) => format!("tid {} \"{}\"", row.os_thread, plain(name)),
        None => format!("tid {}", row.os_thread),
    };
    let mut named: Vec<String> = group.iter().take(MOST_NAMED).map(name).collect();
    if group.len() > MOST_NAMED {
        named.push(format!("{} more", group.len() - MOST_NAMED));
    }
    match named.len() {
        1 => format!("thread {}", named[0]),
        _ => {
            let last = named.pop().unwrap_or_default();
            let all = plural(group.len() as u64, "thread", "threads");
            format!("{all}: {} and {last}", named.join(", "))
        }
    }
}

/// What an attached engine has not seen, in sentences. Empty for a process that was started with
/// the engine.
pub fn gaps(model: &Model) -> Vec<String> {
    let Some(attach) = &model.attach else {
        return Vec::new();
    };
    let mut gaps = Vec::new();
    match attach.not_entered {
        Some(0) => {}
        Some(n) => gaps.push(format!(
            "{} of {} that call native code {} not entered since the attach: the calls of one that \
             has run all the time, as a loop does, are not seen",
            super::words::count(n.into()),
            plural(attach.callers.into(), "method", "methods"),
            if n == 1 { "was" } else { "were" },
        )),
        None => gaps.push(
            "methods that were running at the attach: their calls are seen from the next time \
             that a thread enters them"
                .to_owned(),
        ),
    }
    if !attach.stacks_read {
        gaps.push(
            "native calls that had begun before the attach: the stacks of threads were not read"
                .to_owned(),
        );
    }
    let inside = model.before.iter().filter(|row| row.inside).count() as u64;
    if inside > 0 {
        gaps.push(format!(
            "{} that had begun before the attach, listed above",
            plural(
                inside + model.left_out.before,
                "native call",
                "native calls"
            )
        ));
    }
    gaps.extend(model.not_watched.iter().map(|row| row.what.clone()));
    gaps
}

/// Writes what an attached engine has not seen.
pub(super) fn not_seen(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let gaps = gaps(model);
    if gaps.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEAD}not seen{HEAD:#}")?;
    for gap in gaps.iter().take(MOST_ROWS) {
        let line = Line::default().right(DURATION, "-").text("  ");
        let what = plain(gap).to_string();
        shown.screen.sentences(line, Style::new(), &what, out)?;
    }
    more(gaps.len().saturating_sub(MOST_ROWS) as u64, 0, out)
}
