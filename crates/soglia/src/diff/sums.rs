//! The calls of one target in one report.

use super::input::Target;

/// Calls with durations between two bounds, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) calls: f64,
}

/// The calls of one target.
#[derive(Clone, Debug, Default)]
pub(super) struct Sums {
    pub(super) calls: u64,
    pub(super) returned: u64,
    pub(super) failed: u64,
    pub(super) denied: u64,
    pub(super) open: u64,
    pub(super) total_ns: u64,
    pub(super) self_ns: u64,
    /// Calls that returned and were not timed, because others stand for them.
    pub(super) unseen: u64,
    /// The standard error of `total_ns`. 0: it is exact.
    pub(super) total_error: f64,
    pub(super) min_ns: Option<u64>,
    pub(super) p50_ns: Option<u64>,
    pub(super) p90_ns: Option<u64>,
    pub(super) p99_ns: Option<u64>,
    pub(super) max_ns: Option<u64>,
    /// Shortest durations first.
    pub(super) spread: Vec<Span>,
}

impl Sums {
    /// The calls of one row of a report.
    pub(super) fn of(row: &Target) -> Self {
        let mut sums = Self {
            calls: row.calls,
            returned: row.returned,
            failed: row.failed,
            denied: row.refused,
            open: row.open,
            total_ns: row.total_ns,
            self_ns: row.self_ns,
            unseen: match row.total_ns_se {
                Some(_) => row
                    .timed_calls
                    .map_or(0, |timed| row.returned.saturating_sub(timed)),
                None => 0,
            },
            total_error: row.total_ns_se.unwrap_or(0) as f64,
            min_ns: row.min_ns,
            p50_ns: row.p50_ns,
            p90_ns: row.p90_ns,
            p99_ns: row.p99_ns,
            max_ns: row.max_ns,
            spread: Vec::new(),
        };
        sums.spread = if row.histogram.is_empty() {
            sums.rough_spread()
        } else {
            let last = row.histogram.len() - 1;
            let spans = row.histogram.iter().enumerate();
            spans
                .map(|(at, [low, high, calls])| Span {
                    // The shortest and the longest call are known exactly.
                    low: row.min_ns.filter(|_| at == 0).unwrap_or(*low).max(*low) as f64,
                    high: match row.max_ns {
                        Some(max) if at == last && max >= *low => max as f64,
                        _ => *high as f64,
                    },
                    calls: *calls as f64,
                })
                .collect()
        };
        sums
    }

    /// The spread of calls of which only some percentiles are known.
    fn rough_spread(&self) -> Vec<Span> {
        let (Some(min), Some(p50), Some(p90), Some(p99), Some(max)) = (
            self.min_ns,
            self.p50_ns,
            self.p90_ns,
            self.p99_ns,
            self.max_ns,
        ) else {
            return Vec::new();
        };
        let calls = self.returned as f64;
        let edges = [
            min,
            p50,
            p90.max(p50),
            p99.max(p90).max(p50),
            max.max(p99).max(p90),
        ];
        let shares = [0.5, 0.4, 0.09, 0.01];
        let spans = edges.windows(2).zip(shares);
        spans
            .map(|(edges, share)| Span {
                low: edges[0].min(edges[1]) as f64,
                high: edges[1] as f64,
                calls: calls * share,
            })
            .collect()
    }

