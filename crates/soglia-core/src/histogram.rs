//! Buckets for durations in ticks: eight per power of two, so a bucket is at most 12.5 % wide.
//!
//! The engine counts into these buckets without a division. The reader makes percentiles of them.

/// Buckets of a slot. The last one takes all durations of 2^46 ticks (about eight hours at 2.4 GHz)
/// and more.
pub const BUCKETS: usize = 352;

/// The bucket of a duration.
#[inline]
pub const fn bucket(ticks: u64) -> usize {
    if ticks < 8 {
        return ticks as usize;
    }
    let power = 63 - ticks.leading_zeros();
    let eighth = (ticks >> (power - 3)) as usize & 7;
    let index = (power as usize - 2) * 8 + eighth;
    if index < BUCKETS { index } else { BUCKETS - 1 }
}

/// From here up to [`LONG`], [`bucket_of_usual`] is the same as [`bucket`], and faster.
pub const SHORT: u64 = 8;
/// See [`SHORT`].
pub const LONG: u64 = 1 << 46;

/// The bucket of a duration of at least [`SHORT`] and less than [`LONG`].
///
/// It computes in integers only. Managed code may leave the upper halves of vector registers in use
/// where it calls this without a transition. Then the first instruction of the older sets on these
/// registers takes some 60 ns, for instance a conversion to floating point.
#[inline(always)]
pub const fn bucket_of_usual(ticks: u64) -> usize {
    let power = 63 ^ ticks.leading_zeros();
    (power as usize * 8 + (ticks >> (power - 3)) as usize).wrapping_sub(24)
}

/// The shortest duration of this bucket, in ticks.
pub const fn lower_bound(bucket: usize) -> u64 {
    if bucket < 8 {
        return bucket as u64;
    }
    let power = bucket / 8 + 2;
    (8 + (bucket % 8) as u64) << (power - 3)
}

/// The middle of a bucket, in ticks.
pub const fn midpoint(bucket: usize) -> u64 {
    let low = lower_bound(bucket);
    low + (lower_bound(bucket + 1) - low) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_tile_the_line() {
        for b in 0..BUCKETS {
            assert_eq!(bucket(lower_bound(b)), b);
            if b > 0 {
                assert_eq!(bucket(lower_bound(b) - 1), b - 1);
            }
            assert!(lower_bound(b) < lower_bound(b + 1));
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn the_quick_way_is_the_same() {
        let edges = (0..BUCKETS).flat_map(|b| [lower_bound(b), lower_bound(b + 1) - 1]);
        for ticks in edges
            .chain(SHORT..100_000)
            .filter(|t| (SHORT..LONG).contains(t))
        {
            assert_eq!(bucket_of_usual(ticks), bucket(ticks), "{ticks}");
        }
    }

    #[test]
    fn buckets_are_at_most_an_eighth_wide() {
        for b in 8..BUCKETS {
            let width = lower_bound(b + 1) - lower_bound(b);
            assert!(width * 8 <= lower_bound(b), "bucket {b}");
        }
    }
}
