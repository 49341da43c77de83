//! Crossings as a stream, for hosts that only watch.
//!
//! The crossing thread puts an event into a queue with a fixed number of places and goes on. It
//! takes no lock, wakes no thread and never waits. If the queue is full, the event is dropped and
//! counted. Readers poll the queue, and look up names when they need them.

use std::cell::Cell;
use std::iter::FusedIterator;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;
use soglia_core::crossing::Crossing;
use soglia_core::time::{self, Anchor, Scale, TickSource};

use super::target::Target;

/// How many events can wait to be read by default.
pub(super) const CAPACITY: usize = 65_536;

/// How long a reader sleeps when there is nothing to read.
const PAUSE: Duration = Duration::from_millis(1);

/// For how many open native calls of a thread the targets are kept.
const DEPTH: usize = 64;

/// A crossing that has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// Which one of the four.
    pub crossing: Crossing,
    /// The native function that is called or has returned. It is unknown for callbacks, and inside
    /// more than 64 open calls.
    pub target: Option<Target>,
    /// The thread that crossed, by the operating system's number.
    pub thread: u32,
    /// The time, from the processor's counter where that is steady. Compare it with the times of
    /// other events.
    pub time: Instant,
    /// How many events were dropped since the previous one that was read, because the queue was
    /// full.
    pub missed: u64,
}

/// An event in the queue. The reader makes an [`Event`] of it.
struct Record {
    crossing: Crossing,
    thread: u32,
    /// An address, or 0.
    target: usize,
    ticks: u64,
    /// How many events had been dropped before it.
    dropped: u64,
}

/// What crossing threads and readers share.
pub(super) struct Watch {
    queue: ArrayQueue<Record>,
    dropped: AtomicU64,
    /// How many dropped events readers know of.
    told: AtomicU64,
    closed: AtomicBool,
    start: (Instant, Anchor),
    /// The first reader computes it, when some time has passed since the start.
    scale: OnceLock<Scale>,
}

impl Watch {
    pub fn new(capacity: usize) -> Self {
        TickSource::detect().select();
        Self {
            queue: ArrayQueue::new(capacity.max(1)),
            dropped: AtomicU64::new(0),
            told: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            start: (Instant::now(), Anchor::take()),
            scale: OnceLock::new(),
        }
    }

    pub fn leave(&self, target: Target) {
        OPEN.with(|open| open.push(target));
        self.put(Crossing::LeaveRuntime, Some(target));
    }

    pub fn enter(&self) {
        let target = OPEN.with(Open::pop);
        self.put(Crossing::EnterRuntime, target);
    }

    pub fn put(&self, crossing: Crossing, target: Option<Target>) {
        let record = Record {
            crossing,
            thread: thread_number(),
            target: target.map_or(0, Target::address),
            ticks: time::now(),
            dropped: self.dropped.load(Relaxed),
        };
        if self.queue.push(record).is_err() {
            self.dropped.fetch_add(1, Relaxed);
        }
    }

    /// Readers stop waiting for events.
    pub fn close(&self) {
        self.closed.store(true, SeqCst);
    }

    fn take(&self) -> Option<Event> {
        let record = self.queue.pop()?;
        let told = self.told.fetch_max(record.dropped, Relaxed);
        Some(Event {
            crossing: record.crossing,
            target: (record.target != 0).then(|| Target::new(record.target)),
            thread: record.thread,
            time: self.time_of(record.ticks),
            missed: record.dropped.saturating_sub(told),
        })
    }

    fn time_of(&self, ticks: u64) -> Instant {
        let (instant, anchor) = self.start;
        let scale = self
            .scale
            .get_or_init(|| Scale::between(anchor, Anchor::take()).unwrap_or(Scale::IDENTITY));
        instant + Duration::from_nanos(scale.ns(ticks.saturating_sub(anchor.ticks)))
    }
}

/// The targets of a thread's open calls. Cells, since a signal handler may interrupt a change.
struct Open {
    targets: [Cell<usize>; DEPTH],
    depth: Cell<usize>,
}

impl Open {
    fn push(&self, target: Target) {
        let depth = self.depth.get();
        if let Some(place) = self.targets.get(depth) {
            place.set(target.address());
        }
        self.depth.set(depth + 1);
    }

    fn pop(&self) -> Option<Target> {
        let depth = self.depth.get().checked_sub(1)?;
        self.depth.set(depth);
        self.targets
            .get(depth)
            .map(|place| Target::new(place.get()))
    }
}

thread_local! {
    static OPEN: Open = const { Open { targets: [const { Cell::new(0) }; DEPTH], depth: Cell::new(0) } };
    static THREAD: Cell<u32> = const { Cell::new(0) };
}

/// The operating system's number of the calling thread.
pub(super) fn thread_number() -> u32 {
    THREAD.with(|number| {
        if number.get() == 0 {
            #[allow(unsafe_code, reason = "gettid")]
            // SAFETY: no arguments, and it cannot fail.
            number.set(unsafe { libc::gettid() } as u32);
        }
        number.get()
    })
}

