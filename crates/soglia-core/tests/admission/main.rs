//! Slots with real threads: what each crossing does to them, which task gets which error, and many
//! threads at once.

mod giving_way;
#[path = "../support/random.rs"]
mod random;
mod storm;

use random::Random;
use soglia_core::admission::{Doing, Holder, Refusal, Slots, Thread, look_at};
use std::{
    num::NonZeroU16,
    sync::{
        Barrier, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::Duration,
};

type Look = fn(Thread) -> Doing;

fn slots(count: u16) -> Slots<Look> {
    limited(count, None)
}

/// No thread sleeps here.
fn limited(count: u16, limit: Option<Duration>) -> Slots<Look> {
    Slots::new(NonZeroU16::new(count).unwrap(), limit, |_| Doing::Runs)
}

/// A task of this thread.
fn task() -> Holder {
    Holder::new(Thread::current())
}

fn until(happened: impl Fn() -> bool) {
    while !happened() {
        thread::yield_now();
    }
}

#[test]
fn a_task_holds_a_slot_in_managed_code_only() {
    let slots = slots(2);
    let mut task = task();
    // Its thread has begun in managed code, untold.
    assert_eq!(slots.leave(&mut task), Ok(()));
    for _ in 0..3 {
        assert_eq!((slots.free(), slots.holds(&task)), (2, false));
        slots.enter(&mut task).unwrap();
        assert_eq!((slots.free(), slots.holds(&task)), (1, true));
        slots.leave(&mut task).unwrap();
    }
    slots.reverse_enter(&mut task).unwrap();
    slots.leave(&mut task).unwrap();
    slots.reverse_enter(&mut task).unwrap();
    assert_eq!((slots.free(), task.callbacks()), (1, 2));
    slots.reverse_leave(&mut task).unwrap();
    assert_eq!(slots.free(), 2);
    slots.enter(&mut task).unwrap();
    slots.reverse_leave(&mut task).unwrap();
    assert_eq!((slots.free(), task.callbacks()), (2, 0));
    slots.enter(&mut task).unwrap();
    slots.end(&mut task);
    assert_eq!((slots.free(), slots.figures()), (2, Default::default()));
}

/// Native code that was called without a word calls back: the task holds its slot all the time.
#[test]
fn a_callback_from_an_untold_call_keeps_the_slot() {
    let slots = slots(1);
    let mut task = task();
    slots.reverse_enter(&mut task).unwrap();
    slots.reverse_enter(&mut task).unwrap();
    assert_eq!(slots.free(), 0);
    // From there a call that is reported, with a callback of its own.
    slots.leave(&mut task).unwrap();
    assert_eq!(slots.free(), 1);
    slots.reverse_enter(&mut task).unwrap();
    slots.reverse_leave(&mut task).unwrap();
    assert_eq!(slots.free(), 1);
    slots.enter(&mut task).unwrap();
    slots.reverse_leave(&mut task).unwrap();
    assert!(
        slots.holds(&task),
        "the untold call returns to managed code"
    );
    slots.leave(&mut task).unwrap();
    slots.enter(&mut task).unwrap();
    slots.reverse_leave(&mut task).unwrap();
    assert_eq!(slots.free(), 1);
}

#[test]
fn who_owns_nothing_gives_nothing() {
    let slots = slots(1);
    let (mut task, mut other) = (task(), Holder::new(u32::MAX.into()));
    assert_eq!(slots.reverse_leave(&mut task), Err(Refusal::NotOwner));
    slots.enter(&mut other).unwrap();
    slots.leave(&mut task).unwrap();
    assert_eq!(slots.leave(&mut task), Err(Refusal::NotOwner));
    assert!(slots.holds(&other));
    slots.leave(&mut other).unwrap();
    assert_eq!(slots.leave(&mut other), Err(Refusal::NotOwner));
    assert_eq!(slots.reverse_leave(&mut other), Err(Refusal::NotOwner));
    slots.reverse_enter(&mut other).unwrap();
    slots.reverse_leave(&mut other).unwrap();
    assert_eq!(slots.reverse_leave(&mut other), Err(Refusal::NotOwner));
    assert_eq!(slots.free(), 1);
}

#[test]
fn an_exempt_task_takes_and_waits_for_nothing() {
    let slots = slots(1);
    let (mut task, mut finalizer) = (task(), Holder::exempt());
    slots.enter(&mut task).unwrap();
    for _ in 0..2 {
        slots.enter(&mut finalizer).unwrap();
        slots.reverse_enter(&mut finalizer).unwrap();
        slots.leave(&mut finalizer).unwrap();
        slots.leave(&mut finalizer).unwrap();
        slots.reverse_leave(&mut finalizer).unwrap();
    }
    slots.end(&mut finalizer);
    assert!(slots.holds(&task));
}

#[test]
fn a_wait_ends_at_its_limit() {
    let slots = limited(1, Some(Duration::from_millis(1)));
    let (mut holder, mut task) = (task(), task());
    slots.enter(&mut holder).unwrap();
    slots.leave(&mut task).unwrap();
    // After the call it goes on without, and has nothing to give at the next one.
    assert_eq!(slots.enter(&mut task), Err(Refusal::TimedOut));
    slots.leave(&mut task).unwrap();
    // The callback is refused: it is not open.
    assert_eq!(slots.reverse_enter(&mut task), Err(Refusal::TimedOut));
    assert_eq!(slots.reverse_leave(&mut task), Err(Refusal::NotOwner));
    assert_eq!(slots.enter(&mut task), Err(Refusal::TimedOut));
    slots.end(&mut task);
    assert!(slots.holds(&holder));
    slots.leave(&mut holder).unwrap();
    slots.enter(&mut task).unwrap();
    let figures = slots.figures();
    assert_eq!((figures.waits, figures.timed_out), (3, 3));
    assert!(figures.longest_ns >= 1_000_000 && figures.waited_ns >= 3_000_000);
}

#[test]
fn without_patience_nobody_waits() {
    let slots = limited(1, Some(Duration::ZERO));
    let (mut holder, mut task) = (task(), task());
    slots.enter(&mut holder).unwrap();
    assert_eq!(slots.enter(&mut task), Err(Refusal::TimedOut));
}

#[test]
fn in_a_region_that_delays_aborts_there_is_no_limit() {
    let slots = limited(1, Some(Duration::from_millis(1)));
    let mut holder = task();
    slots.enter(&mut holder).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut task = task();
            task.begin_delay_abort().unwrap();
            slots.enter(&mut task).unwrap();
            task.end_delay_abort().unwrap();
            slots.leave(&mut task).unwrap();
        });
        until(|| slots.waiting() == 1);
        // Another one's time is up in the meantime.
        assert_eq!(slots.enter(&mut task()), Err(Refusal::TimedOut));
        slots.leave(&mut holder).unwrap();
        waiter.join().unwrap();
    });
    assert_eq!(slots.free(), 1);
}

