//! The durations of a target's calls.

use serde::{Serialize, Serializer, ser::Error};
use serde_json::value::RawValue;
use soglia_core::{account::Total, histogram::lower_bound, time::Scale};

/// Calls whose durations lie between two bounds. A bucket is at most 12.5 % wide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The shortest duration of the bucket.
    pub from_ns: u64,
    /// The shortest duration of the next bucket. The last bucket takes all longer calls.
    pub to_ns: u64,
    /// The number of calls.
    pub calls: u64,
}

/// The buckets that have calls, shortest durations first.
pub(super) fn buckets(total: &Total, scale: Scale) -> Vec<Bucket> {
    let counts = total.histogram.iter().enumerate();
    counts
        .filter(|(_, calls)| **calls > 0)
        .map(|(bucket, calls)| Bucket {
            from_ns: scale.ns(lower_bound(bucket)),
            to_ns: scale.ns(lower_bound(bucket + 1)),
            calls: *calls,
        })
        .collect()
}

/// Adds the calls of another histogram.
///
/// Ticks of two recordings differ by some millionths, so equal buckets may differ a little in
/// nanoseconds: these become one. Buckets of machines with other clocks stay beside each other.
pub(super) fn add(buckets: &mut Vec<Bucket>, other: &[Bucket]) {
    let mut merged = Vec::with_capacity(buckets.len().max(other.len()));
    let (mut mine, mut theirs) = (buckets.iter().peekable(), other.iter().peekable());
    loop {
        let next = match (mine.peek(), theirs.peek()) {
            (Some(one), Some(other)) if are_equal(one, other) => {
                let calls = one.calls.saturating_add(other.calls);
                theirs.next();
                mine.next().map(|one| Bucket { calls, ..*one })
            }
            (Some(one), Some(other)) if one.from_ns <= other.from_ns => mine.next().copied(),
            (Some(_), None) => mine.next().copied(),
            _ => theirs.next().copied(),
        };
        let Some(next) = next else { break };
        merged.push(next);
    }
    *buckets = merged;
}

/// Whether both bounds of two buckets are equal up to what two clocks of one machine differ by.
fn are_equal(one: &Bucket, other: &Bucket) -> bool {
    let near = |a: u64, b: u64| a.abs_diff(b) <= 1 + a.min(b) / 1000;
    near(one.from_ns, other.from_ns) && near(one.to_ns, other.to_ns)
}

/// The middles of buckets, for [`percentiles`].
pub(super) fn middles(buckets: &[Bucket]) -> impl Iterator<Item = (u64, u64)> + Clone {
    let middle = |of: &Bucket| of.from_ns + of.to_ns.saturating_sub(of.from_ns) / 2;
    buckets.iter().map(move |of| (middle(of), of.calls))
}

/// The 50th, 90th and 99th percentile of calls that are known by the middles of their buckets,
/// shortest first. They lie between the shortest and the longest call.
pub(super) fn percentiles(
    spread: impl Iterator<Item = (u64, u64)> + Clone,
    (min, max): (u64, u64),
) -> Option<[u64; 3]> {
    let calls: u64 = spread.clone().map(|(_, calls)| calls).sum();
    if calls == 0 {
        return None;
    }
    let value = |percent: u64| {
        // The first bucket up to which that percentage of all calls lies.
        let wanted = (u128::from(calls) * u128::from(percent)).div_ceil(100) as u64;
        let mut so_far = 0;
        let found = spread.clone().find(|(_, calls)| {
            so_far += calls;
            so_far >= wanted
        });
        let middle = found.map_or(0, |(middle, _)| middle);
        middle.max(min).min(max.max(min))
    };
    Some([50, 90, 99].map(value))
}

/// About the bytes that a histogram takes.
pub(super) fn room(buckets: &[Bucket]) -> usize {
    buckets.len().saturating_mul(size_of::<Bucket>())
}

/// Writes `[[from_ns, to_ns, calls], ...]` on one line, also where the rest has one number a line.
pub(super) fn compact<S: Serializer>(buckets: &[Bucket], out: S) -> Result<S::Ok, S::Error> {
    let rows: Vec<[u64; 3]> = buckets
        .iter()
        .map(|bucket| [bucket.from_ns, bucket.to_ns, bucket.calls])
        .collect();
    let text = serde_json::to_string(&rows).map_err(S::Error::custom)?;
    let raw = RawValue::from_string(text).map_err(S::Error::custom)?;
    raw.serialize(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use soglia_core::histogram::bucket;

    #[test]
    fn only_buckets_with_calls_are_there() {
        let mut total = Total::default();
        total.histogram[bucket(100)] = 3;
        total.histogram[bucket(1000)] = 1;
        let found = buckets(&total, Scale::IDENTITY);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].calls, found[1].calls), (3, 1));
        for (bucket, value) in found.iter().zip([100, 1000]) {
            assert!((bucket.from_ns..bucket.to_ns).contains(&value));
        }
    }

    fn bucket_of(from_ns: u64, to_ns: u64, calls: u64) -> Bucket {
        Bucket {
            from_ns,
            to_ns,
            calls,
        }
    }

    #[test]
    fn histograms_add_up() {
        let mut sum = vec![bucket_of(96, 104, 3), bucket_of(4000, 4500, 1)];
        // The same clock, measured a little later, and a call between the two.
        let other = [
            bucket_of(97, 104, 2),
            bucket_of(1000, 1125, 7),
            bucket_of(4001, 4502, 1),
        ];
        add(&mut sum, &other);
        let expected = [
            bucket_of(96, 104, 5),
            bucket_of(1000, 1125, 7),
            bucket_of(4000, 4500, 2),
        ];
        assert_eq!(sum, expected);
        // Another clock: nothing is lost, and nothing is moved.
        add(&mut sum, &[bucket_of(1040, 1170, 1)]);
        assert_eq!(sum.iter().map(|of| of.calls).sum::<u64>(), 15);
        assert_eq!(sum[2], bucket_of(1040, 1170, 1));
        add(&mut sum, &[]);
        assert_eq!(sum.len(), 4);
    }

    #[test]
    fn a_histogram_takes_one_line() {
        #[derive(Serialize)]
        struct Row(#[serde(serialize_with = "compact")] Vec<Bucket>);
        let row = Row(vec![Bucket {
            from_ns: 96,
            to_ns: 104,
            calls: 3,
        }]);
        assert_eq!(serde_json::to_string_pretty(&row).unwrap(), "[[96,104,3]]");
    }
}
