//! A process that records stops after each of its instructions.

use std::fs::{self, File};
use std::sync::atomic::Ordering;

use soglia_core::crossing::Crossing;
use soglia_core::trace::reader::Reader;
use soglia_core::trace::task_writer::TaskWriter;
use soglia_core::trace::writer::{Level, Options, Recording, create};
use soglia_testing::needs::{Outcome, Unmet};

use crate::steps::{Counters, How, Model, Step, check_events, check_summary, record};

/// The crossings of the test below, over the ends of an events chunk and of the layers in the
/// task's chunk.
fn stepped() -> (Vec<Step>, Vec<Step>) {
    use Crossing::{EnterRuntime, LeaveRuntime, ReverseEnterRuntime, ReverseLeaveRuntime};
    let mut at = 0;
    let mut step = |crossing, function: u64, mark: u64, after| {
        at += after;
        Step {
            crossing,
            how: How::Crossed,
            function: function * 64,
            mark: if mark == 0 { 0 } else { 1_000_000 - mark * 64 },
            at,
        }
    };
    let failing = |step| Step {
        how: How::Failed,
        ..step
    };
    let refused = |step| Step {
        how: How::Refused,
        ..step
    };
    // 30 layers and 4,050 words of events; up to word 4,073 any crossing is written as it comes.
    let mut first = Vec::new();
    for n in 1..=30 {
        first.push(step(LeaveRuntime, 1, n, 10));
    }
    for _ in 0..1330 {
        first.push(step(LeaveRuntime, 2, 0, 10));
        first.push(step(EnterRuntime, 2, 0, 10));
    }
    let then = vec![
        // A target's first call; recursion; the end of the first layers.
        step(LeaveRuntime, 3, 31, 10),
        step(LeaveRuntime, 3, 32, 10),
        step(LeaveRuntime, 3, 33, 10),
        step(ReverseEnterRuntime, 4, 34, 10),
        step(EnterRuntime, 9, 0, 10),
        step(ReverseLeaveRuntime, 4, 0, 10),
        step(EnterRuntime, 3, 0, 1 << 33),
        step(EnterRuntime, 3, 0, 10),
        // The mark tells that 31 is gone; then with a callback above; the return, that two are.
        step(LeaveRuntime, 3, 31, 10),
        step(ReverseEnterRuntime, 4, 32, 10),
        step(LeaveRuntime, 5, 31, 10),
        step(LeaveRuntime, 5, 32, 10),
        step(LeaveRuntime, 5, 33, 10),
        step(LeaveRuntime, 3, 34, 1 << 40),
        step(EnterRuntime, 5, 0, 10),
        step(LeaveRuntime, 1, 29, 10),
        step(EnterRuntime, 1, 0, 10),
        step(ReverseLeaveRuntime, 9, 0, 10),
        step(LeaveRuntime, 1, 2, 10),
        step(EnterRuntime, 1, 0, 10),
        step(EnterRuntime, 1, 0, 10),
        // An exception, straight out of a call and past another one; a refusal of a target's first
        // call.
        step(LeaveRuntime, 3, 3, 10),
        failing(step(EnterRuntime, 3, 0, 10)),
        step(LeaveRuntime, 3, 3, 10),
        step(ReverseEnterRuntime, 4, 4, 10),
        failing(step(EnterRuntime, 3, 0, 1 << 35)),
        refused(step(LeaveRuntime, 6, 0, 1 << 34)),
        refused(step(LeaveRuntime, 3, 0, 10)),
        step(LeaveRuntime, 3, 3, 10),
        step(EnterRuntime, 3, 0, 10),
    ];
    (first, then)
}

/// A killed process stands still between two instructions; here it stands between any two.
pub fn every_instruction_may_be_the_last() -> Outcome {
    step_through(How::Crossed)
}

pub fn every_instruction_at_once_may_be_the_last() -> Outcome {
    step_through(How::CrossedAtOnce)
}

fn step_through(how: How) -> Outcome {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("recording");
    let options = Options {
        level: Level::Events,
        max_bytes: 1 << 20,
        ..Options::default()
    };
    create(&path, &options).unwrap();
    let counters = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(dir.path().join("counters"))
        .unwrap();
    counters.set_len(Counters::BYTES as u64).unwrap();
    let counters = Counters::map(&counters);
    let recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
    let mut task = TaskWriter::new(recording, 1, 0).unwrap();
    let (mut first, mut then) = stepped();
    for step in first.iter_mut().chain(&mut then) {
        if let How::Crossed = step.how {
            step.how = how;
        }
    }
    let mut before = Model::default();
    for step in &first {
        record(&mut task, *step);
        before.cross(*step);
    }
    let mut after = before.clone();
    after.cross(then[0]);

    // SAFETY: the child goes on with this thread alone. What it calls takes no lock that another
    // thread may hold but that of the allocator, which glibc frees in the child.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: this request of ptrace takes no pointers, and neither do _exit and raise.
        unsafe {
            if libc::ptrace(libc::PTRACE_TRACEME) != 0 {
                libc::_exit(99);
            }
            libc::raise(libc::SIGSTOP);
        }
        for (done, step) in then.iter().enumerate() {
            record(&mut task, *step);
            counters.of(0).store(done as u64 + 1, Ordering::Release);
        }
        // SAFETY: _exit takes no pointers, and flushes and runs nothing of the parent.
        unsafe { libc::_exit(0) };
    }
    assert!(child > 0);
    let wait = || {
        let mut status = 0;
        // SAFETY: `status` is valid for writing; the child is ours.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        status
    };
    let mut status = wait();
    if libc::WIFEXITED(status) {
        assert_eq!(libc::WEXITSTATUS(status), 99);
        return Err(Unmet::new("ptrace is not allowed here"));
    }
    let mut done = 0;
    let mut last = None;
    let mut stops = 0_u32;
    loop {
        let now = counters.of(0).load(Ordering::Acquire) as usize;
        while done < now {
            before.cross(then[done]);
            done += 1;
            if let Some(next) = then.get(done) {
                after.cross(*next);
            }
        }
        let reader = Reader::open(&path).unwrap();
        let tasks = reader.tasks();
        // Most instructions store nothing in the recording.
        let state = fs::read(&path).unwrap();
        if last.as_ref() != Some(&state) {
            check_summary(&tasks[0], &before, &after);
            let steps = first.iter().chain(&then).copied();
            check_events(&reader, 1, steps, &before, &after);
            last = Some(state);
        }
        // SAFETY: the child is stopped, and this thread traces it.
        let stepped = unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, child, 0, 0) };
        assert_eq!(stepped, 0);
        status = wait();
        if libc::WIFEXITED(status) {
            break;
        }
        assert!(libc::WIFSTOPPED(status) && libc::WSTOPSIG(status) == libc::SIGTRAP);
        stops += 1;
    }
    assert_eq!((libc::WEXITSTATUS(status), done), (0, then.len()));
    assert!(stops > 1000, "{stops} instructions are too few for that");
    eprintln!("{stops} instructions");
    Ok(())
}
