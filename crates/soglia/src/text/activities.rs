//! The table of slow calls by route or activity.

use std::io::{self, Write};

use soglia_core::plain::plain;

use super::{
    frames::method,
    screen::{Line, width},
    shown::Shown,
    style::{DIM, HEAD},
    words::{count, more, time},
};
use crate::model::{ActivityRow, Model};

/// Targets of a row that are shown.
const MOST_TARGETS: usize = 2;

/// Writes a cell of a column.
type Cell = fn(&ActivityRow) -> String;

/// Writes the table.
pub(super) fn section(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let screen = shown.screen;
    if model.activities.is_empty() {
        writeln!(out)?;
        let said = match model.slow.iter().any(|row| row.args.is_some()) {
            true => "no slow call was made in an activity",
            false => "no slow call has its activity: docs/arguments.md says when it is recorded",
        };
        return screen.sentences(Line::default(), DIM, said, out);
    }
    let all = &model.activities;
    let most = match shown.top {
        0 => all.len(),
        top => top.min(all.len()),
    };
    let (listed, hidden) = all.split_at(most);
    let columns: [(&str, Cell); 4] = [
        ("slow calls", |row| count(row.calls)),
        ("time", |row| time(row.total_ns)),
        ("longest", |row| time(row.max_ns)),
        ("traces", |row| count(row.traces)),
    ];
    let widths = columns.map(|(name, cell)| {
        let cells = listed.iter().map(|row| width(&cell(row)));
        cells.max().unwrap_or(0).max(name.len()).max(7)
    });
    let mut head = Line::default();
    for ((name, _), width) in columns.iter().zip(widths) {
        head = head.right(width, name).text("  ");
    }
    writeln!(out)?;
    head.text("route or activity")
        .in_style(HEAD)
        .write(screen, out)?;
    for row in listed {
        let mut line = Line::default();
        for ((_, cell), width) in columns.iter().zip(widths) {
            line = line.right(width, &cell(row)).text("  ");
        }
        let indent = line.columns();
        let name = screen.name(&name(row), indent);
        line.text(&name).write(screen, out)?;
        let targets = row.targets.iter().take(MOST_TARGETS);
        let mut targets: Vec<String> = targets.map(|name| method(name)).collect();
        if row.targets.len() > MOST_TARGETS {
            targets.push("...".to_owned());
        }
        let mut said = format!("in {}", targets.join(", "));
        if let Some(trace) = &row.longest_trace_id {
            said = format!("{said}; the longest in trace {}", plain(trace));
        }
        screen.sentences(Line::indented(indent), DIM, &said, out)?;
    }
    more(hidden.len() as u64, 0, out)
}

fn name(row: &ActivityRow) -> String {
    match (&row.route, &row.activity) {
        (Some(name), _) | (None, Some(name)) => plain(name).to_string(),
        (None, None) => "[no activity]".to_owned(),
    }
}
