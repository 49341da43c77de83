//! The section about the last calls before a crash.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use super::{
    calls::{DURATION, INDENT},
    frames::method,
    moments::{Moments, Thread},
    screen::Line,
    shown::Shown,
    style::{DIM, HEAD, arrow},
    words::{count, time},
};
use crate::model::{LastRow, Model, TaskRow};

/// The most threads that are shown.
const MOST_THREADS: usize = 4;
/// The most lines of a thread.
const MOST_LINES: usize = 6;

/// Writes the last calls of the threads that were in native code when the process was ended.
pub(super) fn section(
    model: &Model,
    moments: &Moments,
    shown: Shown,
    out: &mut impl Write,
) -> io::Result<()> {
    let inside = model.open.iter().map(|row| (row.process, row.task));
    let inside: BTreeSet<Thread> = inside.collect();
    let was_ended = |process| matches!(moments.ended(process), "signal" | "killed");
    let wanted =
        |task: &&TaskRow| was_ended(task.process) && inside.contains(&(task.process, task.task));
    let tasks = model.tasks.iter().filter(wanted);
    let tasks = tasks.map(|task| (task, runs(task, shown)));
    let tasks: Vec<_> = tasks.filter(|(_, runs)| !runs.is_empty()).collect();
    if tasks.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{HEAD}last calls before the end{HEAD:#} {DIM}(when they returned, the latest last){DIM:#}"
    )?;
    for (task, runs) in tasks.iter().take(MOST_THREADS) {
        let who = moments.threads(&[(task.process, task.task)]);
        Line::indented(INDENT)
            .styled(DIM, &who)
            .write(shown.screen, out)?;
        for (row, times) in &runs[runs.len().saturating_sub(MOST_LINES)..] {
            let times = match times {
                1 => String::new(),
                n => format!(" ({} times)", count(*n)),
            };
            let arrow = arrow(row.direction.unwrap_or("forward"));
            let line = Line::default().right(DURATION, &time(row.returned));
            let line = line.text("  ").text(arrow).text(" ");
            let before = line.columns() + times.len();
            let name = shown.screen.name(&method(&row.target), before);
            line.text(&name)
                .styled(DIM, &times)
                .write(shown.screen, out)?;
        }
    }
    Ok(())
}

/// The last calls of a task, where equal ones in a row are one.
fn runs(task: &TaskRow, shown: Shown) -> Vec<(&LastRow, u64)> {
    let mut runs: Vec<(&LastRow, u64)> = Vec::new();
    let wanted = |row: &&LastRow| shown.all || !row.runtime_internal;
    for row in task.last.iter().filter(wanted) {
        match runs.last_mut() {
            Some((last, times)) if last.target == row.target => {
                *last = row;
                *times += 1;
            }
            _ => runs.push((row, 1)),
        }
    }
    runs
}
