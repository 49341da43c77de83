//! What one end writes, the other reads: live, afterwards, cut, foreign.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, sync::atomic::Ordering::Relaxed};

use soglia_core::{
    account::Totals,
    crossing::{Crossing, Side},
    task::Who,
    time,
    trace::{
        ending::Ended,
        format::{BLOCK, CHUNK_LAYERS, FIRST_LAYERS, NoRoom},
        log::{Record, TargetNames},
        reader::{ReadError, Reader},
        replay::{replay, totals},
        task_writer::TaskWriter,
        writer::{Level, Options, Recording, conclude, create, trim},
    },
};

struct Fresh {
    _dir: tempfile::TempDir,
    path: PathBuf,
    recording: &'static Recording,
    file: fs::File,
}

fn fresh(options: Options) -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.soglia");
    let file = create(&path, &options).unwrap();
    let recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
    Fresh {
        _dir: dir,
        path,
        recording,
        file,
    }
}

fn events() -> Options {
    Options {
        level: Level::Events,
        max_bytes: 64 << 20,
        ..Options::default()
    }
}

/// Calls `depth` targets, each from a callback of the one before, and returns from all of them.
fn nest(task: &mut TaskWriter, depth: u32) {
    let slots: Vec<(u64, Side, u32)> = (0..depth)
        .map(|n| {
            let side = Side::from_number(n);
            let function = u64::from(n + 1) * 64;
            let slot = task
                .slot(function, side, 0)
                .unwrap_or_else(|| task.learn(function, side, n + 1, 0));
            (function, side, slot)
        })
        .collect();
    for (function, side, slot) in &slots {
        let crossing = if *side == Side::Unmanaged {
            Crossing::LeaveRuntime
        } else {
            Crossing::ReverseEnterRuntime
        };
        task.cross(
            crossing,
            Who {
                function: *function,
                slot: *slot,
            },
            time::now(),
            0,
        );
    }
    for (function, side, _) in slots.iter().rev() {
        let crossing = if *side == Side::Unmanaged {
            Crossing::EnterRuntime
        } else {
            Crossing::ReverseLeaveRuntime
        };
        task.cross(
            crossing,
            Who {
                function: *function,
                slot: 0,
            },
            time::now(),
            0,
        );
    }
}

/// Another thread reads what is open while a task opens and closes layers.
#[test]
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
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        let seen = scope.spawn(|| {
            let mut looks = 0;
            while !stop.load(relaxed) {
                let open = fresh.recording.open_calls(record);
                // Those at the bottom never move; above them, whatever is told was a target of this task.
                assert_eq!(open[..3000].last().unwrap().since, 1000 + 2999);
                assert!(open.iter().all(|call| (1..=3).contains(&call.target)));
                looks += 1;
            }
            looks
        });
        for round in 0..200_000_u64 {
            let n = 4000 + round;
            task.cross(Crossing::LeaveRuntime, who(n), 7000 + n, 0);
            task.cross(Crossing::EnterRuntime, who(n), 7001 + n, 0);
        }
        stop.store(true, relaxed);
        assert!(seen.join().unwrap() > 0);
    });
}

/// Memory that is taken ahead of a crossing is no depth, and leaves the innermost call where a return
/// finds it: also where that call is the last one in its chunk.
#[test]
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
}

#[test]
fn summary_and_events_tell_the_same() {
    let fresh = fresh(events());
    let mut task = TaskWriter::new(fresh.recording, 77, time::now()).unwrap();
    for depth in [1, 6, 100, 5000, 3] {
        nest(&mut task, depth);
    }
    for _ in 0..100_000 {
        nest(&mut task, 2);
    }
    let reader = Reader::open(&fresh.path).unwrap();
    assert_eq!(reader.ended(), Ended::Running);
    let tasks = reader.tasks();
    let [task] = &tasks[..] else {
        panic!("one task, not {}", tasks.len())
    };
    assert_eq!(
        (
            task.os_thread,
            task.max_depth,
            task.open.len(),
            task.dropped
        ),
        (77, 5000, 0, 0)
    );
    let again: Totals = totals(&reader, task.number);
    assert_eq!(again.crossings, task.crossings);
    for ((target, _), total) in &task.targets {
        if *target != 0 {
            assert_eq!(again.get(*target), Some(total), "target {target}");
        }
    }
    assert_eq!(again.get(1).unwrap().calls(), 100_005);
}

