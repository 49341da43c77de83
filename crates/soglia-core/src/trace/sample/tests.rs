//! Programs with known times, on a clock of their own: estimates are within their error bars.
#![allow(unsafe_code, reason = "makes a slot of zeros")]

use std::mem::MaybeUninit;

use super::*;
use crate::{
    coarse::{Clock, Elsewhere},
    layer::Layer,
    sampling::{COST_NS, Estimate, Sampled},
};

/// Ticks of a microsecond.
const US: u64 = 2_500;
const PERIOD: u64 = 1_000 * US;

/// A generator of random numbers of its own, so that it has nothing to do with the draws.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 up to 1.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.part() * n as f64) as u64
    }
}

/// What a target's calls really took.
#[derive(Clone, Copy, Default)]
struct Truth {
    calls: u64,
    total: u64,
    own: u64,
    /// Calls that took two periods or more.
    long: u64,
}

/// One task, and the clock.
struct Program {
    clock: Clock,
    elsewhere: Elsewhere,
    /// The core of the program.
    core: u32,
    now: u64,
    next_tick: u64,
    drawer: Drawer,
    /// The flag of the thread, and the last time that it asked for.
    on_core: bool,
    stamped: u64,
    /// In how many of 100 ticks the clock takes the core of the program.
    here: u64,
    random: Random,
    slots: Vec<Slot>,
    truth: Vec<Truth>,
    /// Each with when it really began, and what was really nested in it.
    open: Vec<(Layer, u64, u64)>,
    /// Long calls that were recognised.
    found: Vec<u64>,
}

impl Program {
    fn new(seed: u64, targets: usize) -> Self {
        let mut random = Random(seed);
        let plan = Plan::new(PERIOD, 10_000, COST_NS * US / 1000);
        let slot = || {
            // SAFETY: all fields of a slot are atomic integers, for which zeros are valid.
            let slot: Slot = unsafe { MaybeUninit::zeroed().assume_init() };
            slot.min.store(u64::MAX, Relaxed);
            slot
        };
        let start = random.next() >> 20;
        let clock = Clock::new();
        clock.tick(start, 1);
        let first = random.below(PERIOD);
        Self {
            clock,
            elsewhere: Elsewhere::new(start),
            core: 0,
            now: start,
            next_tick: start + first,
            drawer: Drawer::new(plan, seed),
            on_core: true,
            stamped: 0,
            here: 0,
            slots: (0..targets).map(|_| slot()).collect(),
            truth: vec![Truth::default(); targets],
            open: Vec::new(),
            found: vec![0; targets],
            random,
        }
    }

    /// Time goes by.
    fn spend(&mut self, ticks: u64) {
        self.now += ticks;
        while self.next_tick <= self.now {
            let is_here = self.random.below(100) < self.here;
            let core = if is_here { self.core } else { 1 - self.core };
            self.clock.tick(self.next_tick, core);
            if is_here {
                // The clock has taken the core, and then others may have it.
                let away = match self.random.below(4) {
                    0 => self.random.below(5 * PERIOD),
                    _ => self.random.below(20 * US),
                };
                self.next_tick += PERIOD + away;
                self.now += away;
                self.on_core = false;
                self.core = u32::from(self.random.below(4) == 0);
                continue;
            }
            // A thread wakes up late, now and then much later.
            let late = if self.random.below(100) == 0 {
                self.random.below(PERIOD)
            } else {
                self.random.below(60 * US)
            };
            self.next_tick += PERIOD + late;
        }
    }

    /// Time goes by, and neither the program nor the clock has a core.
    fn lose_core(&mut self, ticks: u64) {
        self.now += ticks;
        self.next_tick = self.next_tick.max(self.now + 1);
        self.on_core = false;
    }

    /// Time goes by on a machine that has too much to do: now and then others have the cores.
    fn spend_among_others(&mut self, ticks: u64) {
        let mut left = ticks;
        while left > 0 {
            let until = self.random.below(4 * PERIOD);
            self.spend(left.min(until));
            left -= left.min(until);
            if left > 0 {
                let away = 1 + self.random.below(12 * PERIOD);
                self.lose_core(away);
            }
        }
    }

    /// As `open_by_sample` and `open_drawn` do.
    fn open(&mut self, target: usize) {
        let slot = &self.slots[target];
        let left = slot.countdown.load(Relaxed).wrapping_sub(1);
        if !self.on_core {
            self.raise();
            self.ask();
        }
        let (mut since, mut inner) = (self.clock.now().max(self.stamped), 0);
        let slot = &self.slots[target];
        if left.cast_signed() <= 0 {
            self.drawer.aged(self.now - since);
            inner = draw(&mut self.drawer, slot, self.now);
            since = exact(self.now);
            self.ask();
        } else {
            slot.countdown.store(left, Relaxed);
        }
        let layer = Layer {
            since,
            inner,
            slot: target as u32,
            ..Layer::default()
        };
        self.open.push((layer, self.now, 0));
    }

