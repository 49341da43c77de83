//! A process that records is killed, or stopped, between any two instructions: what it leaves is whole, but for the one
//! crossing in progress.
#![allow(
    unsafe_code,
    reason = "counters in memory shared with another process, fork and ptrace"
)]

use std::{
    fs::{self, File, OpenOptions},
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, SystemTime},
};

use memmap2::MmapRaw;
use soglia_core::{
    account::{Account, Total, Totals},
    crossing::{Crossing, Side},
    layer::VecLayers,
    task::{Task, Who},
    trace::{
        ending::Ended,
        log::{Record, TargetNames},
        reader::Reader,
        replay::replay,
        snapshot::TaskSnapshot,
        task_writer::{TaskWriter, Then},
        writer::{Level, Options, Recording, conclude, create},
    },
};

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

/// How a step is told.
#[derive(Clone, Copy, Debug)]
enum How {
    /// By a crossing.
    Crossed,
    /// The same at once, without a mark, and by the twin if there is more to do.
    CrossedAtOnce,
    /// By an exception.
    Failed,
    /// As a refused call.
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Step {
    crossing: Crossing,
    how: How,
    function: u64,
    mark: u64,
    at: u64,
}

impl Step {
    fn target(self) -> u32 {
        self.function as u32 / 64 * 2 + self.crossing.side() as u32
    }
}

/// An endless sequence of crossings, the same for the same number: mostly nested, with jumps and returns from nowhere.
struct Steps {
    random: Random,
    open: Vec<(u64, Side)>,
    goal: usize,
    at: u64,
    how: How,
}

impl Steps {
    fn new(number: u64) -> Self {
        Self {
            how: if number.is_multiple_of(2) {
                How::Crossed
            } else {
                How::CrossedAtOnce
            },
            random: Random(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15)),
            open: Vec::new(),
            goal: 2,
            at: 0,
        }
    }
}

impl Iterator for Steps {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let random = &mut self.random;
        self.at += match random.below(200) {
            0 => 1 << 30,
            _ => random.below(3000),
        };
        match random.below(300) {
            0..4 => self.goal = random.below(8) as usize,
            4 => self.goal = 45,
            5 if random.below(100) == 0 => self.goal = 1800,
            6..10 => {
                // A long jump: nobody is told.
                let left = self.open.len() as u64 - random.below(self.open.len() as u64 / 2 + 1);
                self.open.truncate(left as usize);
            }
            10 => {
                return Some(Step {
                    crossing: Crossing::EnterRuntime,
                    how: self.how,
                    function: 64_000,
                    mark: 0,
                    at: self.at,
                });
            }
            11..15 => {
                return Some(Step {
                    crossing: Crossing::LeaveRuntime,
                    how: How::Refused,
                    function: 64 * (1 + random.below(20)),
                    mark: 0,
                    at: self.at,
                });
            }
            _ => {}
        }
        let (len, goal) = (self.open.len(), self.goal);
        let call = len == 0 || len < goal || (len == goal && random.below(2) == 0);
        Some(if call {
            let (function, side) = (1 + random.below(20), random.below(2));
            let (function, side) = (function * 64, Side::from_number(side as u32));
            self.open.push((function, side));
            Step {
                crossing: match side {
                    Side::Unmanaged => Crossing::LeaveRuntime,
                    Side::Managed => Crossing::ReverseEnterRuntime,
                },
                how: self.how,
                function,
                mark: 0x7fff_0000_0000 - len as u64 * 64,
                at: self.at,
            }
        } else {
            let (function, side) = self.open.pop()?;
            Step {
                crossing: match side {
                    Side::Unmanaged => Crossing::EnterRuntime,
                    Side::Managed => Crossing::ReverseLeaveRuntime,
                },
                how: if side == Side::Unmanaged && random.below(20) == 0 {
                    How::Failed
                } else {
                    self.how
                },
                function,
                mark: 0,
                at: self.at,
            }
        })
    }
}

