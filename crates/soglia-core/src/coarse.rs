//! A clock that costs one load: the time of the last tick, which a thread of the engine stores now
//! and then.
//!
//! The times of the last ticks are kept, so a call that was open at a tick can be placed between
//! two of them.

use std::sync::atomic::{
    AtomicU32, AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use crate::order::IN_ORDER;

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
pub fn between(since: u64, until: u64) -> Option<Seen> {
    CLOCK.between(since, until)
}

/// What ticks lie in a span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The last tick before the span, or the begin of the span if that is not kept.
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
        self.last.load(IN_ORDER)
    }

    pub(crate) fn tick(&self, at: u64, core: u32) {
        let at = at & !1;
        let count = self.count.load(Relaxed);
        self.times.0[count % KEPT].store(at, Relaxed);
        self.cores[count % KEPT].store(core, Relaxed);
        self.count.store(count.wrapping_add(1), Release);
        self.last.store(at, Release);
    }

    /// The ticks after `since` and up to `until`. `None`: there is none. Makes no call, allocates
    /// nothing and does not panic.
    pub fn between(&self, since: u64, until: u64) -> Option<Seen> {
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
        let before = if first > oldest {
            time(first - 1)
        } else {
            since
        };
        let last = end - 1;
        Some(Seen {
            before,
            first: time(first),
            last: time(last),
            last_but_one: if last > first { time(last - 1) } else { before },
        })
    }

    /// The last tick after `since` and up to `until` that was not on this core.
    fn last_elsewhere(&self, since: u64, until: u64, core: u32) -> Option<u64> {
        let count = self.count.load(Acquire);
        let oldest = count.saturating_sub(KEPT - 1);
        for n in (oldest..count).rev() {
            let at = self.times.0[n % KEPT].load(Relaxed);
            if at <= since {
                return None;
            }
            let is_here = core != NO_CORE && self.cores[n % KEPT].load(Relaxed) == core;
            if at <= until && !is_here {
                return Some(at);
            }
        }
        None
    }
}

/// The last ticks that were on other cores than a thread.
///
/// A tick on the thread's own core took that core from it. So such ticks find no call that
/// computes, and each of the others stands for the time since the one before it.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    last: u64,
    last_but_one: u64,
    /// Ticks up to here are known.
    until: u64,
    /// The core of the thread then.
    core: u32,
    /// How many of 256 ticks were on the core of the thread, of late.
    here: u32,
}

impl Elsewhere {
    /// For a thread that begins at the time `now`.
    pub const fn new(now: u64) -> Self {
        Self {
            last: now,
            last_but_one: now,
            until: now,
            core: NO_CORE,
            here: 0,
        }
    }

    /// Whether most ticks are on other cores. If they are not, they say nothing of calls that
    /// compute.
    pub const fn are_usual(&self) -> bool {
        self.here < 128
    }

    /// The thread is on this core at the time `now`. What ticked meanwhile found it on the core
    /// where it was before: often a tick is what makes it go to another.
    #[inline]
    pub fn catch_up(&mut self, now: u64, core: u32) {
        self.catch_up_by(&CLOCK, now, core);
    }

    #[inline]
    pub(crate) fn catch_up_by(&mut self, clock: &Clock, now: u64, core: u32) {
        let before = std::mem::replace(&mut self.core, core);
        if now <= self.until || clock.now() <= self.until {
            return;
        }
        if let Some(last) = clock.last_elsewhere(self.until, now, before) {
            (self.last_but_one, self.last) = (self.last, last);
            self.here -= self.here.div_ceil(8);
        } else {
            self.here += (256 - self.here) / 8;
        }
        self.until = now;
    }

    /// The last such tick before this time, if it is one of the last two.
    pub fn before(&mut self, at: u64) -> Option<u64> {
        self.before_by(&CLOCK, at)
    }

    pub(crate) fn before_by(&mut self, clock: &Clock, at: u64) -> Option<u64> {
        self.catch_up_by(clock, at, self.core);
        if !self.are_usual() {
            return None;
        }
        let mut ticks = [self.last, self.last_but_one].into_iter();
        ticks.find(|tick| *tick <= at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_found() {
        let clock = Clock::new();
        let between = |since, until| clock.between(since, until);
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
        // It began before all ticks that are kept.
        let seen = between(500, 300_000).expect("ticks");
        assert_eq!((seen.before, seen.last), (500, 300_000));
        assert!(seen.first > 500);
    }

    #[test]
    fn ticks_on_other_cores_are_found() {
        let clock = Clock::new();
        clock.tick(100, 0);
        let mut elsewhere = Elsewhere::new(clock.now());
        assert_eq!(elsewhere.before_by(&clock, 150), Some(100));
        assert_eq!(elsewhere.before_by(&clock, 50), None);
        elsewhere.catch_up_by(&clock, 150, 0);
        clock.tick(200, 1);
        clock.tick(300, 0);
        elsewhere.catch_up_by(&clock, 350, 0);
        assert_eq!(elsewhere.before_by(&clock, 350), Some(200));
        assert_eq!(elsewhere.before_by(&clock, 150), Some(100));
        // A tick on its core makes the thread go to another one.
        clock.tick(400, 0);
        elsewhere.catch_up_by(&clock, 450, 1);
        assert_eq!(elsewhere.before_by(&clock, 450), Some(200));
        clock.tick(500, 0);
        elsewhere.catch_up_by(&clock, 550, NO_CORE);
        assert_eq!(elsewhere.before_by(&clock, 550), Some(500));
        clock.tick(600, 0);
        elsewhere.catch_up_by(&clock, 650, 0);
        assert_eq!(elsewhere.before_by(&clock, 650), Some(600));
        assert!(elsewhere.are_usual());
        for n in 7..20 {
            clock.tick(n * 100, 0);
            elsewhere.catch_up_by(&clock, n * 100 + 50, 0);
        }
        assert!(!elsewhere.are_usual());
        assert_eq!(elsewhere.before_by(&clock, 1960), None);
    }
}
