//! Whether two numbers differ by more than noise. `docs/diff.md` explains it to users.

use serde::Serialize;

use super::sums::Sums;

/// With fewer calls than this in one report, durations are compared by their ranges only.
pub(super) const FEW_CALLS: f64 = 20.0;
/// With fewer calls than this in one report, durations are not compared at all.
pub(super) const VERY_FEW_CALLS: f64 = 5.0;
/// Standard errors that two means or two ranks have to be apart.
pub(super) const ERRORS: f64 = 4.0;
/// A change of durations below this percentage is noise: two runs of one program differ by so much
/// because of other programs, the CPU's frequency and where memory happens to lie.
pub const NOISE_PERCENT: f64 = 25.0;
/// A change of durations below this is noise too: short calls take about as long as the clock is
/// read.
pub(super) const NOISE_NS: u64 = 20;
/// Calls that have to lie beyond a high percentile for it to be compared by itself.
const TAIL_CALLS: f64 = 10.0;
/// A change of a number of calls below this percentage is noise.
pub(super) const COUNT_PERCENT: f64 = 10.0;
/// Square roots of the calls of both reports that two numbers of calls have to be apart.
pub(super) const COUNT_ERRORS: f64 = 3.0;

/// What a difference is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// The program changed, or what it runs on.
    Changed,
    /// There are too few calls to tell.
    TooFew,
    /// Two runs of an unchanged program differ by so much.
    Noise,
    /// There is no difference.
    Equal,
}

/// The ways to look at durations.
#[derive(Clone, Copy)]
pub(super) enum Time {
    Mean,
    /// The duration below which this share of all calls lies.
    Quantile(f64),
}

/// Whether durations differ by more than chance, whatever the size of the difference.
pub(super) fn of_times(time: Time, a: &Sums, b: &Sums) -> Certainty {
    let fewest = a.timed().min(b.timed());
    if fewest < VERY_FEW_CALLS {
        return Certainty::TooFew;
    }
    if fewest < FEW_CALLS {
        return of_ranges(a, b);
    }
    let apart = match time {
        Time::Mean => {
            let (Some((mean_a, error_a)), Some((mean_b, error_b))) =
                (a.mean_and_error(), b.mean_and_error())
            else {
                return Certainty::TooFew;
            };
            (mean_b - mean_a).abs() > ERRORS * error_a.hypot(error_b)
        }
        // The few slowest calls may have one cause. They count if the usual ones changed too.
        Time::Quantile(p) if p > 0.5 && fewest * (1.0 - p) < TAIL_CALLS => {
            return match of_times(Time::Quantile(0.5), a, b) {
                Certainty::Changed => Certainty::Changed,
                _ => Certainty::TooFew,
            };
        }
        Time::Quantile(p) => {
            let (Some((low_a, high_a)), Some((low_b, high_b))) = (bounds(a, p), bounds(b, p))
            else {
                return Certainty::TooFew;
            };
            low_b > high_a || low_a > high_b
        }
    };
    if apart {
        Certainty::Changed
    } else {
        Certainty::Noise
    }
}

/// A few calls differ if the slowest of one report was at least twice as fast as the fastest of the
/// other.
fn of_ranges(a: &Sums, b: &Sums) -> Certainty {
    let below = |one: &Sums, other: &Sums| match (one.max_ns, other.min_ns) {
        (Some(max), Some(min)) => max.saturating_mul(2) <= min,
        _ => false,
    };
    if below(a, b) || below(b, a) {
        Certainty::Changed
    } else {
        Certainty::TooFew
    }
}

/// Between which durations a quantile lies, as far as so many calls can tell.
fn bounds(of: &Sums, p: f64) -> Option<(f64, f64)> {
    let calls = of.counted();
    let rank = calls * p;
    let error = ERRORS * calls * (p * (1.0 - p) / of.timed()).sqrt();
    let low = of.span_at((rank - error).max(0.0))?.low;
    let high = of.span_at((rank + error).min(calls))?.high;
    Some((low, high))
}

/// Whether two numbers of calls differ by more than chance, if calls happen by chance.
pub(super) fn of_counts(a: u64, b: u64) -> Certainty {
    if a == b {
        return Certainty::Equal;
    }
    let (low, high) = (a.min(b) as f64, a.max(b) as f64);
    if percent(a, b).is_some_and(|change| change.abs() < COUNT_PERCENT) {
        return Certainty::Noise;
    }
    if high - low > COUNT_ERRORS * (low + high).sqrt() {
        Certainty::Changed
    } else {
        Certainty::TooFew
    }
}

/// The change from A to B in percent. Returns `None` if A is 0.
pub(super) fn percent(a: u64, b: u64) -> Option<f64> {
    (a > 0).then(|| (b as f64 - a as f64) / a as f64 * 100.0)
}

