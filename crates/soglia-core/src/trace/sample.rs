//! What calls add to the account of their target where they are timed by sample.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{
    format::{Slot, VARIANCE_UNIT},
    slot_table::add,
};
use crate::{
    coarse::Seen,
    histogram::bucket,
    sampling::{Drawer, Plan},
};

/// The time of a call that is drawn.
#[inline]
pub(super) fn exact(at: u64) -> u64 {
    at | 1
}

/// A call of this slot is drawn now. Draws the next one. Returns for how many calls this one
/// stands.
pub(super) fn draw(drawer: &mut Drawer, slot: &Slot, now: u64) -> u64 {
    let sample = &slot.sample;
    let power = sample.power.load(Relaxed).min(31);
    if power != 0 {
        add!(sample.span, now.saturating_sub(sample.drawn.load(Relaxed)));
    }
    sample.drawn.store(now, Relaxed);
    let next = drawer.next_power(now, power, slot.ended.load(Relaxed));
    sample.power.store(next, Relaxed);
    slot.countdown.store(drawer.next_call(next), Relaxed);
    1 << power
}

/// What a return adds to the account of its target, and to that of the call around it. Its fields
/// are atomics of the account, so that the compiler moves each by itself: hooks in cooperative mode
/// must not use vector registers.
#[derive(Debug, Default)]
pub(super) struct Returned {
    /// Ticks that it took, as far as they are known.
    pub(super) took: AtomicU64,
    /// Ticks by which it is counted.
    pub(super) ticks: AtomicU64,
    /// The variance of that, of a drawn call.
    pub(super) variance: AtomicU64,
    /// The same of another one, in [`VARIANCE_UNIT`].
    pub(super) moved_variance: AtomicU64,
}

impl Returned {
    fn set(&self, took: u64, ticks: u64, variance: u64, moved_variance: u64) {
        self.took.store(took, Relaxed);
        self.ticks.store(ticks, Relaxed);
        self.variance.store(variance, Relaxed);
        self.moved_variance.store(moved_variance, Relaxed);
    }
}

/// Adds to a field that only this thread writes, up to the greatest number.
macro_rules! add_up {
    ($field:expr, $amount:expr) => {
        $field.store($field.load(Relaxed).saturating_add($amount), Relaxed)
    };
}
pub(super) use add_up;

/// Whether a call that saw these ticks was certainly open for a whole period.
pub(super) fn is_long(now: u64, seen: Option<Seen>, plan: &Plan) -> bool {
    seen.is_some_and(|seen| now.saturating_sub(seen.first) >= plan.period)
}

/// Accounts for a drawn call. `known`: if it was long, others like it are found without a draw.
pub(super) fn drawn(
    slot: &Slot,
    (since, now): (u64, u64),
    known: bool,
    stands_for: u64,
    plan: &Plan,
    returned: &Returned,
) {
    let sample = &slot.sample;
    // The clocks of two cores may disagree by a few ticks.
    let took = now.saturating_sub(since);
    add!(slot.total, took);
    add!(sample.timed, 1);
    widen(slot, took);
    let rest = stands_for.saturating_sub(1);
    let within = took.min(plan.clip);
    let square = stands_for.saturating_mul(rest);
    let variance = square.saturating_mul(within.saturating_mul(within));
    if rest != 0 {
        add_up!(sample.rest, rest);
        add_up!(sample.clipped, rest * within);
        add_up!(sample.square, square);
        add_up!(sample.square_ticks, square.saturating_mul(within));
        add_up!(sample.square_squares, variance);
        if variance > sample.greatest_square.load(Relaxed) {
            sample.greatest_square.store(variance, Relaxed);
        }
    }
    let calls = if known && took >= plan.period {
        1
    } else {
        stands_for
    };
    enter(slot, took, calls as u32);
    returned.set(took, took.saturating_add(rest * within), variance, 0);
}

/// Accounts for a call that was not drawn. `before`: the last tick before it by which calls are
/// counted, if it is known.
pub(super) fn other(
    slot: &Slot,
    (since, now): (u64, u64),
    seen: Option<Seen>,
    before: Option<u64>,
    plan: &Plan,
    returned: &Returned,
) {
    let Some(seen) = seen else {
        return returned.set(0, 0, 0, 0);
    };
    // A drawn call stands for others up to the clip. So a tick counts if the call went on for that
    // long after it.
    let last = if now.saturating_sub(seen.last) >= plan.clip {
        seen.last
    } else {
        seen.last_but_one
    };
    let before = before.unwrap_or(seen.before);
    let period = seen.first.saturating_sub(before);
    let long = is_long(now, Some(seen), plan);
    let (mut took, mut ticks, mut variance) = (0, 0, 0);
    if long {
        // It began between the last known time and the first tick.
        took = now
            .saturating_sub(since)
            .saturating_sub(seen.first.saturating_sub(since) / 2);
        widen(slot, took);
        enter(slot, took, 1);
    }
    if last > since {
        ticks = last.saturating_sub(before);
        // A short call sees a tick or none, so the time of its tick says how likely that was. A
        // long one begins and ends anywhere in a period.
        let scale = if long { 4 } else { 1 };
        variance = (period.saturating_mul(period) / scale) / VARIANCE_UNIT;
        add_up!(slot.sample.moved, ticks);
        add_up!(slot.sample.moved_variance, variance);
    }
    returned.set(took, ticks, 0, variance);
}

/// Accounts for a call that was not drawn, and during which the thread was off its core. The clock
/// may have had no core either. So the time is that from the last known time to now, less `age`:
/// how old such a time is on average.
pub(super) fn off_core(
    slot: &Slot,
    (since, now): (u64, u64),
    seen: Option<Seen>,
    age: u64,
    plan: &Plan,
    returned: &Returned,
) {
    // It began before the first tick that it saw.
    let latest = seen.map_or(now, |seen| seen.first);
    let age = age.min(latest.saturating_sub(since) / 2);
    let took = now.saturating_sub(since).saturating_sub(age);
    if took >= plan.period {
        widen(slot, took);
        enter(slot, took, 1);
    }
    let ticks = took.saturating_sub(plan.clip);
    let mut variance = if ticks > 0 {
        age.saturating_mul(age) / VARIANCE_UNIT
    } else {
        0
    };
    // Drawn calls stand for such calls, which ticks have found. If they are rare, none was drawn.
    if plan.is_found_by_ticks(took) {
        variance = plan.period.saturating_mul(plan.period) / VARIANCE_UNIT;
    }
    add_up!(slot.sample.moved, ticks);
    add_up!(slot.sample.moved_variance, variance);
    returned.set(took, ticks, 0, variance);
}

/// Counts calls in the histogram. Cannot panic.
fn enter(slot: &Slot, took: u64, calls: u32) {
    if let Some(counted) = slot.histogram.get(bucket(took)) {
        add!(counted, calls);
    }
}

/// Takes a call for the shortest or the longest one so far.
fn widen(slot: &Slot, took: u64) {
    if took < slot.min.load(Relaxed) {
        slot.min.store(took, Relaxed);
    }
    if took > slot.max.load(Relaxed) {
        slot.max.store(took, Relaxed);
    }
}

#[cfg(test)]
mod tests;
