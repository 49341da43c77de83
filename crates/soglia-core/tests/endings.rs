//! What a recording says of its end when no process saw it.

use std::{
    fs::{self, File},
    mem::offset_of,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use soglia_core::{
    crossing::{Crossing, Side},
    task::Who,
    time::{self, Anchor},
    trace::{
        ending::{Ended, Ending},
        format::Header,
        life,
        log::Record,
        overdue::Overdue,
        reader::Reader,
        task_writer::TaskWriter,
        writer::{Level, Options, Recording, conclude, create},
    },
};

struct Fresh {
    folder: tempfile::TempDir,
    path: PathBuf,
    file: File,
    recording: &'static Recording,
}

fn fresh(level: Level) -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.soglia");
    // Copies are made of it.
    let options = Options {
        level,
        max_bytes: 4 << 20,
        ..Options::default()
    };
    let file = create(&path, &options).unwrap();
    let recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
    Fresh {
        folder,
        path,
        file,
        recording,
    }
}

impl Fresh {
    fn ending(&self) -> Ending {
        Reader::open(&self.path).unwrap().ending()
    }

    fn put(&self, offset: usize, bytes: &[u8]) {
        self.file.write_all_at(bytes, offset as u64).unwrap();
    }

    /// As if the process had been another one, which is gone.
    fn is_gone(&self) {
        self.put(offset_of!(Header, pid_started), &1_u64.to_le_bytes());
    }

    /// Ticks so many seconds after the start.
    fn ticks(&self, seconds: u64) -> u64 {
        let reader = Reader::open(&self.path).unwrap();
        reader.start_ticks() + reader.scale().ticks(seconds * 1_000_000_000)
    }
}

/// What the recording tells, to a second: a rate taken over milliseconds is not exact.
fn seconds(ending: Ending) -> (Ended, u64, bool) {
    let seconds = (ending.ns + 500_000_000) / 1_000_000_000;
    (ending.how, seconds, ending.at_least)
}