/// Whether a change of a duration is large enough to be more than noise: by this percentage of the
/// smaller one, and by [`NOISE_NS`].
pub(super) fn is_large(a: u64, b: u64, noise: f64) -> bool {
    let (low, high) = (a.min(b) as f64, a.max(b) as f64);
    high > low * (1.0 + noise / 100.0) && a.abs_diff(b) >= NOISE_NS
}

#[cfg(test)]
mod tests {
    use super::super::input::Target;
    use super::*;

    /// So many calls with durations around `middle`.
    fn calls(n: u64, middle: u64) -> Sums {
        let tenth = (n / 10).max(1);
        let buckets = [
            [middle * 8 / 10, middle * 9 / 10, tenth],
            [middle * 9 / 10, middle, n.saturating_sub(2 * tenth) / 2],
            [middle, middle * 11 / 10, n.saturating_sub(2 * tenth) / 2],
            [middle * 11 / 10, middle * 12 / 10, tenth],
        ];
        let returned = buckets.iter().map(|b| b[2]).sum();
        Sums::of(&Target {
            returned,
            total_ns: returned * middle,
            min_ns: Some(buckets[0][0]),
            max_ns: Some(buckets[3][1]),
            histogram: buckets.to_vec(),
            ..Target::default()
        })
    }

    const TIMES: [Time; 3] = [Time::Mean, Time::Quantile(0.5), Time::Quantile(0.99)];

    #[test]
    fn what_is_clearly_slower_changed_at_any_number_of_calls_but_a_few() {
        for time in TIMES {
            for (n, expected) in [
                (2, Certainty::TooFew),
                (10, Certainty::Changed),
                (40, Certainty::Changed),
                (100_000, Certainty::Changed),
            ] {
                let (a, b) = (calls(n, 1000), calls(n, 4000));
                assert_eq!(of_times(time, &a, &b), expected, "{n}");
                assert_eq!(of_times(time, &b, &a), expected, "{n}");
            }
        }
    }

    #[test]
    fn what_overlaps_is_noise_or_too_little() {
        for time in TIMES {
            let of = |n| of_times(time, &calls(n, 1000), &calls(n, 1000));
            assert_eq!(of(10), Certainty::TooFew);
            assert_eq!(of(1000), Certainty::Noise);
        }
        // A tail of 1 % is not seen in the median.
        let mut tail = calls(1000, 1000);
        tail.spread.last_mut().unwrap().calls = 90.0;
        let slow = super::super::sums::Span {
            low: 1e6,
            high: 1.1e6,
            calls: 30.0,
        };
        tail.spread.push(slow);
        let base = calls(1000, 1000);
        assert_eq!(of_times(TIMES[1], &base, &tail), Certainty::Noise);
        assert_eq!(of_times(TIMES[2], &base, &tail), Certainty::Changed);
    }

    #[test]
    fn a_few_slow_calls_at_once_are_too_few() {
        let base = calls(24, 1000);
        let mut burst = base.clone();
        burst.spread.last_mut().unwrap().high = 1e6;
        burst.spread.last_mut().unwrap().low = 1e6;
        for p in [0.9, 0.99] {
            let of = of_times(Time::Quantile(p), &base, &burst);
            assert_eq!(of, Certainty::TooFew);
        }
    }

    #[test]
    fn one_long_pause_is_noise() {
        let base = calls(1000, 1000);
        let mut paused = base.clone();
        paused.spread.push(super::super::sums::Span {
            low: 4e6,
            high: 4.1e6,
            calls: 1.0,
        });
        paused.total_ns += 4_000_000;
        paused.returned += 1;
        for time in TIMES {
            assert_eq!(of_times(time, &base, &paused), Certainty::Noise);
        }
    }

    #[test]
    fn estimates_are_less_certain() {
        let [a, b] = [1000, 1100].map(|middle| calls(100_000, middle));
        assert_eq!(of_times(Time::Mean, &a, &b), Certainty::Changed);
        let estimated = |sums: &Sums| Sums {
            unseen: 99_900,
            total_error: sums.total_ns as f64 / 20.0,
            ..sums.clone()
        };
        let (a, b) = (estimated(&a), estimated(&b));
        assert_eq!(of_times(Time::Mean, &a, &b), Certainty::Noise);
        let few = Sums {
            unseen: 99_998,
            ..a
        };
        assert_eq!(of_times(Time::Mean, &few, &b), Certainty::TooFew);
    }

    #[test]
    fn counts_need_a_clear_difference() {
        for (a, b, expected) in [
            (5, 5, Certainty::Equal),
            (1000, 1050, Certainty::Noise),
            (3, 6, Certainty::TooFew),
            (10, 40, Certainty::Changed),
            (1000, 2000, Certainty::Changed),
            (0, 100, Certainty::Changed),
            (0, 1, Certainty::TooFew),
            (u64::MAX, u64::MAX, Certainty::Equal),
        ] {
            assert_eq!(of_counts(a, b), expected, "{a} {b}");
            assert_eq!(of_counts(b, a), expected, "{b} {a}");
        }
    }
}
