//! Slots under every order of events that a few threads allow: the source of
//! `soglia_core::admission` itself, over loom's locks and atomics instead of std's. Loom fails a
//! test in which all threads wait, so each of these is also about deadlocks.
//!
//! `cargo test -p soglia-core --test admission_loom`

use std::{num::NonZeroU16, sync::atomic::AtomicUsize, sync::atomic::Ordering::SeqCst};

use admission::{Doing, Holder, Refusal, Slots, Thread};
use loom::{
    model::Builder,
    sync::{Arc, Condvar, Mutex, atomic::AtomicU32},
    thread,
};

#[path = "../src/admission/mod.rs"]
#[allow(
    dead_code,
    unused_imports,
    reason = "what needs no other threads is tested elsewhere"
)]
mod admission;

/// Loom's in place of the library's own `sync`.
mod sync {
    use std::time::Duration;

    pub use loom::sync::{
        Arc, Condvar, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    };
    pub use std::sync::PoisonError;

    /// With a limit: others go on for a while, and the time is up.
    pub fn wait<'a, T>(
        condvar: &Condvar,
        mutex: &'a Mutex<T>,
        guard: MutexGuard<'a, T>,
        limit: Option<Duration>,
    ) -> (MutexGuard<'a, T>, Duration) {
        let Some(limit) = limit else {
            return (condvar.wait(guard).unwrap(), Duration::ZERO);
        };
        drop(guard);
        loom::thread::yield_now();
        (mutex.lock().unwrap(), limit)
    }
}

type Look = Box<dyn Fn(Thread) -> Doing + Send + Sync>;

fn slots(count: u16, limit: Option<u64>, look: Look) -> Arc<Slots<Look>> {
    let limit = limit.map(std::time::Duration::from_millis);
    Arc::new(Slots::new(NonZeroU16::new(count).unwrap(), limit, look))
}

fn nobody_sleeps() -> Look {
    Box::new(|_| Doing::Runs)
}

/// This thread does this, and all others run.
fn only(thread: u32, doing: Doing) -> Look {
    Box::new(move |other| match other.number == thread {
        true => doing,
        false => Doing::Runs,
    })
}

/// How many wait is counted for the whole process: models that ran side by side would see one
/// another's.
static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Runs the body in all orders with at most so many threads stopped where they could have gone on.
/// Zero: however many.
fn check(preemptions: usize, body: impl Fn() + Send + Sync + 'static) {
    let _alone = ONE_AT_A_TIME
        .lock()
        .unwrap_or_else(sync::PoisonError::into_inner);
    let mut builder = Builder::new();
    builder.preemption_bound = (preemptions != 0).then_some(preemptions);
    builder.max_branches = 20_000;
    builder.check(body);
}

/// Tasks that run managed code now.
#[derive(Default)]
struct Running(loom::sync::atomic::AtomicUsize);

impl Running {
    fn managed(&self, most: usize) {
        let now = self.0.fetch_add(1, SeqCst) + 1;
        assert!(now <= most, "{now} run managed code");
        self.0.fetch_sub(1, SeqCst);
    }
}

/// A thread of the program: enters, runs, leaves.
fn spawn(
    number: u32,
    slots: &Arc<Slots<Look>>,
    body: impl FnOnce(&Slots<Look>, &mut Holder) + 'static,
) -> thread::JoinHandle<()> {
    let slots = slots.clone();
    thread::spawn(move || body(&slots, &mut Holder::new(number.into())))
}

fn join<const N: usize>(threads: [thread::JoinHandle<()>; N]) {
    threads.into_iter().for_each(|t| t.join().unwrap());
}

#[track_caller]
fn all_free(slots: &Slots<Look>, count: usize) {
    assert_eq!((slots.free(), slots.waiting()), (count, 0));
}

fn calls(slots: &Slots<Look>, task: &mut Holder, running: &Running, most: usize, times: usize) {
    slots.leave(task).unwrap();
    for _ in 0..times {
        slots.enter(task).unwrap();
        running.managed(most);
        slots.leave(task).unwrap();
    }
}