    /// Asks for the time.
    fn ask(&mut self) {
        self.stamped = self.now & !1;
        self.elsewhere.catch_up_by(&self.clock, self.now, self.core);
    }

    /// Raises the flag, and notes in the innermost layer that it was down.
    fn raise(&mut self) {
        self.on_core = true;
        if let Some((top, ..)) = self.open.last_mut() {
            top.mark |= Layer::OFF_CORE;
        }
    }

    /// As `close_by_sample` and `close_drawn` do.
    fn close(&mut self) {
        if !self.on_core {
            self.raise();
        }
        let (layer, began, nested) = self.open.pop().expect("an open call");
        let off_core = layer.mark & Layer::OFF_CORE != 0;
        let target = layer.slot as usize;
        let took = self.now - began;
        let truth = &mut self.truth[target];
        truth.calls += 1;
        truth.total += took;
        truth.own += took - nested;
        truth.long += u64::from(took >= 2 * PERIOD + PERIOD);
        if let Some(outer) = self.open.last_mut() {
            outer.2 += took;
        }
        let slot = &self.slots[target];
        if self.clock.now() > layer.since || layer.inner | layer.mark != 0 {
            self.stamped = self.now & !1;
            let before = self.elsewhere.before_by(&self.clock, layer.since);
            self.elsewhere.catch_up_by(&self.clock, self.now, self.core);
            let mut plan = *self.drawer.plan();
            if !self.elsewhere.are_usual() {
                plan = plan.without_ticks();
            }
            let seen = self.clock.between(layer.since, self.now);
            let (span, returned) = ((layer.since, self.now), Returned::default());
            match layer.inner {
                0 if off_core => {
                    super::off_core(slot, span, seen, self.drawer.age(), &plan, &returned);
                }
                0 => other(slot, span, seen, before, &plan, &returned),
                n => {
                    let long = off_core || is_long(self.now, seen, &plan);
                    drawn(slot, span, long, n, &plan, &returned);
                }
            }
            let of = |field: &AtomicU64| field.load(Relaxed);
            if took >= 3 * PERIOD {
                // A tick that is late comes after two periods at most.
                let error = match layer.inner {
                    0 if off_core => 2 * PERIOD,
                    0 => PERIOD,
                    _ => 1,
                };
                let found = of(&returned.took);
                assert!(found.abs_diff(took) <= error, "{found} for {took}");
                self.found[target] += 1;
            }
            add_up!(slot.nested, layer.estimate());
            if let Some((outer, ..)) = self.open.last_mut() {
                outer.mark |= layer.mark & Layer::OFF_CORE;
                outer.mark = outer.mark.saturating_add(of(&returned.ticks));
                let sample = &self.slots[outer.slot as usize].sample;
                add_up!(sample.nested_variance, of(&returned.variance));
                add_up!(sample.nested_moved_variance, of(&returned.moved_variance));
            }
        }
        add!(slot.ended, 1);
    }

    fn call(&mut self, target: usize, ticks: u64) {
        self.open(target);
        self.spend(ticks);
        self.close();
    }

    fn estimate(&self, target: usize) -> Estimate {
        let slot = &self.slots[target];
        let sample = &slot.sample;
        Sampled {
            ended: slot.ended.load(Relaxed).into(),
            timed: sample.timed.load(Relaxed).into(),
            total: slot.total.load(Relaxed),
            nested: slot.nested.load(Relaxed),
            rest: sample.rest.load(Relaxed),
            clipped: sample.clipped.load(Relaxed),
            square: sample.square.load(Relaxed),
            square_ticks: sample.square_ticks.load(Relaxed),
            square_squares: sample.square_squares.load(Relaxed),
            greatest_square: sample.greatest_square.load(Relaxed),
            moved: sample.moved.load(Relaxed),
            moved_variance: sample.moved_variance.load(Relaxed) as f64 * VARIANCE_UNIT as f64,
            span: sample.span.load(Relaxed),
            nested_variance: sample.nested_variance.load(Relaxed) as f64
                + sample.nested_moved_variance.load(Relaxed) as f64 * VARIANCE_UNIT as f64,
        }
        .estimate(PERIOD as f64)
    }
}

/// Runs a program with a thousand seeds. All of its estimates are within three standard errors in
/// at least 99 % of them.
fn thousand(name: &str, targets: usize, run: impl Fn(&mut Program)) {
    const SEEDS: u64 = 1000;
    let mut outside = vec![[0_u32; 2]; targets];
    let (mut errors, mut timed) = (vec![0.0; targets], 0.0);
    for seed in 0..SEEDS {
        let mut program = Program::new(seed * 7919 + 1, targets);
        run(&mut program);
        for target in 0..targets {
            let (truth, of) = (program.truth[target], program.estimate(target));
            let ended = program.slots[target].ended.load(Relaxed);
            assert_eq!(u64::from(ended), truth.calls);
            assert_eq!(
                program.found[target], truth.long,
                "{name}: long calls are missing"
            );
            let far = |found: u64, exact: u64, variance: f64| {
                // Each layer's two stamps are exact to a tick.
                found.abs_diff(exact) as f64 > 3.0 * variance.sqrt() + 2.0 * truth.calls as f64
            };
            outside[target][0] += u32::from(far(of.total, truth.total, of.total_variance));
            outside[target][1] += u32::from(far(of.own, truth.own, of.own_variance));
            errors[target] += of.total_variance.sqrt() / truth.total as f64 / SEEDS as f64;
            timed += f64::from(program.slots[target].sample.timed.load(Relaxed))
                / truth.calls as f64
                / (SEEDS as usize * targets) as f64;
        }
    }
    println!("{name}: outside {outside:?}, errors {errors:.4?}, timed {timed:.4}");
    let most = SEEDS as u32 / 100;
    assert!(
        outside.iter().flatten().all(|n| *n <= most),
        "{name}: {outside:?} of {SEEDS} are outside of three standard errors"
    );
}

