//! The timeline of all threads.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use serde::Serialize;
use soglia_core::{crossing::Side, time::Scale, trace::reader::Reader};

use super::{
    events,
    lanes::{Lanes, Outcome, Slice, TaskLanes},
    nesting::{Nesting, NestingRow},
};
use crate::model::{Model, TargetInfo, target_infos};

/// The most threads that have lanes.
const MOST_TASKS: usize = 256;
/// The most characters of a name.
const MOST_NAME: usize = 1 << 10;

/// The timeline as the page has it.
#[derive(Debug, Default, Serialize)]
pub(super) struct Timeline {
    /// The lanes come from events. Otherwise they have only the calls that the report names.
    has_events: bool,
    /// Calls shorter than this are drawn together. 0 if each call has its own slice.
    resolution_ns: u64,
    names: Vec<Name>,
    tasks: Vec<TaskRow>,
    /// Threads that have no lanes.
    tasks_left_out: u64,
    /// Calls by what they are nested in, if there are events.
    nesting: Option<Vec<NestingRow>>,
}

/// The name of a target.
#[derive(Debug, Serialize)]
struct Name {
    name: String,
    runtime_internal: bool,
}

/// The lanes of one thread.
#[derive(Debug, Serialize)]
struct TaskRow {
    task: u32,
    lanes: Vec<Vec<u64>>,
    /// Calls that are nested too deep for a lane.
    deeper: u64,
    /// When the events end, if some are missing.
    events_end: Option<u64>,
}

/// The names that slices have, each once.
#[derive(Default)]
struct Names {
    infos: BTreeMap<u32, TargetInfo>,
    rows: Vec<Name>,
    by_target: HashMap<u32, u32>,
    by_name: HashMap<String, u32>,
}

impl Names {
    /// Where the name of a target is.
    fn of(&mut self, target: u32) -> u32 {
        if let Some(row) = self.by_target.get(&target) {
            return *row;
        }
        let info = self.infos.get(&target);
        let internal = info.is_some_and(|info| info.runtime_internal);
        let name = info.map_or_else(|| "?".to_owned(), |info| info.name.clone());
        let row = self.named(&name, internal);
        self.by_target.insert(target, row);
        row
    }

    fn named(&mut self, name: &str, runtime_internal: bool) -> u32 {
        if let Some(row) = self.by_name.get(name) {
            return *row;
        }
        let row = self.rows.len() as u32;
        self.rows.push(Name {
            name: super::shown::shown(name, MOST_NAME),
            runtime_internal,
        });
        self.by_name.insert(name.to_owned(), row);
        row
    }
}

impl Timeline {
    pub(super) fn of(reader: &Reader, model: &Model) -> Self {
        let wanted = tasks(model);
        let tasks_left_out = model.tasks.len().saturating_sub(wanted.len()) as u64;
        let mut timeline = match reader.has_events() {
            true => Self::of_events(reader, &wanted),
            false => Self::of_report(model, &wanted),
        };
        timeline.tasks_left_out = tasks_left_out.saturating_add(model.left_out.tasks);
        timeline
    }

    /// From all events.
    fn of_events(reader: &Reader, wanted: &HashSet<u32>) -> Self {
        let (scale, start) = (reader.scale(), reader.start_ticks());
        let until = start.saturating_add(scale.ticks(reader.ending().ns));
        let (mut lanes, mut nesting) = (Lanes::new(), Nesting::new());
        let mut ends = Vec::new();
        let of_wanted = |task: &u32| wanted.contains(task);
        for task in reader.each_task().filter(|task| of_wanted(&task.number)) {
            let end = events::add(reader, &task, until, &mut lanes, &mut nesting);
            ends.push((task.number, end));
        }
        let mut names = Names {
            // Read after the events, so that a live program has named what they have.
            infos: target_infos(reader),
            ..Names::default()
        };
        let clock = Clock { scale, start };
        let rows = ends.iter().zip(&lanes.tasks);
        let tasks = rows.map(|((task, end), of)| {
            let events_end = end.map(|end| clock.since_start(end));
            row(*task, of, events_end, &clock, |target| names.of(target))
        });
        let tasks = tasks.collect();
        let nesting = nesting.rows(|target| names.of(target), |ticks| scale.ns(ticks));
        Self {
            has_events: true,
            resolution_ns: scale.ns(lanes.resolution),
            names: names.rows,
            tasks,
            tasks_left_out: 0,
            nesting: Some(nesting),
        }
    }