/// So many slots, and calls of each thread.
fn bounded<const THREADS: usize>(
    preemptions: usize,
    numbers: [u32; THREADS],
    count: u16,
    times: usize,
) {
    check(preemptions, move || {
        let slots = slots(count, None, nobody_sleeps());
        let running = Arc::new(Running::default());
        let each = |number| {
            let running = running.clone();
            spawn(number, &slots, move |slots, task| {
                calls(slots, task, &running, count.into(), times);
            })
        };
        join(numbers.map(each));
        all_free(&slots, count.into());
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn two_threads_share_one_slot() {
    bounded(0, [1, 2], 1, 1);
    bounded(4, [1, 2], 1, 2);
}

#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn three_threads_share_one_slot() {
    bounded(3, [1, 2, 3], 1, 1);
}

#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn three_threads_share_two_slots() {
    bounded(3, [1, 2, 3], 2, 1);
}

/// Managed, native, callback, native, and all the way back, twice at once.
#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn callbacks_give_and_take_in_between() {
    check(3, || {
        let slots = slots(1, None, nobody_sleeps());
        let running = Arc::new(Running::default());
        let each = |number| {
            let running = running.clone();
            spawn(number, &slots, move |slots, task| {
                slots.leave(task).unwrap();
                slots.reverse_enter(task).unwrap();
                running.managed(1);
                // A call that is not reported calls back.
                slots.reverse_enter(task).unwrap();
                slots.leave(task).unwrap();
                slots.enter(task).unwrap();
                slots.reverse_leave(task).unwrap();
                running.managed(1);
                slots.reverse_leave(task).unwrap();
                slots.enter(task).unwrap();
                running.managed(1);
                slots.leave(task).unwrap();
            })
        };
        join([1, 2].map(each));
        all_free(&slots, 1);
    });
}

/// One gives while the other gives up: either it got the slot, or the slot is free.
#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn a_slot_that_comes_too_late_is_not_lost() {
    check(0, || {
        let slots = slots(1, Some(1), nobody_sleeps());
        let running = Arc::new(Running::default());
        let each = |number| {
            let running = running.clone();
            spawn(number, &slots, move |slots, task| {
                match slots.reverse_enter(task) {
                    Ok(()) => {
                        running.managed(1);
                        slots.reverse_leave(task).unwrap();
                    }
                    Err(refusal) => assert_eq!(refusal, Refusal::TimedOut),
                }
                assert!(!slots.holds(task));
            })
        };
        join([1, 2].map(each));
        all_free(&slots, 1);
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn giving_up_leaves_the_others_in_line() {
    check(3, || {
        let slots = slots(1, Some(1), nobody_sleeps());
        let patient = spawn(1, &slots, |slots, task| {
            task.begin_delay_abort().unwrap();
            slots.enter(task).unwrap();
            slots.leave(task).unwrap();
        });
        let each = |number| {
            spawn(number, &slots, |slots, task| {
                let _ = slots.enter(task);
                slots.leave(task).unwrap();
            })
        };
        join([patient, each(2), each(3)]);
        all_free(&slots, 1);
    });
}

/// A lock of the program's, on which a task may sleep without a crossing.
struct Monitor {
    /// The thread that does; 0 while there is none.
    sleeper: AtomicU32,
    is_set: Mutex<bool>,
    pulse: Condvar,
}

impl Monitor {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            sleeper: AtomicU32::new(0),
            is_set: Mutex::new(false),
            pulse: Condvar::new(),
        })
    }

    fn wait(&self, thread: u32) {
        let mut is_set = self.is_set.lock().unwrap();
        while !*is_set {
            self.sleeper.store(thread, SeqCst);
            is_set = self.pulse.wait(is_set).unwrap();
        }
        self.sleeper.store(0, SeqCst);
    }

    fn set(&self) {
        *self.is_set.lock().unwrap() = true;
        self.pulse.notify_one();
    }
}

/// Says which threads sleep there.
fn sleepers_of<const N: usize>(monitors: [&Arc<Monitor>; N]) -> Look {
    let monitors = monitors.map(Arc::clone);
    let sleeps = move |thread: Thread| {
        monitors
            .iter()
            .any(|m| m.sleeper.load(SeqCst) == thread.number)
    };
    Box::new(move |thread| match sleeps(thread) {
        true => Doing::Sleeps(0),
        false => Doing::Runs,
    })
}

/// A task waits in managed code, with the only slot, for one that waits for a slot.
#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn the_slot_of_a_sleeper_is_lent() {
    check(0, || {
        let monitor = Monitor::new();
        let slots = slots(1, None, sleepers_of([&monitor]));
        let mut first = Holder::new(1.into());
        slots.enter(&mut first).unwrap();
        let waker = {
            let monitor = monitor.clone();
            spawn(2, &slots, move |slots, task| {
                slots.enter(task).unwrap();
                monitor.set();
                slots.leave(task).unwrap();
            })
        };
        monitor.wait(1);
        slots.leave(&mut first).unwrap();
        waker.join().unwrap();
        assert_eq!(slots.figures().lent, 1);
        all_free(&slots, 1);
    });
}

/// A task sleeps until another one runs, which sleeps until a third one runs: the task that is left
/// in line goes on looking.
#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn sleepers_wait_for_sleepers() {
    check(2, || {
        let (monitor, second) = (Monitor::new(), Monitor::new());
        let slots = slots(1, None, sleepers_of([&monitor, &second]));
        let mut first = Holder::new(1.into());
        slots.enter(&mut first).unwrap();
        let came = Arc::new(AtomicUsize::new(0));
        let each = |number| {
            let (monitor, second, came) = (monitor.clone(), second.clone(), came.clone());
            spawn(number, &slots, move |slots, task| {
                slots.enter(task).unwrap();
                if came.fetch_add(1, SeqCst) == 0 {
                    second.wait(number);
                    monitor.set();
                } else {
                    second.set();
                }
                slots.leave(task).unwrap();
            })
        };
        let others = [2, 3].map(each);
        monitor.wait(1);
        slots.leave(&mut first).unwrap();
        join(others);
        all_free(&slots, 1);
    });
}

