//! Where there is no room, whatever the reason: the process lives, the account stays exact, and the
//! reason is in the recording.

#![allow(unsafe_code, reason = "limits, filters of system calls, fork")]

use std::{
    fs::{self, File},
    os::{
        fd::AsRawFd,
        unix::{
            fs::{MetadataExt, PermissionsExt, symlink},
            process::ExitStatusExt,
        },
    },
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use libtest_mimic::{Arguments, Trial};
use soglia_core::{
    crossing::{Crossing, Side},
    task::Who,
    trace::{
        format::{BLOCK, NoRoom},
        identity::Identity,
        log::Record,
        reader::Reader,
        task_writer::{TaskWriter, Then},
        writer::{ClaimError, Level, Options, Recording, create, create_unnamed, note, trim},
    },
};

const SCENE: &str = "SOGLIA_TEST_ROOM_SCENE";
const PATH: &str = "SOGLIA_TEST_ROOM_PATH";
/// How the process of a scene ends when all is well: unlike one in which no test ran.
const WELL: i32 = 72;

fn options(max_bytes: u64) -> Options {
    Options {
        level: Level::Events,
        max_bytes,
        ..Options::default()
    }
}

/// Plays a scene in a process of its own, which must end well.
fn play(scene: &str, path: &Path) {
    let output = Command::new(std::env::current_exe().unwrap())
        .env(SCENE, scene)
        .env(PATH, path)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    let (code, signal) = (output.status.code(), output.status.signal());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((code, signal), (Some(WELL), None), "{scene}: {said}");
}

/// So many calls and returns, as hooks tell them.
fn call(task: &mut TaskWriter, calls: u64) {
    let function = 64;
    let slot = task.slot_of(1, 0);
    let slot = slot.unwrap_or_else(|| task.learn_id(1, Side::Unmanaged, 1));
    for _ in 0..calls {
        let who = Who { function, slot };
        if task.cross_at_once(Crossing::LeaveRuntime, who, 10) == Then::More {
            task.prepare();
            task.cross(Crossing::LeaveRuntime, who, 10, 0);
        }
        if task.cross_at_once(Crossing::EnterRuntime, who, 20) == Then::More {
            task.settle();
        }
    }
}

/// Makes this kernel one from before `MADV_POPULATE_WRITE`.
fn older_kernel() {
    let madvise = libc::SYS_madvise as u32;
    let filter = |code: u32, jt, jf, k| libc::sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    };
    let load = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    let equal = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let answer = libc::BPF_RET | libc::BPF_K;
    let mut filters = [
        filter(load, 0, 0, 0),
        filter(equal, 0, 3, madvise),
        // The lower half of the third argument.
        filter(load, 0, 0, 16 + 2 * 8),
        filter(equal, 0, 1, libc::MADV_POPULATE_WRITE.cast_unsigned()),
        filter(answer, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EINVAL as u32),
        filter(answer, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filters.len() as u16,
        filter: filters.as_mut_ptr(),
    };
    // SAFETY: a program that is valid while it is handed over; it concerns this process alone.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
        let mode = libc::SECCOMP_MODE_FILTER;
        assert_eq!(
            libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program),
            0
        );
    }
}

fn limit(what: libc::__rlimit_resource_t, bytes: u64) {
    let limit = libc::rlimit {
        rlim_cur: bytes,
        rlim_max: libc::RLIM_INFINITY,
    };
    // SAFETY: a limit that is valid for reading.
    assert_eq!(unsafe { libc::setrlimit(what, &raw const limit) }, 0);
}

/// The descriptors of this process that are of this file.
fn descriptors(path: &Path) -> Vec<i32> {
    let wanted = fs::metadata(path).unwrap().ino();
    let all = fs::read_dir("/proc/self/fd").unwrap().flatten();
    all.filter(|entry| fs::metadata(entry.path()).is_ok_and(|about| about.ino() == wanted))
        .map(|entry| entry.file_name().to_str().unwrap().parse().unwrap())
        .collect()
}

