//! All tasks of a recording: their rows, their sums, and their open calls.

use std::collections::{HashMap, HashSet};

use soglia_core::{
    crossing::Side,
    fault::Fault,
    trace::{names::Names, reader::Reader, snapshot::TaskSnapshot, writer::Level},
};

use super::{
    clock::Clock,
    lists::TaskLayer,
    room::Room,
    rows::{FaultRow, TaskRow},
    targets::Sums,
    totals::TaskTotals,
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
    /// For each row: ticks of the first crossing, and of the end of the thread.
    times: Vec<(u64, Option<u64>)>,
    pub(super) open: Vec<TaskLayer>,
    pub(super) open_left_out: u64,
    /// Task and begin of each open call.
    pub(super) open_calls: HashSet<(u32, u64)>,
    /// When the oldest open call of each target began.
    open_since: HashMap<(u32, Side), u64>,
}

impl AllTasks {
    /// Reads all tasks. With `replayed`, computes their sums from the events.
    pub(super) fn of(reader: &Reader, replayed: bool, names: &Names) -> Self {
        let mut all = Self {
            sums: Sums::new(names),
            ..Self::default()
        };
        let mut room = Room::new();
        for mut task in reader.each_task() {
            let totals = if replayed {
                TaskTotals::replayed(reader, &task)
            } else {
                TaskTotals::counted(&mut task)
            };
            all.add(reader, &task, &totals, &mut room);
        }
        all.rows_left_out = room.left_out;
        all
    }

    fn add(&mut self, reader: &Reader, task: &TaskSnapshot, totals: &TaskTotals, room: &mut Room) {
        for (sum, n) in self.crossings.iter_mut().zip(totals.crossings) {
            *sum += n;
        }
        for ((sum, tasks), n) in self.faults.iter_mut().zip(totals.faults) {
            *sum += n;
            *tasks += u64::from(n > 0);
        }
        self.dropped_events = self.dropped_events.saturating_add(task.dropped);
        self.sums.add(totals);
        if room.takes([&*task.name]) {
            self.rows.push(row(task, totals, reader));
            self.times.push((task.first, task.ended));
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
    pub(super) fn take_rows(&mut self, clock: &Clock) -> Vec<TaskRow> {
        let rows = std::mem::take(&mut self.rows).into_iter();
        rows.zip(&self.times)
            .map(|(row, times)| timed(row, *times, clock))
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

/// A task without the times that depend on the end of the process.
fn row(task: &TaskSnapshot, totals: &TaskTotals, reader: &Reader) -> TaskRow {
    // If calls are only counted, there are layers only where the runtime's callbacks are the
    // source.
    let [_, returned, _, left] = totals.crossings;
    let has_layers =
        reader.level() != Level::Counts || returned + left > 0 || !task.open.is_empty();
    let mut unmanaged = None;
    for ((_, side), total) in &totals.targets {
        if *side == Side::Unmanaged && total.ended > 0 {
            let sum: &mut u64 = unmanaged.get_or_insert(0);
            *sum = sum.saturating_add(total.own);
        }
    }
    TaskRow {
        task: task.number,
        os_thread: task.os_thread,
        name: Some(task.name.clone()).filter(|name| !name.is_empty()),
        kind: task.kind.name(),
        crossings: totals.crossings.iter().sum(),
        max_depth: has_layers.then_some(task.max_depth),
        unmanaged_ns: unmanaged.map(|ticks| reader.scale().ns(ticks)),
        threads: task.threads,
        began: 0,
        ended: task.ended.is_some(),
        until: 0,
        until_at_least: false,
    }
}

fn timed(row: TaskRow, (first, ended): (u64, Option<u64>), clock: &Clock) -> TaskRow {
    TaskRow {
        began: clock.since_start(first),
        until: ended.map_or(clock.until, |ticks| clock.since_start(ticks)),
        until_at_least: ended.is_none() && clock.at_least,
        ..row
    }
}
