//! Calls as slices of a timeline, in bounded memory.
//!
//! A lane has the calls of one thread at one depth, in the order of time. When all lanes together
//! have too many slices, calls shorter than a *resolution* are drawn together: those of a lane that
//! begin in the same stretch of that length become one slice, with their number and their time. The
//! resolution doubles until there is room. Longer calls stay exact.

use soglia_core::crossing::Side;

/// The most slices that lanes keep.
const MOST: usize = 150_000;
/// The most calls that are nested in each other and have lanes.
const MOST_DEPTH: usize = 48;

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Outcome {
    #[default]
    Returned,
    /// The events end inside it.
    Unseen,
    Abandoned,
    Failed,
    Open,
}

/// A call, or several short ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) begin: u64,
    pub(super) end: u64,
    /// The target that most of the time is of.
    pub(super) target: u32,
    pub(super) is_managed: bool,
    /// The most remarkable one.
    pub(super) outcome: Outcome,
    pub(super) calls: u64,
    /// Time in these calls.
    pub(super) busy: u64,
    /// By how much `target` leads over the others.
    lead: u64,
}

impl Slice {
    /// One call.
    pub(super) fn call(target: u32, side: Side, begin: u64, end: u64, outcome: Outcome) -> Self {
        let end = end.max(begin);
        let busy = end - begin;
        Self {
            begin,
            end,
            target,
            is_managed: side == Side::Managed,
            outcome,
            calls: 1,
            busy,
            // A call of no length counts too.
            lead: busy.saturating_add(1),
        }
    }

    fn is_long(&self, resolution: u64) -> bool {
        self.calls == 1 && self.end - self.begin >= resolution
    }

    /// Takes in a later slice of the lane.
    fn take(&mut self, other: &Self) {
        if (self.target, self.is_managed) == (other.target, other.is_managed) {
            self.lead = self.lead.saturating_add(other.lead);
        } else if other.lead > self.lead {
            self.lead = other.lead - self.lead;
            (self.target, self.is_managed) = (other.target, other.is_managed);
        } else {
            self.lead -= other.lead;
        }
        self.end = self.end.max(other.end);
        self.outcome = self.outcome.max(other.outcome);
        self.calls = self.calls.saturating_add(other.calls);
        self.busy = self.busy.saturating_add(other.busy);
    }
}

/// The lanes of one thread.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskLanes {
    /// By depth, outermost first.
    pub(super) lanes: Vec<Vec<Slice>>,
    /// Calls that are nested too deep for a lane.
    pub(super) deeper: u64,
}

/// The lanes of all threads.
#[derive(Debug)]
pub(super) struct Lanes {
    pub(super) tasks: Vec<TaskLanes>,
    /// Calls shorter than this are drawn together. 0 if each call has its own slice.
    pub(super) resolution: u64,
    slices: usize,
    most: usize,
}

impl Lanes {
    pub(super) const fn new() -> Self {
        Self::with_room(MOST)
    }

    const fn with_room(most: usize) -> Self {
        Self {
            tasks: Vec::new(),
            resolution: 0,
            slices: 0,
            most,
        }
    }

    /// Begins the lanes of another thread.
    pub(super) fn begin_task(&mut self) {
        self.tasks.push(TaskLanes::default());
    }

    /// Adds a call to the latest thread. The calls of a lane come in the order of time.
    #[inline]
    pub(super) fn add(&mut self, depth: usize, slice: Slice) {
        let Some(task) = self.tasks.last_mut() else {
            return;
        };
        if depth >= MOST_DEPTH {
            task.deeper += 1;
            return;
        }
        if task.lanes.len() <= depth {
            task.lanes.resize_with(depth + 1, Vec::new);
        }
        if push(&mut task.lanes[depth], slice, self.resolution) {
            self.slices += 1;
            if self.slices > self.most {
                self.make_room();
            }
        }
    }

