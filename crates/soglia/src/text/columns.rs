//! The columns of the table of targets, as many as the screen has room for.

use std::io::{self, Write};

use anstyle::Style;

use super::{
    screen::{Line, Screen, fit, width},
    shown::{Shown, Sort},
    style::{DIM, HEAD},
    words::{count, time},
};
use crate::model::TargetRow;

/// A column of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Calls,
    Total,
    Own,
    Mean,
    Median,
    P99,
    Max,
}

impl Column {
    const ALL: [Self; 7] = [
        Self::Calls,
        Self::Total,
        Self::Own,
        Self::Mean,
        Self::Median,
        Self::P99,
        Self::Max,
    ];

    /// Those that a narrow terminal has no room for, the first one first.
    const SPARE: [Self; 5] = [Self::Mean, Self::Own, Self::P99, Self::Median, Self::Total];

    const fn title(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Total => "total",
            Self::Own => "self",
            Self::Mean => "mean",
            Self::Median => "p50",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }

    fn cell(self, row: &TargetRow) -> String {
        let ns = match self {
            Self::Calls => return count(row.calls),
            Self::Total => row.mean_ns.map(|_| row.total_ns),
            Self::Own => row.mean_ns.map(|_| row.self_ns),
            Self::Mean => row.mean_ns,
            Self::Median => row.p50_ns,
            Self::P99 => row.p99_ns,
            Self::Max => row.max_ns,
        };
        let mark = if self == Self::Max { "" } else { row.mark() };
        ns.map_or_else(|| "-".into(), |ns| format!("{mark}{}", time(ns)))
    }

    /// Whether the table is sorted by it.
    fn sorts(self, sort: Sort) -> bool {
        matches!(
            (self, sort),
            (Self::Total, Sort::Total)
                | (Self::Own, Sort::Own)
                | (Self::Mean, Sort::Mean)
                | (Self::Max, Sort::Max)
                | (Self::Calls, Sort::Calls)
        )
    }
}

/// A target, and the texts of its line.
pub(super) struct Row<'a> {
    pub(super) of: &'a TargetRow,
    /// The longest call was the first.
    pub(super) is_first: bool,
    pub(super) name: String,
    pub(super) caller: String,
    pub(super) notes: Vec<(Style, String)>,
}

/// The least columns for a name, and for a caller beside it.
const LEAST_NAME: usize = 26;
const LEAST_CALLER: usize = 14;
/// Columns that most names and most callers need.
const USUAL_NAME: usize = 36;
const USUAL_CALLER: usize = 26;
/// A longer name moves the caller of its line to the right, where nothing limits the width.
const MOST_PADDED: usize = 60;

/// The table.
pub(super) struct Table<'a> {
    columns: Vec<(Column, usize)>,
    rows: Vec<Row<'a>>,
    screen: Screen,
    /// Columns for names.
    names: usize,
    /// Columns for callers. `None`: they have lines of their own.
    callers: Option<usize>,
}

