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