    #[cold]
    fn make_room(&mut self) {
        // So that the next time is far off.
        let enough = self.most - self.most / 4;
        while self.slices > enough && self.resolution < 1 << 62 {
            self.resolution = (self.resolution * 2).max(64);
            self.slices = 0;
            for lane in self.tasks.iter_mut().flat_map(|task| &mut task.lanes) {
                for slice in std::mem::take(lane) {
                    push(lane, slice, self.resolution);
                }
                self.slices += lane.len();
            }
        }
        // Very many lanes of few slices: what comes gets no more room than there is.
        self.most = self.most.max(self.slices);
    }
}

/// Adds a slice to a lane. Returns `false` if the last slice took it in.
#[inline]
fn push(lane: &mut Vec<Slice>, slice: Slice, resolution: u64) -> bool {
    if resolution > 0
        && !slice.is_long(resolution)
        && let Some(last) = lane.last_mut()
        && !last.is_long(resolution)
        && last.begin / resolution == slice.begin / resolution
    {
        last.take(&slice);
        return false;
    }
    lane.push(slice);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(target: u32, begin: u64, end: u64) -> Slice {
        Slice::call(target, Side::Unmanaged, begin, end, Outcome::Returned)
    }

    #[test]
    fn few_calls_stay_as_they_are() {
        let mut lanes = Lanes::with_room(100);
        lanes.begin_task();
        let calls: Vec<Slice> = (0..100).map(|n| call(1, n * 10, n * 10 + 3)).collect();
        for slice in &calls {
            lanes.add(0, *slice);
        }
        assert_eq!(lanes.resolution, 0);
        assert_eq!(lanes.tasks[0].lanes, [calls]);
    }

    /// Whatever the room is, no call and no time is lost, and long calls stay exact.
    #[test]
    fn many_calls_are_summed_up() {
        let mut lanes = Lanes::with_room(64);
        let (mut calls, mut busy) = (0, 0);
        for task in 0..3 {
            lanes.begin_task();
            let mut at = 0;
            for n in 0..20_000_u64 {
                let took = if n == 7_777 { 1 << 30 } else { 1 + n % 50 };
                lanes.add(0, call((n % 3 + task) as u32, at, at + took));
                calls += 1;
                busy += took;
                at += took + 5;
            }
        }
        assert!(lanes.resolution > 0);
        let slices = lanes.tasks.iter().flat_map(|task| &task.lanes).flatten();
        let slices: Vec<&Slice> = slices.collect();
        assert!(slices.len() <= 64, "{}", slices.len());
        assert_eq!(slices.iter().map(|slice| slice.calls).sum::<u64>(), calls);
        assert_eq!(slices.iter().map(|slice| slice.busy).sum::<u64>(), busy);
        let long = slices.iter().filter(|slice| slice.busy >= 1 << 30);
        assert!(long.clone().all(|slice| slice.calls == 1));
        assert_eq!(long.count(), 3);
        for lane in lanes.tasks.iter().flat_map(|task| &task.lanes) {
            let pairs = lane.windows(2);
            assert!(pairs.into_iter().all(|pair| pair[0].end <= pair[1].begin));
        }
    }

    #[test]
    fn the_target_with_most_of_the_time_names_a_slice() {
        let mut slice = call(1, 0, 10);
        for other in [call(2, 10, 40), call(2, 40, 60), call(3, 60, 65)] {
            slice.take(&other);
        }
        assert_eq!((slice.target, slice.calls, slice.busy), (2, 4, 65));
    }

    #[test]
    fn calls_that_are_nested_very_deep_are_counted() {
        let mut lanes = Lanes::new();
        lanes.begin_task();
        lanes.add(MOST_DEPTH - 1, call(1, 0, 1));
        lanes.add(MOST_DEPTH, call(1, 0, 1));
        lanes.add(usize::MAX, call(1, 0, 1));
        assert_eq!(lanes.tasks[0].lanes.len(), MOST_DEPTH);
        assert_eq!(lanes.tasks[0].deeper, 2);
    }
}
