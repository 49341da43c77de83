//! What happened between two looks at a recording.

use std::collections::HashMap;

use serde::Serialize;
use soglia_core::{
    account::{MOST_TARGETS, Total},
    crossing::Side,
    fault::Fault,
    trace::{reader::Reader, replay, snapshot::TaskSnapshot},
};

use super::totals::TaskTotals;

/// The part of the run that a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Window {
    /// The time of the first look.
    pub from: u64,
    /// The time of the second look.
    pub until: u64,
    /// The time between the two.
    pub duration_ns: u64,
}

/// The counters of a recording at one moment. A [`Model`](super::Model) of a later moment can be
/// made without what they have counted. By default, those before the start.
#[derive(Default)]
pub struct Baseline {
    /// Nanoseconds from the start to that moment.
    at_ns: u64,
    /// The sums of all tasks. Targets are not merged into rows: more is known of them later.
    targets: HashMap<(u32, Side), Total>,
    tasks: HashMap<u32, TaskBase>,
    crossings: [u64; 4],
    faults: [u64; Fault::ALL.len()],
    /// Ticks of calls that were open, so far, without what is nested in them.
    busy: HashMap<(u32, Side), u64>,
}

/// What a task had done.
#[derive(Default)]
pub(super) struct TaskBase {
    crossings: [u64; 4],
    faults: [u64; Fault::ALL.len()],
    /// Ticks in native code.
    own: u64,
    /// Ticks of open native calls so far, without what is nested in them.
    busy: u64,
    /// How much was counted of each target.
    counted: HashMap<(u32, Side), u64>,
}

impl Baseline {
    /// The counters now.
    pub fn of(reader: &Reader) -> Self {
        let mut baseline = Self::at(reader.ending().ns);
        let now = ticks_at(reader, baseline.at_ns);
        for mut task in reader.each_task() {
            for (key, ticks) in busy(&task, now) {
                let sum = baseline.busy.entry(key).or_default();
                *sum = sum.saturating_add(ticks);
            }
            let in_native = busy_in_native(&task, now);
            let totals = TaskTotals::counted(&mut task);
            baseline.add(task.number, &totals, in_native);
        }
        baseline
    }

    /// The counters as they were at this time, in nanoseconds since the start, computed from the
    /// events.
    pub fn from_events(reader: &Reader, at_ns: u64) -> Self {
        let ticks = ticks_at(reader, at_ns);
        let mut baseline = Self::at(at_ns);
        for task in reader.each_task() {
            let totals = replay::totals_until(reader, task.number, ticks);
            baseline.add(task.number, &TaskTotals::of_events(&totals, &task), 0);
        }
        baseline
    }

    fn at(at_ns: u64) -> Self {
        Self {
            at_ns,
            ..Self::default()
        }
    }

    fn add(&mut self, number: u32, totals: &TaskTotals, busy: u64) {
        let mut base = TaskBase {
            crossings: totals.crossings,
            faults: totals.faults,
            own: totals.native_ticks().unwrap_or(0),
            busy,
            counted: HashMap::new(),
        };
        for (key, total) in &totals.targets {
            base.counted.insert(*key, counted(total));
            let known = self.targets.len() < MOST_TARGETS || self.targets.contains_key(key);
            let key = if known { *key } else { (0, key.1) };
            self.targets.entry(key).or_default().add(total);
        }
        add(&mut self.crossings, totals.crossings);
        add(&mut self.faults, totals.faults);
        self.tasks.insert(number, base);
    }

    /// The part of the run from this moment until then.
    pub(super) fn until(&self, until: u64) -> Window {
        Window {
            from: self.at_ns,
            until,
            duration_ns: until.saturating_sub(self.at_ns),
        }
    }

    /// Nanoseconds from the start to this moment.
    pub const fn at_ns(&self) -> u64 {
        self.at_ns
    }

    /// Ticks of a target's calls that were open at this moment, as a row has them.
    pub(super) fn busy(&self) -> impl Iterator<Item = ((u32, Side), u64)> {
        self.busy.iter().map(|(key, ticks)| (*key, *ticks))
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = (u32, Side, &Total)> {
        let all = self.targets.iter();
        all.map(|((target, side), total)| (*target, *side, total))
    }

    /// What this task had done, or nothing if it is newer.
    pub(super) fn task(&self, task: &TaskSnapshot) -> Option<&TaskBase> {
        self.tasks.get(&task.number)
    }
}

impl TaskBase {
    /// Takes what this task had done out of its crossings and faults.
    pub(super) fn take_from(&self, totals: &mut TaskTotals) {
        subtract(&mut totals.crossings, self.crossings);
        subtract(&mut totals.faults, self.faults);
    }

    /// Ticks in native code since.
    pub(super) const fn native_ticks(&self, now: u64) -> u64 {
        now.saturating_sub(self.own)
    }

    /// Ticks in native code since, with `open` ticks of open calls so far.
    pub(super) const fn busy_ticks(&self, now: u64, open: u64) -> u64 {
        let before = self.own.saturating_add(self.busy);
        now.saturating_add(open).saturating_sub(before)
    }

    /// Whether the task has called this target since, or is in a call of it.
    pub(super) fn has_called(&self, key: (u32, Side), now: &Total) -> bool {
        let before = self.counted.get(&key).copied().unwrap_or(0);
        now.open > 0 || counted(now) > before
    }
}

/// A number that goes up with everything that happens to a target.
const fn counted(total: &Total) -> u64 {
    total
        .calls()
        .saturating_add(total.ended + total.failed + total.abandoned + total.refused)
}

fn add<const N: usize>(sums: &mut [u64; N], more: [u64; N]) {
    for (sum, n) in sums.iter_mut().zip(more) {
        *sum = sum.saturating_add(n);
    }
}

fn subtract<const N: usize>(sums: &mut [u64; N], less: [u64; N]) {
    for (sum, n) in sums.iter_mut().zip(less) {
        *sum = sum.saturating_sub(n);
    }
}

/// The ticks at a time in nanoseconds since the start.
pub(super) fn ticks_at(reader: &Reader, ns: u64) -> u64 {
    let since = reader.scale().ticks(ns);
    reader.start_ticks().saturating_add(since)
}

/// The ticks that each open call of a task has taken until now, without what is nested in it.
pub(super) fn busy(task: &TaskSnapshot, now: u64) -> impl Iterator<Item = ((u32, Side), u64)> {
    let nested = task.open.iter().skip(1).map(Some).chain([None]);
    task.open.iter().zip(nested).map(move |(layer, nested)| {
        let nested = nested.map_or(0, |nested| now.saturating_sub(nested.since));
        let lasted = now.saturating_sub(layer.since);
        let own = lasted.saturating_sub(layer.inner).saturating_sub(nested);
        ((layer.slot, layer.side()), own)
    })
}

/// The ticks that the open native calls of a task have taken until now, without callbacks.
pub(super) fn busy_in_native(task: &TaskSnapshot, now: u64) -> u64 {
    busy(task, now)
        .filter(|((_, side), _)| *side == Side::Unmanaged)
        .fold(0, |sum, (_, ticks)| sum.saturating_add(ticks))
}
