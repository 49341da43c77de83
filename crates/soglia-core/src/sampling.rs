//! Which calls are timed when calls are timed by sample, and what is estimated from them.
//!
//! `docs/sampling.md` says why this is right. In short: each slot of a task draws for itself which
//! of its calls are timed. A drawn call is timed exactly, and stands for as many calls as one in so
//! many was to be drawn. What a drawn call takes beyond [`Plan::clip`] stands for itself only: of
//! other calls, the ticks of the coarse clock that they are open at say the same.

/// The smallest chance of a call to be drawn is 1 in 2 to this power.
pub const LEAST_CHANCE: u32 = 10;
/// What one drawn call costs, in nanoseconds: two time stamps, and the rest of its account.
pub const COST_NS: u64 = 60;
/// So many calls of a slot are drawn before the first is left out.
pub const AT_LEAST: u32 = 1024;
/// The chance is never below this number divided by the calls so far: at least so many calls are
/// drawn each time the number of a slot's calls has grown by a factor of 2.7.
const FLOOR: u32 = 256;

/// So many more hits are taken for possible than were seen.
const UNSEEN: f64 = 3.0;

/// How calls are timed by sample, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The time between two ticks of the coarse clock.
    pub period: u64,
    /// A drawn call stands for others up to this long.
    pub clip: u64,
    /// The time between two drawn calls of a task, on average, that the budget allows.
    pub pace: u64,
}

impl Plan {
    /// The plan for a clock of this period and a budget in millionths of the run. `cost` is
    /// [`COST_NS`] in ticks.
    pub const fn new(period: u64, budget_ppm: u32, cost: u64) -> Self {
        let ppm = if budget_ppm == 0 {
            1
        } else {
            budget_ppm as u64
        };
        Self {
            period,
            clip: Self::clip(period),
            pace: cost.saturating_mul(1_000_000) / ppm,
        }
    }
}

impl Plan {
    /// What drawn calls stand for up to, where ticks find what is longer.
    const fn clip(period: u64) -> u64 {
        period / 64
    }

    /// Whether ticks alone have found a call that took so long, if it was not drawn: see
    /// [`Plan::without_ticks`].
    pub const fn is_found_by_ticks(&self, took: u64) -> bool {
        self.clip == self.period && took >= Self::clip(self.period) && took < self.period
    }

    /// The plan while ticks are on the core of the task. They do not find calls that compute, so
    /// drawn calls stand for these up to a period. What computes for longer loses its core.
    pub const fn without_ticks(&self) -> Self {
        Self {
            clip: self.period,
            ..*self
        }
    }
}

/// What a task draws by: random numbers, and the pace at which it has drawn lately.
#[derive(Clone, Debug)]
pub struct Drawer {
    plan: Plan,
    random: u64,
    /// When the last call was drawn.
    last: u64,
    /// The time between two drawn calls, averaged over about 16.
    mean: u64,
    /// 16 times [`Drawer::age`].
    age: u64,
}

impl Drawer {
    /// A new one. Those with the same seed draw the same.
    pub const fn new(plan: Plan, seed: u64) -> Self {
        Self {
            plan,
            // The odd number is that of the golden ratio. A state must not be 0.
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            last: 0,
            mean: plan.pace,
            age: 0,
        }
    }

    /// How old the last known time is when a call opens, on average of late.
    pub const fn age(&self) -> u64 {
        self.age / 16
    }

    /// A call was drawn when the last known time was so old. Drawn calls are like the others in
    /// this.
    pub const fn aged(&mut self, age: u64) {
        self.age = self.age - self.age / 16 + age;
    }

    /// The plan by which it draws.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A call of a slot was drawn at the time `at`, with a chance of 1 in 2 to the power of
    /// `power`. Returns the next power. `calls`: of the slot, so far.
    #[inline]
    pub fn next_power(&mut self, at: u64, power: u32, calls: u32) -> u32 {
        let pace = self.plan.pace;
        // After a rest, a task does not catch up on what it has not spent.
        let gap = at.saturating_sub(self.last).min(4 * pace);
        self.last = at;
        self.mean = self.mean - self.mean / 16 + gap / 16;
        let power = if self.mean < pace {
            power + 1
        } else if self.mean > 2 * pace {
            power.saturating_sub(1)
        } else {
            power
        };
        let most = if calls < AT_LEAST {
            0
        } else {
            (calls / FLOOR).ilog2()
        };
        power.min(most).min(LEAST_CHANCE)
    }

