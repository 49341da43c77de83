//! A clock that costs one load: the time of the last tick, which a thread of the engine stores now
//! and then.
//!
//! The times of the last ticks are kept, so a call that was open at a tick can be placed between
//! two of them.

use std::sync::atomic::{
    AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// Ticks whose times are kept. A power of two.
const KEPT: usize = 1024;

/// A clock and its last ticks. The process has one. Tests have others.
#[derive(Debug)]
#[repr(align(64))]
pub struct Clock {
    /// The time of the last tick. Even. It shares its cache line with `count` only.
    last: AtomicU64,
    count: AtomicUsize,
    times: Times,
    /// On which core each tick was.
    cores: [AtomicU32; KEPT],
}

#[derive(Debug)]
#[repr(align(64))]
struct Times([AtomicU64; KEPT]);

/// On no core, or on an unknown one.
pub const NO_CORE: u32 = u32::MAX;

static CLOCK: Clock = Clock::new();

/// The time of the last tick of the process's clock, in ticks of [`crate::time`]. An even number.
#[inline(always)]
pub fn now() -> u64 {
    CLOCK.now()
}

/// The process's clock ticks on this core: the time is this from now on. One thread at a time may
/// call it.
pub fn tick(at: u64, core: u32) {
    CLOCK.tick(at, core);
}

/// [`Clock::between`] of the process's clock.
pub fn between(since: u64, until: u64, core: u32) -> Option<Seen> {
    CLOCK.between(since, until, core)
}

/// What ticks lie in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The last tick before `first` that was on another core, or the oldest one that is kept.
    pub before: u64,
    /// The first tick in the span.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// The one before that, which may be `before`.
    pub last_but_one: u64,
}

impl Clock {
    /// One that has not ticked yet.
    #[allow(clippy::new_without_default, reason = "for the static, and for tests")]
    pub const fn new() -> Self {
        Self {
            last: AtomicU64::new(0),
            count: AtomicUsize::new(0),
            times: Times([const { AtomicU64::new(0) }; KEPT]),
            cores: [const { AtomicU32::new(NO_CORE) }; KEPT],
        }
    }

    #[inline(always)]
    pub(crate) fn now(&self) -> u64 {
        self.last.load(Relaxed)
    }

    pub(crate) fn tick(&self, at: u64, core: u32) {
        let at = at & !1;
        let count = self.count.load(Relaxed);
        self.times.0[count % KEPT].store(at, Relaxed);
        self.cores[count % KEPT].store(core, Relaxed);
        self.count.store(count.wrapping_add(1), Release);
        self.last.store(at, Release);
    }

    /// The ticks after `since` and up to `until`, for a thread on this core. `None`: there is none.
    /// Makes no call, allocates nothing and does not panic.
    pub fn between(&self, since: u64, until: u64, core: u32) -> Option<Seen> {
        let count = self.count.load(Acquire);
        // The oldest may be overwritten meanwhile.
        let oldest = count.saturating_sub(KEPT - 1);
        let time = |n: usize| self.times.0[n % KEPT].load(Relaxed);
        // The first tick in `oldest..count` whose time is after `at`.
        let after = |at: u64| {
            let (mut low, mut high) = (oldest, count);
            while low < high {
                let middle = low + (high - low) / 2;
                if time(middle) > at {
                    high = middle;
                } else {
                    low = middle + 1;
                }
            }
            low
        };
        let (first, end) = (after(since), after(until));
        if first >= end {
            return None;
        }
        let elsewhere = |n: usize| {
            let of = self.cores[n % KEPT].load(Relaxed);
            of != core || core == NO_CORE
        };
        let mut before = since;
        for n in (oldest..first).rev() {
            before = time(n);
            if elsewhere(n) {
                break;
            }
        }
        let last = end - 1;
        Some(Seen {
            before,
            first: time(first),
            last: time(last),
            last_but_one: if last > first { time(last - 1) } else { before },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found() {
        let clock = Clock::new();
        let between = |since, until| clock.between(since, until, NO_CORE);
        assert_eq!(between(0, 1000), None);
        for n in 1..=10 {
            clock.tick(n * 100, 0);
        }
        assert_eq!(clock.now(), 1000);
        assert_eq!(between(200, 299), None);
        let seen = |before, first, last, last_but_one| {
            Some(Seen {
                before,
                first,
                last,
                last_but_one,
            })
        };
        assert_eq!(between(250, 350), seen(200, 300, 300, 200));
        assert_eq!(between(200, 350), seen(200, 300, 300, 200));
        assert_eq!(between(150, 410), seen(100, 200, 400, 300));
        assert_eq!(between(999, 2000), seen(900, 1000, 1000, 900));
        assert_eq!(between(1000, 2000), None);
        for n in 11..=3000 {
            clock.tick(n * 100 + 1, (n % 2) as u32);
        }
        assert_eq!(clock.now(), 300_000);
        assert_eq!(
            between(299_950, 300_001),
            seen(299_900, 300_000, 300_000, 299_900)
        );
        // For a thread on core 0, every other tick was on its own.
        let seen = clock.between(299_750, 299_850, 0).expect("a tick");
        assert_eq!((seen.before, seen.first), (299_700, 299_800));
        let seen = clock.between(299_750, 299_850, 1).expect("a tick");
        assert_eq!((seen.before, seen.first), (299_600, 299_800));
        // It began before all ticks that are kept.
        let seen = between(500, 300_000).expect("ticks");
        assert_eq!((seen.before, seen.last), (500, 300_000));
        assert!(seen.first > 500);
    }
}
