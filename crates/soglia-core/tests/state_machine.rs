//! The state machine under random crossings, nested well and nested badly; and the recording against it.

use std::collections::HashMap;

use proptest::{collection::vec, prelude::*, test_runner::Config};
use soglia_core::{
    account::{Account, Total, Totals},
    crossing::{Crossing, Side},
    fault::Fault,
    histogram::bucket,
    layer::{Close, Layer, Layers, MAX_DEPTH, VecLayers},
    task::{Task, Who},
    trace::{
        log::Record,
        reader::Reader,
        replay::{How, replay, totals},
        snapshot::TaskSnapshot,
        task_writer::TaskWriter,
        writer::{Level, Options, Recording, create},
    },
};

/// Functions that the random sequences know.
const FUNCTIONS: u8 = 6;

/// One crossing to be told.
#[derive(Clone, Copy, Debug)]
struct Step {
    crossing: Crossing,
    how: How,
    function: u8,
    mark: u64,
    /// Ticks since the step before.
    after: u64,
}

impl Step {
    /// The number that the runtime would give.
    fn function(self) -> u64 {
        (u64::from(self.function) + 1) * 64
    }

    /// One target per function and side.
    fn target(self) -> u32 {
        u32::from(self.function) * 2 + self.crossing.side() as u32 + 1
    }

    fn who(self) -> Who {
        Who {
            function: self.function(),
            slot: self.target(),
        }
    }

    fn opens(self) -> bool {
        self.crossing.opens() && self.how != How::Refused
    }

    fn tell<L: Layers>(self, task: &mut Task<L>, at: u64, account: &mut impl Account) {
        match self.how {
            How::Crossed => {
                task.cross(self.crossing, self.who(), at, self.mark, account);
            }
            How::Failed => task.fail(self.function(), at, account),
            How::Refused => account.refused(self.target(), at),
        }
    }
}

fn side_of(target: u32) -> Side {
    Side::from_number(target - 1)
}

fn opening(side: Side) -> Crossing {
    match side {
        Side::Unmanaged => Crossing::LeaveRuntime,
        Side::Managed => Crossing::ReverseEnterRuntime,
    }
}

fn closing(side: Side) -> Crossing {
    match side {
        Side::Unmanaged => Crossing::EnterRuntime,
        Side::Managed => Crossing::ReverseLeaveRuntime,
    }
}

/// Layers of which only a few fit.
#[derive(Debug, Default)]
struct Shallow(VecLayers);

const SHALLOW: u32 = 4;

impl Layers for Shallow {
    fn depth(&self) -> u32 {
        self.0.depth()
    }

    fn below_top(&self, below: u32) -> Option<&Layer> {
        self.0.below_top(below)
    }

    fn has_room(&self) -> bool {
        self.0.depth() < SHALLOW && self.0.has_room()
    }

    fn push(&mut self, layer: Layer) {
        self.0.push(layer);
    }

    fn make_room(&mut self) -> bool {
        self.0.depth() < SHALLOW && self.0.make_room()
    }

    fn set_sealed(&mut self, sealed: bool) {
        self.0.set_sealed(sealed);
    }

    fn close_if(&mut self, close: impl Close) -> bool {
        self.0.close_if(close)
    }
}

/// Totals, and what was told beside them.
#[derive(Default)]
struct Heard {
    totals: Totals,
    unmatched: [u64; 4],
    untimed_returns: [u64; 4],
    /// Calls announced as unwound, and layers told as abandoned.
    announced: u64,
    abandoned: u64,
    own: u64,
}

impl Account for Heard {
    fn crossed(&mut self, crossing: Crossing, who: Who, at: u64) {
        self.totals.crossed(crossing, who, at);
    }

    fn unmatched(&mut self, crossing: Crossing, function: u64, at: u64) {
        self.unmatched[crossing as usize - 1] += 1;
        self.totals.unmatched(crossing, function, at);
    }

