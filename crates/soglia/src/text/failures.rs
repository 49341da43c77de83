//! The sections of calls that failed or were denied. `--top` does not hide them.

use std::io::{self, Write};

use anstyle::Style;
use soglia_core::plain::plain;

use super::{
    calls::{DURATION, INDENT, groups},
    frames::method,
    moments::Moments,
    screen::{Line, Screen},
    shown::{MOST_ROWS, Shown},
    style::{BAD, DIM, HEAD, WARN},
    targets::{caller, calling},
    words::{count, denied, more, plural},
};
use crate::model::{
    ArgumentRow, FailureRow, Model, RequestRow, TargetRow,
    arguments::{in_one_line, request},
};

/// Files that are named of those that were looked for.
const MOST_FILES: usize = 4;

/// Writes the sections.
pub(super) fn section(
    model: &Model,
    moments: &Moments,
    shown: Shown,
    out: &mut impl Write,
) -> io::Result<()> {
    failed(model, moments, shown, out)?;
    refused(model, shown, out)
}

fn failed(model: &Model, moments: &Moments, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<&FailureRow> = model.failures.iter().collect();
    let left_out = model.left_out.failures;
    if rows.is_empty() {
        return Ok(());
    }
    let calls = rows
        .iter()
        .map(|row| row.calls)
        .fold(0, u64::saturating_add);
    let title = plural(calls, "failed call", "failed calls");
    writeln!(out, "\n{HEAD}{title}{HEAD:#}")?;
    // In several processes, the same calls may fail for the same reason.
    let groups = groups(&rows, |row| {
        (&row.target, row.reason, &row.exception, &row.message)
    });
    for group in groups.iter().take(MOST_ROWS) {
        one(group, moments, shown.screen, out)?;
    }
    let hidden: usize = groups.iter().skip(MOST_ROWS).map(Vec::len).sum();
    more(hidden as u64 + left_out, left_out, out)
}

/// Writes calls that failed alike.
fn one(
    group: &[&FailureRow],
    moments: &Moments,
    screen: Screen,
    out: &mut impl Write,
) -> io::Result<()> {
    let Some(row) = group.first() else {
        return Ok(());
    };
    let calls = group.iter().map(|row| row.calls);
    let calls = calls.fold(0, u64::saturating_add);
    let line = Line::default().right(DURATION, &count(calls)).text("  ");
    let name = screen.name(&method(&row.target), line.columns());
    line.text(&name).write(screen, out)?;
    let exception = row.exception.as_deref().map(|name| plain(name).to_string());
    let mut why = reason(row.reason).to_owned();
    if let Some(exception) = exception {
        why = format!("{why}: {exception}");
    }
    let said = |style: Style, text: &str, out: &mut _| {
        screen.sentences(Line::indented(INDENT), style, text, out)
    };
    said(BAD, &why, out)?;
    // Of a library, the message says in many words what follows.
    if row.reason == "exception"
        && let Some(message) = &row.message
    {
        let first = message.lines().next().unwrap_or_default();
        said(Style::new(), &plain(first).to_string(), out)?;
    }
    if let Some(missing) = &row.missing {
        said(Style::new(), &format!("missing: {}", plain(missing)), out)?;
    }
    if !row.probed.is_empty() {
        let files = row.probed.iter().take(MOST_FILES);
        let files: Vec<String> = files.map(|file| plain(file).to_string()).collect();
        let rest = match row.probed.len().saturating_sub(MOST_FILES) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        said(DIM, &format!("looked for {}{rest}", files.join(", ")), out)?;
    }
    if let Some(args) = row.args.as_ref().filter(|args| !args.is_empty()) {
        let first = if calls == 1 { "" } else { "the first " };
        let with = with(args, &row.request);
        said(Style::new(), &format!("{first}{with}"), out)?;
    }
    if let Some(caller) = calling(&row.first_caller, None) {
        said(DIM, &format!("called by {}", plain(&method(caller))), out)?;
    }
    let processes: Vec<u32> = group.iter().map(|row| row.process).collect();
    match moments.within(&processes) {
        Some(within) => said(DIM, &within, out),
        None => Ok(()),
    }
}

/// The arguments of a call, and what its thread was working on.
fn with(args: &[ArgumentRow], of: &RequestRow) -> String {
    let args = in_one_line(args);
    match request(of) {
        Some(request) => format!("with {args}; {request}"),
        None => format!("with {args}"),
    }
}

fn reason(word: &str) -> &'static str {
    match word {
        "library-not-found" => "the library was not found",
        "dependency-missing" => "a library that it needs is missing",
        "entry-not-found" => "the library has no such function",
        "bad-image" => "the file is not a library for this machine",
        _ => "ended by an exception",
    }
}

fn refused(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<&TargetRow> = model.targets.iter().filter(|row| row.refused > 0).collect();
    if rows.is_empty() {
        return Ok(());
    }
    let calls = rows
        .iter()
        .map(|row| row.refused)
        .fold(0, u64::saturating_add);
    let what = denied(model);
    let calls = plural(calls, "call", "calls");
    writeln!(out, "\n{HEAD}{calls} {what}{HEAD:#}")?;
    for row in rows.iter().take(MOST_ROWS) {
        let line = Line::default()
            .right(DURATION, &count(row.refused))
            .text("  ");
        let name = shown.screen.name(&method(&row.name()), line.columns());
        let mut line = line.styled(WARN, &name);
        let by = format!("by {}", caller(row, true));
        if !row.first_caller.is_empty() {
            if !shown
                .screen
                .has(line.columns() + 2 + super::screen::width(&by))
            {
                line.write(shown.screen, out)?;
                line = Line::indented(INDENT);
            } else {
                line = line.text("  ");
            }
            line = line.styled(DIM, &by);
        }
        line.write(shown.screen, out)?;
        let name = row.name();
        let first = model.denied.iter().find(|denied| denied.target == name);
        if let Some(denied) = first.filter(|denied| !denied.args.is_empty()) {
            let which = if row.refused == 1 { "" } else { "the first " };
            let said = format!("{which}{}", with(&denied.args, &denied.request));
            let indent = Line::indented(INDENT);
            shown.screen.sentences(indent, Style::new(), &said, out)?;
        }
    }
    more(rows.len().saturating_sub(MOST_ROWS) as u64, 0, out)
}
