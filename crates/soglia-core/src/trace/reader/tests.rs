//! How much work it is to read a recording.

use std::{mem::offset_of, os::unix::fs::FileExt, sync::atomic::Ordering::Relaxed};

use super::*;
use crate::{
    account::Totals,
    crossing::{Crossing, Side, Who},
    trace::{
        log::{Record, TargetNames},
        replay::replay,
        starter::{Options, create},
        task_writer::TaskWriter,
        writer::Recording,
    },
};

/// Steps to read all of a recording of so many tasks, each with 30 targets, some open layers beyond
/// those in its chunk, and events; and of so many records of the log.
fn steps(tasks: u32, records: u32) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording");
    let options = Options {
        level: Level::Events,
        max_bytes: 256 << 20,
        slow_ns: 0,
        ..Options::default()
    };
    let file = create(&path, &options).unwrap();
    let recording: &'static Recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
    for thread in 0..tasks {
        let mut task = TaskWriter::new(recording, thread, 1).unwrap();
        for target in 1..=30 {
            let slot = task.learn(u64::from(target) * 64, Side::Unmanaged, target, 0);
            let function = u64::from(target) * 64;
            for at in 0..2 {
                task.cross(Crossing::LeaveRuntime, Who { function, slot }, 2 + at, 0);
            }
        }
    }
    for target in 0..records {
        recording.log(&Record::Target(TargetNames {
            target,
            ..TargetNames::default()
        }));
    }
    // The process is gone, so the end has to be searched for.
    file.write_all_at(&[1; 8], offset_of!(Header, pid_started) as u64)
        .unwrap();
    let reader = Reader::open(&path).unwrap();
    let all = reader.tasks();
    assert_eq!((all.len() as u32, all[0].open.len()), (tasks, 60));
    assert_eq!(reader.names().targets.len() as u32, records);
    assert!(reader.ending().at_least);
    for task in all {
        let mut crossings = 0;
        replay(&reader, task.number, &mut Totals::default(), |_| {
            crossings += 1;
            true
        });
        assert_eq!(crossings, 60);
    }
    reader.check_whole().unwrap();
    reader.bytes.steps.load(Relaxed)
}

/// Twice the tasks, and twice the records, are twice the work.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn reading_takes_steps_in_proportion_to_what_is_there() {
    let few = steps(64, 1000);
    let many = steps(512, 1000);
    let per_task = (many - few) / (512 - 64);
    let more = steps(1024, 1000);
    assert_eq!((more - many) / 512, per_task, "steps of each task");
    let per_record = (steps(64, 2000) - few) / 1000;
    let long = (steps(64, 64_000) - few) / 63_000;
    assert!(
        long <= per_record + 1,
        "{long} steps of each record, not {per_record}"
    );
}
