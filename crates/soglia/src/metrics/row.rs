//! The figures of one target.

use crate::{
    export::named::short,
    model::{Bucket, TargetRow},
};

/// Durations up to which calls are counted, in nanoseconds. A tenfold step each below 1 ms, and the
/// usual ones of Prometheus from there on. They never change: a collector compares them from run to
/// run and from machine to machine.
pub const BOUNDS_NS: [u64; 16] = [
    100,
    1_000,
    10_000,
    100_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    10_000_000_000,
];

/// What distinguishes a row from others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The name of the target.
    pub target: String,
    /// The assembly that declares it, or nothing.
    pub assembly: String,
    /// `forward` for a call to native code, `reverse` for a callback.
    pub direction: &'static str,
}

/// The figures of one target, or of several together.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Whose they are.
    pub key: Key,
    /// Whether times were recorded. If not, all times are 0.
    pub is_timed: bool,
    /// All calls.
    pub calls: u64,
    /// Calls that returned and were timed, or stand for others that were not.
    pub timed: u64,
    /// Calls that ended by an exception.
    pub failed: u64,
    /// Calls that a policy denied.
    pub refused: u64,
    /// Calls that were unwound past.
    pub abandoned: u64,
    /// Calls that have not returned.
    pub open: u64,
    /// How long the longest of these has lasted.
    pub open_longest_ns: u64,
    /// Time in calls that returned.
    pub time_ns: u64,
    /// The same without what was nested.
    pub self_ns: u64,
    /// The square of the standard error of `time_ns`; 0: it is exact.
    pub variance: f64,
    /// Calls that returned within each of [`BOUNDS_NS`], and all that returned.
    pub within: [u64; BOUNDS_NS.len() + 1],
    /// The shortest call that returned.
    pub min_ns: Option<u64>,
    /// The longest call that returned.
    pub max_ns: Option<u64>,
}

impl Row {
    /// A row without figures.
    pub(super) const fn new(key: Key, is_timed: bool) -> Self {
        Self {
            key,
            is_timed,
            calls: 0,
            timed: 0,
            failed: 0,
            refused: 0,
            abandoned: 0,
            open: 0,
            open_longest_ns: 0,
            time_ns: 0,
            self_ns: 0,
            variance: 0.0,
            within: [0; BOUNDS_NS.len() + 1],
            min_ns: None,
            max_ns: None,
        }
    }

    /// The row of a target.
    pub(super) fn of(row: &TargetRow, is_timed: bool) -> Self {
        let key = Key {
            target: short(&row.name()).into_owned(),
            assembly: short(row.assembly.as_deref().unwrap_or_default()).into_owned(),
            direction: row.direction,
        };
        let error = row.total_ns_se.unwrap_or(0) as f64;
        Self {
            calls: row.calls,
            timed: row.timed_calls,
            failed: row.failed,
            refused: row.refused,
            abandoned: row.abandoned,
            open: row.open,
            open_longest_ns: row.open_max_ns.unwrap_or(0),
            time_ns: row.total_ns,
            self_ns: row.self_ns,
            variance: error * error,
            within: within(&row.histogram),
            min_ns: row.min_ns,
            max_ns: row.max_ns,
            ..Self::new(key, is_timed)
        }
    }

    /// Calls that returned.
    pub const fn returned(&self) -> u64 {
        self.within[BOUNDS_NS.len()]
    }

    /// Calls between each two of [`BOUNDS_NS`], and those below the first and above the last.
    pub fn counts(&self) -> [u64; BOUNDS_NS.len() + 1] {
        let mut before = 0;
        self.within.map(|within| {
            let here = within.saturating_sub(before);
            before = within;
            here
        })
    }

    /// Adds the figures of another target.
    pub(super) fn add(&mut self, other: &Self) {
        for (sum, more) in self.counters().into_iter().zip(other.clone().counters()) {
            *sum = sum.saturating_add(*more);
        }
        self.open = self.open.saturating_add(other.open);
        self.open_longest_ns = self.open_longest_ns.max(other.open_longest_ns);
        self.variance += other.variance;
        self.min_ns = [self.min_ns, other.min_ns].into_iter().flatten().min();
        self.max_ns = self.max_ns.max(other.max_ns);
    }