    /// Adds the calls of another row with the same name.
    pub(super) fn add(&mut self, other: &Self) {
        for (mine, theirs) in [
            (&mut self.calls, other.calls),
            (&mut self.returned, other.returned),
            (&mut self.failed, other.failed),
            (&mut self.denied, other.denied),
            (&mut self.open, other.open),
            (&mut self.total_ns, other.total_ns),
            (&mut self.self_ns, other.self_ns),
            (&mut self.unseen, other.unseen),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        self.total_error = self.total_error.hypot(other.total_error);
        self.min_ns = [self.min_ns, other.min_ns].into_iter().flatten().min();
        self.max_ns = self.max_ns.max(other.max_ns);
        self.spread.extend_from_slice(&other.spread);
        self.spread.sort_by(|one, other| {
            let order = |span: &Span| (span.low, span.high);
            order(one)
                .partial_cmp(&order(other))
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        let quantile = |p| (!self.spread.is_empty()).then(|| self.value_at(p) as u64);
        (self.p50_ns, self.p90_ns, self.p99_ns) = (quantile(0.5), quantile(0.9), quantile(0.99));
    }

    /// The mean of calls that returned.
    pub(super) fn mean_ns(&self) -> Option<u64> {
        self.min_ns?;
        self.total_ns.checked_div(self.returned)
    }

    /// The number of calls in the spread, each of which was timed or has another one stand for it.
    pub(super) fn counted(&self) -> f64 {
        self.spread.iter().map(|span| span.calls).sum()
    }

    /// The number of calls by which the spread is known.
    pub(super) fn timed(&self) -> f64 {
        (self.counted() - self.unseen as f64).max(0.0)
    }

    /// The span that has the call of this rank, where 0 is the shortest call.
    pub(super) fn span_at(&self, rank: f64) -> Option<Span> {
        let mut so_far = 0.0;
        let mut spans = self.spread.iter();
        spans
            .find(|span| {
                so_far += span.calls;
                so_far > rank
            })
            .or(self.spread.last())
            .copied()
    }

    fn value_at(&self, p: f64) -> f64 {
        let span = self.span_at(p * self.counted());
        span.map_or(0.0, |span| f64::midpoint(span.low, span.high))
    }

    /// The mean of the spread, and its standard error.
    pub(super) fn mean_and_error(&self) -> Option<(f64, f64)> {
        let calls = self.counted();
        if calls <= 0.0 {
            return None;
        }
        let middle = |span: &Span| f64::midpoint(span.low, span.high);
        let sum: f64 = self.spread.iter().map(|s| middle(s) * s.calls).sum();
        let mean = sum / calls;
        let squares: f64 = self
            .spread
            .iter()
            .map(|span| {
                let width = span.high - span.low;
                // Within a span, durations are taken to be spread evenly.
                ((middle(span) - mean).powi(2) + width * width / 12.0) * span.calls
            })
            .sum();
        let exact = self.mean_ns().map_or(mean, |mean| mean as f64);
        let sampled = self.total_error / calls;
        Some((exact, (squares / calls / calls).sqrt().hypot(sampled)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(histogram: &[[u64; 3]]) -> Target {
        let returned = histogram.iter().map(|bucket| bucket[2]).sum();
        Target {
            calls: returned,
            returned,
            min_ns: histogram.first().map(|bucket| bucket[0]),
            max_ns: histogram.last().map(|bucket| bucket[1]),
            histogram: histogram.to_vec(),
            ..Target::default()
        }
    }

    #[test]
    fn the_error_of_a_mean_goes_with_spread_and_number() {
        let error = |histogram: &[[u64; 3]]| {
            let sums = Sums::of(&row(histogram));
            sums.mean_and_error().unwrap().1
        };
        let few = error(&[[100, 100, 50], [300, 300, 50]]);
        let many = error(&[[100, 100, 5000], [300, 300, 5000]]);
        // Half of the calls are 100 ns below the mean, half of them above.
        assert!((few - 10.0).abs() < 1e-9, "{few}");
        assert!((many - 1.0).abs() < 1e-9, "{many}");
    }

    #[test]
    fn rows_of_one_name_are_added() {
        let mut sum = Sums::of(&row(&[[100, 110, 90]]));
        sum.add(&Sums::of(&row(&[[50, 60, 1], [1000, 1100, 10]])));
        let (min, max) = (sum.min_ns, sum.max_ns);
        assert_eq!((sum.calls, min, max), (101, Some(50), Some(1100)));
        assert_eq!(sum.p50_ns, Some(105));
    }

    #[test]
    fn percentiles_stand_in_for_a_histogram() {
        let old = Target {
            returned: 1000,
            min_ns: Some(10),
            p50_ns: Some(20),
            p90_ns: Some(30),
            p99_ns: Some(25),
            max_ns: Some(5),
            ..Target::default()
        };
        let sums = Sums::of(&old);
        assert!((sums.timed() - 1000.0).abs() < 1e-6);
        let span = sums.span_at(600.0).unwrap();
        assert!((span.low, span.high) == (20.0, 30.0));
        assert!(Sums::of(&Target::default()).spread.is_empty());
    }

    #[test]
    fn hostile_numbers_are_only_numbers() {
        let mut sum = Sums::of(&row(&[[0, u64::MAX, u64::MAX / 2]]));
        sum.total_ns = u64::MAX;
        let other = sum.clone();
        sum.add(&other);
        assert_eq!(sum.total_ns, u64::MAX);
        assert!(sum.mean_and_error().unwrap().1.is_finite());
    }
}
