//! Crossings of tasks whose calls are timed by sample.
//!
//! A call that is not drawn takes the last known time when it opens: that of the coarse clock, or
//! the last one that its task has asked for. When it returns, and the coarse clock has not moved,
//! and the thread was on its core all the time, it is counted, and that is all. A call that is
//! drawn takes the time itself, which is odd here, while that of others is even.
#![allow(unsafe_code, reason = "slots lie in the mapped file")]

use std::sync::atomic::Ordering::{Relaxed, Release};

use super::{
    mapped_account::{FULL, MappedAccount, Noted},
    sample::{self, add_up, draw, exact},
    slot_table::slot_at,
    task_writer::{TaskWriter, Then},
};
use crate::{
    coarse,
    crossing::{Crossing, Side},
    layer::{End, Layer, Layers},
    sampling::{Drawer, Plan},
    task::Who,
    time,
};

/// The time of a call that is not drawn. Layers that lie in each other have different ones.
#[inline(always)]
fn known_at(stamped: u64, depth: u32) -> u64 {
    coarse::now()
        .max(stamped)
        .wrapping_add(u64::from(depth) * 2)
}

impl TaskWriter {
    /// [`TaskWriter::cross_at_once`] where calls are timed by sample. It is inlined as
    /// [`TaskWriter::cross_quietly`] is.
    #[inline(always)]
    pub fn cross_by_sample(&mut self, crossing: Crossing, who: Who) -> Then {
        if crossing.opens() {
            return self.open_by_sample(crossing, who);
        }
        match crossing.side() {
            Side::Managed => self.close_by_sample::<1>(crossing, who.function),
            Side::Unmanaged => self.close_by_sample::<0>(crossing, who.function),
        }
    }

    #[inline(always)]
    fn open_by_sample(&mut self, crossing: Crossing, who: Who) -> Then {
        // SAFETY: the caller has the slot's name from this task's table, not from the file, and
        // recordings of live tasks are never unmapped.
        let slot = unsafe { slot_at(self.account.base, who.slot) };
        let left = slot.countdown.load(Relaxed).wrapping_sub(1);
        if left.cast_signed() <= 0 || !self.account.on_core.is_up() {
            return self.open_drawn(who.function, who.slot, crossing.side() as u32);
        }
        // The draws are independent, so it does not matter if the call opens by the slow path.
        slot.countdown.store(left, Relaxed);
        let layers = self.task.layers_mut();
        let has_opened = layers.push(Layer {
            since: known_at(self.account.stamped, layers.depth()),
            inner: 0,
            mark: 0,
            function: Layer::of(who.function, crossing.side()),
            slot: who.slot,
            bits: crossing.side() as u32,
        });
        if has_opened { Then::GoOn } else { Then::More }
    }

    /// Opens a call that is drawn, or the first one since the thread was off its core.
    #[inline(never)]
    extern "C" fn open_drawn(&mut self, function: u64, number: u32, side: u32) -> Then {
        if !self.task.layers().has_room() {
            return Then::More;
        }
        let mut known = coarse::now().max(self.account.stamped);
        if !self.account.on_core.is_up() {
            self.account.on_core.raise();
            self.was_off_core();
            known = u64::MAX;
        }
        // SAFETY: as in `open_by_sample`, the only caller.
        let slot = unsafe { slot_at(self.account.base, number) };
        let left = slot.countdown.load(Relaxed).wrapping_sub(1);
        let mut stands_for = 0;
        if left.cast_signed() > 0 {
            slot.countdown.store(left, Relaxed);
        } else if let Some(drawer) = &mut self.account.drawer {
            let now = time::now();
            drawer.aged(now.saturating_sub(known));
            stands_for = draw(drawer, slot, now);
        }
        let now = time::now();
        self.account.stamped = now & !1;
        let core = self.account.on_core.core();
        self.account.elsewhere.catch_up(now, core);
        let layers = self.task.layers_mut();
        let since = match stands_for {
            0 => known_at(now & !1, layers.depth()),
            _ => exact(now),
        };
        layers.push(Layer {
            since,
            inner: stands_for,
            mark: 0,
            function: Layer::of(function, Side::from_number(side)),
            slot: number,
            bits: side,
        });
        Then::GoOn
    }

    #[inline(always)]
    fn close_by_sample<const SIDE: u32>(&mut self, crossing: Crossing, function: u64) -> Then {
        let layers = self.task.layers_mut();
        let Some(top) = layers.near_top() else {
            return self.close_drawn::<SIDE>(function);
        };
        let at = top.since;
        let usual = top.function == Layer::of(function, crossing.side())
            && coarse::now() <= at
            && top.inner | top.mark == 0
            && top.slot <= self.account.highest
            && self.account.on_core.is_up();
        if !usual {
            return self.close_drawn::<SIDE>(function);
        }
        // SAFETY: the check says that the name is not above the highest slot of this task, and
        // recordings of live tasks are never unmapped.
        let slot = unsafe { slot_at(self.account.base, top.slot) };
        let ended = slot.ended.load(Relaxed);
        if ended.cast_signed() <= 0 {
            return self.close_drawn::<SIDE>(function);
        }
        let ended = ended.wrapping_add(1);
        top.mark_counted(crossing.side(), End::Ended, ended);
        slot.ended.store(ended, Release);
        let target = slot.target.load(Relaxed);
        layers.pop();
        self.account.keep(target, at);
        Then::GoOn
    }