#[test]
fn what_is_open_is_seen_and_counted() {
    let fresh = fresh(events());
    let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
    let slot = task.learn(64, Side::Unmanaged, 9, 0);
    task.cross(
        Crossing::LeaveRuntime,
        Who { function: 64, slot },
        time::now(),
        0,
    );
    let reader = Reader::open(&fresh.path).unwrap();
    let seen = &reader.tasks()[0];
    assert_eq!(seen.open.iter().map(|l| l.slot).collect::<Vec<_>>(), [9]);
    assert_eq!(seen.targets[&(9, Side::Unmanaged)].calls(), 1);
    assert_eq!(seen.crossings, [1, 0, 0, 0]);
    let mut lines = Vec::new();
    replay(&reader, seen.number, &mut Totals::default(), |r| {
        lines.push((r.crossing, r.target, r.depth));
        true
    });
    assert_eq!(lines, [(Crossing::LeaveRuntime, Some(9), 0)]);
}

#[test]
fn long_pauses_survive_in_events() {
    let fresh = fresh(events());
    let start = time::now();
    let mut task = TaskWriter::new(fresh.recording, 1, start).unwrap();
    let slot = task.learn(64, Side::Unmanaged, 1, 0);
    let mut at = start;
    let mut expected = Vec::new();
    for gap in [
        0,
        1,
        (1 << 29) - 1,
        1 << 29,
        (1 << 29) + 1,
        1 << 40,
        1 << 50,
    ] {
        for crossing in [Crossing::LeaveRuntime, Crossing::EnterRuntime] {
            at += gap;
            task.cross(crossing, Who { function: 64, slot }, at, 0);
            expected.push(at);
        }
        at += gap;
        task.cross(
            Crossing::ReverseLeaveRuntime,
            Who {
                function: 640,
                slot: 0,
            },
            at,
            0,
        );
        expected.push(at);
    }
    let reader = Reader::open(&fresh.path).unwrap();
    let mut seen = Vec::new();
    replay(&reader, 1, &mut Totals::default(), |r| {
        seen.push(r.at);
        true
    });
    assert_eq!(seen, expected);
    assert_eq!(reader.tasks()[0].faults[0], 7);
}

#[test]
fn a_full_recording_counts_what_it_drops() {
    let fresh = fresh(Options {
        max_bytes: 1 << 20,
        ..events()
    });
    let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
    for _ in 0..200_000 {
        nest(&mut task, 1);
    }
    let reader = Reader::open(&fresh.path).unwrap();
    let seen = &reader.tasks()[0];
    assert!(seen.dropped > 0);
    assert_eq!(
        seen.crossings,
        [200_000, 200_000, 0, 0],
        "the account stays exact"
    );
    let again = totals(&reader, 1);
    assert_eq!(again.crossings.iter().sum::<u64>() + seen.dropped, 400_000);
    assert_eq!(fs::metadata(&fresh.path).unwrap().len(), 1 << 20);
    let full = NoRoom::ALL.map(|why| if why == NoRoom::Full { 1 } else { 0 });
    assert_eq!(
        NoRoom::ALL.map(|why| reader.no_room(why)),
        full,
        "asked once"
    );
}

/// A dump of the process reads what can be read: not the hole.
#[test]
fn the_hole_of_the_file_is_closed() {
    let fresh = fresh(events());
    let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
    for depth in [1, 100, 3000] {
        nest(&mut task, depth);
    }
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path = fresh.path.to_str().unwrap();
    let of_recording = maps.lines().filter(|line| line.ends_with(path));
    let parts: Vec<(&str, u64)> = of_recording
        .map(|line| {
            let (range, rest) = line.split_once(' ').unwrap();
            let (start, end) = range.split_once('-').unwrap();
            let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).unwrap());
            (&rest[..4], end - start)
        })
        .collect();
    let header = fresh.recording.header();
    let reserved = header.reserved_blocks.load(Relaxed);
    let open = u64::from(reserved) * BLOCK as u64;
    let closed = (64 << 20) - open;
    // The tool takes some room ahead, which is not open yet.
    assert!(
        matches!(&parts[..], [("rw-s", used), ("---s", hole)]
        if *used <= open && *hole >= closed && used + hole == 64 << 20),
        "{parts:?}"
    );
}

