//! What one end writes, the other reads: live, afterwards, cut, foreign.

mod file;
mod live;
mod sessions;

use soglia_core::{
    account::Totals,
    crossing::{Crossing, Side},
    task::Who,
    time,
    trace::{
        arguments::{Arguments, Of, Request},
        crash::Crash,
        ending::Ended,
        format::{BLOCK, CHUNK_LAYERS, FIRST_LAYERS, NoRoom},
        log::{Record, TargetNames},
        reader::{ReadError, Reader},
        replay::{replay, totals},
        task_writer::TaskWriter,
        writer::{Level, Options, Recording, append, conclude, create, trim},
    },
};
use std::{fs, os::unix::fs::MetadataExt, path::PathBuf, sync::atomic::Ordering::Relaxed};

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

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
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
#[cfg_attr(miri, ignore = "maps a file")]
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
#[cfg_attr(miri, ignore = "maps a file")]
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
#[cfg_attr(miri, ignore = "maps a file")]
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