fn main() -> ExitCode {
    if let (Ok(scene), Some(path)) = (std::env::var(SCENE), std::env::var_os(PATH)) {
        child(&scene, Path::new(&path));
    }
    let tests: [(&str, fn()); 4] = [
        (
            "the_account_stays_exact_and_says_why",
            the_account_stays_exact_and_says_why,
        ),
        (
            "recordings_are_as_large_as_limits_allow",
            recordings_are_as_large_as_limits_allow,
        ),
        (
            "recordings_are_for_their_owner",
            recordings_are_for_their_owner,
        ),
        (
            "nothing_is_written_into_what_was_put_in_its_place",
            nothing_is_written_into_what_was_put_in_its_place,
        ),
    ];
    let trials = tests.map(|(name, test)| {
        Trial::test(name, move || {
            test();
            Ok(())
        })
        // miri maps no files.
        .with_ignored_flag(cfg!(miri))
    });
    libtest_mimic::run(&Arguments::from_args(), trials.into()).exit_code()
}

/// What the process of a scene does.
fn child(scene: &str, path: &Path) -> ! {
    let claim = || -> &'static Recording { Box::leak(Box::new(Recording::claim(path).unwrap())) };
    let (kernel, scene) = scene.split_once(' ').unwrap();
    if kernel == "older" {
        older_kernel();
    }
    match scene {
        "size limit" => {
            let mut task = TaskWriter::new(claim(), 1, 0).unwrap();
            limit(libc::RLIMIT_FSIZE, 300_000);
            call(&mut task, 500_000);
        }
        "lost descriptor" => {
            let mut task = TaskWriter::new(claim(), 1, 0).unwrap();
            let other = File::create(path.with_extension("other")).unwrap();
            for descriptor in descriptors(path) {
                // SAFETY: the program may do that too.
                unsafe { libc::dup2(other.as_raw_fd(), descriptor) };
            }
            call(&mut task, 500_000);
            assert_eq!(other.metadata().unwrap().len(), 0);
        }
        "cut" => {
            let recording = claim();
            let mut task = TaskWriter::new(recording, 1, 0).unwrap();
            // All that is in use stays.
            let blocks = recording
                .header()
                .reserved_blocks
                .load(std::sync::atomic::Ordering::Relaxed);
            let file = File::options().write(true).open(path).unwrap();
            file.set_len(u64::from(blocks) * BLOCK as u64).unwrap();
            call(&mut task, 500_000);
        }
        "plenty" | "full" => call(&mut TaskWriter::new(claim(), 1, 0).unwrap(), 500_000),
        "fork" => {
            let recording = claim();
            let mut task = TaskWriter::new(recording, 1, 0).unwrap();
            call(&mut task, 10);
            // SAFETY: the child has this thread alone, and takes no lock.
            let child = unsafe { libc::fork() };
            if child == 0 {
                recording.leave();
                let text = "not ours".to_owned();
                let logged = recording.log(&Record::Remark { text });
                recording.note("not ours");
                recording.keep_time();
                let task = TaskWriter::new(recording, 2, 0);
                // SAFETY: _exit takes no pointers, and runs nothing of this process.
                unsafe { libc::_exit(i32::from(logged || task.is_some())) };
            }
            let mut status = 0;
            // SAFETY: `status` is valid for writing; the child is ours.
            unsafe { libc::waitpid(child, &raw mut status, 0) };
            assert_eq!(status, 0);
            call(&mut task, 499_990);
        }
        other => panic!("{other}"),
    }
    // SAFETY: _exit takes no pointers, and runs nothing of this process.
    unsafe { libc::_exit(WELL) }
}