#[test]
fn events_take_at_most_eight_bytes_each() {
    let fresh = fresh(events());
    let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
    for _ in 0..500_000 {
        nest(&mut task, 2);
    }
    let bytes = fs::metadata(&fresh.path).unwrap().blocks() * 512;
    assert!(
        bytes <= 2_000_000 * 8,
        "{bytes} bytes for 2,000,000 crossings"
    );
}

#[test]
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

#[test]
fn names_and_ends_are_read_back() {
    let fresh = fresh(Options::default());
    let text = "x".repeat(40_000);
    for n in 1..200 {
        let names = TargetNames {
            target: n,
            method: Some(format!("N.T.M{n}")),
            ..TargetNames::default()
        };
        assert!(fresh.recording.log(&Record::Target(names)));
    }
    assert!(fresh.recording.log(&Record::Remark { text }));
    conclude(&fresh.file, Ok(3)).unwrap();
    let reader = Reader::open(&fresh.path).unwrap();
    let names = reader.names();
    assert_eq!(names.targets.len(), 199);
    assert_eq!(names.targets[&199].method.as_deref(), Some("N.T.M199"));
    assert_eq!(names.remarks[0].len(), 16 << 10, "absurd texts are cut");
    assert_eq!(reader.ended(), Ended::Exit(Some(3)));
    conclude(&fresh.file, Err(9)).unwrap();
    assert_eq!(Reader::open(&fresh.path).unwrap().ended(), Ended::Signal(9));
}

#[test]
fn what_is_no_recording_is_said_to_be_none() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let open = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Reader::open(&path).map(|_| ())
    };
    assert!(matches!(open(b""), Err(ReadError::Foreign(_))));
    assert!(matches!(open(&[7; 5000]), Err(ReadError::Foreign(_))));
    let mut whole = {
        let fresh = fresh(events());
        let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
        nest(&mut task, 200);
        trim(&fresh.file).unwrap();
        fs::read(&fresh.path).unwrap()
    };
    assert!(open(&whole).is_ok());
    for cut in [4096, 5000, whole.len() / 2, whole.len() - 1] {
        assert!(
            matches!(open(&whole[..cut]), Err(ReadError::Truncated { .. })),
            "{cut}"
        );
        let partial = Reader::open_partial(&path).unwrap();
        partial.names();
        for task in partial.tasks() {
            totals(&partial, task.number);
        }
    }
    assert!(matches!(open(&whole[..100]), Err(ReadError::Headless(_))));
    whole[8] = 99;
    assert!(matches!(
        open(&whole),
        Err(ReadError::Version { found: 99, .. })
    ));
    assert!(matches!(
        Reader::open(dir.path()),
        Err(ReadError::Os { .. })
    ));
}

#[test]
fn broken_bytes_are_survived() {
    let whole = {
        let fresh = fresh(events());
        let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
        nest(&mut task, 300);
        fresh.recording.log(&Record::Remark {
            text: "hello".into(),
        });
        trim(&fresh.file).unwrap();
        fs::read(&fresh.path).unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let mut random = 0x1234_5678_9abc_def1_u64;
    let mut next = || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for _ in 0..300 {
        let mut bytes = whole.clone();
        for _ in 0..20 {
            let used = bytes.len().min(40 * BLOCK) as u64;
            let at = 12 + (next() % (used - 12)) as usize;
            bytes[at] = next() as u8;
        }
        fs::write(&path, &bytes).unwrap();
        let Ok(reader) = Reader::open_partial(&path) else {
            continue;
        };
        reader.names();
        reader.ended();
        reader.duration_ns();
        for task in reader.tasks() {
            totals(&reader, task.number);
        }
    }
}
