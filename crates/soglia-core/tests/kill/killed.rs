//! A process that records is killed from outside, at random moments.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, SystemTime};

use soglia_core::trace::ending::Ended;
use soglia_core::trace::log::{Record, TargetNames};
use soglia_core::trace::reader::Reader;
use soglia_core::trace::task_writer::TaskWriter;
use soglia_core::trace::writer::{Level, Options, Recording, conclude, create};

use crate::steps::random::Random;
use crate::steps::{Counters, Model, Steps, check_events, check_summary, record};

const THREADS: usize = 3;

const ROUND: &str = "SOGLIA_TEST_KILL_ROUND";

const DIRECTORY: &str = "SOGLIA_TEST_KILL_DIRECTORY";

/// Plays the killed process, if this process is that.
pub fn play() {
    if let (Ok(round), Ok(directory)) = (std::env::var(ROUND), std::env::var(DIRECTORY)) {
        child(&round, Path::new(&directory));
    }
}

/// What the killed process does.
fn child(round: &str, directory: &Path) {
    // SAFETY: plain system call. Were the test itself killed, this process would go on for ever.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let round: u64 = round.parse().unwrap();
    let mut file = OpenOptions::new();
    let file = file.read(true).write(true).open(directory.join("counters"));
    let counters = Counters::map(&file.unwrap());
    let recording = Recording::claim(&directory.join("recording")).unwrap();
    let recording: &'static Recording = Box::leak(Box::new(recording));
    thread::scope(|scope| {
        for n in 0..THREADS {
            let counter = counters.of(n);
            scope.spawn(move || {
                let mut task = TaskWriter::new(recording, n as u32 + 1, 0).unwrap();
                for (done, step) in Steps::new(round * 10 + n as u64).enumerate() {
                    record(&mut task, step);
                    counter.store(done as u64 + 1, Ordering::Release);
                }
            });
        }
        for target in 1.. {
            let names = TargetNames {
                target,
                method: Some("x".repeat(target as usize % 50)),
                ..TargetNames::default()
            };
            recording.log(&Record::Target(names));
            counters
                .of(THREADS)
                .store(u64::from(target), Ordering::Release);
            if target % 16 == 0 {
                recording.keep_time();
                thread::sleep(Duration::from_micros(100));
            }
        }
    });
}

pub fn a_killed_process_leaves_all_but_the_crossing_in_progress() {
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let mut random = Random::new(seed);
    for round in 0..30 {
        let dir = tempfile::tempdir().unwrap();
        let counters = File::create_new(dir.path().join("counters")).unwrap();
        counters.set_len(Counters::BYTES as u64).unwrap();
        drop(counters);
        let counters = OpenOptions::new()
            .read(true)
            .write(true)
            .open(dir.path().join("counters"));
        let counters = Counters::map(&counters.unwrap());
        let path = dir.path().join("recording");
        let options = Options {
            level: Level::Events,
            ..Options::default()
        };
        let file = create(&path, &options).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(ROUND, round.to_string())
            .env(DIRECTORY, dir.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Some are killed before they have recorded anything, or while they begin to.
        if round % 5 != 0 {
            while counters.of(THREADS - 1).load(Ordering::Acquire) == 0 {
                assert!(child.try_wait().unwrap().is_none(), "it should not end");
                thread::sleep(Duration::from_micros(200));
            }
        }
        thread::sleep(Duration::from_micros(random.below(25_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let reader = Reader::open(&path).unwrap();
        assert!(!reader.is_claimed() || reader.ended() == Ended::Killed);
        conclude(&file, Err(9)).unwrap();
        assert_eq!(reader.ended(), Ended::Signal(9));
        let tasks = reader.tasks();
        assert!(tasks.len() <= THREADS);
        for n in 0..THREADS {
            let done = counters.of(n).load(Ordering::Acquire);
            let Some(task) = tasks.iter().find(|t| t.os_thread == n as u32 + 1) else {
                assert_eq!(done, 0);
                continue;
            };
            let number = round * 10 + n as u64;
            let mut steps = Steps::new(number);
            let mut before = Model::default();
            for step in steps.by_ref().take(done as usize) {
                before.cross(step);
            }
            let mut after = before.clone();
            after.cross(steps.next().unwrap());
            check_summary(task, &before, &after);
            let steps = Steps::new(number).take(done as usize + 1);
            check_events(&reader, task.number, steps, &before, &after);
        }
        let logged = counters.of(THREADS).load(Ordering::Acquire);
        let names = reader.names().targets;
        assert!((logged..=logged + 1).contains(&(names.len() as u64)));
        for (n, (target, names)) in names.iter().enumerate() {
            assert_eq!(*target as usize, n + 1);
            assert_eq!(
                names.method.as_ref().unwrap().len(),
                *target as usize % 50,
                "no half records"
            );
        }
    }
}