/// Each time that lies anywhere in a recording is a time at which the process lived.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn the_latest_time_counts_wherever_it_is() {
    let leave = |fresh: &Fresh, task: &mut TaskWriter, at: u64| {
        let slot = task.learn(64, Side::Unmanaged, 1, 0);
        task.cross(Crossing::LeaveRuntime, Who { function: 64, slot }, at, 0);
        let _ = fresh;
    };
    let enter = |task: &mut TaskWriter, at| {
        let who = Who {
            function: 64,
            slot: 0,
        };
        task.cross(Crossing::EnterRuntime, who, at, 0);
    };
    type Last<'a> = &'a dyn Fn(&Fresh, &mut TaskWriter, u64);
    let lasts: [(&str, Level, Last); 7] = [
        ("a call that is open", Level::Summary, &|fresh, task, at| {
            leave(fresh, task, at)
        }),
        (
            "the last of many events",
            Level::Events,
            &|fresh, task, at| {
                for n in (0..20_000).rev() {
                    leave(fresh, task, at - 2 * n - 1);
                    enter(task, at - 2 * n);
                }
            },
        ),
        ("the end of a thread", Level::Summary, &|_, task, at| {
            task.end(at)
        }),
        ("a slow call", Level::Summary, &|fresh, _, at| {
            fresh.recording.log(&Record::Slow {
                target: 1,
                task: 1,
                at,
                took: 1,
                stack: 0,
            });
        }),
        (
            "a call that missed a deadline",
            Level::Summary,
            &|fresh, _, at| {
                fresh.recording.log(&Record::Overdue(Overdue {
                    at,
                    ..Overdue::default()
                }));
            },
        ),
        ("a sign of life", Level::Summary, &|fresh, _, at| {
            let alive = offset_of!(Header, alive);
            let start = Anchor::take();
            let reader = Reader::open(&fresh.path).unwrap();
            let after = reader.scale().ns(at - start.ticks);
            fresh.put(alive, &at.to_le_bytes());
            fresh.put(alive + 8, &(start.monotonic_ns + after).to_le_bytes());
        }),
        (
            "another task's first call",
            Level::Summary,
            &|fresh, _, at| {
                let _ = TaskWriter::new(fresh.recording, 78, at).unwrap();
            },
        ),
    ];
    for (what, level, last) in lasts {
        let fresh = fresh(level);
        let mut task = TaskWriter::new(fresh.recording, 77, time::now()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        fresh.recording.keep_time();
        let at = fresh.ticks(40);
        last(&fresh, &mut task, at);
        fresh.is_gone();
        assert_eq!(seconds(fresh.ending()), (Ended::Killed, 40, true), "{what}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn who_is_asked_when_nobody_saw_the_end() {
    let fresh = fresh(Level::Summary);
    let live = fresh.ending();
    assert_eq!((live.how, live.at_least), (Ended::Running, false));
    // Copied while it runs, what follows is not in the copy.
    let copy = fresh.folder.path().join("copy");
    fs::copy(&fresh.path, &copy).unwrap();
    let of_copy = |path: &Path| Reader::open(path).unwrap().ending();
    assert_eq!(
        (of_copy(&copy).how, of_copy(&copy).at_least),
        (Ended::Running, true)
    );
    // In another pid namespace the number is another process; the lock is not.
    let own = soglia_core::process::pid_namespace();
    let offset = offset_of!(Header, pid_namespace);
    fresh.put(offset, &(own + 1).to_le_bytes());
    assert_eq!(fresh.ending().how, Ended::Running);
    fs::copy(&fresh.path, &copy).unwrap();
    assert_eq!(
        (of_copy(&copy).how, of_copy(&copy).at_least),
        (Ended::Unknown, true)
    );
    // Another clock: what is known is only what is in the file.
    let clock = soglia_core::process::time_namespace();
    fresh.put(
        offset_of!(Header, time_namespace),
        &(clock + 1).to_le_bytes(),
    );
    let other_clock = fresh.ending();
    assert_eq!(
        (other_clock.how, other_clock.at_least),
        (Ended::Running, true)
    );
    // Another boot, or another machine: nothing can be asked there.
    fresh.put(offset_of!(Header, boot), &[7; 16]);
    let elsewhere = fresh.ending();
    assert_eq!((elsewhere.how, elsewhere.at_least), (Ended::Unknown, true));
    conclude(&fresh.file, Ok(3)).unwrap();
    let seen = fresh.ending();
    assert_eq!((seen.how, seen.at_least), (Ended::Exit(Some(3)), false));
}

/// A lock is gone with the process that held it: here, with its last descriptor and mapping.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn a_process_of_another_namespace_that_is_gone() {
    let fresh = fresh(Level::Summary);
    let other = fresh.folder.path().join("other");
    let file = create(&other, &Options::default()).unwrap();
    let recording = Recording::claim(&other).unwrap();
    let namespace = soglia_core::process::pid_namespace() + 1;
    let offset = offset_of!(Header, pid_namespace) as u64;
    file.write_all_at(&namespace.to_le_bytes(), offset).unwrap();
    let how = || Reader::open(&other).unwrap().ending().how;
    assert_eq!(how(), Ended::Running);
    drop(recording);
    assert_eq!(how(), Ended::Killed);
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn a_process_says_itself_with_which_code_it_exits() {
    let fresh = fresh(Level::Summary);
    fresh.recording.exits(3);
    assert_eq!(fresh.ending().how, Ended::Running, "it has not exited yet");
    fresh.is_gone();
    let ending = fresh.ending();
    assert_eq!((ending.how, ending.at_least), (Ended::Exit(Some(3)), false));
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn a_shutdown_is_an_end_without_its_time() {
    let fresh = fresh(Level::Summary);
    fresh.recording.shut_down();
    fresh.is_gone();
    let ending = fresh.ending();
    assert_eq!((ending.how, ending.at_least), (Ended::Exit(None), true));
}

/// The starter signs for its child, and for others only if they live; without a starter, the
/// process knows that it is to sign itself.
#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn life_is_signed() {
    let fresh = fresh(Level::Summary);
    let signed = || fresh.recording.header().alive[0].load(std::sync::atomic::Ordering::Relaxed);
    assert!(fresh.recording.signs_itself());
    life::begin_signing(&fresh.file).unwrap();
    assert!(!fresh.recording.signs_itself());
    let mut before = signed();
    let mut has_signed = || {
        let now = signed();
        std::mem::replace(&mut before, now) != now
    };
    life::sign(&fresh.file, std::process::id()).unwrap();
    assert!(has_signed());
    life::sign(&fresh.file, 1).unwrap();
    assert!(has_signed(), "another process than its child, which lives");
    fresh.is_gone();
    life::sign(&fresh.file, 1).unwrap();
    assert!(
        !has_signed(),
        "another process than its child, which is gone"
    );
    fresh.recording.sign();
    assert!(has_signed());
}