impl<'a> Table<'a> {
    /// Chooses the columns.
    pub(super) fn of(rows: Vec<Row<'a>>, timed: bool, shown: Shown) -> Self {
        let screen = shown.screen;
        let widest = |of: &dyn Fn(&Row) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let names = widest(&|row| width(&row.name));
        let callers = widest(&|row| width(&row.caller));
        let wanted = Column::ALL.into_iter();
        let mut columns: Vec<(Column, usize)> = wanted
            .filter(|column| timed || *column == Column::Calls)
            .map(|column| {
                (
                    column,
                    widest(&|row| width(&column.cell(row.of))).max(LEAST),
                )
            })
            .collect();
        let (least_name, least_caller) = (names.min(LEAST_NAME), callers.min(LEAST_CALLER));
        let fits = |columns: &[(Column, usize)], flexible: usize| {
            screen.has(before_names(columns) + flexible)
        };
        let is_spare = |column: Column| !column.sorts(shown.sort);
        // Some columns say less than the caller does, some more.
        let (usual_name, usual_caller) = (names.min(USUAL_NAME), callers.min(USUAL_CALLER));
        for (n, spare) in Column::SPARE.into_iter().take(3).enumerate() {
            let wanted = match n {
                0 | 1 => usual_name + 2 + usual_caller,
                _ => least_name + 2 + least_caller,
            };
            if is_spare(spare) && !fits(&columns, wanted) {
                columns.retain(|(column, _)| *column != spare);
            }
        }
        let beside = callers > 0 && fits(&columns, least_name + 2 + least_caller);
        for spare in Column::SPARE.into_iter().filter(|c| is_spare(*c)) {
            if !fits(&columns, least_name) {
                columns.retain(|(column, _)| *column != spare);
            }
        }
        let left = screen.columns().saturating_sub(before_names(&columns));
        let callers = beside.then(|| {
            let beside_names = left.saturating_sub(names + 2);
            // A very long name leaves room for callers.
            let fair = match names > USUAL_NAME {
                true => left.saturating_sub(USUAL_NAME + 2).min(USUAL_CALLER),
                false => least_caller,
            };
            beside_names.max(fair).max(least_caller).min(callers)
        });
        let names = names.min(left.saturating_sub(callers.map_or(0, |callers| callers + 2)));
        Self {
            columns,
            rows,
            screen,
            names,
            callers,
        }
    }

    /// Columns of the numbers of calls.
    pub(super) fn first_column(&self) -> usize {
        self.columns.first().map_or(0, |(_, width)| *width)
    }

    /// Writes the table.
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut head = Line::default();
        for (column, width) in &self.columns {
            head = head.right(*width, column.title()).text("  ");
        }
        let mut head = head.text("target");
        if self.callers.is_some() {
            head = head.up_to(self.callers_at()).text("called by");
        }
        head.in_style(HEAD).write(self.screen, out)?;
        for row in &self.rows {
            self.line(row, out)?;
        }
        Ok(())
    }

    fn callers_at(&self) -> usize {
        before_names(&self.columns) + self.names.min(MOST_PADDED) + 2
    }

    fn line(&self, row: &Row, out: &mut impl Write) -> io::Result<()> {
        let mut line = Line::default();
        for (column, width) in &self.columns {
            line = line.right(*width, &column.cell(row.of));
            let is_longest = *column == Column::Max && row.is_first;
            line = line.text(if is_longest { "* " } else { "  " });
        }
        line = line.text(&fit(&row.name, self.names));
        let mut more = Vec::new();
        match self.callers {
            _ if row.caller.is_empty() => {}
            Some(columns) => {
                line = line.up_to(self.callers_at());
                line = line.styled(DIM, &fit(&row.caller, columns));
            }
            None => more.push((DIM, format!("by {}", row.caller))),
        }
        more.extend(row.notes.iter().cloned());
        self.notes(line, more, out)
    }

    /// Writes a line and what is noted: behind it, or below it if there is no room.
    fn notes(
        &self,
        mut line: Line,
        notes: Vec<(Style, String)>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let indent = before_names(&self.columns) + 3;
        let mut is_first = true;
        for (style, note) in notes {
            let gap = if is_first { "  " } else { ", " };
            if self.screen.has(line.columns() + 2 + width(&note)) {
                line = line.text(gap);
            } else {
                line.write(self.screen, out)?;
                line = Line::indented(indent);
            }
            is_first = false;
            let room = self.screen.columns().saturating_sub(line.columns());
            line = line.styled(style, &fit(&note, room));
        }
        line.write(self.screen, out)
    }
}

/// The least columns of a number.
const LEAST: usize = 7;

/// Where names begin.
fn before_names(columns: &[(Column, usize)]) -> usize {
    columns.iter().map(|(_, width)| width + 2).sum()
}