#[test]
fn constant() {
    thousand("constant", 1, |p| {
        for _ in 0..100_000 {
            p.call(0, 100);
            p.spend(150);
        }
    });
}

#[test]
fn few() {
    thousand("few", 1, |p| {
        for _ in 0..3000 {
            let took = 50 + p.random.below(100);
            p.call(0, took);
            p.spend(20);
        }
    });
}

#[test]
fn bimodal_with_a_rare_slow_mode() {
    thousand("bimodal", 1, |p| {
        for _ in 0..50_000 {
            let took = match p.random.below(2000) {
                0 => 6_000 * US,
                1..=4 => 200 * US,
                _ => 100,
            };
            p.call(0, took);
            p.spend(100);
        }
    });
}

#[test]
fn heavy_tail() {
    thousand("heavy tail", 1, |p| {
        for _ in 0..50_000 {
            // Pareto, with an exponent of 1.3.
            let took = 100.0 / (1.0 - p.random.part()).powf(1.0 / 1.3);
            p.call(0, took as u64);
            p.spend(200);
        }
    });
}

#[test]
fn callbacks_nested_one_to_five() {
    thousand("callbacks", 6, |p| {
        for _ in 0..10_000 {
            let depth = 1 + p.random.below(5) as usize;
            for level in 0..=depth {
                p.open(level);
                let before = 20 + p.random.below(200);
                p.spend(before);
            }
            for _ in 0..=depth {
                p.spend(30);
                p.close();
            }
            p.spend(100);
        }
    });
}

#[test]
fn alternating_in_lockstep() {
    thousand("alternating", 2, |p| {
        for n in 0..100_000 {
            let took = if n % 2 == 0 { 40 } else { 4_000 };
            p.call(0, took);
            p.call(1, 200);
        }
    });
}

#[test]
fn a_period_that_divides_the_gap() {
    thousand("period", 1, |p| {
        for n in 0..100_000 {
            let took = if n % 64 == 0 { 30_000 } else { 100 };
            p.call(0, took);
            p.spend(50);
        }
    });
}

#[test]
fn below_a_call_that_never_ends() {
    thousand("message loop", 2, |p| {
        p.open(0);
        for _ in 0..50_000 {
            let took = 100 + p.random.below(1000);
            p.call(1, took);
            p.spend(100);
        }
        p.close();
    });
}

#[test]
fn times_that_drift() {
    thousand("drift", 2, |p| {
        for n in 0..50_000 {
            p.call(0, 2_000 - n / 28);
            p.call(1, 100 + n / 28);
        }
    });
}

/// Others have the cores now and then, and then neither the program nor the clock has one.
#[test]
fn among_others() {
    thousand("among others", 3, |p| {
        for n in 0..30_000 {
            p.open(0);
            p.spend_among_others(2_000);
            if n % 3 == 0 {
                p.open(1);
                p.spend_among_others(3_000);
                p.close();
            }
            p.close();
            p.spend_among_others(1_500);
            let took = if n % 5000 == 0 { 5 * PERIOD } else { 100 };
            p.open(2);
            p.spend_among_others(took);
            p.close();
        }
    });
}

/// Calls that wait for a short time, for longer than a drawn call stands for others.
#[test]
fn calls_that_wait() {
    thousand("calls that wait", 1, |p| {
        for _ in 0..50_000 {
            p.open(0);
            p.spend(200);
            if p.random.below(50) == 0 {
                let away = 10 * US + p.random.below(60 * US);
                p.now += away;
                p.on_core = false;
                p.spend(0);
            }
            p.close();
            p.spend(100);
        }
    });
}

/// Calls that compute for longer than a drawn call stands for others. The clock is on another core,
/// or often on the same, or takes turns.
#[test]
fn clocks_on_the_same_core() {
    for here in [0, 20, 50, 70, 100] {
        thousand(&format!("{here} % on the same core"), 1, |p| {
            p.here = here;
            for n in 0..60_000 {
                let took = match n % 64 {
                    0 => 60 * US,
                    1 if n % 4096 == 1 => 300 * US,
                    _ => 200,
                };
                p.call(0, took);
                p.spend(100);
            }
        });
    }
}
