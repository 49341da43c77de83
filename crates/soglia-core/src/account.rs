//! What becomes of crossings: the trait that a task reports to, and a simple account in memory.

use std::collections::HashMap;

use crate::{
    crossing::{Crossing, Who},
    fault::Fault,
    histogram::{BUCKETS, bucket},
    layer::Layer,
};

/// Told by [`Task::cross`](crate::task::Task::cross), in this order, what follows from a crossing.
pub trait Account {
    /// Whether a crossing at that time can be told at once. If not, [`Account::make_ready`] comes first.
    fn is_ready(&self, _at: u64) -> bool {
        true
    }
    /// Does for a crossing at that time what takes more than a few stores.
    fn make_ready(&mut self, _at: u64) {}
    /// A crossing opens a layer, and there is nothing else to be said: [`Account::crossed`] for an account that is ready.
    fn opens_plainly(&mut self, crossing: Crossing, who: Who, at: u64) {
        self.crossed(crossing, who, at);
    }
    /// The innermost layer returns after `took` ticks: [`Account::crossed`] and [`Account::closed`] in one, where there is nothing else
    /// to be said. `false`: there is, and nothing was done; [`Account::note`] comes first then.
    ///
    /// Time stamps of different cores may disagree by a few ticks: then `took` has wrapped, and is not plain.
    fn closes_plainly(
        &mut self,
        crossing: Crossing,
        layer: &mut Layer,
        at: u64,
        took: u64,
    ) -> bool {
        if took.cast_signed() < 0 {
            return false;
        }
        let (function, slot) = (layer.function, 0);
        self.crossed(crossing, Who { function, slot }, at);
        self.closed(layer, took, took.saturating_sub(layer.inner));
        true
    }
    /// This layer returns after `took` ticks, and may be remarkable. `true`: it is.
    fn note(&mut self, _layer: &Layer, _at: u64, _took: u64) -> bool {
        false
    }
    /// A crossing that fits. `who.slot` is set where a layer is opened. Told before the layer is opened or closed.
    fn crossed(&mut self, crossing: Crossing, who: Who, at: u64);
    /// A return without a call.
    fn unmatched(&mut self, crossing: Crossing, function: u64, at: u64);
    /// The `count` innermost calls are found to be gone; [`Account::abandoned`] follows for each that was not too deep.
    fn unwound(&mut self, count: u32);
    /// This layer is gone without a return.
    fn abandoned(&mut self, layer: &mut Layer);
    /// This layer closes after `total` ticks, `own` of them outside of nested layers.
    fn closed(&mut self, layer: &mut Layer, total: u64, own: u64);
    /// A call was opened that is too deep to be timed.
    fn untimed(&mut self, slot: u32);
    /// Such a call returned.
    fn untimed_return(&mut self, crossing: Crossing);
    /// The innermost call ends by an exception. Told instead of [`Account::crossed`], before [`Account::failed`].
    fn crossed_failing(&mut self, crossing: Crossing, who: Who, at: u64);
    /// This layer closes because its call ended by an exception.
    fn failed(&mut self, layer: &mut Layer);
    /// A call that a policy did not let happen: no crossing, and no layer.
    fn refused(&mut self, slot: u32, at: u64);
    /// A fault, to be counted.
    fn fault(&mut self, fault: Fault);
}

/// The account of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Total {
    /// Calls that were opened and became none of what follows yet.
    pub open: u64,
    /// Calls that returned.
    pub ended: u64,
    /// Calls that were unwound past.
    pub abandoned: u64,
    /// Calls that were counted and not timed: too deep, or only counting was asked for.
    pub untimed: u64,
    /// Calls that ended by an exception instead of a return: counted, not timed.
    pub failed: u64,
    /// Calls that a policy did not let happen; not among [`Total::calls`].
    pub refused: u64,
    /// Ticks of ended calls.
    pub total: u64,
    /// The same without what was nested in them.
    pub own: u64,
    /// Shortest ended call, in ticks; `u64::MAX` before the first.
    pub min: u64,
    /// Longest ended call, in ticks.
    pub max: u64,
    /// Ended calls by duration: see [`crate::histogram`].
    pub histogram: Box<[u64; BUCKETS]>,
}

impl Total {
    /// All calls ever made.
    pub const fn calls(&self) -> u64 {
        self.open + self.ended + self.abandoned + self.untimed + self.failed
    }

