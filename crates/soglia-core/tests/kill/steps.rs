//! What is recorded, the same beside the recording, and the comparison of both.

use std::fs::File;
use std::sync::atomic::AtomicU64;

use memmap2::MmapRaw;
use soglia_core::account::{Account, Total, Totals};
use soglia_core::crossing::{Crossing, Side};
use soglia_core::layer::VecLayers;
use soglia_core::task::{Task, Who};
use soglia_core::trace::reader::Reader;
use soglia_core::trace::replay::replay;
use soglia_core::trace::snapshot::TaskSnapshot;
use soglia_core::trace::task_writer::{TaskWriter, Then};

#[path = "../support/random.rs"]
pub mod random;

use random::Random;

/// How a step is recorded.
#[derive(Clone, Copy, Debug)]
pub enum How {
    /// By a crossing.
    Crossed,
    /// The same at once, without a mark, and by the twin if there is more to do.
    CrossedAtOnce,
    /// By an exception.
    Failed,
    /// As a refused call.
    Refused,
}

#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub crossing: Crossing,
    pub how: How,
    pub function: u64,
    pub mark: u64,
    pub at: u64,
}

impl Step {
    pub fn target(self) -> u32 {
        self.function as u32 / 64 * 2 + self.crossing.side() as u32
    }
}

/// An endless sequence of crossings, the same for the same number: mostly nested, with jumps and
/// returns from nowhere.
pub struct Steps {
    pub random: Random,
    pub open: Vec<(u64, Side)>,
    pub goal: usize,
    pub at: u64,
    pub how: How,
}

impl Steps {
    pub fn new(number: u64) -> Self {
        Self {
            how: if number.is_multiple_of(2) {
                How::Crossed
            } else {
                How::CrossedAtOnce
            },
            random: Random::new(number),
            open: Vec::new(),
            goal: 2,
            at: 0,
        }
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let random = &mut self.random;
        self.at += match random.below(200) {
            0 => 1 << 30,
            _ => random.below(3000),
        };
        match random.below(300) {
            0..4 => self.goal = random.below(8) as usize,
            4 => self.goal = 45,
            5 if random.below(100) == 0 => self.goal = 1800,
            6..10 => {
                // A long jump, which is not reported.
                let left = self.open.len() as u64 - random.below(self.open.len() as u64 / 2 + 1);
                self.open.truncate(left as usize);
            }
            10 => {
                return Some(Step {
                    crossing: Crossing::EnterRuntime,
                    how: self.how,
                    function: 64_000,
                    mark: 0,
                    at: self.at,
                });
            }
            11..15 => {
                return Some(Step {
                    crossing: Crossing::LeaveRuntime,
                    how: How::Refused,
                    function: 64 * (1 + random.below(20)),
                    mark: 0,
                    at: self.at,
                });
            }
            _ => {}
        }
        let (len, goal) = (self.open.len(), self.goal);
        let call = len == 0 || len < goal || (len == goal && random.below(2) == 0);
        Some(if call {
            let (function, side) = (1 + random.below(20), random.below(2));
            let (function, side) = (function * 64, Side::from_number(side as u32));
            self.open.push((function, side));
            Step {
                crossing: match side {
                    Side::Unmanaged => Crossing::LeaveRuntime,
                    Side::Managed => Crossing::ReverseEnterRuntime,
                },
                how: self.how,
                function,
                mark: 0x7fff_0000_0000 - len as u64 * 64,
                at: self.at,
            }
        } else {
            let (function, side) = self.open.pop()?;
            Step {
                crossing: match side {
                    Side::Unmanaged => Crossing::EnterRuntime,
                    Side::Managed => Crossing::ReverseLeaveRuntime,
                },
                how: if side == Side::Unmanaged && random.below(20) == 0 {
                    How::Failed
                } else {
                    self.how
                },
                function,
                mark: 0,
                at: self.at,
            }
        })
    }
}

pub fn record(task: &mut TaskWriter, step: Step) {
    let side = step.crossing.side();
    let slot = match task.slot(step.function, side, 0) {
        _ if !step.crossing.opens() => 0,
        Some(slot) => slot,
        None => task.learn(step.function, side, step.target(), 0),
    };
    let function = step.function;
    let who = Who { function, slot };
    match step.how {
        How::Crossed => {
            task.cross(step.crossing, who, step.at, step.mark);
        }
        How::CrossedAtOnce => {
            // As the hooks of wrappers and their twins.
            let then = task.cross_at_once(step.crossing, who, step.at);
            match (then, step.crossing.opens()) {
                (Then::GoOn, _) => {}
                (Then::More, true) => {
                    task.prepare();
                    task.cross(step.crossing, who, step.at, 0);
                }
                (Then::More, false) => task.settle(),
            }
        }
        How::Failed => task.fail(function, step.at),
        How::Refused => task.refuse(slot, step.at),
    }
}

/// The same, beside the recording.
#[derive(Clone, Default)]
pub struct Model {
    pub task: Task<VecLayers>,
    pub totals: Totals,
    pub max_depth: u32,
}

impl Model {
    pub fn cross(&mut self, step: Step) {
        let who = Who {
            function: step.function,
            slot: step.target(),
        };
        let (task, totals) = (&mut self.task, &mut self.totals);
        match step.how {
            How::Crossed => {
                task.cross(step.crossing, who, step.at, step.mark, totals);
            }
            How::CrossedAtOnce => {
                task.cross(step.crossing, who, step.at, 0, totals);
            }
            How::Failed => task.fail(step.function, step.at, totals),
            How::Refused => totals.refused(step.target(), step.at),
        }
        self.max_depth = self.max_depth.max(self.task.depth());
    }

