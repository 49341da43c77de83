//! The rows of targets: their names, and the sums of their calls.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use soglia_core::{
    account::{MOST_TARGETS, Total},
    crossing::Side,
    histogram::midpoint,
    time::Scale,
    trace::{log::TargetNames, names::Names, reader::Reader},
};

use super::{
    callers::Kept,
    clock::Clock,
    histogram,
    process::FIRST,
    room::Room,
    rows::{ShareRow, TargetInfo, TargetRow, name_of},
    symbols,
    totals::TaskTotals,
    window::{Baseline, TaskBase},
};

/// The name that stands for all targets for which the recording had no room.
pub(super) const NO_ROOM: &str = "[no room in the recording]";

/// The sums of all tasks, by target.
#[derive(Default)]
pub(super) struct Sums {
    targets: HashMap<(u32, Side), (Total, u64)>,
    /// For each target that shares a row with an earlier one: the first of them.
    rows: HashMap<u32, u32>,
    /// In a window: how many calls of each target began before it and in it.
    window: HashMap<(u32, Side), (u64, u64)>,
    /// Ticks of open calls so far, without what is nested in them: now, and before the window.
    busy: HashMap<(u32, Side), (u64, u64)>,
}

impl Sums {
    /// Sums of no task yet.
    pub(super) fn new(names: &Names) -> Self {
        Self {
            rows: rows(names),
            ..Self::default()
        }
    }

    /// Adds the sums of a task, of which `before` says what lies before the window.
    pub(super) fn add(&mut self, totals: &TaskTotals, before: Option<&TaskBase>) {
        let mut called = HashSet::new();
        for ((target, side), total) in &totals.targets {
            if total.calls() + total.refused == 0 {
                continue;
            }
            let key = (self.row_of(*target), *side);
            let known = self.targets.len() < MOST_TARGETS || self.targets.contains_key(&key);
            let key = if known { key } else { (0, key.1) };
            let (sum, tasks) = self.targets.entry(key).or_default();
            sum.add(total);
            let in_window = before.is_none_or(|before| before.has_called((*target, *side), total));
            *tasks += u64::from(in_window && called.insert(key));
        }
    }

    /// Leaves what was counted since this moment, and what is open now.
    pub(super) fn only_since(&mut self, window: &Baseline) {
        let mut earlier: HashMap<(u32, Side), Total> = HashMap::new();
        for (target, side, total) in window.targets() {
            let key = (self.row_of(target), side);
            earlier.entry(key).or_default().add(total);
        }
        for ((target, side), ticks) in window.busy() {
            let key = (self.row_of(target), side);
            let (_, before) = self.busy.entry(key).or_default();
            *before = before.saturating_add(ticks);
        }
        for (key, (total, _)) in &mut self.targets {
            let before = earlier.get(key).map_or(0, Total::calls);
            self.window
                .insert(*key, (before, total.calls().saturating_sub(before)));
            if let Some(earlier) = earlier.get(key) {
                *total = total.since(earlier);
            }
        }
        let idle = |total: &Total, calls: u64| calls + total.calls() + total.refused == 0;
        let calls = &self.window;
        self.targets
            .retain(|key, (total, _)| !idle(total, calls.get(key).map_or(0, |(_, in_it)| *in_it)));
    }

    /// Adds the time that calls of a target have taken and that are open.
    pub(super) fn add_busy(&mut self, target: u32, side: Side, ticks: u64) {
        let key = (self.row_of(target), side);
        let (busy, _) = self.busy.entry(key).or_default();
        *busy = busy.saturating_add(ticks);
    }

    /// The first target of the row that this target is in.
    pub(super) fn row_of(&self, target: u32) -> u32 {
        self.rows.get(&target).copied().unwrap_or(target)
    }

    /// For each target that shares a row with an earlier one: the first of them.
    pub(super) const fn shared_rows(&self) -> &HashMap<u32, u32> {
        &self.rows
    }

    /// Whether all targets that were called have names.
    pub(super) fn are_named(&self, names: &Names) -> bool {
        let mut called = self.targets.keys();
        called.all(|(target, _)| *target == 0 || names.targets.contains_key(target))
    }

    /// The number of calls of a target.
    pub(super) fn calls(&self, target: u32, side: Side) -> u64 {
        let sum = self.targets.get(&(self.row_of(target), side));
        sum.map_or(0, |(total, _)| total.calls())
    }

