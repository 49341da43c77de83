//! Another process writes into the recording of a live process. The recording goes wrong, the
//! process does not.

#![allow(unsafe_code, reason = "ends the process that records")]

#[path = "support/random.rs"]
mod random;

use std::{
    fs::File,
    io::Read,
    os::unix::{fs::FileExt, process::ExitStatusExt},
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Trial};
use random::Random;
use soglia_core::{
    crossing::{Crossing, Side},
    task::Who,
    time,
    trace::{
        log::Record,
        reader::Reader,
        task_writer::{TaskWriter, Then},
        writer::{Level, Options, Recording, create},
    },
};

const RECORDING: &str = "SOGLIA_TEST_POKED";
const THREADS: u32 = 3;
const LASTS: Duration = Duration::from_secs(4);
/// How the process ends when all is well: unlike one in which no test ran.
const WELL: i32 = 72;

/// Nested calls and callbacks of many targets at random, told in both ways; and what others of the
/// process ask meanwhile.
fn work(recording: &'static Recording, seed: u64, until: Instant) {
    let mut random = Random::new(seed);
    let mut task = TaskWriter::new(recording, seed as u32, time::now()).unwrap();
    let mut open: Vec<(u32, Side)> = Vec::new();
    let mut goal = 3;
    let mut crossings = 0_u64;
    while !crossings.is_multiple_of(1000) || Instant::now() < until {
        crossings += 1;
        match random.below(2000) {
            0..40 => goal = random.below(8) as usize,
            40..45 => goal = 60,
            45 => goal = 3000,
            46 => open.truncate(open.len() / 2),
            47 => task.fail(u64::from(random.below(200) as u32) * 64, time::now()),
            48 => task.go_on(seed as u32 + random.below(2) as u32),
            49 => drop(recording.log(&Record::Remark {
                text: "x".repeat(random.below(99) as usize),
            })),
            50 => task.end(time::now()),
            51 => drop(recording.open_calls(task.record())),
            52 => recording.keep_time(),
            _ => {}
        }
        let opens = open.len() < goal;
        let (target, side) = if opens {
            let target = random.below(200) as u32 + 1;
            (target, Side::from_number(target))
        } else {
            let Some(popped) = open.pop() else { continue };
            popped
        };
        let crossing = match (side, opens) {
            (Side::Unmanaged, true) => Crossing::LeaveRuntime,
            (Side::Unmanaged, false) => Crossing::EnterRuntime,
            (Side::Managed, true) => Crossing::ReverseEnterRuntime,
            (Side::Managed, false) => Crossing::ReverseLeaveRuntime,
        };
        let function = u64::from(target) * 64;
        let slot = if opens {
            open.push((target, side));
            let slot = task.slot_of(target as usize, 0);
            slot.unwrap_or_else(|| task.learn_id(target as usize, side, target))
        } else {
            0
        };
        let who = Who { function, slot };
        if random.below(2) == 0 {
            let mark = if opens {
                0x7fff_0000_0000 - open.len() as u64 * 64
            } else {
                0
            };
            task.cross(crossing, who, time::now(), mark);
        } else if task.cross_at_once(crossing, who, time::now()) == Then::More {
            if opens {
                task.prepare();
                task.cross(crossing, who, time::now(), 0);
            } else {
                task.settle();
            }
        }
        if let Some(noted) = task.recall() {
            task.target(noted.slot);
        }
    }
}

fn main() -> ExitCode {
    if let Some(path) = std::env::var_os(RECORDING) {
        child(Path::new(&path));
    }
    let name = "a_process_lives_whatever_is_written_into_its_recording";
    let trial = Trial::test(name, || {
        a_process_lives_whatever_is_written_into_its_recording();
        Ok(())
    })
    // miri starts no processes.
    .with_ignored_flag(cfg!(miri));
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

/// The process that records.
fn child(path: &Path) -> ! {
    let recording = Recording::claim(path).unwrap();
    let recording: &'static Recording = Box::leak(Box::new(recording));
    println!("ready");
    let until = Instant::now() + LASTS;
    thread::scope(|scope| {
        for n in 0..THREADS {
            scope.spawn(move || work(recording, u64::from(n) * 10 + 1, until));
        }
    });
    // SAFETY: _exit takes no pointers, and runs nothing of this process.
    unsafe { libc::_exit(WELL) }
}

fn a_process_lives_whatever_is_written_into_its_recording() {
    for level in [Level::Summary, Level::Events] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("recording");
        let options = Options {
            level,
            max_bytes: 16 << 20,
            slow_ns: 1000,
            ..Options::default()
        };
        let file = create(&path, &options).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .env(RECORDING, &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = child.stdout.take().unwrap();
        let mut begun = Vec::new();
        while !begun.ends_with(b"ready\n") {
            let mut byte = [0];
            assert_eq!(said.read(&mut byte).unwrap(), 1, "it should record");
            begun.push(byte[0]);
        }
        let mut random = Random::new(0x0dd0_5eed);
        let mut pokes = 0_u64;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            // Most of it where counters, layers and slots lie.
            let bytes = if random.below(4) == 0 {
                16 << 20
            } else {
                256 << 10
            };
            let word = match random.below(5) {
                0 => 0,
                1 => u64::MAX,
                2 => random.below(1 << 20),
                3 => random.below(u64::MAX) << 3,
                _ => 1 << random.below(64),
            };
            let at = random.below(bytes / 4) * 4;
            let length = if random.below(2) == 0 { 4 } else { 8 };
            poke(&file, at, &word.to_le_bytes()[..length]);
            pokes += 1;
            if pokes.is_multiple_of(64) {
                thread::sleep(Duration::from_micros(50));
            }
        };
        assert_eq!(
            (status.code(), status.signal()),
            (Some(WELL), None),
            "{level:?}, {pokes} pokes"
        );
        assert!(pokes > 1000, "{pokes} pokes are too few for that");
        // Its readers live as well.
        if let Ok(reader) = Reader::open_partial(&path) {
            drop((reader.tasks(), reader.names()));
        }
    }
}

fn poke(file: &File, at: u64, bytes: &[u8]) {
    file.write_all_at(bytes, at).unwrap();
}
