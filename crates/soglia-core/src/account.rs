//! Accounts: what a task reports about its crossings, and totals of it in memory.

use std::collections::HashMap;

use crate::{
    crossing::{Crossing, Who},
    fault::Fault,
    histogram::{BUCKETS, bucket, midpoint},
    layer::Layer,
};

/// Receives from [`Task::cross`](crate::task::Task::cross) what follows from a crossing. The task
/// calls the methods in this order.
pub trait Account {
    /// Whether a crossing at that time can be taken by a few stores. If not, the task calls
    /// [`Account::make_ready`] first.
    fn is_ready(&self, _at: u64) -> bool {
        true
    }
    /// Does what a crossing at that time needs beyond a few stores.
    fn make_ready(&mut self, _at: u64) {}
    /// A crossing opens a layer and needs nothing else: [`Account::crossed`] for an account that is
    /// ready.
    fn opens_plainly(&mut self, crossing: Crossing, who: Who, at: u64) {
        self.crossed(crossing, who, at);
    }
    /// The innermost layer returns after `took` ticks and needs nothing else: [`Account::crossed`]
    /// and [`Account::closed`] in one.
    ///
    /// Returns `false` and does nothing if it needs more. Then [`Account::note`] comes first.
    ///
    /// The clocks of two cores may disagree by a few ticks. Then `took` has wrapped around, and the
    /// return is not a plain one.
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
    /// This layer returns after `took` ticks. Returns `true` if the return should be looked into.
    fn note(&mut self, _layer: &Layer, _at: u64, _took: u64) -> bool {
        false
    }
    /// A crossing that fits. `who.slot` is set if it opens a layer. Called before the layer is
    /// opened or closed.
    fn crossed(&mut self, crossing: Crossing, who: Who, at: u64);
    /// A return without a call.
    fn unmatched(&mut self, crossing: Crossing, function: u64, at: u64);
    /// Whether calls may return that began before the account. Such a return is no fault, and
    /// nothing is called for it.
    fn began_later(&self) -> bool {
        false
    }
    /// The `count` innermost calls are gone. A call of [`Account::abandoned`] follows for each one
    /// that was not too deep.
    fn unwound(&mut self, count: u32);
    /// This layer is gone without a return.
    fn abandoned(&mut self, layer: &mut Layer);
    /// This layer closes after `total` ticks, of which `own` were outside nested layers.
    fn closed(&mut self, layer: &mut Layer, total: u64, own: u64);
    /// What a layer that took so many ticks adds to [`Layer::inner`] of the layer around it.
    fn nests(&self, took: u64) -> u64 {
        took
    }
    /// A call was opened that is too deep to be timed.
    fn untimed(&mut self, slot: u32);
    /// Such a call returned.
    fn untimed_return(&mut self, crossing: Crossing);
    /// The innermost call ends by an exception. Called instead of [`Account::crossed`], before
    /// [`Account::failed`].
    fn crossed_failing(&mut self, crossing: Crossing, who: Who, at: u64);
    /// This layer closes because its call ended by an exception.
    fn failed(&mut self, layer: &mut Layer);
    /// A policy denied a call: there is no crossing and no layer.
    fn refused(&mut self, slot: u32, at: u64);
    /// A fault.
    fn fault(&mut self, fault: Fault);
}

/// The account of one target.
#[derive(Clone, Debug, PartialEq)]
pub struct Total {
    /// Calls that were opened and have not ended.
    pub open: u64,
    /// Calls that returned.
    pub ended: u64,
    /// Calls that were unwound past.
    pub abandoned: u64,
    /// Calls that were counted and not timed: they were too deep, or only counts are recorded.
    pub untimed: u64,
    /// Calls that ended by an exception instead of a return. They are counted, not timed.
    pub failed: u64,
    /// Calls that a policy denied. They are not part of [`Total::calls`].
    pub refused: u64,
    /// Calls of `ended` that were timed. If these are fewer, `total`, `own` and `histogram` are
    /// estimates.
    pub timed: u64,
    /// Ticks of ended calls.
    pub total: u64,
    /// The same without nested layers.
    pub own: u64,
    /// The squares of the standard errors of `total` and `own`; 0: they are exact.
    pub total_variance: f64,
    /// See `total_variance`.
    pub own_variance: f64,
    /// Ticks of the shortest ended call; `u64::MAX` before the first.
    pub min: u64,
    /// Ticks of the longest ended call.
    pub max: u64,
    /// Ended calls by duration: see [`crate::histogram`].
    pub histogram: Box<[u64; BUCKETS]>,
}

impl Total {
    /// All calls ever made.
    pub const fn calls(&self) -> u64 {
        self.open + self.ended + self.abandoned + self.untimed + self.failed
    }

