//! Many threads at once.

use super::*;

const THREADS: usize = if cfg!(miri) { 4 } else { 64 };

const CALLS: u64 = if cfg!(miri) { 3 } else { 100 };

/// Calls of a task, nested at random: `managed` runs in managed code.
fn call<L: Fn(Thread) -> Doing>(
    slots: &Slots<L>,
    task: &mut Holder,
    random: &mut Random,
    depth: u32,
    managed: &mut impl FnMut(&mut Random),
) {
    let is_told = random.below(4) != 0;
    if is_told {
        slots.leave(task).unwrap();
    }
    while depth < 5 && random.below(2) == 0 {
        slots.reverse_enter(task).unwrap();
        managed(random);
        call(slots, task, random, depth + 1, managed);
        managed(random);
        slots.reverse_leave(task).unwrap();
    }
    if is_told {
        slots.enter(task).unwrap();
    }
}

/// Each task on a thread of its own, and all slots free at the end.
fn storm<L: Fn(Thread) -> Doing + Sync>(
    slots: &Slots<L>,
    count: u16,
    managed: impl Fn(&mut Random) + Sync,
) {
    let begin = Barrier::new(THREADS);
    thread::scope(|scope| {
        for n in 0..THREADS as u64 {
            let (begin, managed) = (&begin, &managed);
            scope.spawn(move || {
                let (mut task, mut random) = (task(), Random::new(n));
                slots.leave(&mut task).unwrap();
                begin.wait();
                slots.enter(&mut task).unwrap();
                for _ in 0..CALLS {
                    call(slots, &mut task, &mut random, 0, &mut |random| {
                        managed(random)
                    });
                    managed(&mut random);
                }
                assert_eq!(task.callbacks(), 0);
                slots.end(&mut task);
            });
        }
    });
    assert_eq!((slots.free(), slots.waiting()), (count.into(), 0));
    assert_eq!(slots.figures().abandoned, 0);
}

#[test]
fn sixty_four_threads_with_callbacks_keep_the_bound() {
    for count in [1, 2, 4] {
        let slots = slots(count);
        let running = AtomicUsize::new(0);
        storm(&slots, count, |random| {
            let now = running.fetch_add(1, SeqCst) + 1;
            assert!(now <= count.into(), "{now} run managed code");
            if random.below(8) == 0 {
                thread::yield_now();
            }
            running.fetch_sub(1, SeqCst);
        });
        let figures = slots.figures();
        // Under miri the threads are few, and may not meet.
        assert!(cfg!(miri) || figures.waits > 0);
        assert!(figures.longest_ns <= figures.waited_ns);
        assert_eq!((figures.lent, figures.timed_out), (0, 0));
    }
}

/// Managed code takes locks, and sleeps in them while others that hold them wait for slots.
#[test]
#[cfg_attr(miri, ignore = "has no threads that Linux knows")]
fn sixty_four_threads_with_locks_do_not_deadlock() {
    for count in [1, 2, 4] {
        let slots = &Slots::new(NonZeroU16::new(count).unwrap(), None, look_at);
        let locks: [Mutex<u64>; 3] = Default::default();
        let begin = Barrier::new(THREADS);
        thread::scope(|scope| {
            for n in 0..THREADS as u64 {
                let (locks, begin) = (&locks, &begin);
                scope.spawn(move || {
                    let (mut task, mut random) = (task(), Random::new(n));
                    begin.wait();
                    for _ in 0..5 {
                        let mut held = locks[random.below(3) as usize].lock().unwrap();
                        *held += 1;
                        // Native code is called with the lock held.
                        call(slots, &mut task, &mut random, 3, &mut |_| {
                            thread::yield_now()
                        });
                    }
                    slots.end(&mut task);
                });
            }
        });
        let total: u64 = locks.iter().map(|lock| *lock.lock().unwrap()).sum();
        assert_eq!(total, THREADS as u64 * 5);
        assert_eq!((slots.free(), slots.waiting()), (count.into(), 0));
    }
}
