//! The list of threads.

use ratatui::text::{Line, Span};

use super::{
    super::{rows::ThreadLine, screen::Screen, style::Look},
    list::listed,
    words::{padded, rate, share, width},
};
use crate::text;

/// Columns of a thread's kind and name.
const WHAT: usize = 16;

pub(super) fn list(
    screen: &mut Screen,
    look: Look,
    columns: usize,
    height: usize,
) -> Vec<Line<'static>> {
    let rows = screen.threads();
    let heading = format!(
        "{:>6} {:WHAT$} {:>8} {:>10}  {:>8}  in",
        "thread", "kind", "native", "cross./s", "for"
    );
    let mut lines = vec![Line::styled(padded(&heading, columns), look.head())];
    let line = |row: &ThreadLine| line(row, look, columns);
    lines.extend(listed(screen, &rows, height, line, look));
    if rows.is_empty() {
        lines.push(Line::styled("  no thread", look.dim()));
    }
    lines
}

fn line(row: &ThreadLine, look: Look, columns: usize) -> Line<'static> {
    let numbers = format!(
        "{:>6} {} {:>8} {:>10}  ",
        row.task,
        padded(&row.what, WHAT),
        share(row.share),
        rate(row.rate)
    );
    let room = columns.saturating_sub(width(&numbers));
    let (time, inside) = match &row.inside {
        Some((is_callback, name, ns)) => {
            let arrow = if *is_callback { "<-" } else { "->" };
            let nested = match row.depth {
                0 | 1 => String::new(),
                more => format!(" (+{} below)", more - 1),
            };
            (text::time(*ns), format!("{arrow} {name}{nested}"))
        }
        None if row.ended => ("-".into(), "ended".into()),
        None => ("-".into(), "managed code".into()),
    };
    let time = format!("{time:>8}  ");
    let inside = padded(&inside, room.saturating_sub(width(&time)));
    let style = match row.inside {
        Some(_) => ratatui::style::Style::new(),
        None => look.dim(),
    };
    Line::from(vec![
        Span::raw(numbers),
        Span::raw(time),
        Span::styled(inside, style),
    ])
}
