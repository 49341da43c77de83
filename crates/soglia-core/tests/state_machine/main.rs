//! The state machine under random crossings, nested well and nested badly; and the recording
//! against it.

mod memory;
mod recorded;

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
use std::collections::HashMap;

/// Functions that the random sequences know.
const FUNCTIONS: u8 = 6;

/// One crossing.
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

    fn push(&mut self, layer: Layer) -> bool {
        self.0.push(layer)
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

/// Totals, and what the task reported beside them.
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

/// What must hold after any crossings.
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
        "each layer is reported"
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
        // Every call came back, is open, was unwound past, or was too deep; every return had a
        // call, or none.
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

/// Mostly short, rarely so long that it does not fit into the word of an event.
fn ticks() -> impl Strategy<Value = u64> {
    prop_oneof![
        20 => 0_u64..2000,
        1 => (1_u64 << 29) - 1..=(1 << 29) + 1,
        1 => 1_u64 << 32..1 << 40,
    ]
}

/// Sequences that nest: `Some` calls a function, `None` returns from the innermost. What is open at
/// the end returns.
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
                of.timed += 1;
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
        cases: if cfg!(miri) { 4 } else { cases },
        failure_persistence: None,
        ..Config::default()
    }
}
