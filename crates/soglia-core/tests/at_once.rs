//! Crossings that are taken at once make no system call and allocate nothing: the collector of the
//! recorded program waits for them.
//!
//! The kernel watches: with Syscall User Dispatch, a byte says whether the thread's system calls
//! are handed to a signal handler, so that watching begins and ends without a system call. It
//! watches one thread of a process of its own, in which this file is run anew.

#![allow(unsafe_code, reason = "an allocator, a signal handler, prctl")]

#[path = "support/random.rs"]
mod random;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    collections::HashMap,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitCode, Stdio},
    sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
};

use libtest_mimic::Arguments;
use random::Random;
use soglia_core::{
    account::Totals,
    crossing::{Crossing, Side},
    layer::VecLayers,
    task::{Task, Who},
    trace::{
        reader::Reader,
        replay::totals,
        task_writer::{TaskWriter, Then},
        writer::{Level, Options, Recording, create},
    },
};
use soglia_testing::needs::{Outcome, require, trial};

/// 1: the kernel hands system calls of the thread to [`caught`].
static WATCHED: AtomicU8 = AtomicU8::new(0);
/// Allocations while it watches.
static ALLOCATED: AtomicU32 = AtomicU32::new(0);

struct Counting;

// SAFETY: all memory is the system allocator's, which keeps the rules of the trait. The counter is
// an atomic, and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATED.fetch_add(WATCHED.load(Relaxed).into(), Relaxed);
        // SAFETY: the caller passes a layout that fits this trait, and so the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        ALLOCATED.fetch_add(WATCHED.load(Relaxed).into(), Relaxed);
        // SAFETY: `alloc` got this piece from the system's allocator, with this layout.
        unsafe { System.dealloc(piece, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PR_SET_SYSCALL_USER_DISPATCH: i32 = 59;
const PR_SYS_DISPATCH_ON: u64 = 1;
/// How the process ends after a system call.
const CAUGHT: i32 = 70;
/// How it ends where the kernel cannot watch.
const UNWATCHABLE: i32 = 71;
/// How it ends when all is well: unlike a process in which no test ran.
const WELL: i32 = 72;

extern "C" fn caught(_: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    WATCHED.store(0, Relaxed);
    // SAFETY: the kernel's own; the number of the system call is the third field behind the head of
    // 16 bytes.
    let number = unsafe { info.cast::<i32>().add(6).read() };
    eprintln!("a system call was made at once: number {number}");
    // SAFETY: _exit takes no pointers, and runs nothing of this process.
    unsafe { libc::_exit(CAUGHT) };
}

/// From now on the byte says whether this thread's system calls are caught. `false`: the kernel
/// cannot do that.
fn watch() -> bool {
    // SAFETY: a zeroed action is valid, and the handler lives for ever; the byte is a static.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = caught as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO;
        libc::sigaction(libc::SIGSYS, &raw const action, std::ptr::null_mut());
        let (from, bytes, byte) = (0_u64, 0_u64, WATCHED.as_ptr());
        libc::prctl(
            PR_SET_SYSCALL_USER_DISPATCH,
            PR_SYS_DISPATCH_ON,
            from,
            bytes,
            byte,
        ) == 0
    }
}

/// Does it while the kernel watches.
#[inline(never)]
fn at_once<T>(body: impl FnOnce() -> T) -> T {
    WATCHED.store(1, Relaxed);
    let result = body();
    WATCHED.store(0, Relaxed);
    result
}

/// What hooks and their twins do, and the same beside the recording.
struct Live {
    task: Box<TaskWriter>,
    beside: Task<VecLayers>,
    totals: Totals,
    at: u64,
    twins: HashMap<Crossing, u32>,
}

impl Live {
    fn new(recording: &'static Recording, number: u32) -> Self {
        Self {
            task: TaskWriter::new(recording, number, 0).unwrap(),
            beside: Task::default(),
            totals: Totals::default(),
            at: 0,
            twins: HashMap::new(),
        }
    }

    fn cross(&mut self, crossing: Crossing, target: u32, after: u64) {
        let (side, function) = (crossing.side(), u64::from(target) * 64);
        self.at += after;
        let (task, at) = (&mut self.task, self.at);
        let slot = at_once(|| task.slot_of(target as usize, 0));
        let then = match slot {
            None if crossing.opens() => Then::More,
            slot => at_once(|| {
                let slot = slot.unwrap_or_default();
                task.cross_at_once(crossing, Who { function, slot }, at)
            }),
        };
        if then == Then::More {
            *self.twins.entry(crossing).or_default() += 1;
            if crossing.opens() {
                let slot = task.slot_of(target as usize, 0);
                let slot = slot.unwrap_or_else(|| task.learn_id(target as usize, side, target));
                task.prepare();
                task.cross(crossing, Who { function, slot }, at, 0);
            } else {
                task.settle();
                task.recall();
            }
        }
        let who = Who {
            function,
            slot: target,
        };
        self.beside.cross(crossing, who, at, 0, &mut self.totals);
    }
}

const fn opening(side: Side) -> Crossing {
    match side {
        Side::Unmanaged => Crossing::LeaveRuntime,
        Side::Managed => Crossing::ReverseEnterRuntime,
    }
}

const fn closing(side: Side) -> Crossing {
    match side {
        Side::Unmanaged => Crossing::EnterRuntime,
        Side::Managed => Crossing::ReverseLeaveRuntime,
    }
}

/// Nested calls of many targets at random, deep ones among them, with pauses, jumps and returns
/// from nowhere.
fn work(live: &mut Live, crossings: u64) {
    let mut random = Random::new(crossings);
    let mut open: Vec<(u32, Side)> = Vec::new();
    let mut goal = 3;
    for _ in 0..crossings {
        let after = match random.below(3000) {
            0 => 1 << 30,
            1 => 1 << 35,
            _ => random.below(3000),
        };
        match random.below(4000) {
            0..80 => goal = random.below(8) as usize,
            80..90 => goal = 60,
            90 => goal = 4000,
            91..95 => open.truncate(open.len() / 2),
            95 => live.cross(
                closing(Side::from_number(random.below(2) as u32)),
                999_999,
                after,
            ),
            _ => {}
        }
        if open.len() < goal {
            let targets = if random.below(50) == 0 { 3000 } else { 20 };
            let target = random.below(targets) as u32 + 1;
            let side = Side::from_number(target);
            live.cross(opening(side), target, after);
            open.push((target, side));
        } else if let Some((target, side)) = open.pop() {
            live.cross(closing(side), target, after);
        }
    }
}

const DIRECTORY: &str = "SOGLIA_TEST_AT_ONCE";
const UNWATCHED: &str = "this kernel has no Syscall User Dispatch (5.11 and later have it)";

fn main() -> ExitCode {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        child(Path::new(&directory));
    }
    let tests = vec![
        trial(
            "the_kernel_is_asked_for_nothing_at_once",
            the_kernel_is_asked_for_nothing_at_once,
        ),
        trial(
            "what_is_not_at_once_is_caught",
            what_is_not_at_once_is_caught,
        ),
    ];
    // miri starts no processes.
    let tests = tests.into_iter();
    let tests = tests.map(|test| test.with_ignored_flag(cfg!(miri)));
    libtest_mimic::run(&Arguments::from_args(), tests.collect()).exit_code()
}

