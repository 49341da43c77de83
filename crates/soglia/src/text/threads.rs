//! The table of threads: how much of their time they were in native code.

use std::{
    cmp::Reverse,
    fmt::Write as _,
    io::{self, Write},
};

use soglia_core::plain::plain;

use super::{
    screen::{Line, width},
    shown::{MOST_ROWS, Shown},
    style::{DIM, HEAD},
    words::{count, more, percent, time},
};
use crate::model::{Model, TaskRow};

/// Writes the table of threads. The rest of the report refers to them by the number in front, which
/// is the number of the task.
pub(super) fn threads(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    // If calls were only counted, the times are missing.
    let timed = model.tasks.iter().any(|task| task.native_share.is_some());
    if model.tasks.is_empty() || (model.tasks.len() == 1 && !timed) {
        return Ok(());
    }
    let mut rows: Vec<&TaskRow> = model.tasks.iter().collect();
    rows.sort_by_key(|task| {
        (
            Reverse(native_ns(task, model)),
            Reverse(task.crossings),
            task.task,
        )
    });
    let most = if rows.len() > MOST_ROWS + 1 {
        MOST_ROWS
    } else {
        rows.len()
    };
    let (listed, rest) = rows.split_at(most);
    let calls = if model.crossings.all().is_some() {
        "crossings"
    } else {
        "calls"
    };
    let mut columns = vec!["thread"];
    columns.extend(timed.then_some(["share", "native"]).into_iter().flatten());
    columns.push(calls);
    columns.extend(timed.then_some("depth"));
    columns.push("tid");
    let cell = |column: &str, task: &TaskRow| match column {
        "thread" => task.task.to_string(),
        "share" => optional(task.native_share.map(percent)),
        "native" => optional(task.native_share.map(|_| time(native_ns(task, model)))),
        "depth" => optional(task.max_depth.map(|depth| depth.to_string())),
        "tid" => task.os_thread.to_string(),
        _ => count(task.crossings),
    };
    let mut columns: Vec<(&str, usize)> = columns
        .into_iter()
        .map(|column| {
            let cells = listed.iter().map(|task| width(&cell(column, task)));
            (column, cells.max().unwrap_or(0).max(column.len()).max(7))
        })
        .collect();
    for spare in ["depth", calls] {
        let numbers: usize = columns.iter().map(|(_, width)| width + 2).sum();
        if !shown.screen.has(numbers + LEAST_KIND) {
            columns.retain(|(column, _)| *column != spare);
        }
    }
    let mut head = Line::default();
    for (column, width) in &columns {
        head = head.right(*width, column).text("  ");
    }
    writeln!(out)?;
    head.text("kind").in_style(HEAD).write(shown.screen, out)?;
    for task in listed {
        let mut line = Line::default();
        for (column, width) in &columns {
            line = line.right(*width, &cell(column, task)).text("  ");
        }
        let mut kind = task.kind.to_owned();
        if let Some(name) = &task.name {
            let _ = write!(kind, " \"{}\"", plain(name));
        }
        if task.threads > 1 {
            let _ = write!(kind, ", {} threads in turn", count(task.threads.into()));
        }
        line.text(&kind).write(shown.screen, out)?;
    }
    if !rest.is_empty() {
        let shares = rest.iter().filter_map(|task| task.native_share);
        let (least, most) = shares.fold((f64::MAX, 0.0_f64), |(least, most), share| {
            (least.min(share), most.max(share))
        });
        let how = match (percent(least), percent(most)) {
            _ if !timed => String::new(),
            (least, most) if least == most => format!(", {most} native"),
            (least, most) => format!(", {least} to {most} native"),
        };
        let text = format!(
            "{} more{how} (--format json has all)",
            count(rest.len() as u64)
        );
        Line::indented(2)
            .styled(DIM, &text)
            .write(shown.screen, out)?;
    }
    more(model.left_out.tasks, model.left_out.tasks, out)
}

/// The least columns for the kind and the name of a thread.
const LEAST_KIND: usize = 16;

fn optional(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".into())
}

/// Nanoseconds in native code, open calls included.
fn native_ns(task: &TaskRow, model: &Model) -> u64 {
    if model.window.is_some() {
        return task.busy_ns;
    }
    let began = if task.kind == "main" { 0 } else { task.began };
    let lived = task.until.saturating_sub(began);
    task.native_share
        .map_or(0, |share| (lived as f64 * share) as u64)
}
