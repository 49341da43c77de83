//! One thread: the calls that it is in, and its slow calls.

use ratatui::text::Line;
use soglia_core::plain::plain;

use super::{
    super::{
        rows::{name_of, thread},
        screen::Screen,
        style::Look,
    },
    words::{fit, rate, share, wrapped},
};
use crate::text;

/// The most calls of each kind that are listed.
const MOST_CALLS: usize = 20;

pub(super) fn page(screen: &Screen, task: u32, look: Look, columns: usize) -> Vec<Line<'static>> {
    let whole = &screen.look.whole;
    let Some(row) = whole.tasks.iter().find(|row| row.task == task) else {
        return vec![Line::styled(
            "  this thread is not in the recording",
            look.dim(),
        )];
    };
    let mut recent = screen.look.recent.tasks.iter();
    let recent = recent.find(|row| row.task == task);
    let period = screen.look.period_ns(false) as f64;
    let heading = format!("Thread {task}: {}, tid {}", thread(row), row.os_thread);
    let ended = if row.ended { ", ended" } else { "" };
    let facts = [
        format!(
            "last {}: {} crossings/s, {} of the time in native code",
            text::time(screen.look.period_ns(false)),
            rate(recent.map_or(0.0, |row| row.crossings as f64 * 1e9 / period)),
            share(recent.map_or(0.0, |row| row.busy_ns as f64 / period)),
        ),
        format!(
            "whole run: {} crossings, {} in native code, nested up to {} deep{ended}",
            text::count(row.crossings),
            row.unmanaged_ns.map_or_else(|| "-".into(), text::time),
            row.max_depth.unwrap_or(0),
        ),
    ];
    let mut lines = vec![Line::styled(fit(&heading, columns), look.head())];
    for fact in facts {
        lines.extend(wrapped(&fact, 3, columns));
    }
    lines.push(Line::default());
    let open: Vec<_> = whole.open.iter().filter(|row| row.task == task).collect();
    if open.is_empty() {
        lines.push(Line::styled(
            "In managed code, in no native call",
            look.head(),
        ));
    } else {
        lines.push(Line::styled("Open calls, outermost first", look.head()));
    }
    for row in open.iter().take(MOST_CALLS) {
        let arrow = if row.direction == "reverse" {
            "<-"
        } else {
            "->"
        };
        let indent = (row.depth as usize).min(20) * 2;
        let line = format!(
            "  {:>8}  {:indent$}{arrow} {}",
            text::time(row.duration_ns),
            "",
            name_of(&row.target)
        );
        lines.push(Line::from(fit(&line, columns)));
    }
    if open.len() > MOST_CALLS {
        lines.push(Line::from(format!("  {} more", open.len() - MOST_CALLS)));
    }
    let slow: Vec<_> = whole.slow.iter().filter(|row| row.task == task).collect();
    if !slow.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("Slow calls, the latest first", look.head()));
    }
    for row in slow.iter().rev().take(MOST_CALLS) {
        let caller = text::frames(&row.stack).into_iter().next();
        let caller = caller.map_or_else(String::new, |frame| format!(", by {}", plain(&frame)));
        let line = format!(
            "  {:>8}  {}, returned at {}{caller}",
            text::time(row.duration_ns),
            name_of(&row.target),
            text::time(row.returned)
        );
        lines.push(Line::from(fit(&line, columns)));
    }
    lines
}