    /// Innermost last.
    pub fn open(&self) -> Vec<(u64, u32)> {
        let layers = self.task.layers().as_slice();
        layers.iter().map(|l| (l.since, l.slot)).collect()
    }

    pub fn target(&self, target: u32) -> Total {
        self.totals.get(target).cloned().unwrap_or_default()
    }
}

/// All that was recorded: crossings, and denied calls.
pub fn told(totals: &Totals) -> u64 {
    let refused: u64 = totals.iter().map(|(_, total)| total.refused).sum();
    totals.crossings.iter().sum::<u64>() + refused
}

/// What is found of a task against the model before and after the crossing that may have been in
/// progress.
pub fn check_summary(seen: &TaskSnapshot, before: &Model, after: &Model) {
    let done = seen.crossings == after.totals.crossings;
    assert!(
        done || seen.crossings == before.totals.crossings,
        "{:?}: neither {:?} nor {:?}",
        seen.crossings,
        before.totals.crossings,
        after.totals.crossings
    );
    assert_eq!(seen.dropped, 0);
    assert!((before.max_depth..=after.max_depth).contains(&seen.max_depth));
    let faults = before.totals.faults.iter().zip(after.totals.faults);
    for (fault, (before, after)) in seen.faults.iter().zip(faults) {
        assert!((*before..=after).contains(&u64::from(*fault)));
    }
    // The layers of before, or some of them still, or those of after.
    let open: Vec<_> = seen.open.iter().map(|l| (l.since, l.slot)).collect();
    let (old, new) = (before.open(), after.open());
    let common = old.iter().zip(&new).take_while(|(o, n)| o == n).count();
    assert!(
        open == new || (old.starts_with(&open) && open.len() >= common),
        "{open:?}: of {old:?} to {new:?}"
    );
    assert!(seen.max_depth as usize >= open.len());
    for ((number, side), found) in seen
        .targets
        .iter()
        .filter(|(_, t)| t.calls() + t.refused != 0)
    {
        assert_eq!(*side, Side::from_number(*number));
        let (old, new) = (before.target(*number), after.target(*number));
        let either = |found: u64, old: u64, new: u64| assert!(found == old || found == new);
        assert!((old.calls()..=new.calls()).contains(&found.calls()));
        assert!((old.abandoned..=new.abandoned).contains(&found.abandoned));
        either(found.ended, old.ended, new.ended);
        either(found.failed, old.failed, new.failed);
        either(found.refused, old.refused, new.refused);
        either(found.total, old.total, new.total);
        // What was nested in a call is stored after its total.
        let late = old.own + (new.total - old.total);
        assert!(found.own == late || found.own == old.own || found.own == new.own);
        either(found.min, old.min, new.min);
        either(found.max, old.max, new.max);
        let buckets = old.histogram.iter().zip(new.histogram.iter());
        for (found, (old, new)) in found.histogram.iter().zip(buckets) {
            either(*found, *old, *new);
        }
        if found.ended > old.ended {
            // The counter is stored last.
            let mut found = found.clone();
            (found.open, found.abandoned) = (new.open, new.abandoned);
            assert_eq!(found, new);
        }
    }
    for (number, old) in before.totals.iter() {
        let found = seen.targets.get(&(number, Side::from_number(number)));
        assert!(found.is_some_and(|found| found.calls() >= old.calls()));
    }
}

/// The events against the same. `steps`: all that were recorded, and one more.
pub fn check_events(
    reader: &Reader,
    number: u32,
    mut steps: impl Iterator<Item = Step>,
    before: &Model,
    after: &Model,
) {
    let mut totals = Totals::default();
    let mut ticks = 0;
    replay(reader, number, &mut totals, |r| {
        let step = steps.next().unwrap();
        assert_eq!((r.at, r.crossing), (step.at, step.crossing));
        assert!(r.at >= ticks);
        ticks = r.at;
        if let Some(target) = r.target {
            assert_eq!(target, step.target());
        }
        true
    });
    let same = |model: &Model| {
        totals.iter().count() == model.totals.iter().count()
            && model.totals.iter().all(|(n, of)| totals.get(n) == Some(of))
    };
    if told(&totals) == told(&after.totals) {
        assert_eq!(totals.crossings, after.totals.crossings);
        assert_eq!(totals.faults, after.totals.faults);
        assert!(same(after));
    } else {
        assert_eq!(totals.crossings, before.totals.crossings);
        // What the crossing in progress found gone may have been told already.
        let told = totals.faults != before.totals.faults;
        assert!(told || same(before));
        for (number, of) in totals.iter().filter(|_| told) {
            let (mut old, new) = (before.target(number), after.target(number));
            assert!((old.abandoned..=new.abandoned).contains(&of.abandoned));
            old.open -= of.abandoned - old.abandoned;
            old.abandoned = of.abandoned;
            assert_eq!(*of, old);
        }
    }
}

/// Numbers in memory that two processes share, each on a cache line of its own.
pub struct Counters(MmapRaw);

impl Counters {
    pub const BYTES: usize = 4096;

    pub fn map(file: &File) -> Self {
        Self(MmapRaw::map_raw(file).unwrap())
    }

    pub fn of(&self, number: usize) -> &AtomicU64 {
        assert!((number + 1) * 64 <= Self::BYTES);
        // SAFETY: within the mapping, aligned, and every access to it, by any process, is atomic.
        unsafe { AtomicU64::from_ptr(self.0.as_mut_ptr().add(number * 64).cast()) }
    }
}
