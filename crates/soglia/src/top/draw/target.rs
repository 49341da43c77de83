//! One target: its numbers, its histogram, its callers, and its slow and open calls.

use std::collections::BTreeMap;

use ratatui::text::Line;
use soglia_core::plain::plain;

use super::{
    super::{
        rows::{Key, name_of},
        screen::Screen,
        style::Look,
    },
    words::{cut, fit, optional, plural, rate, share, width, wrapped},
};
use crate::{
    model::{Model, TargetRow},
    text,
};

/// The most calls and frames of each kind that are listed.
const MOST_CALLS: usize = 10;
const MOST_FRAMES: usize = 6;
const MOST_CALLERS: usize = 6;

pub(super) fn page(screen: &Screen, key: &Key, look: Look, columns: usize) -> Vec<Line<'static>> {
    let find = |model: &Model| {
        let mut rows = model.targets.iter();
        rows.find(|row| Key::of(row) == *key).cloned()
    };
    let whole = &screen.look.whole;
    let Some(row) = find(whole) else {
        return vec![Line::styled(
            "  this target is not in the recording",
            look.dim(),
        )];
    };
    let recent = find(&screen.look.recent);
    let name = row.name();
    let arrow = if row.direction == "reverse" {
        "<-"
    } else {
        "->"
    };
    let heading = fit(&format!("{arrow} {}", name_of(&name)), columns);
    let mut lines = vec![Line::styled(heading, look.head())];
    let mut fact = |text: String| lines.extend(wrapped(&text, 3, columns));
    declared(&row, &mut fact);
    numbers(screen, &row, recent.as_ref(), &mut fact);
    open(whole, &name, look, &mut lines);
    histogram(&row, look, columns, &mut lines);
    callers(&row, look, columns, &mut lines);
    slow(whole, &name, look, columns, &mut lines);
    lines
}

/// Where the target is declared, and where it lies.
fn declared(row: &TargetRow, fact: &mut impl FnMut(String)) {
    if let Some(method) = &row.method {
        let assembly = row.assembly.as_deref().unwrap_or("?");
        fact(format!("{} in {}", name_of(method), plain(assembly)));
    }
    if let Some(file) = &row.file {
        fact(plain(file).to_string());
    }
}

fn numbers(
    screen: &Screen,
    row: &TargetRow,
    recent: Option<&TargetRow>,
    fact: &mut impl FnMut(String),
) {
    let period = screen.look.period_ns(false) as f64;
    let per_second = |row: &TargetRow| row.calls as f64 * 1e9 / period;
    fact(format!(
        "last {}: {} calls/s, self {} of a core, p99 {}, max {}",
        text::time(screen.look.period_ns(false)),
        rate(recent.map_or(0.0, per_second)),
        share(recent.map_or(0.0, |row| row.busy_ns as f64 / period)),
        optional(recent.and_then(|row| row.p99_ns)),
        optional(recent.and_then(|row| row.max_ns)),
    ));
    let mark = row.mark();
    fact(format!(
        "whole run: {} on {}, total {mark}{}, self {mark}{}, first call {}",
        plural(row.calls, "call", "calls"),
        plural(row.tasks, "thread", "threads"),
        text::time(row.total_ns),
        text::time(row.self_ns),
        optional(row.first_call_ns),
    ));
    fact(format!(
        "min {}, mean {mark}{}, p50 {mark}{}, p90 {mark}{}, p99 {mark}{}, max {}",
        optional(row.min_ns),
        optional(row.mean_ns),
        optional(row.p50_ns),
        optional(row.p90_ns),
        optional(row.p99_ns),
        optional(row.max_ns),
    ));
    let others = [
        (row.open, "open"),
        (row.failed, "failed"),
        (row.refused, "denied"),
        (row.abandoned, "abandoned"),
    ];
    let others: Vec<String> = others
        .iter()
        .filter(|(calls, _)| *calls > 0)
        .map(|(calls, what)| format!("{} {what}", text::count(*calls)))
        .collect();
    if !others.is_empty() {
        fact(others.join(", "));
    }
}

