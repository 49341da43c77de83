//! The state machine over a recording, and the replay of its events.

use super::*;

struct Live {
    _dir: tempfile::TempDir,
    path: std::path::PathBuf,
    task: Box<TaskWriter>,
}

impl Live {
    fn new(max_bytes: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("test.soglia");
        let options = Options {
            level: Level::Events,
            max_bytes,
            ..Options::default()
        };
        create(&path, &options).unwrap();
        let recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
        let task = TaskWriter::new(recording, 1, 0).unwrap();
        Self {
            _dir: dir,
            path,
            task,
        }
    }

    fn cross(&mut self, step: Step, at: u64) {
        let (function, side) = (step.function(), step.crossing.side());
        let slot = match self.task.slot(function, side, 0) {
            _ if !step.crossing.opens() => 0,
            Some(slot) => slot,
            None => self.task.learn(function, side, step.target(), 0),
        };
        let who = Who { function, slot };
        match step.how {
            How::Crossed => {
                self.task.cross(step.crossing, who, at, step.mark);
            }
            How::Failed => self.task.fail(function, at),
            How::Refused => self.task.refuse(slot, at),
        }
    }
}

/// The summary of the recording against an account that was kept beside it.
fn same(task: &TaskSnapshot, totals: &Totals) {
    assert_eq!(task.crossings, totals.crossings);
    assert_eq!(task.faults.map(u64::from), totals.faults);
    let called = |(key, total): (&(u32, Side), &Total)| {
        let mut total = total.clone();
        // Only a replay knows which of the calls in `open` is which.
        total.open = total.open.min(totals.get(key.0).map_or(0, |t| t.open));
        (total.calls() + total.refused != 0).then_some((key.0, total))
    };
    let mut all: Vec<_> = task.targets.iter().filter_map(called).collect();
    all.sort_by_key(|(n, _)| *n);
    assert_eq!(all, of_targets(totals));
}

proptest! {
    #![proptest_config(config(96))]

    #[test]
    #[cfg_attr(miri, ignore = "maps a file")]
    fn slots_and_events_and_memory_agree(steps in vec(any_step(ticks()), 0..4000)) {
        let mut live = Live::new(16 << 20);
        let mut task = Task::new(VecLayers::default());
        let mut in_memory = Totals::default();
        let steps = timed(&steps, 0);
        for (at, step) in &steps {
            live.cross(*step, *at);
            step.tell(&mut task, *at, &mut in_memory);
            prop_assert_eq!(live.task.depth(), task.depth());
        }
        let reader = Reader::open(&live.path).unwrap();
        let tasks = reader.tasks();
        prop_assert_eq!((tasks.len(), tasks[0].dropped), (1, 0));
        same(&tasks[0], &in_memory);
        // The same layers, told from the file.
        let found = tasks[0].open.iter().map(|l| (l.since, l.inner, l.mark, l.slot, l.bits));
        let kept = task.layers().as_slice().iter().map(|l| (l.since, l.inner, l.mark, l.slot, l.bits));
        prop_assert_eq!(found.collect::<Vec<_>>(), kept.collect::<Vec<_>>());
        let again = totals(&reader, 1);
        prop_assert_eq!(again.crossings, in_memory.crossings);
        prop_assert_eq!(again.faults, in_memory.faults);
        prop_assert_eq!(of_targets(&again), of_targets(&in_memory));
        let mut told = Vec::new();
        replay(&reader, 1, &mut Totals::default(), |r| {
            told.push((r.at, r.crossing));
            true
        });
        let fed: Vec<_> = steps.iter().map(|(at, step)| (*at, step.crossing)).collect();
        prop_assert_eq!(told, fed);
    }

    /// Nothing but the events and the times of deep calls may be lost when the recording is full.
    #[test]
    #[cfg_attr(miri, ignore = "maps a file")]
    fn a_full_recording_still_counts(
        steps in vec(any_step(ticks()), 500..2000),
        deep in 0_usize..40_000,
    ) {
        let mut live = Live::new(1 << 20);
        let call = Step { crossing: Crossing::LeaveRuntime, how: How::Crossed, function: 0, mark: 0, after: 1 };
        let steps: Vec<_> = std::iter::repeat_n(call, deep).chain(steps).collect();
        let mut fed = [0; 4];
        let mut opens = HashMap::<u32, u64>::new();
        for (at, step) in timed(&steps, 0) {
            live.cross(step, at);
            if step.how == How::Refused {
                continue;
            }
            fed[step.crossing as usize - 1] += 1;
            if step.opens() {
                *opens.entry(step.target()).or_default() += 1;
            }
        }
        let reader = Reader::open(&live.path).unwrap();
        let task = &reader.tasks()[0];
        prop_assert_eq!(task.crossings, fed);
        let replayed = totals(&reader, 1);
        prop_assert_eq!(replayed.crossings.iter().sum::<u64>() + task.dropped, fed.iter().sum::<u64>());
        for (target, calls) in opens {
            prop_assert_eq!(task.targets[&(target, side_of(target))].calls(), calls);
        }
    }
}

