//! A task that records, as others see it meanwhile.

use super::*;

/// Another thread reads what is open while a task opens and closes layers.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn open_calls_are_seen_by_another_thread() {
    let fresh = fresh(Options::default());
    let mut task = TaskWriter::new(fresh.recording, 77, time::now()).unwrap();
    let record = task.record();
    let slots: Vec<u32> = (0..3)
        .map(|n| task.learn(64 + u64::from(n) * 64, Side::Unmanaged, n + 1, 0))
        .collect();
    assert_eq!(fresh.recording.open_calls(record), []);
    // Through all of the task's own chunk and two more.
    let who = |n: u64| Who {
        function: 64 + n % 3 * 64,
        slot: slots[(n % 3) as usize],
    };
    for n in 0..4000 {
        task.cross(Crossing::LeaveRuntime, who(n), 1000 + n, 0);
    }
    let open = fresh.recording.open_calls(record);
    assert_eq!(open.len(), 4000);
    for (n, call) in (0..).zip(&open) {
        let expected = (n, 1000 + u64::from(n), n % 3 + 1, Side::Unmanaged);
        assert_eq!((call.depth, call.since, call.target, call.side), expected);
        assert!(fresh.recording.is_open(record, call));
    }
    task.cross(Crossing::EnterRuntime, who(3999), 6000, 0);
    assert!(!fresh.recording.is_open(record, &open[3999]));
    task.cross(Crossing::LeaveRuntime, who(3999), 6001, 0);
    assert!(!fresh.recording.is_open(record, &open[3999]), "another one");
    assert!(fresh.recording.is_open(record, &open[3998]));

    let stop = std::sync::atomic::AtomicBool::new(false);
    let looks = std::sync::atomic::AtomicU64::new(0);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            while !stop.load(relaxed) {
                let open = fresh.recording.open_calls(record);
                // Those at the bottom never move; above them, each call was of a target of this
                // task.
                assert_eq!(open[..3000].last().unwrap().since, 1000 + 2999);
                assert!(open.iter().all(|call| (1..=3).contains(&call.target)));
                looks.fetch_add(1, relaxed);
            }
        });
        // Until the other thread has looked while calls come and go, however late it begins.
        let mut n = 4000;
        while n < 204_000 || (looks.load(relaxed) < 2 && !other.is_finished()) {
            task.cross(Crossing::LeaveRuntime, who(n), 7000 + n, 0);
            task.cross(Crossing::EnterRuntime, who(n), 7001 + n, 0);
            n += 1;
        }
        stop.store(true, relaxed);
    });
}

/// Memory that is taken ahead of a crossing is no depth, and leaves the innermost call where a
/// return finds it: also where that call is the last one in its chunk.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn what_is_prepared_and_not_crossed_leaves_nothing_behind() {
    let fresh = fresh(Options::default());
    let mut task = TaskWriter::new(fresh.recording, 77, time::now()).unwrap();
    let function = 64;
    let slot = task.learn(function, Side::Unmanaged, 1, 0);
    let depths = || {
        let seen = Reader::open(&fresh.path).unwrap().tasks().remove(0);
        (seen.max_depth, seen.open.len())
    };
    assert_eq!(depths(), (0, 0));
    let (first, more) = (FIRST_LAYERS as u64, CHUNK_LAYERS as u64);
    for depth in [1, 2, first, first + 1, first + more, first + more + 1] {
        let who = |opens| Who {
            function,
            slot: if opens { slot } else { 0 },
        };
        let mut at = 0;
        for _ in 0..depth {
            at += 1;
            task.cross(Crossing::LeaveRuntime, who(true), at, 0);
        }
        task.prepare();
        assert_eq!(depths(), (depth as u32, depth as usize));
        for open in (0..depth).rev() {
            task.prepare();
            at += 1;
            task.cross(Crossing::EnterRuntime, who(false), at, 0);
            assert_eq!(u64::from(task.depth()), open, "{depth}");
        }
        assert_eq!(depths(), (depth as u32, 0));
    }
    let seen = Reader::open(&fresh.path).unwrap().tasks().remove(0);
    assert_eq!(seen.faults, [0; 5]);
}