    /// What was added since `earlier`, which is the same account at an earlier time. What is open
    /// stays: it is open now.
    ///
    /// `min` and `max` are exact only if they have changed since. Otherwise they are those of the
    /// histogram, which is exact to about 6 %.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut histogram = Box::new([0; BUCKETS]);
        // Another process may have counted between the reading of two counters.
        for (n, calls) in histogram.iter_mut().enumerate() {
            *calls = self.histogram[n].saturating_sub(earlier.histogram[n]);
        }
        let within = |bucket: usize| midpoint(bucket).max(self.min).min(self.max);
        let shortest = histogram.iter().position(|calls| *calls > 0);
        let longest = histogram.iter().rposition(|calls| *calls > 0);
        Self {
            open: self.open,
            ended: self.ended.saturating_sub(earlier.ended),
            abandoned: self.abandoned.saturating_sub(earlier.abandoned),
            untimed: self.untimed.saturating_sub(earlier.untimed),
            failed: self.failed.saturating_sub(earlier.failed),
            refused: self.refused.saturating_sub(earlier.refused),
            timed: self.timed.saturating_sub(earlier.timed),
            total: self.total.saturating_sub(earlier.total),
            own: self.own.saturating_sub(earlier.own),
            // Both totals have the errors of what they have in common.
            total_variance: (self.total_variance - earlier.total_variance).max(0.0),
            own_variance: (self.own_variance - earlier.own_variance).max(0.0),
            min: match shortest {
                _ if self.min < earlier.min => self.min,
                Some(bucket) => within(bucket),
                None => u64::MAX,
            },
            max: match longest {
                _ if self.max > earlier.max => self.max,
                Some(bucket) => within(bucket),
                None => 0,
            },
            histogram,
        }
    }

    /// Adds another account to this one.
    pub fn add(&mut self, other: &Self) {
        // These cannot overflow: they are sums of counters of 32 bits.
        self.open += other.open;
        self.ended += other.ended;
        self.abandoned += other.abandoned;
        self.untimed += other.untimed;
        self.failed += other.failed;
        self.refused += other.refused;
        self.timed += other.timed;
        self.total_variance += other.total_variance;
        self.own_variance += other.own_variance;
        // A recording may hold any times. So `own` stays no more than `total`.
        self.total = self.total.saturating_add(other.total);
        self.own = self.own.saturating_add(other.own);
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
            timed: 0,
            total: 0,
            own: 0,
            total_variance: 0.0,
            own_variance: 0.0,
            min: u64::MAX,
            max: 0,
            histogram: Box::new([0; BUCKETS]),
        }
    }
}

/// The most targets that a reader keeps apart. All others are counted at target 0. No program has
/// so many, but a recording may claim so, and a total takes more memory than the bytes that ask for
/// it.
pub const MOST_TARGETS: usize = 1 << 14;

/// Targets that are kept by index.
const DENSE: usize = 1 << 16;

/// Totals by target number, in memory.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    /// The engine numbers targets from 1 without gaps, so nearly all lie here.
    targets: Vec<Option<Box<Total>>>,
    /// Numbers that only a broken recording has.
    strays: HashMap<u32, Box<Total>>,
    known: usize,
    /// Crossings by [`Crossing`] number minus one, including faulty ones.
    pub crossings: [u64; 4],
    /// Faults by number.
    pub faults: [u64; Fault::ALL.len()],
}

impl Totals {
    /// The total of this target, if it was ever called.
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

    /// The total of this target, made at its first call. If there are too many, that of target 0.
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
        of.timed += 1;
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A later account without an earlier one is what was added in between.
    #[test]
    fn an_account_since_an_earlier_one_has_what_was_added() {
        let mut total = Total::default();
        let add = |total: &mut Total, took: u64| {
            total.ended += 1;
            total.timed += 1;
            total.total += took;
            total.own += took / 2;
            total.min = total.min.min(took);
            total.max = total.max.max(took);
            total.histogram[bucket(took)] += 1;
        };
        assert_eq!(total.since(&Total::default()), total);
        add(&mut total, 10);
        add(&mut total, 50_000);
        let first = total.clone();
        assert_eq!(first.since(&Total::default()), first);
        let nothing = first.since(&first);
        assert_eq!(
            (nothing.calls(), nothing.min, nothing.max),
            (0, u64::MAX, 0)
        );
        for took in [700, 1000, 20_000] {
            add(&mut total, took);
        }
        total.open = 2;
        let added = total.since(&first);
        assert_eq!((added.open, added.ended, added.calls()), (2, 3, 5));
        assert_eq!((added.total, added.own), (21_700, 10_850));
        assert_eq!(added.histogram.iter().sum::<u64>(), 3);
        // From the histogram, exact to 6 %.
        for (found, exact) in [(added.min, 700), (added.max, 20_000)] {
            assert!(found.abs_diff(exact) * 16 <= exact, "{found}, not {exact}");
        }
        // The longest call so far was one of these.
        add(&mut total, 60_000);
        assert_eq!(total.since(&first).max, 60_000);
        // Counters that were read at different times.
        assert_eq!(first.since(&total).ended, 0);
    }

    #[test]
    fn times_that_overflow_stay_in_order() {
        let of = |total, own| Total {
            total,
            own,
            ..Total::default()
        };
        let mut sum = of(u64::MAX - 1, 5);
        sum.add(&of(10, 9));
        assert_eq!((sum.total, sum.own), (u64::MAX, 14));
    }
}
