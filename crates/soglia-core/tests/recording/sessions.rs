//! Recordings of a process that ran before, and goes on afterwards.

use soglia_core::trace::attached::{Detach, Why};

use super::*;

const CALL: Who = Who {
    function: 64,
    slot: 0,
};

/// Small files, which tests compare as a whole.
fn small(level: Level) -> Options {
    Options {
        level,
        max_bytes: 8 << 20,
        ..Options::default()
    }
}

fn call(task: &mut TaskWriter, times: u32) {
    let slot = task.learn(64, Side::Unmanaged, 1, 0);
    for _ in 0..times {
        task.cross(Crossing::LeaveRuntime, Who { slot, ..CALL }, time::now(), 0);
        task.cross(Crossing::EnterRuntime, CALL, time::now(), 0);
    }
}

fn read(fresh: &Fresh) -> (u64, u64, usize) {
    let reader = Reader::open(&fresh.path).unwrap();
    let tasks = reader.tasks();
    let calls = tasks.iter().flat_map(|task| task.targets.values());
    let calls = calls.map(|total| total.calls()).sum();
    let faults = tasks.iter().flat_map(|task| task.faults);
    (calls, faults.map(u64::from).sum(), tasks.len())
}

fn mapped(fresh: &Fresh) -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.matches(fresh.path.to_str().unwrap()).count()
}

/// A return of a call that began before the recording is no fault where the process ran before.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn returns_of_calls_that_began_before_are_ignored() {
    for (level, later) in [
        (small(Level::Events), true),
        (small(Level::Events), false),
        (small(Level::Summary), true),
    ] {
        let fresh = fresh(level);
        if later {
            fresh.recording.begins_later();
        }
        let mut task = TaskWriter::new(fresh.recording, 1, time::now()).unwrap();
        for crossing in [Crossing::EnterRuntime, Crossing::ReverseLeaveRuntime] {
            task.cross(crossing, CALL, time::now(), 0);
            task.cross_at_once(crossing, CALL, time::now());
        }
        task.fail(64, time::now());
        call(&mut task, 3);
        let unmatched = if later { 0 } else { 5 };
        assert_eq!(read(&fresh), (3, unmatched, 1), "{level:?}");
        if level.level == Level::Events {
            let replayed = totals(&Reader::open(&fresh.path).unwrap(), 1);
            assert_eq!(replayed.get(1).unwrap().calls(), 3);
        }
    }
}

/// A thread that is just about to write, when the recording is retired, does no harm and has no
/// effect; then its task is renewed in the next recording.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn a_retired_recording_stays_as_it_was_and_its_tasks_go_on_in_the_next_one() {
    let mut task: Option<Box<TaskWriter>> = None;
    for session in 0..20 {
        let level = if session % 2 == 0 {
            Level::Events
        } else {
            Level::Summary
        };
        let fresh = fresh(small(level));
        let before = fresh.path.clone();
        let task = match &mut task {
            Some(task) => {
                assert!(task.renew(fresh.recording, 1, time::now()));
                task
            }
            none => none.insert(TaskWriter::new(fresh.recording, 1, time::now()).unwrap()),
        };
        task.catch_up(1, 0);
        for id in [0, 300, 900] {
            task.learn_id(id, Side::Unmanaged, 7);
            assert!(task.slot_of(id, 1).is_some());
        }
        call(task, 5);
        nest(task, 1);
        fresh.recording.log(&Record::Remark {
            text: "before".into(),
        });
        fresh.recording.let_go(Detach {
            why: Why::Asked,
            ..Detach::default()
        });
        fresh.recording.retire();
        assert_eq!((mapped(&fresh), before.exists()), (0, true));
        let ended = fs::read(&fresh.path).unwrap();
        // In the middle of something, the thread goes on for a while.
        call(task, 100_000);
        nest(task, 3000);
        task.settle();
        task.prepare();
        assert!(task.slot_of(300, 1).is_none());
        assert!(!fresh.recording.log(&Record::Remark {
            text: "after".into()
        }));
        fresh.recording.note("after");
        fresh.recording.retire();
        assert_eq!(fs::read(&fresh.path).unwrap(), ended);
        assert_eq!(read(&fresh), (6, 0, 1));
        let reader = Reader::open(&fresh.path).unwrap();
        assert_eq!(reader.ended(), Ended::LetGo);
        assert_eq!(reader.names().remarks, ["before"]);
    }
}

/// Threads that need room all the time, while their recording is retired.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn a_recording_is_retired_while_threads_write() {
    for _ in 0..20 {
        let fresh = fresh(small(Level::Events));
        let (recording, over) = (fresh.recording, std::sync::atomic::AtomicBool::new(false));
        std::thread::scope(|scope| {
            for number in 1..4 {
                let over = &over;
                scope.spawn(move || {
                    let made = TaskWriter::new(recording, number, time::now());
                    let Some(mut task) = made else { return };
                    let mut depth = 1;
                    while !over.load(Relaxed) {
                        nest(&mut task, depth % 500);
                        recording.log(&Record::Remark {
                            text: "x".repeat(999),
                        });
                        depth += 7;
                    }
                });
            }
            while recording.header().tasks.load(Relaxed) < 3 {
                std::thread::yield_now();
            }
            recording.retire();
            let ended = fs::read(&fresh.path).unwrap();
            std::thread::yield_now();
            assert!(fs::read(&fresh.path).unwrap() == ended);
            over.store(true, Relaxed);
        });
        assert_eq!(mapped(&fresh), 0);
    }
}