    /// One row per target, longest total first. `open` says how long the oldest open call of each
    /// target has lasted, and whether that is a lower bound.
    pub(super) fn rows(
        self,
        names: &Names,
        clock: &Clock,
        (open, at_least): (&HashMap<(u32, Side), u64>, bool),
        room: &mut Room,
    ) -> Vec<TargetRow> {
        let scale = clock.scale;
        let kept = Kept::of(names, |target| self.row_of(target));
        let mut of_callers = Room::new();
        let mut sums: Vec<_> = self.targets.into_iter().collect();
        // Of equal times the lower number comes first, so that two reports of one recording are
        // equal.
        sums.sort_by_key(|(key, (total, _))| (Reverse(scale.ns(total.total)), *key));
        // The first target of each row that has returned.
        let mut first_returns: HashMap<u32, (u32, u64)> = HashMap::new();
        for (target, took) in &names.first_returns {
            let row = self.rows.get(target).unwrap_or(target);
            let first = first_returns.entry(*row).or_insert((*target, *took));
            *first = (*first).min((*target, *took));
        }
        let mut rows = Vec::new();
        for ((target, side), (total, tasks)) in sums {
            let histogram = histogram::buckets(&total, scale);
            if !room.takes_with(texts(names, target), histogram::room(&histogram)) {
                continue;
            }
            let open = open
                .get(&(target, side))
                .filter(|_| total.open > 0)
                .copied();
            let row = measured(target_row(names, target, side), &total, clock.scale);
            let (before, calls) = match self.window.get(&(target, side)) {
                Some((before, in_it)) => (*before, *in_it),
                None => (0, row.calls),
            };
            let first = first_returns.get(&target).filter(|_| before == 0);
            let (now, earlier) = self.busy.get(&(target, side)).copied().unwrap_or((0, 0));
            let busy = total.own.saturating_add(now).saturating_sub(earlier);
            rows.push(TargetRow {
                calls,
                tasks,
                processes: vec![ShareRow {
                    process: FIRST,
                    calls,
                    total_ns: row.total_ns,
                    self_ns: row.self_ns,
                }],
                first_call_ns: first.map(|(_, took)| scale.ns(*took)),
                open_max_ns: open,
                open_at_least: open.is_some() && at_least,
                callers: kept.rows(names, target, &mut of_callers),
                share_of_run: share(&total, clock),
                busy_ns: scale.ns(busy),
                histogram,
                ..row
            });
        }
        rows
    }
}

/// Which targets share a row: those with the same names in the same file and, if they have no name,
/// at the same place in it. An assembly that is loaded several times has new targets each time.
///
/// Returns the first target of the row for each target that is not the first.
fn rows(names: &Names) -> HashMap<u32, u32> {
    let mut first = HashMap::new();
    let mut rows = HashMap::new();
    for (number, target) in &names.targets {
        let TargetNames {
            target: _,
            side,
            runtime_internal,
            suppressed,
            method,
            assembly,
            library,
            entry,
            redirected_to,
        } = target;
        let place = names.places.get(number);
        let offset = place.filter(|_| entry.is_none());
        // Code that lies in no file has only its address to distinguish it.
        let address = place.filter(|place| place.file.is_none());
        let key = (
            (side, runtime_internal, suppressed),
            (method, assembly, library, entry, redirected_to),
            place.map(|place| (&place.file, &place.symbol)),
            offset.and_then(|place| place.offset),
            address.map(|place| place.address),
        );
        let first = *first.entry(key).or_insert(*number);
        if first != *number {
            rows.insert(*number, first);
        }
    }
    rows
}

/// The texts of a row, for the room that it takes.
fn texts(names: &Names, target: u32) -> impl Iterator<Item = &str> {
    let of = names.targets.get(&target);
    let own = of.into_iter().flat_map(|of| {
        let all = [
            &of.method,
            &of.assembly,
            &of.library,
            &of.entry,
            &of.redirected_to,
        ];
        all.into_iter().flatten()
    });
    let place = names.places.get(&target);
    let place = place
        .into_iter()
        .flat_map(|place| place.file.iter().chain(&place.symbol));
    let stack = names.first_calls.get(&target).copied().unwrap_or(0);
    own.chain(place)
        .map(String::as_str)
        .chain(names.stack(stack))
}

pub(super) fn is_internal(names: &Names, target: u32) -> bool {
    names
        .targets
        .get(&target)
        .is_some_and(|names| names.runtime_internal)
}

pub(super) fn target_row(names: &Names, target: u32, side: Side) -> TargetRow {
    if target == 0 {
        return TargetRow {
            direction: side.direction(),
            method: Some(NO_ROOM.to_owned()),
            ..TargetRow::default()
        };
    }
    let TargetNames {
        method,
        assembly,
        library,
        entry,
        redirected_to,
        runtime_internal,
        suppressed,
        ..
    } = names.targets.get(&target).cloned().unwrap_or_default();
    let place = names.places.get(&target);
    let signature = names.signatures.get(&target);
    let first = names
        .first_calls
        .get(&target)
        .map_or_else(Vec::new, |stack| callers(names, *stack));
    TargetRow {
        number: target,
        direction: side.direction(),
        method,
        assembly,
        library,
        entry,
        redirected_to,
        address: place.map(|place| format!("{:#x}", place.address)),
        file: place.and_then(|place| place.file.clone()),
        offset: offset(names, target),
        symbol: place.and_then(|place| place.symbol.clone()),
        runtime_internal,
        first_caller: first,
        suppresses_gc_transition: suppressed,
        signature: signature.map(|of| of.text.clone()),
        sets_last_error: signature.is_some_and(|of| of.sets_last_error),
        ..TargetRow::default()
    }
}

