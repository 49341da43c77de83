//! What recordings leave in a process that goes on when they have ended. In a process of its own,
//! whose mappings are counted.

use std::fs;

use soglia_core::{
    crossing::{Crossing, Side},
    task::Who,
    time,
    trace::{
        task_writer::TaskWriter,
        writer::{Options, Recording, create},
    },
};

fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps")
        .unwrap()
        .lines()
        .count()
}

/// Kilobytes of the kernel's tables that say what lies at which address.
fn tables() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmPTE:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.unwrap().parse().unwrap()
}

fn call(task: &mut TaskWriter) {
    let slot = task.learn(64, Side::Unmanaged, 1, 0);
    let who = Who { function: 64, slot };
    for _ in 0..10_000 {
        task.cross(Crossing::LeaveRuntime, who, time::now(), 0);
        task.cross(Crossing::EnterRuntime, who, time::now(), 0);
    }
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn hundreds_of_recordings_leave_a_few_mappings() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.soglia");
    let mut task: Option<Box<TaskWriter>> = None;
    let mut before = (0, 0);
    for session in 0..200 {
        create(&path, &Options::default()).unwrap();
        let recording: &'static Recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
        let task = match &mut task {
            Some(task) => {
                assert!(task.renew(recording, 1, time::now()), "session {session}");
                task
            }
            none => none.insert(TaskWriter::new(recording, 1, time::now()).unwrap()),
        };
        call(task);
        recording.retire();
        // A thread that is just about to write.
        if session % 10 == 0 {
            call(task);
        }
        fs::remove_file(&path).unwrap();
        if session == 10 {
            before = (mappings(), tables());
        }
    }
    let after = (mappings(), tables());
    assert!(
        after.0 < before.0 + 20 && after.1 < before.1 + 500,
        "mappings, and kilobytes of tables: {before:?} after 10 recordings, then {after:?}"
    );
}
