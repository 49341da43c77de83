//! Many threads record at once, while a reader looks on: it may be a little behind, but what it
//! sees makes sense.

#[path = "support/random.rs"]
mod random;

use std::{
    collections::HashMap,
    path::Path,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
};

use random::Random;
use soglia_core::{
    account::Totals,
    crossing::{Crossing, Side},
    task::Who,
    trace::{
        log::Record,
        reader::Reader,
        replay::{replay, totals},
        task_writer::TaskWriter,
        writer::{Level, Options, Recording, create},
    },
};

const THREADS: usize = 6;
/// Tasks that each thread makes, one after the other.
const TASKS: usize = 4;
/// Crossings of each task.
const CROSSINGS: u64 = 200_000;
/// Few enough that they fit into a task's first chunk: a reader knows the chunks that there were
/// when it began.
const TARGETS: u64 = 6;
/// Deeper than the layers in a task's first chunk.
const DEEPEST: usize = 45;

fn side_of(target: u32) -> Side {
    Side::from_number(target)
}

fn fresh(max_bytes: u64) -> (tempfile::TempDir, std::path::PathBuf, &'static Recording) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test.soglia");
    let options = Options {
        level: Level::Events,
        max_bytes,
        ..Options::default()
    };
    create(&path, &options).unwrap();
    let recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
    (dir, path, recording)
}

/// Nested calls at random, `count` crossings in all, with nothing open at the end. `done` hears of
/// each.
fn work(task: &mut TaskWriter, seed: u64, count: u64, targets: u64, mut done: impl FnMut(u64)) {
    let mut random = Random::new(seed);
    let mut open: Vec<u32> = Vec::new();
    let mut goal = 0;
    for n in 0..count {
        if random.below(100) == 0 {
            goal = random.below(DEEPEST as u64) as usize;
        }
        let must_return = open.len() as u64 >= count - n;
        if !must_return && (open.is_empty() || open.len() < goal) {
            let target = random.below(targets) as u32 + 1;
            let (function, side) = (u64::from(target) * 64, side_of(target));
            let slot = task.slot(function, side, 0);
            let slot = slot.unwrap_or_else(|| task.learn(function, side, target, 0));
            let crossing = match side {
                Side::Unmanaged => Crossing::LeaveRuntime,
                Side::Managed => Crossing::ReverseEnterRuntime,
            };
            task.cross(crossing, Who { function, slot }, n * 10, 0);
            open.push(target);
        } else if let Some(target) = open.pop() {
            let crossing = match side_of(target) {
                Side::Unmanaged => Crossing::EnterRuntime,
                Side::Managed => Crossing::ReverseLeaveRuntime,
            };
            let function = u64::from(target) * 64;
            task.cross(crossing, Who { function, slot: 0 }, n * 10, 0);
        }
        done(n + 1);
    }
    assert!(open.is_empty());
}

/// What a reader saw of the fields that can only grow, by task and target.
type Grown = HashMap<(u32, u32), [u64; 5]>;

