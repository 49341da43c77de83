//! Which calls are stuck: they have neither returned nor called back for some time.
//!
//! Such a call is reported once, and not every such call: a program may wait in native code by
//! design, in many threads or again and again.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use soglia_core::{time::Scale, trace::open_layers::OpenCall};

/// A call, by its task and the ticks when it began.
pub type CallKey = (u32, u64);

/// The most threads in which calls of one target are reported.
const MOST_THREADS: usize = 16;

/// The innermost calls of threads.
pub struct Lasting {
    /// How long they may be quiet, in nanoseconds.
    after: u64,
    quiet: HashMap<CallKey, Quiet>,
    /// By target, the tasks for which a call was reported.
    reported: HashMap<u32, HashSet<u32>>,
}

/// Since when a call has not called back.
struct Quiet {
    since: u64,
    /// What [`OpenCall::inner`] was then.
    inner: u64,
}

impl Lasting {
    /// For calls that are quiet for so many nanoseconds.
    pub fn new(after: u64) -> Self {
        Self {
            after,
            quiet: HashMap::new(),
            reported: HashMap::new(),
        }
    }

    /// Looks at the innermost call of a task. Returns when to look again; zero: it is to be
    /// reported now.
    pub fn look(&mut self, task: u32, call: &OpenCall, now: u64, scale: Scale) -> Duration {
        let reported = self.reported.get(&call.target);
        if reported.is_some_and(|tasks| tasks.contains(&task) || tasks.len() >= MOST_THREADS) {
            return Duration::MAX;
        }
        // When it called back last is not known, if it did before it was seen.
        let begin = if call.inner == 0 { call.since } else { now };
        let quiet = self.quiet.entry((task, call.since)).or_insert(Quiet {
            since: begin,
            inner: call.inner,
        });
        if quiet.inner != call.inner {
            *quiet = Quiet {
                since: now,
                inner: call.inner,
            };
        }
        let left = self
            .after
            .saturating_sub(scale.ns(now.saturating_sub(quiet.since)));
        Duration::from_nanos(left)
    }

    /// Calls of this target in this task are not reported again.
    pub fn reported(&mut self, target: u32, task: u32) {
        self.reported.entry(target).or_default().insert(task);
    }

    /// Forgets all calls but these.
    pub fn keep(&mut self, open: &HashSet<CallKey>) {
        self.quiet.retain(|call, _| open.contains(call));
    }
}

#[cfg(test)]
mod tests {
    use soglia_core::crossing::Side;

    use super::*;

    fn call(since: u64, inner: u64) -> OpenCall {
        OpenCall {
            depth: 0,
            since,
            slack: 0,
            target: 5,
            side: Side::Unmanaged,
            inner,
        }
    }

    #[test]
    fn a_call_is_stuck_when_it_is_quiet_for_long() {
        let mut lasting = Lasting::new(100);
        let mut look = |task, call, now| {
            let again = lasting.look(task, &call, now, Scale::IDENTITY);
            if again.is_zero() {
                lasting.reported(call.target, task);
            }
            (again != Duration::MAX).then_some(again.as_nanos())
        };
        assert_eq!(look(1, call(50, 0), 60), Some(90));
        assert_eq!(look(1, call(50, 0), 149), Some(1));
        // It called back, and begins anew.
        assert_eq!(look(1, call(50, 7), 150), Some(100));
        assert_eq!(look(1, call(50, 7), 250), Some(0));
        // Once for this task and target.
        assert_eq!(look(1, call(50, 9), 900), None);
        assert_eq!(look(1, call(910, 0), 2000), None);
        assert_eq!(look(2, call(910, 3), 2000), Some(100));
    }

    #[test]
    fn a_target_in_which_all_threads_wait_is_reported_for_some() {
        let mut lasting = Lasting::new(10);
        let stuck = (0..100).filter(|task| {
            let again = lasting.look(*task, &call(1, 0), 11, Scale::IDENTITY);
            lasting.reported(5, *task);
            again.is_zero()
        });
        assert_eq!(stuck.count(), MOST_THREADS);
        lasting.keep(&HashSet::new());
        assert!(lasting.quiet.is_empty());
    }
}