#[test]
fn first_come_first_served() {
    let slots = slots(2);
    let mut holders = [task(), task()];
    holders.iter_mut().for_each(|h| slots.enter(h).unwrap());
    let (sender, came) = mpsc::channel();
    thread::scope(|scope| {
        for n in 0..10 {
            let (slots, sender) = (&slots, sender.clone());
            scope.spawn(move || {
                let mut task = task();
                slots.reverse_enter(&mut task).unwrap();
                sender.send(n).unwrap();
                slots.reverse_leave(&mut task).unwrap();
            });
            until(|| slots.waiting() == n + 1);
        }
        // One slot goes down the line, so that its holders come one after the other.
        slots.leave(&mut holders[0]).unwrap();
        assert_eq!(
            came.iter().take(10).collect::<Vec<_>>(),
            Vec::from_iter(0..10)
        );
    });
    assert_eq!((slots.free(), slots.figures().waits), (1, 10));
}

/// A thread that has ended without a word.
fn dead() -> Holder {
    Holder::new(u32::MAX.into())
}

#[test]
fn a_dead_owners_slot_comes_back_and_one_is_told() {
    let slots = Slots::new(NonZeroU16::MIN, None, look_at);
    slots.reverse_enter(&mut dead()).unwrap();
    // A callback that gets the error does not run, and holds nothing.
    let mut next = task();
    assert_eq!(slots.reverse_enter(&mut next), Err(Refusal::Abandoned));
    assert_eq!((slots.free(), next.callbacks()), (1, 0));
    slots.reverse_enter(&mut dead()).unwrap();
    // A task that comes back from a call gets the error, and has the slot.
    slots.leave(&mut next).unwrap();
    assert_eq!(slots.enter(&mut next), Err(Refusal::Abandoned));
    assert!(slots.holds(&next));
    slots.leave(&mut next).unwrap();
    slots.reverse_enter(&mut dead()).unwrap();
    // In a region that delays aborts, no task gets the error.
    next.begin_delay_abort().unwrap();
    assert_eq!(slots.enter(&mut next), Ok(()));
    let figures = slots.figures();
    assert_eq!((figures.abandoned, figures.lent), (3, 0));
}