    /// Takes the figures of a later moment. What only grows never becomes less: another process
    /// counts while this one reads, and an estimate may fall. The counts of [`Row::within`] stay in
    /// order, since each of them was at both moments.
    pub(super) fn becomes(&mut self, mut later: Self) {
        for (now, before) in later.counters().into_iter().zip(self.counters()) {
            *now = (*now).max(*before);
        }
        *self = later;
    }

    /// All that only grows.
    fn counters(&mut self) -> impl IntoIterator<Item = &mut u64> {
        let sums = [
            &mut self.calls,
            &mut self.timed,
            &mut self.failed,
            &mut self.refused,
            &mut self.abandoned,
            &mut self.time_ns,
            &mut self.self_ns,
        ];
        sums.into_iter().chain(&mut self.within)
    }
}

/// How many calls lie within each of the bounds, and how many there are. A bucket of the recording
/// is at most an eighth wide, and lies where its middle does.
fn within(histogram: &[Bucket]) -> [u64; BOUNDS_NS.len() + 1] {
    let mut counts = [0_u64; BOUNDS_NS.len() + 1];
    for bucket in histogram {
        let middle = bucket.from_ns + bucket.to_ns.saturating_sub(bucket.from_ns) / 2;
        let place = BOUNDS_NS.partition_point(|bound| *bound < middle);
        counts[place] = counts[place].saturating_add(bucket.calls);
    }
    let mut sum = 0_u64;
    counts.map(|calls| {
        sum = sum.saturating_add(calls);
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(from_ns: u64, to_ns: u64, calls: u64) -> Bucket {
        Bucket {
            from_ns,
            to_ns,
            calls,
        }
    }

    fn key() -> Key {
        Key {
            target: "a!b".into(),
            assembly: String::new(),
            direction: "forward",
        }
    }

    #[test]
    fn a_bucket_counts_where_its_middle_is() {
        let counts = within(&[
            bucket(96, 104, 1),
            bucket(104, 112, 2),
            bucket(980_000, 1_100_000, 4),
            bucket(20_000_000_000, 22_000_000_000, 8),
        ]);
        assert_eq!(counts[..6], [1, 3, 3, 3, 3, 7]);
        assert_eq!(counts[15..], [7, 15]);
        assert!(BOUNDS_NS.is_sorted());
        // A recording may hold any times.
        assert_eq!(within(&[bucket(u64::MAX, u64::MAX, 1)])[16], 1);
    }

    #[test]
    fn what_only_grows_never_becomes_less() {
        let at = |calls, time_ns, open, histogram: &[Bucket]| Row {
            calls,
            time_ns,
            open,
            within: within(histogram),
            ..Row::new(key(), true)
        };
        let mut row = at(10, 1_000, 3, &[bucket(40, 44, 6), bucket(400, 440, 3)]);
        row.becomes(at(9, 900, 1, &[bucket(40, 44, 2), bucket(400, 440, 8)]));
        assert_eq!((row.calls, row.time_ns, row.open), (10, 1_000, 1));
        assert_eq!(row.within[..2], [6, 10]);
        assert!(row.within.is_sorted());
        assert_eq!(row.returned(), 10);
    }

    #[test]
    fn rows_add_up() {
        let mut one = Row {
            calls: 2,
            variance: 9.0,
            open_longest_ns: 5,
            min_ns: Some(4),
            max_ns: Some(6),
            ..Row::new(key(), true)
        };
        let other = Row {
            calls: 3,
            variance: 16.0,
            open_longest_ns: 7,
            min_ns: Some(3),
            ..Row::new(key(), true)
        };
        one.add(&other);
        assert_eq!((one.calls, one.open_longest_ns), (5, 7));
        assert_eq!((one.min_ns, one.max_ns), (Some(3), Some(6)));
        assert!((one.variance - 25.0).abs() < 1e-9);
    }
}