fn record(task: &mut TaskWriter, step: Step) {
    let side = step.crossing.side();
    let slot = match task.slot(step.function, side, 0) {
        _ if !step.crossing.opens() => 0,
        Some(slot) => slot,
        None => task.learn(step.function, side, step.target(), 0),
    };
    let function = step.function;
    let who = Who { function, slot };
    match step.how {
        How::Crossed => {
            task.cross(step.crossing, who, step.at, step.mark);
        }
        How::CrossedAtOnce => {
            // As the hooks of wrappers and their twins.
            let then = task.cross_at_once(step.crossing, who, step.at);
            match (then, step.crossing.opens()) {
                (Then::GoOn, _) => {}
                (Then::More, true) => {
                    task.prepare();
                    task.cross(step.crossing, who, step.at, 0);
                }
                (Then::More, false) => task.settle(),
            }
        }
        How::Failed => task.fail(function, step.at),
        How::Refused => task.refuse(slot, step.at),
    }
}

/// The same, beside the recording.
#[derive(Clone, Default)]
struct Model {
    task: Task<VecLayers>,
    totals: Totals,
    max_depth: u32,
}

impl Model {
    fn cross(&mut self, step: Step) {
        let who = Who {
            function: step.function,
            slot: step.target(),
        };
        let (task, totals) = (&mut self.task, &mut self.totals);
        match step.how {
            How::Crossed => {
                task.cross(step.crossing, who, step.at, step.mark, totals);
            }
            How::CrossedAtOnce => {
                task.cross(step.crossing, who, step.at, 0, totals);
            }
            How::Failed => task.fail(step.function, step.at, totals),
            How::Refused => totals.refused(step.target(), step.at),
        }
        self.max_depth = self.max_depth.max(self.task.depth());
    }

    /// Innermost last.
    fn open(&self) -> Vec<(u64, u32)> {
        let layers = self.task.layers().as_slice();
        layers.iter().map(|l| (l.since, l.slot)).collect()
    }

    fn target(&self, target: u32) -> Total {
        self.totals.get(target).cloned().unwrap_or_default()
    }
}

/// All that was told: crossings, and calls that were refused.
fn told(totals: &Totals) -> u64 {
    let refused: u64 = totals.iter().map(|(_, total)| total.refused).sum();
    totals.crossings.iter().sum::<u64>() + refused
}

/// What is found of a task against the model before and after the crossing that may have been in progress.
fn check_summary(seen: &TaskSnapshot, before: &Model, after: &Model) {
    let done = seen.crossings == after.totals.crossings;
    assert!(
        done || seen.crossings == before.totals.crossings,
        "{:?}: neither {:?} nor {:?}",
        seen.crossings,
        before.totals.crossings,
        after.totals.crossings
    );
    assert_eq!(seen.dropped, 0);
    assert!((before.max_depth..=after.max_depth).contains(&seen.max_depth));
    let faults = before.totals.faults.iter().zip(after.totals.faults);
    for (fault, (before, after)) in seen.faults.iter().zip(faults) {
        assert!((*before..=after).contains(&u64::from(*fault)));
    }
    // The layers of before, or some of them still, or those of after.
    let open: Vec<_> = seen.open.iter().map(|l| (l.since, l.slot)).collect();
    let (old, new) = (before.open(), after.open());
    let common = old.iter().zip(&new).take_while(|(o, n)| o == n).count();
    assert!(
        open == new || (old.starts_with(&open) && open.len() >= common),
        "{open:?}: of {old:?} to {new:?}"
    );
    assert!(seen.max_depth as usize >= open.len());
    for ((number, side), found) in seen
        .targets
        .iter()
        .filter(|(_, t)| t.calls() + t.refused != 0)
    {
        assert_eq!(*side, Side::from_number(*number));
        let (old, new) = (before.target(*number), after.target(*number));
        let either = |found: u64, old: u64, new: u64| assert!(found == old || found == new);
        assert!((old.calls()..=new.calls()).contains(&found.calls()));
        assert!((old.abandoned..=new.abandoned).contains(&found.abandoned));
        either(found.ended, old.ended, new.ended);
        either(found.failed, old.failed, new.failed);
        either(found.refused, old.refused, new.refused);
        either(found.total, old.total, new.total);
        // What was nested in a call is stored after its total.
        let late = old.own + (new.total - old.total);
        assert!(found.own == late || found.own == old.own || found.own == new.own);
        either(found.min, old.min, new.min);
        either(found.max, old.max, new.max);
        let buckets = old.histogram.iter().zip(new.histogram.iter());
        for (found, (old, new)) in found.histogram.iter().zip(buckets) {
            either(*found, *old, *new);
        }
        if found.ended > old.ended {
            // The counter is stored last.
            let mut found = found.clone();
            (found.open, found.abandoned) = (new.open, new.abandoned);
            assert_eq!(found, new);
        }
    }
    for (number, old) in before.totals.iter() {
        let found = seen.targets.get(&(number, Side::from_number(number)));
        assert!(found.is_some_and(|found| found.calls() >= old.calls()));
    }
}