#[test]
fn a_thread_that_comes_to_its_end_is_not_dead() {
    let slots = slots(1);
    let mut task = task();
    slots.leave(&mut task).unwrap();
    slots.enter(&mut task).unwrap();
    // Left open by a longjmp.
    slots.reverse_enter(&mut task).unwrap();
    slots.end(&mut task);
    slots.end(&mut task);
    assert_eq!((slots.free(), task.callbacks()), (1, 0));
    // What the destructors of its locals call back begins anew.
    slots.reverse_enter(&mut task).unwrap();
    slots.reverse_leave(&mut task).unwrap();
    assert_eq!((slots.free(), slots.figures().abandoned), (1, 0));
}

#[test]
fn once_lifted_nobody_waits() {
    let slots = slots(1);
    let mut holder = task();
    slots.enter(&mut holder).unwrap();
    thread::scope(|scope| {
        let call = || {
            let mut task = task();
            slots.enter(&mut task).unwrap();
            assert!(!slots.holds(&task));
            slots.leave(&mut task).unwrap();
        };
        (0..4).for_each(|_| drop(scope.spawn(call)));
        until(|| slots.waiting() == 4);
        slots.lift();
        call();
    });
    assert_eq!(slots.free(), 0);
    slots.leave(&mut holder).unwrap();
    assert_eq!((slots.free(), slots.waiting()), (1, 0));
}

/// The holder waits in managed code for somebody who needs its slot.
#[test]
fn a_sleepers_slot_is_lent() {
    let slots = &Slots::new(NonZeroU16::MIN, None, look_at);
    let mut holder = task();
    slots.enter(&mut holder).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut task = task();
            slots.enter(&mut task).unwrap();
            assert!(slots.holds(&task));
            slots.end(&mut task);
        });
        waiter.join().unwrap();
    });
    assert!(!slots.holds(&holder));
    assert_eq!((slots.free(), slots.figures().lent), (1, 1));
    // It runs on without, so a callback needs one of its own, which goes with it.
    slots.reverse_enter(&mut holder).unwrap();
    assert!(slots.holds(&holder));
    slots.reverse_leave(&mut holder).unwrap();
    assert_eq!(slots.free(), 1);
    slots.leave(&mut holder).unwrap();
    slots.enter(&mut holder).unwrap();
    assert_eq!((slots.free(), slots.holds(&holder)), (0, true));
}

#[test]
fn who_runs_keeps_the_slot() {
    let slots = &limited(1, None);
    let mut holder = task();
    slots.enter(&mut holder).unwrap();
    let has_it = &AtomicBool::new(false);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| {
            let mut task = task();
            slots.enter(&mut task).unwrap();
            has_it.store(true, SeqCst);
            slots.end(&mut task);
        });
        until(|| slots.waiting() == 1);
        for _ in 0..1000 {
            thread::yield_now();
            assert!(slots.holds(&holder) && !has_it.load(SeqCst));
        }
        slots.leave(&mut holder).unwrap();
        waiter.join().unwrap();
    });
    assert_eq!(slots.figures().lent, 0);
}

/// The number of a thread that has died with the slot is given to one that runs.
#[test]
fn a_number_that_is_given_again_is_no_owner() {
    let slots = Slots::new(NonZeroU16::MIN, None, look_at);
    let own = Thread::current();
    let began = own.began ^ 1;
    slots
        .reverse_enter(&mut Holder::new(Thread { began, ..own }))
        .unwrap();
    let mut next = task();
    assert_eq!(slots.enter(&mut next), Err(Refusal::Abandoned));
    assert!(slots.holds(&next));
    assert_eq!(slots.figures().abandoned, 1);
}