/// Returns are looked into from the least of what was asked for.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn returns_that_took_long_enough_are_noted() {
    let fresh = fresh(Options {
        slow_ns: 0,
        ..Options::default()
    });
    fresh.recording.note_from(1000);
    fresh.recording.note_from(5000);
    assert_eq!(fresh.recording.slow_ticks(), u64::MAX);
    let mut task = TaskWriter::new(fresh.recording, 77, time::now()).unwrap();
    let slot = task.learn(64, Side::Unmanaged, 1, 0);
    let function = 64;
    for (took, noted) in [(10, true), (10, false), (999, false), (1000, true)] {
        let at = 1_000_000;
        task.cross(Crossing::LeaveRuntime, Who { function, slot }, at, 0);
        task.cross(
            Crossing::EnterRuntime,
            Who { function, slot: 0 },
            at + took,
            0,
        );
        let told = task.recall().map(|noted| (noted.at, noted.took));
        assert_eq!(told, noted.then_some((at + took, took)), "{took}");
    }
    let slot = task.learn(128, Side::Managed, 2, 0);
    let function = 128;
    for (took, noted) in [(10, false), (1000, true)] {
        let at = 2_000_000;
        let opens = Crossing::ReverseEnterRuntime;
        task.cross(opens, Who { function, slot }, at, 0);
        let who = Who { function, slot: 0 };
        task.cross(Crossing::ReverseLeaveRuntime, who, at + took, 0);
        let told = task.recall().map(|noted| (noted.side, noted.took));
        assert_eq!(told, noted.then_some((Side::Managed, took)), "{took}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn threads_that_unload_modules_forget_what_they_knew() {
    let fresh = fresh(Options::default());
    let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
    let slot = task.learn(64, Side::Unmanaged, 1, 0);
    assert_eq!(task.slot(64, Side::Unmanaged, 0), Some(slot));
    assert_eq!(
        task.slot(64, Side::Managed, 0),
        None,
        "the other direction is another call"
    );
    assert_eq!(
        task.slot(64, Side::Unmanaged, 1),
        None,
        "a module was unloaded"
    );
    let other = task.learn(64, Side::Unmanaged, 2, 1);
    assert_ne!(slot, other);
    assert_eq!(task.slot(64, Side::Unmanaged, 1), Some(other));
}

/// Names that are read on as a log grows are those that are read at once.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn a_growing_log_is_read_on() {
    let fresh = fresh(Options::default());
    let open = || Reader::open(&fresh.path).unwrap();
    let mut names = open().names();
    let mut looks = 0;
    for number in 1..=4000 {
        let text = format!("Shop.Orders.Handle{number}");
        let named = TargetNames {
            target: number,
            method: Some(text.clone()),
            ..TargetNames::default()
        };
        assert!(fresh.recording.log(&Record::Target(named)));
        assert!(fresh.recording.log(&Record::Remark { text }));
        if number.is_power_of_two() {
            assert!(names.read_on(&open()) && !names.read_on(&open()));
            assert_eq!(names.targets.len(), number as usize);
            looks += 1;
        }
    }
    assert!(names.read_on(&open()) && looks > 10);
    let at_once = open().names();
    assert_eq!(names.targets, at_once.targets);
    assert_eq!((names.remarks, names.left_out), (at_once.remarks, 0));
}

/// The arguments of an open call are there for other threads and for readers, and for this call
/// alone.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn arguments_are_those_of_the_open_call() {
    let fresh = fresh(Options::default());
    let mut task = TaskWriter::new(fresh.recording, 77, time::now()).unwrap();
    let record = task.record();
    let number = record.number.load(Relaxed);
    let function = 64;
    let slot = task.learn(function, Side::Unmanaged, 1, 0);
    let seen = || {
        let calls = fresh.recording.open_calls(record);
        let kept = |call| fresh.recording.kept_arguments(number, call);
        let here: Vec<_> = calls.iter().map(kept).collect();
        let reader = Reader::open(&fresh.path).unwrap();
        let open = reader.tasks().remove(0).open;
        let read = (0..).zip(&open).map(|(depth, layer): (u32, _)| {
            reader.kept_arguments(number, depth, layer.since, layer.slot)
        });
        assert_eq!(here, read.collect::<Vec<_>>());
        let value = |of: &Option<Arguments>| of.as_ref().map(|of| of.values[0].1.clone());
        here.iter().map(value).collect::<Vec<_>>()
    };
    let keep = |depth, at, value: &str| {
        fresh.recording.keep_arguments(
            depth,
            &Arguments {
                target: 1,
                task: number,
                of: Of::Open,
                at,
                failure: 0,
                returned: None,
                error: None,
                request: Request::default(),
                values: vec![("a".into(), value.into())],
            },
        )
    };
    let who = |slot| Who { function, slot };
    for at in 1..=9 {
        task.cross(Crossing::LeaveRuntime, who(slot), at, 0);
        assert_eq!(keep(at as u32 - 1, at, &format!("{at}")), at <= 8);
    }
    let expected = |n: u64| Some(n.to_string()).filter(|_| n <= 8);
    assert_eq!(seen(), (1..=9).map(expected).collect::<Vec<_>>());
    for at in 10..=18 {
        task.cross(Crossing::EnterRuntime, who(0), at, 0);
    }
    // Another call whose arguments are not kept.
    task.cross(Crossing::LeaveRuntime, who(slot), 20, 0);
    assert_eq!(seen(), [None]);
    assert!(keep(0, 20, "again"), "there is room");
    assert_eq!(seen(), [Some("again".to_owned())]);
}
