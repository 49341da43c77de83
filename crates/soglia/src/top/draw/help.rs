//! The page of keys and columns.

use ratatui::text::Line;

use super::super::style::Look;

const KEYS: &[(&str, &str)] = &[
    ("1 2 3, Tab", "targets, threads, findings"),
    ("↑ ↓ PgUp PgDn", "select a row, or scroll a page"),
    ("Enter, →", "the selected target or thread in full"),
    ("Esc, ←", "back to the list; in a list, clear the filter"),
    ("s S", "sort targets by the next or the previous column"),
    ("r", "reverse the order"),
    ("/", "list only what contains a text"),
    ("w", "numbers of the whole run, or since the last look"),
    ("a", "also list the runtime's own targets"),
    ("space", "pause, and go on"),
    ("+ -", "look more often, or less often"),
    ("q, Ctrl-C", "quit; Ctrl-Z stops and fg goes on"),
];

const COLUMNS: &[(&str, &str)] = &[
    (
        "self",
        "time in the target without nested calls, of one core's",
    ),
    ("calls/s", "calls that began, a second"),
    ("p99, max", "of the calls that returned"),
    (
        "open for",
        "how long the longest call is open that has not returned",
    ),
    (
        "native",
        "a thread's time in native code, of the time that passed",
    ),
];

pub(super) fn page(look: Look) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled("Keys", look.head())];
    let row = |(name, what): &(&str, &str)| Line::from(format!("  {name:<15} {what}"));
    lines.extend(KEYS.iter().map(row));
    lines.push(Line::default());
    lines.push(Line::styled("Columns", look.head()));
    lines.extend(COLUMNS.iter().map(row));
    lines.push(Line::default());
    lines.push(Line::from(
        "soglia top only reads: it never changes or delays the program.",
    ));
    lines
}