    /// Adds another account to this one.
    pub fn add(&mut self, other: &Self) {
        // None of these can become too large: they are sums of counters of 32 bits.
        self.open += other.open;
        self.ended += other.ended;
        self.abandoned += other.abandoned;
        self.untimed += other.untimed;
        self.failed += other.failed;
        self.refused += other.refused;
        self.total = self.total.wrapping_add(other.total);
        self.own = self.own.wrapping_add(other.own);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        for (mine, theirs) in self.histogram.iter_mut().zip(other.histogram.iter()) {
            *mine += theirs;
        }
    }
}

impl Default for Total {
    fn default() -> Self {
        Self {
            open: 0,
            ended: 0,
            abandoned: 0,
            untimed: 0,
            failed: 0,
            refused: 0,
            total: 0,
            own: 0,
            min: u64::MAX,
            max: 0,
            histogram: Box::new([0; BUCKETS]),
        }
    }
}

/// The most targets that are told apart when a recording is read; what is more is at target 0. No program has so many, but a
/// recording may say so, and an account takes more memory than the bytes that ask for it.
pub const MOST_TARGETS: usize = 1 << 14;

/// Targets that are kept by index.
const DENSE: usize = 1 << 16;

/// Accounts by target number, in memory.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// Numbers are given from 1 on without gaps, so nearly all lie here.
    targets: Vec<Option<Box<Total>>>,
    /// What a broken recording may name.
    strays: HashMap<u32, Box<Total>>,
    known: usize,
    /// Crossings by [`Crossing`] number minus one, faulty ones included.
    pub crossings: [u64; 4],
    /// Faults by number.
    pub faults: [u64; Fault::ALL.len()],
}

impl Totals {
    /// The account of this target, if it was ever called.
    pub fn get(&self, target: u32) -> Option<&Total> {
        if target as usize >= DENSE {
            return self.strays.get(&target).map(|total| &**total);
        }
        self.targets.get(target as usize)?.as_deref()
    }

    /// All targets that were called.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Total)> {
        let dense = self
            .targets
            .iter()
            .enumerate()
            .filter_map(|(n, total)| Some((n as u32, total.as_deref()?)));
        dense.chain(self.strays.iter().map(|(n, total)| (*n, &**total)))
    }

    /// The account of this target, made at its first call; of target 0, if there are too many.
    #[inline]
    pub fn entry(&mut self, target: u32) -> &mut Total {
        let index = target as usize;
        if index < self.targets.len() && self.targets[index].is_some() {
            return self.targets[index].get_or_insert_default();
        }
        self.other_entry(target)
    }

    #[cold]
    fn other_entry(&mut self, mut target: u32) -> &mut Total {
        if self.known >= MOST_TARGETS && !self.strays.contains_key(&target) {
            target = 0;
        }
        let index = target as usize;
        if index >= DENSE {
            return self.strays.entry(target).or_insert_with(|| {
                self.known += 1;
                Box::default()
            });
        }
        if index >= self.targets.len() {
            self.targets.resize(index + 1, None);
        }
        self.targets[index].get_or_insert_with(|| {
            self.known += 1;
            Box::default()
        })
    }
}

impl Account for Totals {
    #[inline]
    fn crossed(&mut self, crossing: Crossing, who: Who, _at: u64) {
        self.crossings[crossing as usize - 1] += 1;
        if crossing.opens() {
            self.entry(who.slot).open += 1;
        }
    }

    fn unmatched(&mut self, crossing: Crossing, _function: u64, _at: u64) {
        self.crossings[crossing as usize - 1] += 1;
    }

    fn unwound(&mut self, _count: u32) {}

    fn abandoned(&mut self, layer: &mut Layer) {
        let total = self.entry(layer.slot);
        total.open -= 1;
        total.abandoned += 1;
    }

    #[inline]
    fn closed(&mut self, layer: &mut Layer, total: u64, own: u64) {
        let of = self.entry(layer.slot);
        of.open -= 1;
        of.ended += 1;
        of.total = of.total.wrapping_add(total);
        of.own = of.own.wrapping_add(own);
        of.min = of.min.min(total);
        of.max = of.max.max(total);
        of.histogram[bucket(total)] += 1;
    }

    fn untimed(&mut self, slot: u32) {
        let total = self.entry(slot);
        total.open -= 1;
        total.untimed += 1;
    }

    fn untimed_return(&mut self, _crossing: Crossing) {}

    fn crossed_failing(&mut self, crossing: Crossing, _who: Who, _at: u64) {
        self.crossings[crossing as usize - 1] += 1;
    }

    fn failed(&mut self, layer: &mut Layer) {
        let total = self.entry(layer.slot);
        total.open -= 1;
        total.failed += 1;
    }

    fn refused(&mut self, slot: u32, _at: u64) {
        self.entry(slot).refused += 1;
    }

    fn fault(&mut self, fault: Fault) {
        self.faults[fault as usize] += 1;
    }
}