/// A bar for each power of two of nanoseconds.
fn histogram(row: &TargetRow, look: Look, columns: usize, lines: &mut Vec<Line<'static>>) {
    let mut bars: BTreeMap<u32, u64> = BTreeMap::new();
    for bucket in &row.histogram {
        let calls = bars.entry(bucket.from_ns.max(1).ilog2()).or_default();
        *calls = calls.saturating_add(bucket.calls);
    }
    let most = bars.values().copied().max().unwrap_or(1).max(1);
    if bars.is_empty() {
        return;
    }
    lines.push(Line::default());
    lines.push(Line::styled("Calls by duration", look.head()));
    let mut last = None;
    for (power, calls) in bars {
        if last.is_some_and(|last| power > last + 1) {
            lines.push(Line::styled("       ...", look.dim()));
        }
        last = Some(power);
        let from = text::time(1 << power);
        let count = text::count(calls);
        let room = columns.saturating_sub(30).min(60);
        let eighths = (calls as f64 / most as f64 * (room * 8) as f64).ceil() as usize;
        lines.push(Line::from(format!(
            "  {from:>8} {count:>15} {}",
            bar(eighths)
        )));
    }
}

/// A bar of so many eighths of a column.
fn bar(eighths: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

fn callers(row: &TargetRow, look: Look, columns: usize, lines: &mut Vec<Line<'static>>) {
    let several = row.callers.len() > 1;
    if row.first_caller.is_empty() && !several {
        return;
    }
    lines.push(Line::default());
    if several {
        lines.push(Line::styled(
            "Called by, of the calls with stacks",
            look.head(),
        ));
        for caller in row.callers.iter().take(MOST_CALLERS) {
            let frames = text::frames(&caller.stack).into_iter().take(MOST_FRAMES);
            let frames: Vec<String> = frames.map(|frame| plain(&frame).to_string()).collect();
            let line = format!("  {:>8}  {}", text::count(caller.calls), frames.join(" < "));
            lines.push(Line::from(cut(&line, columns)));
        }
        return;
    }
    lines.push(Line::styled("First called by", look.head()));
    for frame in text::frames(&row.first_caller).iter().take(MOST_FRAMES) {
        let frame = fit(&plain(frame).to_string(), columns.saturating_sub(2));
        lines.push(Line::from(format!("  {frame}")));
    }
}

/// The open calls of a target, the longest first.
fn open(model: &Model, name: &str, look: Look, lines: &mut Vec<Line<'static>>) {
    let mut open: Vec<_> = model.open.iter().filter(|row| row.target == name).collect();
    open.sort_by_key(|row| std::cmp::Reverse(row.duration_ns));
    if !open.is_empty() {
        lines.push(Line::default());
        lines.push(Line::styled("Open now", look.head()));
    }
    for row in open.iter().take(MOST_CALLS) {
        lines.push(Line::from(format!(
            "  {:>8}  thread {}",
            text::time(row.duration_ns),
            row.task
        )));
    }
}

/// The latest slow calls of a target.
fn slow(model: &Model, name: &str, look: Look, columns: usize, lines: &mut Vec<Line<'static>>) {
    let slow: Vec<_> = model.slow.iter().filter(|row| row.target == name).collect();
    if !slow.is_empty() {
        let most = text::time(model.slow_threshold_ns);
        lines.push(Line::default());
        lines.push(Line::styled(
            format!(
                "{} of {most} or more, the latest first",
                plural(slow.len() as u64, "slow call", "slow calls")
            ),
            look.head(),
        ));
    }
    for row in slow.iter().rev().take(MOST_CALLS) {
        let caller = text::frames(&row.stack).into_iter().next();
        let begin = format!(
            "  {:>8}  returned at {}, thread {}",
            text::time(row.duration_ns),
            text::time(row.returned),
            row.task
        );
        let caller = caller.map_or_else(String::new, |frame| format!(", {}", plain(&frame)));
        let room = columns.saturating_sub(width(&begin));
        lines.push(Line::from(format!("{begin}{}", fit(&caller, room))));
    }
}
