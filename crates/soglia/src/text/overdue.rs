//! The section about calls that missed their deadlines.

use std::io::{self, Write};

use soglia_core::plain::plain;

use super::{
    calls::stack,
    shown::MOST_ROWS,
    style::{DIM, HEAD},
    words::{more, plural, time, time_of},
};
use crate::model::{Model, OverdueReport, OverdueRow};

/// Writes the section of the report.
pub(super) fn section(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let rows = &model.overdue;
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{HEAD}{} past a deadline{HEAD:#} {DIM}(arguments are not recorded){DIM:#}",
        plural(rows.len() as u64 + model.left_out.overdue, "call", "calls")
    )?;
    for row in rows.iter().take(MOST_ROWS) {
        one(row, model.ended == "running", out)?;
    }
    let hidden = rows.len().saturating_sub(MOST_ROWS) as u64;
    let left_out = model.left_out.overdue;
    more(hidden + left_out, left_out, out)
}

fn one(row: &OverdueRow, running: bool, out: &mut impl Write) -> io::Result<()> {
    let Some(last) = row.reports.last() else {
        return Ok(());
    };
    let outcome = match row.outcome {
        "returned" => "returned",
        "failed" => "ended by an exception",
        "open" if running => "open now",
        "open" => "open at the end",
        _ => "gone, how it ended is unknown",
    };
    let began = time(row.began);
    let when = match row.returned {
        Some(ended) => format!("from {began} to {}", time(ended)),
        None => format!("began at {began}"),
    };
    let killed = if row.killed {
        ", so the process was killed"
    } else {
        ""
    };
    writeln!(
        out,
        "{:>11}  {}, {outcome}{killed} {DIM}({when}, thread {}, deadline '{}', reported {}){DIM:#}",
        time_of(row.duration_ns, row.duration_at_least),
        plain(&row.target),
        row.task,
        plain(&last.deadline),
        times(row.reports.len()),
    )?;
    // Of several reports, the last one that has a stack.
    let seen = |has: fn(&OverdueReport) -> bool| row.reports.iter().rev().find(|r| has(r));
    let managed = seen(|report| !report.stack.is_empty()).unwrap_or(last);
    let native = seen(|report| !report.native_stack.is_empty()).unwrap_or(last);
    let nested = match last.nested {
        0 => String::new(),
        n => format!(
            ", {} nested in the call",
            plural(n.into(), "layer", "layers")
        ),
    };
    if let Some(thread) = &last.thread {
        let number = last.os_thread;
        writeln!(
            out,
            "{:>13}{DIM}tid {number}: {}{nested}{DIM:#}",
            "",
            plain(thread)
        )?;
    }
    stack(&native.native_stack, out)?;
    missing(
        "no native frames",
        "no more native frames",
        &native.native_stack,
        native.native_end.as_deref(),
        out,
    )?;
    stack(&managed.stack, out)?;
    missing(
        "no managed stack",
        "",
        &managed.stack,
        managed.no_stack.as_deref(),
        out,
    )?;
    match (&row.dump, &row.no_dump) {
        (Some(path), _) => writeln!(out, "{:>13}core dump: {}", "", plain(path)),
        (_, Some(why)) => writeln!(out, "{:>13}no core dump: {}", "", plain(why)),
        _ => Ok(()),
    }
}

fn missing(
    none: &str,
    no_more: &str,
    frames: &[String],
    why: Option<&str>,
    out: &mut impl Write,
) -> io::Result<()> {
    let what = if frames.is_empty() { none } else { no_more };
    match why.filter(|_| !what.is_empty()) {
        Some(why) => writeln!(out, "{:>13}{DIM}({what}: {}){DIM:#}", "", plain(why)),
        None => Ok(()),
    }
}

fn times(n: usize) -> String {
    match n {
        1 => "once".into(),
        2 => "twice".into(),
        n => format!("{n} times"),
    }
}