    /// From the slow calls, the open calls and the overdue calls of a report.
    fn of_report(model: &Model, wanted: &HashSet<u32>) -> Self {
        let mut names = Names::default();
        let mut calls: BTreeMap<u32, Vec<Slice>> = BTreeMap::new();
        let mut seen = HashSet::new();
        let mut add = |task: u32, (name, internal): (&str, bool), side, (begin, took), outcome| {
            // A call can be both open and overdue, or both slow and overdue.
            if wanted.contains(&task) && seen.insert((task, begin, name.to_owned())) {
                let target = names.named(name, internal);
                let end = u64::saturating_add(begin, took);
                let slice = Slice::call(target, side, begin, end, outcome);
                calls.entry(task).or_default().push(slice);
            }
        };
        for row in &model.open {
            let side = match row.direction {
                "reverse" => Side::Managed,
                _ => Side::Unmanaged,
            };
            let time = (row.began, row.duration_ns);
            let name = (&*row.target, row.runtime_internal);
            add(row.task, name, side, time, Outcome::Open);
        }
        for row in &model.overdue {
            let outcome = match row.outcome {
                "open" => Outcome::Open,
                "failed" => Outcome::Failed,
                "gone" => Outcome::Abandoned,
                _ => Outcome::Returned,
            };
            let time = (row.began, row.duration_ns);
            let name = (&*row.target, row.runtime_internal);
            add(row.task, name, Side::Unmanaged, time, outcome);
        }
        for row in &model.slow {
            let time = (row.began, row.duration_ns);
            let name = (&*row.target, row.runtime_internal);
            let side = match row.direction {
                "reverse" => Side::Managed,
                _ => Side::Unmanaged,
            };
            add(row.task, name, side, time, Outcome::Returned);
        }
        let mut lanes = Lanes::new();
        let mut numbers = Vec::new();
        for (task, calls) in calls {
            numbers.push(task);
            lanes.begin_task();
            for (depth, slice) in nested(calls) {
                lanes.add(depth, slice);
            }
        }
        let clock = Clock {
            scale: Scale::IDENTITY,
            start: 0,
        };
        let rows = numbers.iter().zip(&lanes.tasks);
        let tasks = rows.map(|(task, of)| row(*task, of, None, &clock, |target| target));
        Self {
            has_events: false,
            resolution_ns: lanes.resolution,
            tasks: tasks.collect(),
            names: names.rows,
            tasks_left_out: 0,
            nesting: None,
        }
    }
}

struct Clock {
    scale: Scale,
    start: u64,
}

impl Clock {
    fn since_start(&self, ticks: u64) -> u64 {
        self.scale.ns(ticks.saturating_sub(self.start))
    }
}

/// The threads that have lanes: those that crossed most often.
fn tasks(model: &Model) -> HashSet<u32> {
    let mut tasks: Vec<_> = model.tasks.iter().collect();
    tasks.sort_by_key(|task| (Reverse(task.crossings), task.task));
    let first = tasks.into_iter().take(MOST_TASKS);
    first.map(|task| task.task).collect()
}

/// Calls with the number of calls that they are nested in, in the order of time.
fn nested(mut calls: Vec<Slice>) -> Vec<(usize, Slice)> {
    calls.sort_by_key(|call| (call.begin, Reverse(call.end)));
    let mut around: Vec<u64> = Vec::new();
    let with_depth = calls.into_iter().map(|call| {
        while around.last().is_some_and(|end| *end <= call.begin) {
            around.pop();
        }
        let depth = around.len();
        around.push(call.end);
        (depth, call)
    });
    with_depth.collect()
}

/// The slices of each lane as numbers: nanoseconds since the end of the one before, nanoseconds
/// that it takes, and what it is. For several calls, their number and their time follow.
///
/// What it is: the place of the name, times 32; plus 16 for callbacks; plus the outcome times 2;
/// plus 1 for several calls.
fn row(
    task: u32,
    of: &TaskLanes,
    events_end: Option<u64>,
    clock: &Clock,
    mut name: impl FnMut(u32) -> u32,
) -> TaskRow {
    let mut lane = |slices: &Vec<Slice>| {
        let mut numbers = Vec::with_capacity(slices.len() * 3);
        let mut last = 0;
        for slice in slices {
            let begin = clock.since_start(slice.begin).max(last);
            let end = clock.since_start(slice.end).max(begin);
            let several = u64::from(slice.calls > 1);
            let side = u64::from(slice.is_managed) * 16;
            let what = u64::from(name(slice.target)) * 32 + side + slice.outcome as u64 * 2;
            numbers.extend([begin - last, end - begin, what + several]);
            if several > 0 {
                numbers.extend([slice.calls, clock.scale.ns(slice.busy)]);
            }
            last = end;
        }
        numbers
    };
    TaskRow {
        task,
        lanes: of.lanes.iter().map(&mut lane).collect(),
        deeper: of.deeper,
        events_end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_a_report_nest_by_their_times() {
        let call = |begin, end| Slice::call(1, Side::Unmanaged, begin, end, Outcome::Returned);
        let calls = vec![call(50, 60), call(10, 20), call(0, 100), call(12, 15)];
        let depths: Vec<_> = nested(calls)
            .iter()
            .map(|(depth, call)| (*depth, call.begin))
            .collect();
        assert_eq!(depths, [(0, 0), (1, 10), (2, 12), (1, 50)]);
    }

    #[test]
    fn a_lane_is_a_row_of_numbers() {
        let mut lanes = TaskLanes::default();
        let call = Slice::call(7, Side::Managed, 100, 150, Outcome::Failed);
        let mut several = Slice::call(7, Side::Unmanaged, 170, 180, Outcome::Returned);
        (several.calls, several.busy) = (3, 6);
        lanes.lanes.push(vec![call, several]);
        let clock = Clock {
            scale: Scale::IDENTITY,
            start: 40,
        };
        let row = row(1, &lanes, None, &clock, |target| target + 1);
        let (call, several) = (8 * 32 + 16 + 6, 8 * 32 + 1);
        assert_eq!(row.lanes, [[60, 50, call, 20, 10, several, 3, 6]]);
    }
}