/// The process that is watched.
fn child(directory: &Path) -> ! {
    // Full of events early, full of all early, never full; and without events.
    let runs = [
        ("small", Level::Events, 2 << 20),
        ("tiny", Level::Events, 1 << 20),
        ("large", Level::Events, 1 << 30),
        ("summary", Level::Summary, 1 << 30),
        ("counts", Level::Counts, 1 << 30),
    ];
    let recordings = runs.map(|(name, level, max_bytes)| {
        let path = directory.join(name);
        let slow_ns = 1000;
        let options = Options {
            level,
            max_bytes,
            slow_ns,
            ..Options::default()
        };
        create(&path, &options).unwrap();
        let recording: &'static Recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
        (path, level, recording)
    });
    // SAFETY: _exit takes no pointers, and runs nothing of this process.
    let exit = |code| -> ! { unsafe { libc::_exit(code) } };
    if !watch() {
        exit(UNWATCHABLE);
    }
    for (path, level, recording) in recordings {
        if level == Level::Counts {
            let mut task = TaskWriter::new(recording, 7, 0).unwrap();
            for n in 0..100_000_usize {
                let id = n * n % 5000;
                match at_once(|| task.slot_of(id, 0).map(|slot| task.count(slot))) {
                    Some(Then::GoOn) => {}
                    _ => {
                        let slot = task.learn_id(id, Side::Unmanaged, id as u32 + 1);
                        task.count_anyway(slot);
                    }
                }
            }
            continue;
        }
        let mut live = Live::new(recording, 7);
        work(&mut live, 400_000);
        let reader = Reader::open(&path).unwrap();
        let seen = &reader.tasks()[0];
        assert_eq!(seen.crossings, live.totals.crossings, "{}", path.display());
        let told = |crossing| live.twins.get(&crossing).copied().unwrap_or_default();
        if level == Level::Events {
            let again = totals(&reader, seen.number).crossings.iter().sum::<u64>();
            assert_eq!(again + seen.dropped, seen.crossings.iter().sum::<u64>());
            assert_eq!(
                seen.dropped > 0,
                path.ends_with("small") || path.ends_with("tiny")
            );
            assert!(
                told(Crossing::ReverseLeaveRuntime) > 0,
                "chunks end everywhere"
            );
        }
        assert!(told(Crossing::LeaveRuntime) > 0 && told(Crossing::EnterRuntime) > 0);
    }
    if ALLOCATED.load(Relaxed) != 0 {
        eprintln!("{} allocations were made at once", ALLOCATED.load(Relaxed));
        exit(1);
    }
    exit(WELL)
}

fn the_kernel_is_asked_for_nothing_at_once() -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .env(DIRECTORY, dir.path())
        .stdout(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let (code, signal) = (output.status.code(), output.status.signal());
    require(code != Some(UNWATCHABLE), UNWATCHED)?;
    assert_eq!((code, signal), (Some(WELL), None), "{said}");
    Ok(())
}

/// What watches sees a system call and an allocation.
fn what_is_not_at_once_is_caught() -> Outcome {
    // SAFETY: the child is this thread alone, and makes system calls and nothing else.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: getppid and _exit take no pointers, and this child has one thread only.
        unsafe {
            if !watch() {
                libc::_exit(UNWATCHABLE);
            }
            at_once(|| libc::getppid());
            libc::_exit(0);
        }
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writing; the child is ours.
    unsafe { libc::waitpid(child, &raw mut status, 0) };
    let code = libc::WEXITSTATUS(status);
    require(code != UNWATCHABLE, UNWATCHED)?;
    assert_eq!(code, CAUGHT, "{status:#x}");
    at_once(|| drop(std::hint::black_box(Box::new(1))));
    assert!(ALLOCATED.load(Relaxed) > 0);
    Ok(())
}