    /// Draws the next call: 1 is the next one, 2 the one after that, and so on. Every call has the
    /// same chance, whatever was drawn before: 1 in 2 to the power of `power`.
    #[inline]
    pub fn next_call(&mut self, power: u32) -> u32 {
        if power == 0 {
            return 1;
        }
        // Marsaglia's xorshift.
        let mut random = self.random;
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        self.random = random;
        let mean = MEANS[(power as usize).min(MEANS.len() - 1)];
        // At most 45 times 2^26: the product with a mean below 2^26 fits.
        ((exponential(random) * mean) >> 42) as u32 + 1
    }
}

/// For a chance of 1 in 2^n: -1 / ln(1 - 2^-n), times 2^16. The whole part of an exponential number
/// of that mean is how many calls are left out.
const MEANS: [u64; LEAST_CHANCE as usize + 1] = [
    0, 94_548, 227_807, 490_791, 1_015_456, 2_064_211, 4_161_450, 8_355_797, 16_744_427,
    33_521_653, 67_076_091,
];

/// An exponentially distributed number of mean 1, times 2^26, from 64 random bits.
const fn exponential(random: u64) -> u64 {
    // -ln(u) = ln 2 * (leading zeros + 1 - log2(rest)), where 1 <= rest < 2.
    let zeros = random.leading_zeros();
    let rest = if zeros >= 63 {
        0
    } else {
        random << (zeros + 1)
    };
    let log2 = log2_of_rest(rest);
    let in_bits = ((zeros as u64 + 1) << 26) - log2;
    // ln 2, times 2^26.
    (in_bits * 46_516_320) >> 26
}

/// log2(1 + rest / 2^64), times 2^26, by a table and lines between its entries.
const fn log2_of_rest(rest: u64) -> u64 {
    let index = (rest >> 56) as usize;
    let within = (rest >> 40) & 0xffff;
    let (low, high) = (LOG2[index] as u64, LOG2[index + 1] as u64);
    low + (((high - low) * within) >> 16)
}

/// log2(1 + n / 256), times 2^26.
static LOG2: [u32; 257] = {
    let mut table = [0; 257];
    let mut n = 0;
    while n < 256 {
        // Bit by bit: the square of 2^x is 2^(2x).
        let mut value: u128 = (256 + n as u128) << 52;
        let mut log: u32 = 0;
        let mut bit = 0;
        while bit < 26 {
            value = (value * value) >> 60;
            log <<= 1;
            if value >= 1 << 61 {
                value >>= 1;
                log |= 1;
            }
            bit += 1;
        }
        table[n] = log;
        n += 1;
    }
    table[256] = 1 << 26;
    table
};

/// What a slot says of its calls, for [`Sampled::estimate`]. The fields are those of
/// [`Sample`](crate::trace::format::Sample) and [`Slot`](crate::trace::format::Slot).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sampled {
    /// Calls that returned.
    pub ended: u64,
    /// Those that were drawn.
    pub timed: u64,
    /// Ticks of these.
    pub total: u64,
    /// Ticks of nested calls.
    pub nested: u64,
    /// For how many others the drawn calls stand.
    pub rest: u64,
    /// The ticks of these.
    pub clipped: u64,
    /// Sum of `w` (`w` - 1).
    pub square: u64,
    /// Sum of `w` (`w` - 1) `m`.
    pub square_ticks: u64,
    /// Sum of `w` (`w` - 1) `m`².
    pub square_squares: u64,
    /// The greatest of these.
    pub greatest_square: u64,
    /// Ticks by which the coarse clock moved in other calls.
    pub moved: u64,
    /// The variance of that, in ticks².
    pub moved_variance: f64,
    /// Ticks in which calls were left out.
    pub span: u64,
    /// The variance of `nested`, in ticks².
    pub nested_variance: f64,
}

/// What all calls of a slot took, as far as is known, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Ticks of all calls that returned.
    pub total: u64,
    /// The same without nested layers.
    pub own: u64,
    /// The square of the standard error of `total`.
    pub total_variance: f64,
    /// The square of the standard error of `own`.
    pub own_variance: f64,
}

