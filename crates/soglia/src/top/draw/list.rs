//! Lists with a selected row.

use ratatui::text::Line;

use super::super::{screen::Screen, style::Look};

/// The part of a list that is shown, so that the selected row is in it, below its heading.
pub(super) fn listed<T>(
    screen: &mut Screen,
    rows: &[T],
    height: usize,
    line: impl Fn(&T) -> Line<'static>,
    look: Look,
) -> Vec<Line<'static>> {
    screen.fits = height.saturating_sub(1);
    let selected = screen.selected(rows.len());
    let first = (selected + 1).saturating_sub(screen.fits);
    let shown = rows.iter().enumerate().skip(first).take(screen.fits);
    shown
        .map(|(n, row)| {
            let line = line(row);
            if n == selected {
                line.style(look.selected())
            } else {
                line
            }
        })
        .collect()
}