/// The events against the same. `steps`: all that were recorded, and one more.
fn check_events(
    reader: &Reader,
    number: u32,
    mut steps: impl Iterator<Item = Step>,
    before: &Model,
    after: &Model,
) {
    let mut totals = Totals::default();
    let mut ticks = 0;
    replay(reader, number, &mut totals, |r| {
        let step = steps.next().unwrap();
        assert_eq!((r.at, r.crossing), (step.at, step.crossing));
        assert!(r.at >= ticks);
        ticks = r.at;
        if let Some(target) = r.target {
            assert_eq!(target, step.target());
        }
        true
    });
    let same = |model: &Model| {
        totals.iter().count() == model.totals.iter().count()
            && model.totals.iter().all(|(n, of)| totals.get(n) == Some(of))
    };
    if told(&totals) == told(&after.totals) {
        assert_eq!(totals.crossings, after.totals.crossings);
        assert_eq!(totals.faults, after.totals.faults);
        assert!(same(after));
    } else {
        assert_eq!(totals.crossings, before.totals.crossings);
        // What the crossing in progress found gone may have been told already.
        let told = totals.faults != before.totals.faults;
        assert!(told || same(before));
        for (number, of) in totals.iter().filter(|_| told) {
            let (mut old, new) = (before.target(number), after.target(number));
            assert!((old.abandoned..=new.abandoned).contains(&of.abandoned));
            old.open -= of.abandoned - old.abandoned;
            old.abandoned = of.abandoned;
            assert_eq!(*of, old);
        }
    }
}

/// Numbers in memory that two processes share, each on a cache line of its own.
struct Counters(MmapRaw);

impl Counters {
    const BYTES: usize = 4096;

    fn map(file: &File) -> Self {
        Self(MmapRaw::map_raw(file).unwrap())
    }

    fn of(&self, number: usize) -> &AtomicU64 {
        assert!((number + 1) * 64 <= Self::BYTES);
        // SAFETY: within the mapping, aligned, and every access to it, by any process, is atomic.
        unsafe { AtomicU64::from_ptr(self.0.as_mut_ptr().add(number * 64).cast()) }
    }
}

const THREADS: usize = 3;
const ROUND: &str = "SOGLIA_TEST_KILL_ROUND";
const DIRECTORY: &str = "SOGLIA_TEST_KILL_DIRECTORY";

/// Not a test: what the killed process does, in which the test binary is run anew.
#[test]
fn child() {
    let (Ok(round), Ok(directory)) = (std::env::var(ROUND), std::env::var(DIRECTORY)) else {
        return;
    };
    // SAFETY: plain system call. Were the test itself killed, this process would go on for ever.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    let round: u64 = round.parse().unwrap();
    let directory = Path::new(&directory);
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

#[test]
fn a_killed_process_leaves_all_but_the_crossing_in_progress() {
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let mut random = Random(seed | 1);
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
            .args(["--exact", "child", "--test-threads=1", "--quiet"])
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

/// The crossings of the test below, over the ends of an events chunk and of the layers in the task's chunk.
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
    // 30 layers and 4,050 words of events; up to word 4,073 any crossing is told as it comes.
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
        // An exception, straight out of a call and past another one; a refusal of a target's first call.
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
#[test]
fn every_instruction_may_be_the_last() {
    step_through(How::Crossed);
}

#[test]
fn every_instruction_at_once_may_be_the_last() {
    step_through(How::CrossedAtOnce);
}

fn step_through(how: How) {
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

    // SAFETY: the child goes on with this thread alone. What it calls takes no lock that another thread may hold but
    // that of the allocator, which glibc frees in the child.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: plain system calls.
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
        // SAFETY: as above; nothing of the parent's is flushed or run.
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
        eprintln!("ptrace is not allowed here: nothing is tested");
        return;
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
}