/// The crossings of a host that watches: [`Builder::watch`](super::Builder::watch).
///
/// As an iterator it waits for events, and ends when the host is dropped and all events were read.
/// Clones share one queue: each event is returned once. Without a reader the queue fills up, and
/// further events are dropped; [`Event::missed`] counts them.
#[derive(Clone)]
pub struct Events {
    watch: Arc<Watch>,
}

impl Events {
    fn new(watch: Arc<Watch>) -> Self {
        Self { watch }
    }

    /// Those of this watch. Without one, a stream that has ended.
    pub(super) fn of(watch: Option<Arc<Watch>>) -> Self {
        let nothing = || {
            let nothing = Watch::new(1);
            nothing.close();
            Arc::new(nothing)
        };
        Self::new(watch.unwrap_or_else(nothing))
    }

    /// The next event, if there is one.
    pub fn try_next(&self) -> Option<Event> {
        self.watch.take()
    }

    /// The next event, or `None` after that time without one.
    pub fn next_within(&self, time: Duration) -> Option<Event> {
        let end = Instant::now() + time;
        loop {
            let event = self.watch.take();
            let left = end.saturating_duration_since(Instant::now());
            if event.is_some() || left.is_zero() {
                return event;
            }
            thread::sleep(left.min(PAUSE));
        }
    }

    /// How many events were dropped so far, because the queue was full.
    pub fn dropped(&self) -> u64 {
        self.watch.dropped.load(Relaxed)
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            // Read before the queue, so that events from before the end are still returned.
            let closed = self.watch.closed.load(SeqCst);
            let event = self.watch.take();
            if event.is_some() || closed {
                return event;
            }
            thread::sleep(PAUSE);
        }
    }
}

impl FusedIterator for Events {}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events")
            .field("waiting", &self.watch.queue.len())
            .field("dropped", &self.dropped())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_back_is_what_was_called() {
        let watch = Arc::new(Watch::new(16));
        let events = Events::new(watch.clone());
        let [a, b] = [1, 2].map(Target::new);
        watch.leave(a);
        watch.put(Crossing::ReverseEnterRuntime, None);
        watch.leave(b);
        watch.enter();
        watch.put(Crossing::ReverseLeaveRuntime, None);
        watch.enter();
        watch.enter(); // from a call that was open before the watch began
        watch.close();
        let targets: Vec<_> = events.clone().map(|event| event.target).collect();
        assert_eq!(
            targets,
            [Some(a), None, Some(b), Some(b), None, Some(a), None]
        );
        assert_eq!(events.try_next(), None);
    }

    #[test]
    fn calls_that_are_too_deep_have_no_target() {
        let watch = Watch::new(4 * DEPTH);
        for address in 1..=DEPTH + 2 {
            watch.leave(Target::new(address));
        }
        for address in (1..=DEPTH + 2).rev() {
            watch.enter();
            let expected = (address <= DEPTH).then(|| Target::new(address));
            assert_eq!(OPEN.with(|open| open.depth.get()), address - 1);
            let mut last = None;
            while let Some(event) = watch.take() {
                last = Some(event);
            }
            assert_eq!(last.unwrap().target, expected);
        }
    }

    #[test]
    fn drops_are_counted_and_told_once() {
        let watch = Arc::new(Watch::new(2));
        let events = Events::new(watch.clone());
        let put = |times| (0..times).for_each(|_| watch.put(Crossing::EnterRuntime, None));
        put(5);
        assert_eq!(events.dropped(), 3);
        let missed = || events.try_next().map(|event| event.missed);
        assert_eq!([missed(), missed(), missed()], [Some(0), Some(0), None]);
        put(1);
        assert_eq!([missed(), missed()], [Some(3), None]);
        put(3);
        assert_eq!([missed(), missed(), missed()], [Some(0), Some(0), None]);
        put(2);
        assert_eq!([missed(), missed()], [Some(1), Some(0)]);
    }

    #[test]
    fn nothing_is_lost_between_threads() {
        let watch = Arc::new(Watch::new(100));
        let reader = {
            let events = Events::new(watch.clone());
            thread::spawn(move || events.fold((0, 0), |(n, missed), e| (n + 1, missed + e.missed)))
        };
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| watch.put(Crossing::EnterRuntime, None)));
            }
        });
        watch.close();
        let (read, told) = reader.join().unwrap();
        let dropped = Events::new(watch).dropped();
        assert_eq!(read + dropped, 40_000);
        assert!(told <= dropped);
    }

    #[test]
    fn times_are_those_of_the_clock() {
        let watch = Watch::new(2);
        thread::sleep(Duration::from_millis(20));
        let before = Instant::now();
        watch.put(Crossing::EnterRuntime, None);
        let after = Instant::now();
        let time = watch.take().unwrap().time;
        let tolerance = Duration::from_millis(5);
        assert!(before - tolerance < time && time < after + tolerance);
    }

    #[test]
    fn waiting_for_nothing_ends() {
        let events = Events::new(Arc::new(Watch::new(1)));
        assert_eq!(events.next_within(Duration::from_millis(3)), None);
    }
}