    fn unwound(&mut self, count: u32) {
        self.announced += u64::from(count);
        self.totals.unwound(count);
    }

    fn abandoned(&mut self, layer: &mut Layer) {
        self.abandoned += 1;
        assert!(self.abandoned <= self.announced);
        self.totals.abandoned(layer);
    }

    fn closed(&mut self, layer: &mut Layer, total: u64, own: u64) {
        assert!(own <= total);
        self.own = self.own.wrapping_add(own);
        self.totals.closed(layer, total, own);
    }

    fn untimed(&mut self, slot: u32) {
        self.totals.untimed(slot);
    }

    fn untimed_return(&mut self, crossing: Crossing) {
        self.untimed_returns[crossing as usize - 1] += 1;
        self.totals.untimed_return(crossing);
    }

    fn crossed_failing(&mut self, crossing: Crossing, who: Who, at: u64) {
        self.totals.crossed_failing(crossing, who, at);
    }

    fn failed(&mut self, layer: &mut Layer) {
        self.totals.failed(layer);
    }

    fn refused(&mut self, slot: u32, at: u64) {
        self.totals.refused(slot, at);
    }

    fn fault(&mut self, fault: Fault) {
        self.totals.fault(fault);
    }
}

/// All targets with their totals, by number.
fn of_targets(totals: &Totals) -> Vec<(u32, Total)> {
    let mut all: Vec<_> = totals.iter().map(|(n, t)| (n, t.clone())).collect();
    all.sort_by_key(|(n, _)| *n);
    all
}

/// What must hold whatever was told.
fn check<L: Layers>(fed: &[Step], task: &Task<L>, open: &[Layer], heard: &Heard) {
    let mut crossings = [0; 4];
    let mut opens = HashMap::<u32, u64>::new();
    let mut refused = HashMap::<u32, u64>::new();
    for step in fed {
        if step.how == How::Refused {
            opens.entry(step.target()).or_default();
            *refused.entry(step.target()).or_default() += 1;
            continue;
        }
        crossings[step.crossing as usize - 1] += 1;
        if step.opens() {
            *opens.entry(step.target()).or_default() += 1;
        }
    }
    let totals = &heard.totals;
    assert_eq!(totals.crossings, crossings);
    assert_eq!(
        heard.abandoned,
        totals.faults[Fault::Abandoned as usize],
        "each layer is told"
    );
    let untimed_calls: u64 = totals.iter().map(|(_, t)| t.untimed).sum();
    let untimed_returns: u64 = heard.untimed_returns.iter().sum();
    assert_eq!(
        heard.announced - heard.abandoned + untimed_returns + u64::from(task.depth()),
        untimed_calls + open.len() as u64,
        "calls too deep returned, were unwound past, or are open"
    );
    assert_eq!(totals.iter().count(), opens.len());
    for (target, opened) in &opens {
        let of = totals.get(*target).unwrap();
        assert_eq!(of.calls(), *opened, "target {target}");
        assert_eq!(of.refused, refused.get(target).copied().unwrap_or_default());
        assert_eq!(of.histogram.iter().sum::<u64>(), of.ended);
        let layers = open.iter().filter(|l| l.slot == *target).count();
        assert_eq!(of.open, layers as u64, "target {target}");
        assert_eq!(of.ended == 0, of.min == u64::MAX);
        assert!(of.ended == 0 || of.min <= of.max);
    }
    let sum = |side, part: fn(&Total) -> u64| -> u64 {
        let of_side = totals.iter().filter(|(n, _)| side_of(*n) == side);
        of_side.map(|(_, total)| part(total)).sum()
    };
    for side in [Side::Unmanaged, Side::Managed] {
        let (out, back) = (opening(side) as usize - 1, closing(side) as usize - 1);
        // Every call came back, is open, was unwound past, or was too deep; every return had a call, or none.
        assert_eq!(
            crossings[out] + heard.unmatched[back],
            crossings[back] - heard.untimed_returns[back]
                + sum(side, |t| t.open + t.abandoned + t.untimed)
        );
        assert_eq!(
            crossings[back],
            sum(side, |t| t.ended + t.failed) + heard.unmatched[back] + heard.untimed_returns[back]
        );
        assert_eq!(heard.unmatched[out] + heard.untimed_returns[out], 0);
    }
    let all = |part: fn(&Total) -> u64| totals.iter().map(|(_, t)| part(t)).sum::<u64>();
    assert_eq!(
        totals.faults[Fault::Unmatched as usize],
        heard.unmatched.iter().sum()
    );
    assert_eq!(
        totals.faults[Fault::Abandoned as usize],
        all(|t| t.abandoned)
    );
    assert!(totals.faults[Fault::TooDeep as usize] <= all(|t| t.untimed));
    assert_eq!(task.layers().depth() as usize, open.len());
    assert_eq!(all(|t| t.open), open.len() as u64);
    assert!(task.depth() >= task.layers().depth());
    // Outermost first.
    assert!(open.is_sorted_by_key(|l| l.since));
    for (n, layer) in open.iter().rev().enumerate() {
        assert_eq!(task.layers().below_top(n as u32), Some(layer));
        assert_eq!(layer.side(), side_of(layer.slot));
    }
    assert_eq!(task.layers().below_top(open.len() as u32), None);
}

