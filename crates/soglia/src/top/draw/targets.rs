//! The list of targets.

use ratatui::text::{Line, Span};

use super::{
    super::{rows::TargetLine, screen::Screen, style::Look},
    list::listed,
    words::{optional, padded, rate, share},
};
use crate::text;

/// From so many columns on, the list has more of them.
const WIDE: usize = 110;
/// With fewer columns, it has fewer, so that names stay readable.
const NARROW: usize = 70;

pub(super) fn list(
    screen: &mut Screen,
    look: Look,
    columns: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let wide = columns >= WIDE;
    let rows = screen.targets();
    let mut heading = format!("{:>8} {:>10} ", "self", "calls/s");
    if wide {
        heading += &format!("{:>13} {:>8} {:>8} ", "all calls", "mean", "p50");
    }
    heading += &format!("{:>8} ", "p99");
    if columns >= NARROW {
        heading += &format!("{:>8} {:>8} ", "max", "open for");
    }
    heading += " target";
    let mut lines = vec![Line::styled(padded(&heading, columns), look.head())];
    let line = |row: &TargetLine| line(row, look, columns, wide);
    lines.extend(listed(screen, &rows, height, line, look));
    if rows.is_empty() {
        let why = if screen.filter.is_empty() {
            "  no native call so far"
        } else {
            "  no target contains the filter (Esc clears it)"
        };
        lines.push(Line::styled(why, look.dim()));
    }
    lines
}

fn line(row: &TargetLine, look: Look, columns: usize, wide: bool) -> Line<'static> {
    let mut numbers = format!("{:>8} {:>10} ", share(row.share), rate(row.rate));
    if wide {
        numbers += &format!(
            "{:>13} {:>8} {:>8} ",
            text::count(row.calls),
            optional(row.mean_ns),
            optional(row.p50_ns)
        );
    }
    numbers += &format!("{:>8} ", optional(row.p99_ns));
    if columns >= NARROW {
        let open = match row.open_ns {
            Some(ns) => text::time(ns),
            None if row.open > 0 => text::count(row.open),
            None => "-".into(),
        };
        numbers += &format!("{:>8} {open:>8} ", optional(row.max_ns));
    }
    numbers.push(' ');
    let arrow = if row.is_callback { "<- " } else { "-> " };
    let marks = match (row.failed, row.open) {
        (0, 0..=1) => String::new(),
        (0, open) => format!("  {open} open"),
        (failed, _) => format!("  {} failed", text::count(failed)),
    };
    let used = numbers.chars().count() + arrow.len() + marks.len();
    let name = padded(&row.name, columns.saturating_sub(used));
    let marked = if row.failed > 0 {
        look.warn()
    } else {
        look.dim()
    };
    Line::from(vec![
        Span::raw(numbers),
        Span::styled(arrow, look.dim()),
        Span::raw(name),
        Span::styled(marks, marked),
    ])
}
