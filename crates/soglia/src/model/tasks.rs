//! All tasks of a recording: their rows, their sums, and their open calls.

use std::collections::{HashMap, HashSet};

use soglia_core::{
    crossing::Side,
    fault::Fault,
    time::Scale,
    trace::{
        format::TaskKind,
        names::Names,
        reader::Reader,
        snapshot::{Returned, TaskSnapshot},
        writer::Level,
    },
};

use crate::advice::{Facts, Part};

use super::{
    clock::Clock,
    last,
    lists::TaskLayer,
    process::FIRST,
    room::Room,
    rows::{FaultRow, TaskRow},
    targets::{Sums, part},
    totals::TaskTotals,
    window::{Baseline, TaskBase, busy, busy_in_native, ticks_at},
};

/// The most open calls that become rows.
const MOST_OPEN: usize = 1 << 18;

/// The sums of all tasks, read one after the other: together they may take more memory than the
/// recording.
#[derive(Default)]
pub(super) struct AllTasks {
    pub(super) sums: Sums,
    /// Crossings by kind.
    pub(super) crossings: [u64; 4],
    /// By kind of fault: how often it happened, and on how many tasks.
    faults: [(u64, u64); Fault::ALL.len()],
    pub(super) dropped_events: u64,
    rows: Vec<TaskRow>,
    pub(super) rows_left_out: u64,
    /// For each row: what depends on the end of the process.
    times: Vec<Times>,
    /// For each row: the last calls that returned.
    last: Vec<Vec<Returned>>,
    pub(super) open: Vec<TaskLayer>,
    pub(super) open_left_out: u64,
    /// Task and begin of each open call.
    pub(super) open_calls: HashSet<(u32, u64)>,
    /// Calls and their own ticks on the finalizer's thread, by target.
    on_finalizer: HashMap<u32, (u64, u64)>,
    /// The same on threads of the pool.
    on_pool: HashMap<u32, (u64, u64)>,
    /// When the oldest open call of each target began.
    open_since: HashMap<(u32, Side), u64>,
}

impl AllTasks {
    /// Reads all tasks. With `replayed`, computes their sums from the events.
    /// Leaves out what was before the window, if one is given.
    pub(super) fn of(
        reader: &Reader,
        replayed: bool,
        names: &Names,
        window: Option<&Baseline>,
    ) -> Self {
        let mut all = Self {
            sums: Sums::new(names),
            ..Self::default()
        };
        let mut room = Room::new();
        let now = window.map(|_| ticks_at(reader, reader.ending().ns));
        for mut task in reader.each_task() {
            let mut totals = if replayed {
                TaskTotals::replayed(reader, &task)
            } else {
                TaskTotals::counted(&mut task)
            };
            let before = window.and_then(|window| window.task(&task));
            if let Some(before) = before {
                before.take_from(&mut totals);
            }
            let mut in_native = 0;
            if let Some(now) = now {
                in_native = busy_in_native(&task, now);
                for ((target, side), ticks) in busy(&task, now) {
                    all.sums.add_busy(target, side, ticks);
                }
            }
            all.add(reader, &task, (&totals, before, in_native), &mut room);
        }
        all.rows_left_out = room.left_out;
        all
    }

    fn add(
        &mut self,
        reader: &Reader,
        task: &TaskSnapshot,
        sums: (&TaskTotals, Option<&TaskBase>, u64),
        room: &mut Room,
    ) {
        let (totals, before, _) = sums;
        for (sum, n) in self.crossings.iter_mut().zip(totals.crossings) {
            *sum += n;
        }
        for ((sum, tasks), n) in self.faults.iter_mut().zip(totals.faults) {
            *sum += n;
            *tasks += u64::from(n > 0);
        }
        self.dropped_events = self.dropped_events.saturating_add(task.dropped);
        self.sums.add(totals, before);
        match task.kind {
            TaskKind::Finalizer => add_part(&self.sums, &mut self.on_finalizer, totals),
            TaskKind::Pool => add_part(&self.sums, &mut self.on_pool, totals),
            _ => {}
        }
        let rests = before.is_some() && task.open.is_empty() && totals.crossings == [0; 4];
        if !rests && room.takes([&*task.name]) {
            self.rows.push(row(task, sums, reader));
            self.times.push(Times::of(task));
            let from = task.last.len().saturating_sub(last::MOST);
            self.last.push(task.last[from..].to_vec());
        }
        for (depth, layer) in (0..).zip(&task.open) {
            let target = self.sums.row_of(layer.slot);
            let of_target = self.open_since.entry((target, layer.side()));
            let since = of_target.or_insert(layer.since);
            *since = layer.since.min(*since);
            if self.open.len() == MOST_OPEN {
                self.open_left_out += 1;
                continue;
            }
            self.open_calls.insert((task.number, layer.since));
            self.open.push(TaskLayer {
                task: task.number,
                depth,
                layer: *layer,
            });
        }
    }

    /// What findings need.
    pub(super) fn facts(&self, scale: Scale) -> Facts {
        let parts = |sums: &HashMap<u32, (u64, u64)>| {
            let part = |(target, (calls, own)): (&u32, &(u64, u64))| {
                let (calls, own_ns) = (*calls, scale.ns(*own));
                (*target, Part { calls, own_ns })
            };
            sums.iter().map(part).collect()
        };
        let called_back = self.open.iter().filter(|open| open.layer.inner > 0);
        Facts {
            on_finalizer: parts(&self.on_finalizer),
            on_pool: parts(&self.on_pool),
            called_back: called_back.map(|open| (open.task, open.depth)).collect(),
            rows: self.sums.shared_rows().clone(),
            processors: std::thread::available_parallelism().map_or(1, |n| n.get() as u64),
        }
    }

