//! Tasks that give way, and tasks that rest.

use super::*;

/// Who has the only slot looks for what others do when they have had it, over and over.
#[test]
fn who_gives_way_waits_behind_all_others() {
    let slots = &slots(1);
    let mut looker = task();
    // No task waits, so none is given.
    assert!(!slots.give_way(&mut looker));
    slots.enter(&mut looker).unwrap();
    assert!(!slots.give_way(&mut looker));
    assert!(slots.holds(&looker));
    let done = AtomicUsize::new(0);
    thread::scope(|scope| {
        for n in 0..10 {
            let done = &done;
            scope.spawn(move || {
                let mut task = task();
                slots.enter(&mut task).unwrap();
                done.fetch_add(1, SeqCst);
                slots.leave(&mut task).unwrap();
            });
            until(|| slots.waiting() == n + 1);
        }
        // One hand-over is enough for all that were in line before.
        assert!(slots.give_way(&mut looker));
        assert_eq!(done.load(SeqCst), 10);
        assert!(slots.holds(&looker));
        assert!(!slots.give_way(&mut looker));
    });
    slots.leave(&mut looker).unwrap();
    assert!(!slots.give_way(&mut looker), "it has nothing");
    assert_eq!((slots.free(), slots.waiting()), (1, 0));
    let mut finalizer = Holder::exempt();
    assert!(!slots.give_way(&mut finalizer));
}

/// Each of them waits for its turn in managed code, and no more run there than may.
#[test]
fn tasks_that_give_way_take_turns() {
    for count in [1, 2, 3] {
        let slots = &slots(count);
        let (turn, running) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        thread::scope(|scope| {
            for n in 0..8 {
                scope.spawn(move || {
                    let mut task = task();
                    slots.reverse_enter(&mut task).unwrap();
                    for round in 0..10 {
                        while turn.load(SeqCst) != round * 8 + n {
                            let now = running.fetch_add(1, SeqCst) + 1;
                            assert!(now <= count.into(), "{now} run managed code");
                            running.fetch_sub(1, SeqCst);
                            slots.give_way(&mut task);
                        }
                        turn.fetch_add(1, SeqCst);
                    }
                    slots.reverse_leave(&mut task).unwrap();
                });
            }
        });
        assert_eq!(turn.load(SeqCst), 80);
        assert_eq!((slots.free(), slots.waiting()), (count.into(), 0));
        assert_eq!(slots.figures().lent, 0);
    }
}

#[test]
fn who_rests_has_no_slot_until_it_wakes() {
    let slots = &slots(1);
    let mut sleeper = task();
    slots.enter(&mut sleeper).unwrap();
    // No task needs it.
    slots.rest(&mut sleeper);
    assert!(slots.holds(&sleeper));
    slots.wake(&mut sleeper);
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut task = task();
            slots.enter(&mut task).unwrap();
            slots.leave(&mut task).unwrap();
        });
        until(|| slots.waiting() == 1);
        slots.rest(&mut sleeper);
        other.join().unwrap();
        assert!(!slots.holds(&sleeper));
        slots.wake(&mut sleeper);
        assert!(slots.holds(&sleeper));
        // A sleep that was ended by an exception tells nothing: the next crossing finds all in
        // order.
        let other = scope.spawn(|| {
            let mut task = task();
            slots.enter(&mut task).unwrap();
            slots.leave(&mut task).unwrap();
        });
        until(|| slots.waiting() == 1);
        slots.rest(&mut sleeper);
        other.join().unwrap();
        slots.leave(&mut sleeper).unwrap();
        slots.wake(&mut sleeper);
        assert!(!slots.holds(&sleeper), "it is out");
        slots.enter(&mut sleeper).unwrap();
        assert!(slots.holds(&sleeper));
    });
}

#[test]
fn giving_way_ends_at_the_limit() {
    let slots = &limited(1, Some(Duration::from_millis(1)));
    let mut looker = task();
    slots.enter(&mut looker).unwrap();
    let (got, end) = (&AtomicBool::new(false), &AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut task = task();
            task.begin_delay_abort().unwrap();
            slots.enter(&mut task).unwrap();
            got.store(true, SeqCst);
            until(|| end.load(SeqCst));
            slots.leave(&mut task).unwrap();
        });
        until(|| slots.waiting() == 1);
        assert!(slots.give_way(&mut looker));
        assert!(got.load(SeqCst) && !slots.holds(&looker));
        end.store(true, SeqCst);
    });
    assert_eq!(slots.figures().timed_out, 1);
    slots.leave(&mut looker).unwrap();
    assert_eq!(slots.enter(&mut looker), Ok(()));
}
