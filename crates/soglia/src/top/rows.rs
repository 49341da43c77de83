//! The rows of the lists, made of a look.

use std::{cmp::Ordering, collections::HashMap};

use soglia_core::plain::plain;

use super::look::Look;
use crate::{
    model::{Model, OpenRow, TargetRow, TaskRow},
    text,
};

/// What tells a target from others, from look to look.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    is_callback: bool,
    name: String,
    assembly: Option<String>,
    file: Option<String>,
}

impl Key {
    pub(super) fn of(row: &TargetRow) -> Self {
        Self {
            is_callback: row.direction == "reverse",
            name: row.name(),
            assembly: row.assembly.clone(),
            file: row.file.clone(),
        }
    }
}

/// A target as the list shows it.
#[derive(Clone, Debug)]
pub(super) struct TargetLine {
    pub(super) key: Key,
    /// As people write it.
    pub(super) name: String,
    pub(super) is_callback: bool,
    pub(super) is_internal: bool,
    /// Time in it, of one core's.
    pub(super) share: f64,
    /// Calls a second.
    pub(super) rate: f64,
    pub(super) calls: u64,
    pub(super) mean_ns: Option<u64>,
    pub(super) p50_ns: Option<u64>,
    pub(super) p99_ns: Option<u64>,
    pub(super) max_ns: Option<u64>,
    pub(super) open: u64,
    pub(super) open_ns: Option<u64>,
    /// Calls that failed or were denied, in the whole run.
    pub(super) failed: u64,
}

/// The name of a target as people write it. Names can hold control characters.
pub(super) fn name_of(name: &str) -> String {
    plain(&text::method(name)).to_string()
}

/// All targets that were called in the whole run. With `whole`, times and rates are those of the
/// whole run too.
pub(super) fn targets(look: &Look, whole: bool) -> Vec<TargetLine> {
    let recent = look.recent.targets.iter();
    let recent: HashMap<Key, &TargetRow> = recent.map(|row| (Key::of(row), row)).collect();
    let period = look.period_ns(whole) as f64;
    let line = |row: &TargetRow| {
        let key = Key::of(row);
        let shown = if whole {
            Some(row)
        } else {
            recent.get(&key).copied()
        };
        TargetLine {
            name: name_of(&key.name),
            is_callback: key.is_callback,
            is_internal: row.runtime_internal,
            share: shown.map_or(0.0, |row| row.busy_ns as f64 / period),
            rate: shown.map_or(0.0, |row| row.calls as f64 * 1e9 / period),
            calls: row.calls,
            mean_ns: shown.and_then(|row| row.mean_ns),
            p50_ns: shown.and_then(|row| row.p50_ns),
            p99_ns: shown.and_then(|row| row.p99_ns),
            max_ns: shown.and_then(|row| row.max_ns),
            open: row.open,
            open_ns: row.open_max_ns,
            failed: row.failed + row.refused,
            key,
        }
    };
    look.whole.targets.iter().map(line).collect()
}

/// What targets are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Share,
    Rate,
    P99,
    Max,
    Open,
    Calls,
    Name,
}

impl Sort {
    pub(super) const ALL: [Self; 7] = [
        Self::Share,
        Self::Rate,
        Self::P99,
        Self::Max,
        Self::Open,
        Self::Calls,
        Self::Name,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Share => "self time",
            Self::Rate => "rate",
            Self::P99 => "p99",
            Self::Max => "max",
            Self::Open => "open time",
            Self::Calls => "all calls",
            Self::Name => "name",
        }
    }

    /// So many further, around the end.
    pub(super) fn step(self, by: usize) -> Self {
        let at = Self::ALL.iter().position(|sort| *sort == self).unwrap_or(0);
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// Sorts targets. Equal ones are sorted by their calls, then by name.
pub(super) fn sort(lines: &mut [TargetLine], by: Sort, reversed: bool) {
    let downward = |a: &TargetLine, b: &TargetLine| match by {
        Sort::Share => b.share.total_cmp(&a.share),
        Sort::Rate => b.rate.total_cmp(&a.rate),
        Sort::P99 => b.p99_ns.cmp(&a.p99_ns),
        Sort::Max => b.max_ns.cmp(&a.max_ns),
        Sort::Open => b.open_ns.cmp(&a.open_ns),
        Sort::Calls => b.calls.cmp(&a.calls),
        Sort::Name => Ordering::Equal,
    };
    lines.sort_by(|a, b| {
        let order = downward(a, b);
        let order = if reversed { order.reverse() } else { order };
        let by_name = a.name.cmp(&b.name);
        match by {
            Sort::Name if reversed => by_name.reverse(),
            Sort::Name => by_name,
            _ => order.then(b.calls.cmp(&a.calls)).then(by_name),
        }
    });
}

/// A thread as the list shows it.
#[derive(Clone, Debug)]
pub(super) struct ThreadLine {
    pub(super) task: u32,
    /// Its kind, and its name if it has one.
    pub(super) what: String,
    pub(super) ended: bool,
    /// Time in native code, of the time that passed.
    pub(super) share: f64,
    /// Crossings a second.
    pub(super) rate: f64,
    pub(super) depth: usize,
    /// The innermost open call: whether it is a callback, its name and how long it is open.
    pub(super) inside: Option<(bool, String, u64)>,
}

/// All threads; those in a call first, then by their time in native code.
pub(super) fn threads(look: &Look, whole: bool) -> Vec<ThreadLine> {
    let recent = look.recent.tasks.iter();
    let recent: HashMap<u32, &TaskRow> = recent.map(|row| (row.task, row)).collect();
    let mut open: HashMap<u32, Vec<&OpenRow>> = HashMap::new();
    for row in &look.whole.open {
        open.entry(row.task).or_default().push(row);
    }
    let period = look.period_ns(whole) as f64;
    let line = |row: &TaskRow| {
        let shown = if whole {
            Some(row)
        } else {
            recent.get(&row.task).copied()
        };
        let open = open.get(&row.task).map_or(&[][..], Vec::as_slice);
        ThreadLine {
            task: row.task,
            what: thread(row),
            ended: row.ended,
            share: shown.map_or(0.0, |row| row.busy_ns as f64 / period),
            rate: shown.map_or(0.0, |row| row.crossings as f64 * 1e9 / period),
            depth: open.len(),
            inside: open.last().map(|row| {
                let is_callback = row.direction == "reverse";
                (is_callback, name_of(&row.target), row.duration_ns)
            }),
        }
    };
    let mut lines: Vec<ThreadLine> = look.whole.tasks.iter().map(line).collect();
    lines.sort_by(|a, b| {
        let rank = |line: &ThreadLine| (line.ended, line.inside.is_none());
        rank(a)
            .cmp(&rank(b))
            .then(b.share.total_cmp(&a.share))
            .then(a.task.cmp(&b.task))
    });
    lines
}

/// The kind of a thread, and its name.
pub(super) fn thread(row: &TaskRow) -> String {
    match &row.name {
        Some(name) => format!("{} \"{}\"", row.kind, plain(name)),
        None => row.kind.to_owned(),
    }
}

/// How the process is doing, in a few words.
pub(super) fn state(model: &Model) -> String {
    match (model.ended, model.exit_code, model.signal) {
        ("running", ..) => "running".into(),
        ("exit", Some(code), _) => format!("ended with exit code {code}"),
        ("exit", ..) => "ended".into(),
        (_, _, Some(signal)) => format!("ended by {}", text::signal_name(signal)),
        ("killed", ..) => "killed".into(),
        ("detached", ..) => "let go".into(),
        (other, ..) => other.into(),
    }
}