/// Any crossing of any function, at marks of which some are equal and some unknown.
fn any_step(after: impl Strategy<Value = u64>) -> impl Strategy<Value = Step> {
    let mark = prop_oneof![
        3 => Just(0),
        4 => (0_u64..12).prop_map(|n| 0x7fff_0000_0000 - n * 64),
        // The stack of a signal handler.
        1 => (0_u64..3).prop_map(|n| 0x7ffe_0000_0000 - n * 64),
    ];
    // Calls are a little more frequent than returns.
    let told = prop_oneof![
        8 => Just((Crossing::LeaveRuntime, How::Crossed)),
        1 => Just((Crossing::LeaveRuntime, How::Refused)),
        4 => Just((Crossing::EnterRuntime, How::Crossed)),
        2 => Just((Crossing::EnterRuntime, How::Failed)),
        8 => Just((Crossing::ReverseEnterRuntime, How::Crossed)),
        6 => Just((Crossing::ReverseLeaveRuntime, How::Crossed)),
    ];
    let steps = (told, 0..FUNCTIONS, mark, after);
    steps.prop_map(|((crossing, how), function, mark, after)| Step {
        crossing,
        how,
        function,
        mark,
        after,
    })
}

/// Mostly short, seldom so long that it does not fit into the word of an event.
fn ticks() -> impl Strategy<Value = u64> {
    prop_oneof![
        20 => 0_u64..2000,
        1 => (1_u64 << 29) - 1..=(1 << 29) + 1,
        1 => 1_u64 << 32..1 << 40,
    ]
}

/// Sequences that nest: `Some` calls a function, `None` returns from the innermost. What is open at the end returns.
fn nested() -> impl Strategy<Value = Vec<Step>> {
    let one = (any::<bool>(), any::<bool>(), 0..FUNCTIONS, 0_u64..1000);
    vec(one, 0..400).prop_map(|choices| {
        let mut steps = Vec::new();
        let mut open = Vec::new();
        for (call, reverse, function, after) in choices {
            let side = Side::from_number(u32::from(reverse));
            if call {
                open.push((side, function));
                steps.push(Step {
                    crossing: opening(side),
                    how: How::Crossed,
                    function,
                    mark: 0x7fff_0000_0000 - open.len() as u64 * 64,
                    after,
                });
            } else if let Some((side, function)) = open.pop() {
                steps.push(Step {
                    crossing: closing(side),
                    how: How::Crossed,
                    function,
                    mark: 0,
                    after,
                });
            }
        }
        while let Some((side, function)) = open.pop() {
            steps.push(Step {
                crossing: closing(side),
                how: How::Crossed,
                function,
                mark: 0,
                after: 7,
            });
        }
        steps
    })
}

