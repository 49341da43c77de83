//! The time that each of two reports covers. Numbers of a part of a process's life are compared as
//! rates.

use super::{
    input::Report,
    noise::{Certainty, of_counts, percent},
};

/// How the sums of both reports are made comparable: the longer period is taken for as long as the
/// shorter one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Periods {
    a: f64,
    b: f64,
}

impl Periods {
    /// Those of two reports. Two whole runs are compared as they are.
    pub(super) fn of(a: &Report, b: &Report) -> Self {
        let (long_a, long_b) = (a.covers_ns(), b.covers_ns());
        if !(a.is_part() || b.is_part()) || long_a == 0 || long_b == 0 {
            return Self { a: 1.0, b: 1.0 };
        }
        let shorter = long_a.min(long_b) as f64;
        Self {
            a: shorter / long_a as f64,
            b: shorter / long_b as f64,
        }
    }

    /// Whether the reports cover times that are compared as equal.
    pub(super) fn are_equal(self) -> bool {
        self.a >= 1.0 && self.b >= 1.0
    }

    /// Two sums, as they would be of the shorter period.
    pub(super) fn fair(self, a: u64, b: u64) -> (u64, u64) {
        if self.are_equal() {
            return (a, b);
        }
        let scaled = |n: u64, by: f64| (n as f64 * by).round() as u64;
        (scaled(a, self.a), scaled(b, self.b))
    }

    /// How much longer B's time is than A's.
    pub(super) fn fair_time(self, a: i128, b: i128) -> i128 {
        let whole = |n: i128| u64::try_from(n).unwrap_or(u64::MAX);
        let (a, b) = self.fair(whole(a), whole(b));
        i128::from(b) - i128::from(a)
    }

    /// Whether two numbers of calls differ by more than chance.
    pub(super) fn of_counts(self, a: u64, b: u64) -> Certainty {
        let (a, b) = self.fair(a, b);
        of_counts(a, b)
    }

    /// The change of a sum in percent, or of its rate.
    pub(super) fn percent(self, a: u64, b: u64) -> Option<f64> {
        if self.are_equal() {
            return percent(a, b);
        }
        let (rate_a, rate_b) = (a as f64 * self.a, b as f64 * self.b);
        (a > 0).then(|| (rate_b - rate_a) / rate_a * 100.0)
    }
}