impl Sampled {
    /// What follows, where the coarse clock ticks every `period` ticks.
    pub fn estimate(&self, period: f64) -> Estimate {
        let left_out = self.ended.saturating_sub(self.timed) as f64;
        let (mut others, mut variance) = (0.0, 0.0);
        if left_out > 0.0 && self.rest > 0 {
            // Drawn calls stand for `rest` others, and there are `left_out`.
            let rest = self.rest as f64;
            let mean = self.clipped as f64 / rest;
            others = left_out * mean;
            let squares = self.square_squares as f64 - 2.0 * mean * self.square_ticks as f64
                + mean * mean * self.square as f64;
            let ratio = left_out / rest;
            // A few calls can make most of the total, and some more of these may as well have been
            // drawn, or some less. Three standard errors of a count of `n` are not enough if it is
            // small. Those of `n` plus UNSEEN are.
            let unseen = UNSEEN * self.greatest_square as f64;
            variance = (squares.max(0.0) + unseen) * ratio * ratio;
            // The same for ticks, if there was time for one. Where many are on the core of the
            // task, each of the others stands for more than a period.
            let span = self.span as f64 * ratio.max(1.0);
            let tick = period.max(self.moved_variance / self.moved.max(1) as f64);
            variance += (UNSEEN * tick * tick).min(span * span);
        } else if left_out > 0.0 {
            // The first calls that were left out, and none was drawn since.
            let mean = self.total as f64 / (self.timed.max(1)) as f64;
            others = left_out * mean;
            variance = others * others + UNSEEN * period * period;
        }
        variance += self.moved_variance;
        let total = self.total as f64 + others + self.moved as f64;
        Estimate {
            total: total as u64,
            own: (total - self.nested as f64).max(0.0) as u64,
            total_variance: variance,
            own_variance: variance + self.nested_variance,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_logarithms() {
        for (n, log) in LOG2.iter().enumerate() {
            let exact = (1.0 + n as f64 / 256.0).log2() * f64::from(1 << 26);
            assert!(
                (f64::from(*log) - exact).abs() <= 2.0,
                "{n}: {log}, not {exact}"
            );
        }
    }

    #[test]
    fn the_means_are_those_of_their_chances() {
        for (power, mean) in MEANS.iter().enumerate().skip(1) {
            let exact = -65536.0 / (-(0.5f64.powi(power as i32))).ln_1p();
            assert!(
                (*mean as f64 - exact).abs() < 1.0,
                "{power}: {mean}, not {exact}"
            );
        }
    }

    /// Every call is drawn with the same chance, also right after another one and far from it.
    #[test]
    fn gaps_have_no_memory() {
        let plan = Plan::new(3_000_000, 10_000, 150);
        for power in 1..=LEAST_CHANCE {
            let mut drawer = Drawer::new(plan, u64::from(power));
            let chance = 0.5f64.powi(power as i32);
            const DRAWS: u32 = 200_000;
            let gaps: Vec<u32> = (0..DRAWS).map(|_| drawer.next_call(power)).collect();
            for at in [1, 2, 3, 1 << power, 2 << power] {
                let reached = gaps.iter().filter(|gap| **gap >= at).count() as f64;
                let drawn = gaps.iter().filter(|gap| **gap == at).count() as f64;
                let deviation = (reached * chance * (1.0 - chance)).sqrt();
                assert!(
                    (drawn - reached * chance).abs() < 4.5 * deviation,
                    "1 in {}: {drawn} of {reached} at {at}",
                    1 << power
                );
            }
        }
    }

    #[test]
    fn few_calls_are_all_drawn_and_many_at_the_pace() {
        let plan = Plan::new(3_000_000, 10_000, 150);
        let mut drawer = Drawer::new(plan, 7);
        // A call every 100 ticks: the budget allows one in 150.
        let (mut at, mut power, mut left, mut drawn) = (0, 0, 1, 0);
        for call in 1..=10_000_000u32 {
            at += 100;
            left -= 1;
            if left == 0 {
                drawn += 1;
                power = drawer.next_power(at, power, call);
                left = drawer.next_call(power);
            }
            if call == AT_LEAST {
                assert_eq!(drawn, AT_LEAST);
            }
        }
        let expected = 1e9 / plan.pace as f64;
        assert!(
            (0.5..2.0).contains(&(f64::from(drawn) / expected)),
            "{drawn} drawn, the pace allows {expected}"
        );
    }
}