/// Calls for whose layers there is no room, though the events go on: a jump out of them takes the
/// replay along.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn calls_without_layers_nest_in_the_replay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.soglia");
    let options = Options {
        level: Level::Events,
        max_bytes: 1 << 20,
        ..Options::default()
    };
    create(&path, &options).unwrap();
    let recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
    let mut task = TaskWriter::new(recording, 1, 0).unwrap();
    let slots = [64, 128].map(|f| task.learn(f, Side::Unmanaged, f as u32 / 64, 0));
    let text = "x".repeat(10_000);
    while recording.log(&Record::Remark { text: text.clone() }) {}
    let mut cross = |crossing, target: usize, mark| {
        let who = Who {
            function: target as u64 * 64,
            slot: slots[target - 1],
        };
        task.cross(crossing, who, 1, mark);
        task.depth()
    };
    for n in 0..40 {
        // 32 layers have room.
        cross(Crossing::LeaveRuntime, 1, 1_000_000 - n * 64);
    }
    // From within the 21st.
    assert_eq!(cross(Crossing::LeaveRuntime, 2, 1_000_000 - 21 * 64), 22);
    assert_eq!(cross(Crossing::EnterRuntime, 2, 0), 21);
    assert_eq!(cross(Crossing::EnterRuntime, 1, 0), 20);
    let reader = Reader::open(&path).unwrap();
    let mut told = Vec::new();
    replay(&reader, 1, &mut Totals::default(), |r| {
        told.push((r.crossing, r.target, r.depth));
        true
    });
    assert_eq!(
        told[40..],
        [
            (Crossing::LeaveRuntime, Some(2), 21),
            (Crossing::EnterRuntime, Some(2), 22),
            (Crossing::EnterRuntime, Some(1), 21),
        ]
    );
    let task = &reader.tasks()[0];
    assert_eq!(task.targets[&(1, Side::Unmanaged)].untimed, 8);
    assert_eq!(task.open.len(), 20);
}

/// As deep as it goes, and a little deeper: live, in memory, and replayed.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn the_deepest_calls_are_counted_everywhere() {
    let mut live = Live::new(64 << 20);
    let mut task = Task::new(VecLayers::default());
    let mut in_memory = Totals::default();
    let deep = MAX_DEPTH + 100;
    let mut at = 0;
    let mut cross = |crossing, function, mark| {
        at += 3;
        let step = Step {
            crossing,
            how: How::Crossed,
            function,
            mark,
            after: 0,
        };
        live.cross(step, at);
        step.tell(&mut task, at, &mut in_memory);
        assert_eq!(live.task.depth(), task.depth());
    };
    for n in 0..deep {
        cross(
            opening(Side::from_number(n)),
            (n % 2) as u8,
            0x7fff_0000_0000 - u64::from(n) * 32,
        );
    }
    for n in (deep / 2..deep).rev() {
        cross(closing(Side::from_number(n)), (n % 2) as u8, 0);
    }
    // Deep once more, and out again by one long jump.
    for n in deep / 2..deep {
        cross(opening(Side::from_number(n)), (n % 2) as u8, 0);
    }
    cross(Crossing::LeaveRuntime, 0, 0x7fff_0000_0000);
    cross(Crossing::EnterRuntime, 0, 0);
    assert_eq!(in_memory.faults[Fault::TooDeep as usize], 2);
    let reader = Reader::open(&live.path).unwrap();
    let tasks = reader.tasks();
    assert_eq!(tasks[0].max_depth, MAX_DEPTH);
    same(&tasks[0], &in_memory);
    let again = totals(&reader, 1);
    assert_eq!(again.faults, in_memory.faults);
    assert_eq!(of_targets(&again), of_targets(&in_memory));
}

/// A call that ends by an exception is not timed, but its time is not its caller's own.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn failed_calls_are_counted() {
    let mut task = Task::new(VecLayers::default());
    let mut totals = Totals::default();
    let (callback, native) = (Who::target(1), Who::target(2));
    task.cross(Crossing::ReverseEnterRuntime, callback, 10, 0, &mut totals);
    task.cross(Crossing::LeaveRuntime, native, 20, 0, &mut totals);
    task.fail(native.function, 50, &mut totals);
    totals.refused(2, 55);
    task.cross(Crossing::ReverseLeaveRuntime, callback, 60, 0, &mut totals);
    assert_eq!((task.depth(), totals.faults), (0, [0; 5]));
    assert_eq!(totals.crossings, [1, 1, 1, 1]);
    let native = totals.get(2).unwrap();
    assert_eq!((native.calls(), native.ended, native.total), (1, 0, 0));
    assert_eq!((native.failed, native.refused), (1, 1));
    let callback = totals.get(1).unwrap();
    assert_eq!((callback.total, callback.own), (50, 20));
}

/// Where only counting is asked for, there are calls and nothing else.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn counts_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.soglia");
    let options = Options {
        level: Level::Counts,
        ..Options::default()
    };
    create(&path, &options).unwrap();
    let recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
    let mut task = TaskWriter::new(recording, 1, 0).unwrap();
    let slot = task.learn(64, Side::Unmanaged, 3, 0);
    for _ in 0..1000 {
        task.count(slot);
    }
    let reader = Reader::open(&path).unwrap();
    assert_eq!(
        (reader.level(), reader.has_events()),
        (Level::Counts, false)
    );
    let task = &reader.tasks()[0];
    let of = &task.targets[&(3, Side::Unmanaged)];
    assert_eq!((of.calls(), of.untimed, of.total), (1000, 1000, 0));
    assert_eq!(task.crossings, [1000, 0, 0, 0]);
    assert_eq!(task.faults, [0; 5]);
}