/// One look at a recording in the making; the tasks are known by their threads' numbers.
fn look(path: &Path, counters: &[AtomicU64], logged: &[AtomicU64], grown: &mut Grown) {
    let load =
        |of: &[AtomicU64]| -> Vec<u64> { of.iter().map(|c| c.load(Ordering::Acquire)).collect() };
    let (before, logged_before) = (load(counters), load(logged));
    let reader = Reader::open(path).unwrap();
    let tasks = reader.tasks();
    let names = reader.names();
    let after_summary = load(counters);
    let events: Vec<_> = tasks
        .iter()
        .map(|task| {
            let mut totals = Totals::default();
            let mut last = 0;
            replay(&reader, task.number, &mut totals, |r| {
                assert!(r.at >= last && r.depth as usize <= DEEPEST);
                assert!(r.target.is_some_and(|t| u64::from(t) <= TARGETS && t != 0));
                last = r.at;
                true
            });
            totals
        })
        .collect();
    let (after, logged_after) = (load(counters), load(logged));
    for (task, events) in tasks.iter().zip(&events) {
        let n = task.os_thread as usize;
        let crossings: u64 = task.crossings.iter().sum();
        // Slots are read before layers: what returns in between is in neither.
        assert!(
            crossings + DEEPEST as u64 >= before[n] && crossings <= after_summary[n] + 1,
            "{crossings}: not from {} to {}",
            before[n],
            after_summary[n]
        );
        assert_eq!((task.dropped, task.faults), (0, [0; 5]));
        assert!(task.open.len() <= task.max_depth as usize);
        assert!(task.max_depth as usize <= DEEPEST);
        for ((target, side), total) in &task.targets {
            assert!(u64::from(*target) <= TARGETS);
            assert!(
                *target == 0 || *side == side_of(*target),
                "{target} {side:?}"
            );
            assert!(*target != 0 || total.calls() == 0);
            assert!(total.own <= total.total);
            assert!(total.ended == 0 || total.min <= total.max);
            let counted: u64 = total.histogram.iter().sum();
            assert!(counted >= total.ended, "the counter is stored last");
            let nested = total.total - total.own;
            let seen = [total.ended, total.total, nested, total.max, counted];
            let last = grown.insert((task.number, *target + *side as u32 * 100), seen);
            for (now, last) in seen.iter().zip(last.unwrap_or_default()) {
                assert!(*now >= last, "target {target}: {seen:?} after {last:?}");
            }
        }
        let replayed: u64 = events.crossings.iter().sum();
        assert!((before[n]..=after[n] + 1).contains(&replayed));
        assert_eq!(events.faults, [0; 5]);
    }
    // A task that has crossed is there.
    for (n, done) in before.iter().enumerate().filter(|(_, done)| **done > 0) {
        assert!(
            tasks.iter().any(|t| t.os_thread as usize == n),
            "{n}: {done}"
        );
    }
    let mut heard = [0; THREADS];
    for remark in &names.remarks {
        let (thread, number) = remark.split_once(' ').unwrap();
        let (thread, number): (usize, u64) =
            (thread.parse().unwrap(), number.trim().parse().unwrap());
        assert_eq!(number, heard[thread] + 1, "in order, without gaps");
        heard[thread] = number;
    }
    for n in 0..THREADS {
        assert!((logged_before[n]..=logged_after[n] + 1).contains(&heard[n]));
    }
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn a_reader_may_look_at_any_time() {
    let (_dir, path, recording) = fresh(256 << 20);
    let counters: Vec<_> = (0..THREADS * TASKS).map(|_| AtomicU64::new(0)).collect();
    let logged: Vec<_> = (0..THREADS).map(|_| AtomicU64::new(0)).collect();
    let (counters, logged, path) = (&counters[..], &logged[..], &path);
    let busy = &AtomicUsize::new(THREADS);
    thread::scope(|scope| {
        for n in 0..THREADS {
            scope.spawn(move || {
                for (nth, counter) in counters[n * TASKS..][..TASKS].iter().enumerate() {
                    let number = (n * TASKS + nth) as u32;
                    let mut task = TaskWriter::new(recording, number, 0).unwrap();
                    task.record().rename(&"é".repeat(number as usize));
                    work(&mut task, u64::from(number), CROSSINGS, TARGETS, |done| {
                        if done % 100 == 0 {
                            let next = logged[n].load(Ordering::Relaxed) + 1;
                            // Of any length.
                            let text = format!("{n} {next}{}", " ".repeat(next as usize % 99));
                            assert!(recording.log(&Record::Remark { text }));
                            logged[n].store(next, Ordering::Release);
                        }
                        if done % 5000 == 0 {
                            recording.keep_time();
                        }
                        counter.store(done, Ordering::Release);
                    });
                    task.end(CROSSINGS * 10);
                }
                busy.fetch_sub(1, Ordering::AcqRel);
            });
        }
        let mut grown = Grown::new();
        while busy.load(Ordering::Acquire) != 0 {
            look(path, counters, logged, &mut grown);
        }
        look(path, counters, logged, &mut grown);
    });
    let reader = Reader::open(path).unwrap();
    let tasks = reader.tasks();
    let numbers: Vec<_> = tasks.iter().map(|t| t.number as usize).collect();
    assert_eq!(numbers, (1..=THREADS * TASKS).collect::<Vec<_>>());
    for task in &tasks {
        assert_eq!(task.crossings.iter().sum::<u64>(), CROSSINGS);
        assert_eq!(
            (task.open.len(), task.ended.is_some(), task.threads),
            (0, true, 1)
        );
        assert_eq!(task.name, "é".repeat((task.os_thread as usize).min(32)));
        let again = totals(&reader, task.number);
        assert_eq!(again.crossings, task.crossings);
        for ((target, _), total) in task.targets.iter().filter(|((t, _), _)| *t != 0) {
            assert_eq!(again.get(*target), Some(total));
        }
    }
    assert_eq!(
        (reader.dropped_records(), reader.dropped_crossings()),
        (0, 0)
    );
}

/// All threads want the last blocks: every one keeps its account, and none writes over another's.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn threads_that_fill_a_recording_share_what_there_is() {
    let (_dir, path, recording) = fresh(1 << 20);
    let path = &path;
    let made = AtomicUsize::new(0);
    thread::scope(|scope| {
        for n in 0..8_u32 {
            let made = &made;
            scope.spawn(move || {
                for nth in 0..10 {
                    let Some(mut task) = TaskWriter::new(recording, n * 10 + nth, 0) else {
                        continue;
                    };
                    made.fetch_add(1, Ordering::Relaxed);
                    // More targets than fit into one chunk of slots.
                    work(&mut task, u64::from(n), 3000, 30, |done| {
                        if done % 50 == 0 {
                            let text = "x".repeat(done as usize);
                            recording.log(&Record::Remark { text });
                        }
                    });
                }
            });
        }
        for _ in 0..100 {
            let reader = Reader::open(path).unwrap();
            for task in reader.tasks() {
                assert!(task.crossings.iter().sum::<u64>() <= 3000);
                assert!(totals(&reader, task.number).faults == [0; 5]);
            }
            reader.names();
        }
    });
    let reader = Reader::open(path).unwrap();
    let tasks = reader.tasks();
    assert_eq!(tasks.len(), made.into_inner());
    assert!(tasks.len() < 80 && reader.dropped_records() > 0);
    for task in tasks {
        assert_eq!(task.crossings.iter().sum::<u64>(), 3000);
        let again = totals(&reader, task.number).crossings;
        assert_eq!(again.iter().sum::<u64>() + task.dropped, 3000);
        // The calls of targets without a slot are in the rest of their side.
        assert_eq!(task.crossings[0], task.crossings[1]);
        assert_eq!(task.crossings[2], task.crossings[3]);
        for (seen, replayed) in task.crossings.iter().zip(again) {
            assert!(*seen >= replayed);
        }
    }
    for remark in reader.names().remarks {
        assert!(remark.len() % 50 == 0 && remark.bytes().all(|b| b == b'x'));
    }
    assert!(std::fs::metadata(path).unwrap().len() <= 1 << 20);
}