/// The account of nested steps by recursion: knows no layers, no matching, no faults.
fn by_recursion(
    steps: &mut impl Iterator<Item = (u64, Step)>,
    totals: &mut HashMap<u32, Total>,
) -> (u64, Option<(u64, Step)>) {
    let mut nested = 0;
    loop {
        match steps.next() {
            Some((since, call)) if call.crossing.opens() => {
                let (inner, back) = by_recursion(steps, totals);
                let (until, _) = back.unwrap();
                let total = until - since;
                nested += total;
                let of = totals.entry(call.target()).or_default();
                of.ended += 1;
                of.total += total;
                of.own += total - inner;
                of.min = of.min.min(total);
                of.max = of.max.max(total);
                of.histogram[bucket(total)] += 1;
            }
            back => return (nested, back),
        }
    }
}

fn timed(steps: &[Step], start: u64) -> Vec<(u64, Step)> {
    let mut at = start;
    let stamp = |step: &Step| {
        at += step.after;
        (at, *step)
    };
    steps.iter().map(stamp).collect()
}

fn config(cases: u32) -> Config {
    Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn what_nests_is_timed_right(steps in nested()) {
        let mut task = Task::new(VecLayers::default());
        let mut heard = Heard::default();
        for (at, step) in timed(&steps, 5) {
            step.tell(&mut task, at, &mut heard);
        }
        check(&steps, &task, task.layers().as_slice(), &heard);
        prop_assert_eq!(task.depth(), 0);
        prop_assert_eq!(heard.totals.faults, [0; 5]);
        let mut expected = HashMap::new();
        let (outermost, rest) = by_recursion(&mut timed(&steps, 5).into_iter(), &mut expected);
        prop_assert!(rest.is_none());
        prop_assert_eq!(heard.own, outermost, "every tick in a layer is one layer's own");
        let mut expected: Vec<_> = expected.into_iter().collect();
        expected.sort_by_key(|(n, _)| *n);
        prop_assert_eq!(of_targets(&heard.totals), expected);
    }

    #[test]
    fn what_does_not_nest_is_survived(steps in vec(any_step(ticks()), 0..300)) {
        let mut task = Task::new(VecLayers::default());
        let mut heard = Heard::default();
        for (n, (at, step)) in timed(&steps, 5).into_iter().enumerate() {
            let before = task.depth();
            step.tell(&mut task, at, &mut heard);
            check(&steps[..=n], &task, task.layers().as_slice(), &heard);
            prop_assert!(task.depth() <= before + 1);
            prop_assert_eq!(task.depth(), task.layers().depth(), "nothing is too deep here");
            if step.opens() {
                let top = task.layers().below_top(0).unwrap();
                prop_assert_eq!((top.since, top.mark, top.slot), (at, step.mark, step.target()));
            }
        }
    }

    #[test]
    fn what_is_too_deep_is_survived(steps in vec(any_step(ticks()), 0..200)) {
        let mut task = Task::new(Shallow::default());
        let mut heard = Heard::default();
        for (n, (at, step)) in timed(&steps, 5).into_iter().enumerate() {
            step.tell(&mut task, at, &mut heard);
            check(&steps[..=n], &task, task.layers().0.as_slice(), &heard);
            let kept = task.layers().depth();
            prop_assert!(task.depth() == kept || kept == SHALLOW);
        }
    }

    /// Clocks that jump, to the ends of the number line and back.
    #[test]
    fn senseless_times_are_survived(
        steps in vec((any_step(Just(0)), prop_oneof![any::<u64>(), Just(0), Just(u64::MAX)]), 0..200),
    ) {
        let mut task = Task::new(VecLayers::default());
        let mut totals = Totals::default();
        for (step, at) in steps {
            step.tell(&mut task, at, &mut totals);
        }
    }

    /// Without marks, a return closes the innermost call that it fits, and abandons what is above that.
    #[test]
    fn returns_find_their_calls(steps in vec(any_step(ticks()), 0..300)) {
        let mut task = Task::new(VecLayers::default());
        let mut totals = Totals::default();
        let mut open: Vec<u32> = Vec::new();
        let (mut abandoned, mut unmatched) = (0, 0);
        for (at, step) in timed(&steps, 5) {
            Step { mark: 0, ..step }.tell(&mut task, at, &mut totals);
            if step.how == How::Refused {
                // It leaves no trace in the layers.
            } else if step.opens() {
                open.push(step.target());
            } else if let Some(n) = open.iter().rposition(|t| *t == step.target()) {
                abandoned += open.len() - n - 1;
                open.truncate(n);
            } else {
                unmatched += 1;
            }
            let layers = task.layers().as_slice().iter();
            prop_assert_eq!(&layers.map(|l| l.slot).collect::<Vec<_>>(), &open);
        }
        prop_assert_eq!(totals.faults, [unmatched, abandoned as u64, 0, 0, 0]);
    }

    /// A stack with frames and addresses, cut by `longjmp` at any frame. Whatever is really open is never taken for gone,
    /// and what is gone is known to be at the latest when the call around it returns. The program comes to one depth by
    /// the same frames always: else marks of the two kinds would have to be compared, and those do not tell enough.
    #[test]
    fn longjmp_is_found_out(
        choices in vec((0_u8..10, any::<prop::sample::Index>()), 0..300),
        frames in vec(1_u64..40, 301),
        (leaving, entering) in (0_u64..2000, 0_u64..2000),
    ) {
        let mut task = Task::new(VecLayers::default());
        let mut heard = Heard::default();
        // The marks and serial numbers (as times) of what is really open; sides alternate.
        let mut stack: Vec<(u64, u64)> = Vec::new();
        let (mut at, mut jumped) = (0, 0);
        for (choice, cut) in choices {
            at += 1;
            let depth = stack.len();
            let side = Side::from_number(depth as u32);
            match choice {
                0..5 => {
                    let above = stack.last().map_or(0x7fff_0000_0000, |(sp, _)| *sp);
                    let sp = above - frames[depth] * 16;
                    // The runtime's own frames between the call and us.
                    let path = if side == Side::Unmanaged { leaving } else { entering };
                    stack.push((sp, at));
                    task.cross(opening(side), Who::target(depth as u32 + 1), at, sp - path, &mut heard);
                }
                5..9 if depth > 0 => {
                    stack.pop();
                    let side = Side::from_number(depth as u32 - 1);
                    task.cross(closing(side), Who::target(depth as u32), at, 0, &mut heard);
                }
                9 if depth > 0 => {
                    let left = cut.index(depth + 1);
                    jumped += depth - left;
                    stack.truncate(left);
                }
                _ => {}
            }
            let mut kept = task.layers().as_slice().iter();
            for (_, since) in &stack {
                prop_assert!(kept.any(|l| l.since == *since), "what was opened at {} is gone", since);
            }
        }
        while let Some((_, since)) = stack.pop() {
            at += 1;
            let depth = stack.len() as u32;
            let before = heard.totals.get(depth + 1).unwrap().total;
            task.cross(closing(Side::from_number(depth)), Who::target(depth + 1), at, 0, &mut heard);
            prop_assert_eq!(heard.totals.get(depth + 1).unwrap().total - before, at - since);
        }
        prop_assert_eq!(heard.totals.faults[0], 0);
        let left = u64::from(task.depth());
        prop_assert_eq!(heard.totals.faults[1] + left, jumped as u64);
    }
}

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

/// Calls for whose layers there is no room, though the events go on: a jump out of them takes the replay along.
#[test]
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