/// A sleeper wakes and gives while its slot is lent: those who got it one way or the other are
/// never two.
#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn a_slot_is_lent_or_given_not_both() {
    check(3, || {
        let slots = slots(1, None, only(1, Doing::Sleeps(0)));
        let running = Arc::new(Running::default());
        let mut first = Holder::new(1.into());
        slots.enter(&mut first).unwrap();
        let each = |number| {
            let running = running.clone();
            spawn(number, &slots, move |slots, task| {
                slots.enter(task).unwrap();
                running.managed(1);
                slots.leave(task).unwrap();
            })
        };
        let others = [2, 3].map(each);
        slots.leave(&mut first).unwrap();
        join(others);
        all_free(&slots, 1);
    });
}

/// Everybody seems to sleep all the time, so slots are lent while their holders give them.
#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn lending_and_giving_at_once_neither_loses_nor_doubles_a_slot() {
    check(4, || {
        let slots = slots(1, None, Box::new(|_| Doing::Sleeps(0)));
        let each = |number| {
            spawn(number, &slots, |slots, task| {
                for _ in 0..2 {
                    slots.enter(task).unwrap();
                    slots.leave(task).unwrap();
                }
                assert!(!slots.holds(task));
            })
        };
        join([1, 2].map(each));
        all_free(&slots, 1);
    });
}

/// A thread is gone, with the only slot: of two that follow, exactly one gets the error, and is
/// alone with the slot.
#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn of_a_dead_owner_one_is_told() {
    check(3, || {
        let slots = slots(1, None, only(1, Doing::Gone));
        slots.reverse_enter(&mut Holder::new(1.into())).unwrap();
        let told = Arc::new(AtomicUsize::new(0));
        let running = Arc::new(Running::default());
        let each = |number| {
            let (told, running) = (told.clone(), running.clone());
            spawn(number, &slots, move |slots, task| {
                if let Err(refusal) = slots.enter(task) {
                    assert_eq!(refusal, Refusal::Abandoned);
                    told.fetch_add(1, SeqCst);
                }
                assert!(slots.holds(task));
                running.managed(1);
                slots.end(task);
            })
        };
        join([2, 3].map(each));
        assert_eq!((told.load(SeqCst), slots.figures().abandoned), (1, 1));
        all_free(&slots, 1);
    });
}

#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn lifting_the_bound_lets_all_go_on() {
    check(3, || {
        let slots = slots(1, None, nobody_sleeps());
        let mut holder = Holder::new(1.into());
        slots.enter(&mut holder).unwrap();
        let each = |number| {
            spawn(number, &slots, |slots, task| {
                slots.enter(task).unwrap();
                slots.leave(task).unwrap();
            })
        };
        let others = [2, 3].map(each);
        slots.lift();
        join(others);
        slots.leave(&mut holder).unwrap();
        all_free(&slots, 1);
    });
}

/// A task has the only slot, and looks until another one has had it.
#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn who_looks_gives_way() {
    check(3, || {
        let slots = slots(1, None, nobody_sleeps());
        let running = Arc::new(Running::default());
        let seen = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let looks = {
            let (running, seen) = (running.clone(), seen.clone());
            spawn(1, &slots, move |slots, task| {
                slots.enter(task).unwrap();
                while !seen.load(SeqCst) {
                    running.managed(1);
                    if !slots.give_way(task) {
                        thread::yield_now();
                    }
                }
                running.managed(1);
                slots.leave(task).unwrap();
            })
        };
        let does = spawn(2, &slots, move |slots, task| {
            slots.enter(task).unwrap();
            running.managed(1);
            seen.store(true, SeqCst);
            slots.leave(task).unwrap();
        });
        join([looks, does]);
        all_free(&slots, 1);
    });
}

/// Two give way to each other and to a third one, and sleep, in all orders.
#[test]
#[cfg_attr(miri, ignore = "loom switches stacks")]
fn giving_way_and_resting_lose_no_slot() {
    check(2, || {
        let slots = slots(1, None, nobody_sleeps());
        let running = Arc::new(Running::default());
        let each = |number| {
            let running = running.clone();
            spawn(number, &slots, move |slots, task| {
                slots.enter(task).unwrap();
                running.managed(1);
                if number == 1 {
                    slots.rest(task);
                    slots.wake(task);
                } else {
                    slots.give_way(task);
                }
                running.managed(1);
                slots.leave(task).unwrap();
            })
        };
        join([1, 2].map(each));
        all_free(&slots, 1);
    });
}