    /// Closes a call that was drawn, saw the coarse clock move or the thread leave its core, or
    /// does whatever else a return needs.
    #[inline(never)]
    extern "C" fn close_drawn<const SIDE: u32>(&mut self, function: u64) -> Then {
        let (side, crossing) = match Side::from_number(SIDE) {
            Side::Managed => (Side::Managed, Crossing::ReverseLeaveRuntime),
            Side::Unmanaged => (Side::Unmanaged, Crossing::EnterRuntime),
        };
        let was_off_core = !self.account.on_core.is_up();
        self.account.on_core.raise();
        let now = time::now();
        self.account.stamped = now & !1;
        let highest = self.account.highest;
        let fits = |top: &Layer| top.function == Layer::of(function, side) && top.slot <= highest;
        let Some(top) = self.task.layers_mut().near_top().filter(|top| fits(top)) else {
            if was_off_core {
                self.was_off_core();
            }
            return self.close_otherwise(crossing, function, now);
        };
        if was_off_core {
            top.mark |= Layer::OFF_CORE;
        }
        let was_off_core = top.mark & Layer::OFF_CORE != 0;
        let number = top.slot;
        // SAFETY: the check says that the name is not above the highest slot of this task.
        let ended = unsafe { slot_at(self.account.base, number) }
            .ended
            .load(Relaxed);
        self.account.returned_by_sample(top, now);
        let took = self.account.returned.took.load(Relaxed);
        let slow = took >= self.account.recording().noted_ticks();
        let noted = slow || side == Side::Unmanaged && ended == 0;
        if noted {
            self.account.noted = Some(Noted {
                slot: number,
                at: now,
                took,
                since: top.since,
                side,
            });
        }
        if ended >= FULL {
            self.account.full = Some(number);
        }
        self.task.layers_mut().pop();
        self.pass_on(was_off_core);
        if noted || ended >= FULL {
            Then::More
        } else {
            Then::GoOn
        }
    }

    /// Notes that the innermost layer was drawn, in the slow path of an opening crossing: the
    /// first call of a target, or another one that every task looks into.
    pub(super) fn stands_for_itself(&mut self) {
        if let Some(top) = self.task.layers_mut().top() {
            top.inner = 1;
            top.since = exact(top.since);
        }
    }

    /// The thread was off its core while the innermost layer was open.
    fn was_off_core(&mut self) {
        if let Some(top) = self.task.layers_mut().top() {
            top.mark |= Layer::OFF_CORE;
        }
    }

    /// Counts the last return in the layer around it, which is the innermost one now.
    pub(super) fn pass_on(&mut self, was_off_core: bool) {
        if was_off_core {
            self.was_off_core();
        }
        let ticks = self.account.returned.ticks.load(Relaxed);
        self.account.returned.ticks.store(0, Relaxed);
        if ticks != 0
            && let Some(outer) = self.task.layers_mut().top()
        {
            outer.mark = (outer.mark | Layer::ESTIMATE).saturating_add(ticks);
            self.account.nested_by_sample(outer.slot);
        }
    }
}

/// Where a recording has no plan. No call is drawn there.
static NONE: Plan = Plan::new(0, 0, 0);

impl MappedAccount {
    /// Counts the return of a layer at the time `now`, and keeps what it adds to the account of the
    /// call around it in `returned`.
    #[inline(never)]
    pub(super) extern "C" fn returned_by_sample(&mut self, layer: &mut Layer, now: u64) {
        let before = self.elsewhere.before(layer.since);
        self.elsewhere.catch_up(now, self.on_core.core());
        let slot = self.slot(layer.slot);
        let ended = slot.ended.load(Relaxed).wrapping_add(1);
        layer.mark_counted(layer.side(), End::Ended, ended);
        let plan = self.drawer.as_ref().map_or(&NONE, Drawer::plan);
        let plan = if self.elsewhere.are_usual() {
            plan
        } else {
            &plan.without_ticks()
        };
        let span = (layer.since, now);
        let seen = coarse::between(layer.since, now);
        let off_core = layer.mark & Layer::OFF_CORE != 0;
        match layer.inner {
            0 if off_core => {
                let age = self.drawer.as_ref().map_or(0, Drawer::age);
                sample::off_core(slot, span, seen, age, plan, &self.returned);
            }
            0 => sample::other(slot, span, seen, before, plan, &self.returned),
            stands_for => {
                let long = off_core || sample::is_long(now, seen, plan);
                sample::drawn(slot, span, long, stands_for, plan, &self.returned);
            }
        }
        add_up!(slot.nested, layer.estimate());
        slot.ended.store(ended, Release);
        let target = slot.target.load(Relaxed);
        self.keep(target, now);
    }

    /// Counts how uncertain the time of the last return is in the account of the call around it.
    fn nested_by_sample(&self, outer: u32) {
        let (sample, of) = (&self.slot(outer).sample, &self.returned);
        add_up!(sample.nested_variance, of.variance.load(Relaxed));
        add_up!(
            sample.nested_moved_variance,
            of.moved_variance.load(Relaxed)
        );
    }
}
