//! A comparison for people.

use std::io::{self, Write};

use super::{
    outcome::{Diff, DiffTarget, Side},
    table,
};
use crate::text::{DIM, HEAD, WARN, arrow, count, plain, time};

/// Writes a comparison. Shows so many targets; 0 shows all that changed.
///
/// # Errors
/// If writing fails.
pub fn text(diff: &Diff, top: usize, out: &mut impl Write) -> io::Result<()> {
    side("A", &diff.a, out)?;
    side("B", &diff.b, out)?;
    writeln!(out)?;
    writeln!(
        out,
        "{HEAD}{:<16} {:>10} {:>10} {:>10}{HEAD:#}",
        "", "A", "B", "change"
    )?;
    for row in table::totals(diff) {
        writeln!(
            out,
            "{:<16} {:>10} {:>10} {:>10}",
            row.measure,
            table::value(row.is_time, Some(row.a)),
            table::value(row.is_time, Some(row.b)),
            table::percent(Some(row.a), Some(row.b), row.percent)
        )?;
    }
    let changed: Vec<&DiffTarget> = table::changed(diff).collect();
    let top = if top == 0 { changed.len() } else { top };
    for of in changed.iter().take(top) {
        target(of, out)?;
    }
    let more = changed.len().saturating_sub(top);
    if more > 0 {
        writeln!(out, "\n{} more (--top 0 shows all)", count(more as u64))?;
    }
    if let Some(rest) = table::unchanged(diff) {
        writeln!(out, "\n{DIM}{rest}{DIM:#}")?;
    }
    for remark in &diff.remarks {
        writeln!(out, "note: {}", plain(remark))?;
    }
    Ok(())
}

fn side(name: &str, side: &Side, out: &mut impl Write) -> io::Result<()> {
    let Side {
        file,
        program,
        runtime,
        ended,
        duration_ns,
        is_part,
    } = side;
    let program = program.rsplit('/').next().unwrap_or(program);
    let ran = match &ended[..] {
        _ if *is_part => "a part of its life of",
        "running" => "has run",
        "exit" => "ran",
        _ => "ran until it was ended",
    };
    writeln!(
        out,
        "{name}  {}: {}, {}, {ran} {}",
        plain(file),
        plain(program),
        plain(runtime),
        time(*duration_ns)
    )
}

fn target(target: &DiffTarget, out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "\n{WARN}{}{WARN:#}: {} {}",
        table::verdicts(target),
        arrow(&target.direction),
        plain(&target.target)
    )?;
    for change in table::shown(target) {
        let is_time = change.measure.is_time();
        let certainty = table::certainty(change);
        let line = format!(
            "{:<16} {:>10} {:>10} {:>10}  {certainty}",
            format!("  {}", change.measure.name()),
            table::value(is_time, change.a),
            table::value(is_time, change.b),
            table::percent(change.a, change.b, change.percent),
        );
        let line = line.trim_end();
        if certainty.is_empty() {
            writeln!(out, "{line}")?;
        } else {
            writeln!(out, "{DIM}{line}{DIM:#}")?;
        }
    }
    Ok(())
}
