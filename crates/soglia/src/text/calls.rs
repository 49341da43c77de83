//! The sections that list single calls: slow ones and open ones.

use std::{
    cmp::Reverse,
    collections::HashSet,
    io::{self, Write},
};

use soglia_core::{plain::plain, trace::names::UNMANAGED};

use super::{
    shown::{MOST_FRAMES, MOST_ROWS, Shown},
    style::{DIM, HEAD, arrow},
    words::{more, plural, time, time_of},
};
use crate::model::{Model, OpenRow, SlowRow};

/// The most open calls that are shown.
const MOST_OPEN: usize = 2 * MOST_ROWS;

/// The slow calls that may be shown, longest first.
fn slow_rows(model: &Model, shown: Shown) -> Vec<&SlowRow> {
    let wanted = |row: &&SlowRow| shown.all || !row.runtime_internal;
    let mut rows: Vec<_> = model.slow.iter().filter(wanted).collect();
    rows.sort_by_key(|row| Reverse(row.duration_ns));
    rows
}

fn open_rows(model: &Model, shown: Shown) -> Vec<&OpenRow> {
    let wanted = |row: &&OpenRow| shown.all || !row.runtime_internal;
    model.open.iter().filter(wanted).collect()
}

/// The tasks to which a shown call refers.
pub(super) fn tasks_named(model: &Model, shown: Shown) -> HashSet<u32> {
    let slow = slow_rows(model, shown).into_iter().take(MOST_ROWS);
    let open = open_rows(model, shown).into_iter().take(MOST_OPEN);
    let overdue = model.overdue.iter().take(MOST_ROWS);
    slow.map(|row| row.task)
        .chain(open.map(|row| row.task))
        .chain(overdue.map(|row| row.task))
        .collect()
}

pub(super) fn slow(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let rows = slow_rows(model, shown);
    if rows.is_empty() {
        return Ok(());
    }
    let left_out = model.left_out.slow;
    let all = rows.len() as u64 + left_out;
    writeln!(
        out,
        "\n{HEAD}{} ({} or longer){HEAD:#}",
        plural(all, "slow call", "slow calls"),
        time(model.slow_threshold_ns)
    )?;
    let shown = rows.len().min(MOST_ROWS);
    for row in &rows[..shown] {
        writeln!(
            out,
            "{:>11}  {} {DIM}(from {} to {}, thread {}){DIM:#}",
            time(row.duration_ns),
            plain(&row.target),
            time(row.began),
            time(row.returned),
            row.task
        )?;
        stack(&row.stack, out)?;
    }
    more(all - shown as u64, left_out, out)
}

pub(super) fn open(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let rows = open_rows(model, shown);
    if rows.is_empty() {
        return Ok(());
    }
    let when = match (model.ended, model.duration_at_least) {
        ("running", false) => "now",
        (_, false) => "at the end",
        (_, true) => "when the process was last seen alive",
    };
    let left_out = model.left_out.open;
    let all = rows.len() as u64 + left_out;
    writeln!(
        out,
        "\n{HEAD}{} {when}{HEAD:#}",
        plural(all, "open call", "open calls")
    )?;
    let shown = rows.len().min(MOST_OPEN);
    for row in &rows[..shown] {
        let arrow = arrow(row.direction);
        let indent = (row.depth as usize).min(20) * 2;
        writeln!(
            out,
            "{:>11}  {:indent$}{arrow} {} {DIM}(began at {}, thread {}){DIM:#}",
            time_of(row.duration_ns, row.duration_at_least),
            "",
            plain(&row.target),
            time(row.began),
            row.task
        )?;
        stack(&row.stack, out)?;
    }
    more(all - shown as u64, left_out, out)
}

/// Writes a stack, innermost frame first.
pub(super) fn stack(frames: &[String], out: &mut impl Write) -> io::Result<()> {
    for frame in frames.iter().take(MOST_FRAMES) {
        let frame = if frame == UNMANAGED {
            "[native code]"
        } else {
            frame
        };
        writeln!(out, "{:>13}{DIM}{}{DIM:#}", "", plain(frame))?;
    }
    if frames.len() > MOST_FRAMES {
        let more = frames.len() - MOST_FRAMES;
        writeln!(out, "{:>13}{DIM}... {more} more{DIM:#}", "")?;
    }
    Ok(())
}