fn the_account_stays_exact_and_says_why() {
    for kernel in ["newer", "older"] {
        for (scene, max_bytes, why) in [
            ("plenty", 64 << 20, None),
            ("full", 1 << 20, Some(NoRoom::Full)),
            ("fork", 64 << 20, None),
            ("size limit", 64 << 20, None),
            ("cut", 64 << 20, Some(NoRoom::Cut)),
            (
                "lost descriptor",
                64 << 20,
                (kernel == "older").then_some(NoRoom::Closed),
            ),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("recording");
            let file = create(&path, &options(max_bytes)).unwrap();
            let scene = format!("{kernel} {scene}");
            play(&scene, &path);
            let reader = Reader::open(&path).unwrap();
            let [task] = &reader.tasks()[..] else {
                panic!("{scene}: one task")
            };
            assert_eq!(task.crossings, [500_000, 500_000, 0, 0], "{scene}");
            let reasons: Vec<NoRoom> = NoRoom::ALL
                .into_iter()
                .filter(|why| reader.no_room(*why) > 0)
                .collect();
            assert_eq!(reasons, Vec::from_iter(why), "{scene}");
            assert_eq!(task.dropped > 0, why.is_some(), "{scene}");
            assert!(
                reader.note().is_none() && reader.names().remarks.is_empty(),
                "{scene}"
            );
            trim(&file).unwrap();
            let about = file.metadata().unwrap();
            // Except what the file system takes for itself, and what was begun.
            assert!(about.len() <= about.blocks() * 512 + (300 << 10), "{scene}");
            assert_eq!(
                Reader::open(&path).unwrap().tasks()[0].crossings,
                task.crossings
            );
        }
    }
}

fn recordings_are_as_large_as_limits_allow() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording");
    // SAFETY: the child is this thread alone; what it does takes no lock that another may hold but
    // the allocator's, which glibc frees.
    let child = unsafe { libc::fork() };
    if child == 0 {
        limit(libc::RLIMIT_FSIZE, 3 << 20);
        let made = create(&path, &options(64 << 20));
        // SAFETY: _exit takes no pointers, and runs nothing of this process.
        unsafe { libc::_exit(if made.is_ok() { WELL } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writing; the child is ours.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(libc::WEXITSTATUS(status), WELL);
    assert_eq!(fs::metadata(&path).unwrap().len(), 3 << 20);
    play("newer full", &path);
    let reader = Reader::open(&path).unwrap();
    assert!(reader.no_room(NoRoom::Small) > 0 && reader.no_room(NoRoom::Full) == 0);
}

fn recordings_are_for_their_owner() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording");
    let file = create(&path, &options(1 << 20)).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

fn nothing_is_written_into_what_was_put_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let [path, other, text] = ["recording", "other", "text"].map(|name| dir.path().join(name));
    let identity = Identity::of(&create(&path, &options(1 << 20)).unwrap()).unwrap();
    create(&other, &options(1 << 20)).unwrap();
    fs::write(&text, [b'x'; 5000]).unwrap();
    let whole = fs::read(&other).unwrap();
    let refused = |what: &str| {
        let claimed = Recording::claim_that(&path, Some(&identity));
        let right = match what {
            "text" => matches!(claimed, Err(ClaimError::Replaced | ClaimError::Foreign)),
            _ => matches!(claimed, Err(ClaimError::Replaced)),
        };
        assert!(right, "{what}: {claimed:?}");
        note(&path, Some(&identity), "a note");
        assert_eq!(fs::read(&other).unwrap(), whole, "{what}");
        assert_eq!(fs::read(&text).unwrap(), [b'x'; 5000], "{what}");
    };
    let kept = dir.path().join("kept");
    fs::rename(&path, &kept).unwrap();
    for target in [&kept, &other, &text] {
        symlink(target, &path).unwrap();
        refused("a link");
        fs::remove_file(&path).unwrap();
    }
    fs::hard_link(&other, &path).unwrap();
    refused("another recording");
    fs::remove_file(&path).unwrap();
    fs::hard_link(&text, &path).unwrap();
    refused("text");
    note(&path, None, "a note");
    assert_eq!(fs::read(&text).unwrap(), [b'x'; 5000]);
    fs::remove_file(&path).unwrap();
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    refused("a FIFO");
    fs::remove_file(&path).unwrap();
    fs::rename(&kept, &path).unwrap();
    assert!(Recording::claim_that(&path, Some(&identity)).is_ok());
    // A file without a name is opened by a link of /proc.
    let (file, path) = create_unnamed(&options(1 << 20)).unwrap();
    let identity = Identity::of(&file).unwrap();
    assert!(Recording::claim_that(&path, Some(&identity)).is_ok());
    assert!(file.set_len(0).is_err(), "it is sealed");
}