    /// How long the oldest open call of each target has lasted, in nanoseconds.
    pub(super) fn open_for(&self, clock: &Clock) -> HashMap<(u32, Side), u64> {
        let since = self.open_since.iter();
        since
            .map(|(target, since)| {
                let began = clock.since_start(*since);
                (*target, clock.until.saturating_sub(began))
            })
            .collect()
    }

    /// The rows of all tasks.
    pub(super) fn take_rows(&mut self, names: &Names, clock: &Clock) -> Vec<TaskRow> {
        let rows = std::mem::take(&mut self.rows).into_iter();
        let mut room = Room::new();
        rows.zip(&self.times)
            .zip(&self.last)
            .map(|((row, times), last)| TaskRow {
                last: last::rows(last, names, clock, &mut room),
                ..timed(row, times, clock)
            })
            .collect()
    }

    /// The rows of all faults that happened.
    pub(super) fn fault_rows(&self) -> Vec<FaultRow> {
        let rows = Fault::ALL
            .into_iter()
            .zip(self.faults)
            .filter(|(_, (count, _))| *count > 0);
        rows.map(|(fault, (count, tasks))| FaultRow {
            kind: fault.name(),
            count,
            tasks,
            meaning: fault.meaning(),
        })
        .collect()
    }
}

/// Adds the native calls of a task, and their own ticks.
fn add_part(sums: &Sums, parts: &mut HashMap<u32, (u64, u64)>, totals: &TaskTotals) {
    for ((target, side), total) in &totals.targets {
        if *side == Side::Unmanaged {
            let (calls, own) = parts.entry(sums.row_of(*target)).or_default();
            *calls = calls.saturating_add(total.calls());
            *own = own.saturating_add(total.own);
        }
    }
}

/// A task without the times that depend on the end of the process.
fn row(
    task: &TaskSnapshot,
    (totals, before, in_native): (&TaskTotals, Option<&TaskBase>, u64),
    reader: &Reader,
) -> TaskRow {
    // If calls are only counted, there are layers only where the runtime's callbacks are the
    // source.
    let [_, returned, _, left] = totals.crossings;
    let has_layers =
        reader.level() != Level::Counts || returned + left > 0 || !task.open.is_empty();
    let since = |ticks| before.map_or(ticks, |before| before.native_ticks(ticks));
    let native = totals.native_ticks();
    let returned = native.unwrap_or(0);
    let busy = match before {
        Some(before) => before.busy_ticks(returned, in_native),
        None => returned.saturating_add(in_native),
    };
    let native = native.map(since);
    TaskRow {
        process: FIRST,
        task: task.number,
        os_thread: task.os_thread,
        name: Some(task.name.clone()).filter(|name| !name.is_empty()),
        kind: task.kind.name(),
        crossings: totals.crossings.iter().sum(),
        max_depth: has_layers.then_some(task.max_depth),
        unmanaged_ns: native.map(|ticks| reader.scale().ns(ticks)),
        native_share: None,
        busy_ns: reader.scale().ns(busy),
        threads: task.threads,
        began: 0,
        ended: task.ended.is_some(),
        until: 0,
        until_at_least: false,
        last: Vec::new(),
    }
}

fn timed(row: TaskRow, times: &Times, clock: &Clock) -> TaskRow {
    let began = clock.since_start(times.first);
    let until = times
        .ended
        .map_or(clock.until, |ticks| clock.since_start(ticks));
    let lived = match times.is_main {
        true => until,
        false => until.saturating_sub(began),
    };
    let own = times.open_own(clock);
    let native = row.unmanaged_ns.unwrap_or(0).saturating_add(own);
    let (native, lived) = match clock.from {
        Some(from) => (row.busy_ns, until.saturating_sub(began.max(from))),
        None => (native, lived),
    };
    TaskRow {
        began,
        until,
        until_at_least: times.ended.is_none() && clock.at_least,
        native_share: row.max_depth.and_then(|_| part(native.min(lived), lived)),
        ..row
    }
}

/// The times of a task, in ticks.
struct Times {
    /// At the first crossing.
    first: u64,
    /// At the end of the thread.
    ended: Option<u64>,
    /// It runs Main, so it began with the runtime.
    is_main: bool,
    /// In native code, in calls that are open and have an open callback inside.
    open_own: u64,
    /// The innermost open call, if it is a call to native code: when it began, and the time in it
    /// that is not its own.
    innermost: Option<(u64, u64)>,
}

impl Times {
    fn of(task: &TaskSnapshot) -> Self {
        let mut open_own: u64 = 0;
        for two in task.open.windows(2) {
            let [outer, inner] = two else { continue };
            if outer.side() == Side::Unmanaged {
                let own = inner.since.saturating_sub(outer.since);
                open_own = open_own.saturating_add(own.saturating_sub(outer.inner));
            }
        }
        let innermost = task.open.last();
        let innermost = innermost.filter(|layer| layer.side() == Side::Unmanaged);
        Self {
            first: task.first,
            ended: task.ended,
            is_main: task.kind == TaskKind::Main,
            open_own,
            innermost: innermost.map(|layer| (layer.since, layer.inner)),
        }
    }

    /// Nanoseconds in native code in calls that are open.
    fn open_own(&self, clock: &Clock) -> u64 {
        let outer = clock.scale.ns(self.open_own);
        let innermost = self.innermost.map_or(0, |(since, inner)| {
            let lasted = clock.until.saturating_sub(clock.since_start(since));
            lasted.saturating_sub(clock.scale.ns(inner))
        });
        outer.saturating_add(innermost)
    }
}