/// The address of a target, as its file has it.
fn offset(names: &Names, target: u32) -> Option<String> {
    let offset = names.places.get(&target)?.offset?;
    Some(format!("{offset:#x}"))
}

/// The frames of a stack, innermost first.
pub(super) fn callers(names: &Names, stack: u32) -> Vec<String> {
    let frames = names.stack(stack).into_iter();
    frames.map(str::to_owned).collect()
}

/// The same as [`TargetRow::name`], without making the row.
pub(crate) fn target_name(names: &Names, target: u32) -> String {
    if target == 0 {
        return NO_ROOM.to_owned();
    }
    let of = names.targets.get(&target);
    name_of(
        of.and_then(|of| of.library.as_deref()),
        of.and_then(|of| of.entry.as_deref()),
        of.and_then(|of| of.method.as_deref()),
        offset(names, target).as_deref(),
    )
}

fn measured(row: TargetRow, total: &Total, scale: Scale) -> TargetRow {
    let returned = total.ended > 0;
    let percentile = percentiles(total, scale);
    TargetRow {
        calls: total.calls(),
        returned: total.ended,
        untimed: total.untimed,
        open: total.open,
        abandoned: total.abandoned,
        failed: total.failed,
        refused: total.refused,
        total_ns: scale.ns(total.total),
        self_ns: scale.ns(total.own),
        timed_calls: total.timed,
        total_ns_se: error(total, total.total_variance, scale),
        self_ns_se: error(total, total.own_variance, scale),
        min_ns: returned.then(|| scale.ns(total.min)),
        mean_ns: returned.then(|| scale.ns(total.total) / total.ended),
        p50_ns: percentile.map(|p| p[0]),
        p90_ns: percentile.map(|p| p[1]),
        p99_ns: percentile.map(|p| p[2]),
        max_ns: returned.then(|| scale.ns(total.max)),
        ..row
    }
}

/// The standard error of an estimate in nanoseconds. `None`: all calls were timed.
fn error(total: &Total, variance: f64, scale: Scale) -> Option<u64> {
    let estimated = total.timed < total.ended || variance > 0.0;
    estimated.then(|| scale.ns(variance.sqrt().ceil() as u64))
}

/// The part of the run that a target's own time is. `None` if no call was timed.
fn share(total: &Total, clock: &Clock) -> Option<f64> {
    let own = (total.ended > 0).then(|| clock.scale.ns(total.own))?;
    part(own, clock.duration())
}

/// A part of a whole, to six decimals.
pub(super) fn part(of: u64, whole: u64) -> Option<f64> {
    let part = (whole > 0).then(|| of as f64 / whole as f64)?;
    Some((part * 1e6).round() / 1e6)
}

/// The 50th, 90th and 99th percentile. The buckets of the recording make them exact to about 6 %.
fn percentiles(total: &Total, scale: Scale) -> Option<[u64; 3]> {
    let spread = total.histogram.iter().enumerate();
    let spread = spread.filter(|(_, calls)| **calls > 0);
    let spread = spread.map(|(bucket, calls)| (scale.ns(midpoint(bucket)), *calls));
    histogram::percentiles(spread, (scale.ns(total.min), scale.ns(total.max)))
}

/// The names of all targets of a recording.
pub fn target_infos(reader: &Reader) -> BTreeMap<u32, TargetInfo> {
    let names = symbols::names(reader);
    let info = |target: &u32| {
        let named = names.targets.get(target).cloned().unwrap_or_default();
        let place = names.places.get(target);
        let info = TargetInfo {
            name: target_name(&names, *target),
            method: match target {
                0 => Some(NO_ROOM.to_owned()),
                _ => named.method,
            },
            assembly: named.assembly,
            library: named.library,
            entry: named.entry,
            address: place.map(|place| format!("{:#x}", place.address)),
            runtime_internal: named.runtime_internal,
        };
        (*target, info)
    };
    names.targets.keys().chain([&0]).map(info).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use soglia_core::histogram::{bucket, lower_bound};

    #[test]
    fn percentiles_are_those_of_the_buckets() {
        let mut total = Total::default();
        assert_eq!(percentiles(&total, Scale::IDENTITY), None);
        let mut add = |ticks: u64, times: u64| {
            total.histogram[bucket(ticks)] += times;
            total.min = total.min.min(ticks);
            total.max = total.max.max(ticks);
        };
        add(100, 50);
        add(1000, 40);
        add(10_000, 9);
        add(1_000_000, 1);
        let found = percentiles(&total, Scale::IDENTITY).unwrap();
        for (found, exact) in found.into_iter().zip([100, 1000, 10_000]) {
            let of = bucket(exact);
            assert!(
                (lower_bound(of)..lower_bound(of + 1)).contains(&found),
                "{found}"
            );
        }
        // Every percentile lies between the shortest and the longest call.
        let mut one = Total::default();
        one.histogram[bucket(1001)] = 1;
        (one.min, one.max) = (1001, 1001);
        assert_eq!(percentiles(&one, Scale::IDENTITY), Some([1001; 3]));
    }
}
