//! Finds native calls that take too long, on a thread of its own, and reports them.
//!
//! The thread reads the open layers where tasks keep them, and sleeps until one of them can be due.
//! Hooks do nothing for it and have no additional instruction. The engine still records the exact
//! end of a reported call, since it looks into returns of long calls in any case.
//!
//! | what a report has | where it comes from |
//! | --- | --- |
//! | target, task, beginning, what is nested in the call | the recording |
//! | managed stack | the CLR, which is suspended for that moment: [`managed`] |
//! | what the thread is doing | the kernel: [`proc`] |
//! | native frames | the thread's stack, from the stack pointer that the kernel gives: [`native`] |
//! | arguments | the recording, if the user has asked for those of open calls |

mod dump;
mod stuck;
mod targets;
mod watch;

use std::{
    collections::{HashMap, HashSet},
    env,
    path::PathBuf,
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use soglia_core::{
    crossing::Side,
    deadline::{Action, Deadline, Stuck, next_after},
    time::{self, Scale},
    trace::{
        format::TaskRecord,
        log::{MOST_KEPT, Record},
        open_layers::OpenCall,
        overdue::{Done, HowEnded, Overdue, OverdueAction, OverdueEnd},
    },
};

use crate::{
    boundary, clerk,
    engine::Engine,
    other_threads::{managed, native, proc},
    stacks, threads,
};

use stuck::{CallKey, Lasting};
use targets::{OpenTarget, OpenTargets};
use watch::Watch;

pub use watch::{Sink, end, ended};

/// How often calls that were reported are looked at, in case nothing notes their end. Other calls
/// are not looked at before they are due.
const LOOK_AFTER_REPORTED: Duration = Duration::from_secs(1);
/// How often a call is looked at that must end the process, and is not allowed to yet.
const HELD_BACK: Duration = Duration::from_millis(50);
/// The shortest sleep.
const LEAST_SLEEP: Duration = Duration::from_micros(200);

/// Watches calls from now on, those of targets without a deadline for being `stuck`. `false`: they
/// are watched already, or no thread could be made.
///
/// For tasks that exist already, the ends of calls are exact only if calls as long as the shortest
/// deadline are looked into anyway.
pub fn watch(
    engine: &'static Engine,
    deadlines: Vec<Deadline>,
    stuck: Option<Stuck>,
    sink: Sink,
) -> bool {
    let lengths = deadlines.iter().map(|d| d.after);
    let Some(shortest) = lengths.chain(stuck.as_ref().map(|s| s.after)).min() else {
        return false;
    };
    let Some(watch) = Watch::begin(sink) else {
        return false;
    };
    let recording = engine.recording;
    let ticks = recording.scale().ticks(nanoseconds(shortest));
    // The rate of ticks is not exactly known yet, and every reported call must be noticed when it
    // returns.
    recording.note_from(ticks - ticks / 8);
    let texts = deadlines.iter().map(|d| d.text.clone());
    let texts = texts.chain(stuck.as_ref().map(Stuck::rule)).collect();
    recording.log(&Record::Deadlines(texts));
    let mut watcher = Watcher {
        engine,
        shortest,
        dumped: vec![false; deadlines.len()],
        stuck: stuck.map(|stuck| Lasting::new(nanoseconds(stuck.after))),
        deadlines,
        targets: OpenTargets::default(),
        due: HashMap::new(),
        passed: HashSet::new(),
        temporary: env::temp_dir(),
        reports: 0,
    };
    managed::prepare()
        && clerk::thread("soglia-deadline", move || {
            while let Some(sleep) = boundary::fence(None, || Some(watcher.look(&watch))) {
                if watch.sleep(sleep.max(LEAST_SLEEP)) {
                    return;
                }
            }
        })
}

/// Why a call of this task must not end the process now. `None`: it may.
///
/// A task in a critical region must not be aborted, so the process goes on while it is in one. The
/// engine counts regions where a host is notified of crossings.
fn holds_back(task: &'static TaskRecord) -> Option<&'static str> {
    let delays = threads::delays_abort(task.os_thread.load(Relaxed));
    delays.then_some("its thread is in a critical region (Thread.BeginCriticalRegion)")
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A call that has missed a deadline.
struct Due {
    /// The duration in nanoseconds at which it is reported again.
    next: u64,
    /// The process shall end as soon as nothing prevents it.
    kill: bool,
    /// It was recorded that something prevents it.
    held_back: bool,
}

/// What the watching thread keeps.
struct Watcher {
    engine: &'static Engine,
    deadlines: Vec<Deadline>,
    shortest: Duration,
    /// For calls of targets without a deadline. Its index is the number of deadlines.
    stuck: Option<Lasting>,
    /// For each deadline, whether a dump was tried.
    dumped: Vec<bool>,
    targets: OpenTargets,
    /// The calls that have missed a deadline, by call and index of the deadline.
    due: HashMap<(CallKey, usize), Due>,
    /// The open calls whose arguments were recorded.
    passed: HashSet<CallKey>,
    temporary: PathBuf,
    reports: u32,
}

impl Watcher {
    /// Looks at all open calls. Returns for how long none can become due.
    fn look(&mut self, watch: &Watch) -> Duration {
        let scale = self.engine.recording.scale();
        // A call may begin right now.
        let mut sleep = self.shortest;
        let mut open = HashSet::new();
        for task in threads::live() {
            let calls = self.engine.recording.open_calls(task);
            for call in &calls {
                if call.side == Side::Unmanaged {
                    open.insert((task.number.load(Relaxed), call.since));
                    sleep = sleep.min(self.look_at(watch, scale, task, call));
                }
            }
            // A call that runs a callback waits for managed code, and is not stuck itself.
            if let Some(call) = calls.last().filter(|call| call.side == Side::Unmanaged) {
                sleep = sleep.min(self.look_whether_stuck(watch, scale, task, call));
            }
        }
        self.due.retain(|(call, _), _| open.contains(call));
        self.passed.retain(|call| open.contains(call));
        if let Some(stuck) = &mut self.stuck {
            stuck.keep(&open);
        }
        // The end of a call that is only stuck is not urgent, and it may be stuck for days.
        if self.look_after_reported(watch, scale, &open) && !self.deadlines.is_empty() {
            sleep = sleep.min(LOOK_AFTER_REPORTED);
        }
        sleep
    }

    /// Looks at one open call. Returns when to look at it again.
    fn look_at(
        &mut self,
        watch: &Watch,
        scale: Scale,
        task: &'static TaskRecord,
        open: &OpenCall,
    ) -> Duration {
        let number = task.number.load(Relaxed);
        let mut again = Duration::MAX;
        for deadline in self.target(open.target).deadlines.clone() {
            let after = nanoseconds(self.deadlines[deadline].after);
            let key = ((number, open.since), deadline);
            let began = open.since.saturating_add(open.slack);
            let took = |at: u64| scale.ns(at.saturating_sub(began));
            let next = self.due.get(&key).map_or(after, |due| due.next);
            let now = time::now();
            if took(now) >= next && self.report(watch, task, open, deadline) {
                let next = next_after(after, took(now));
                let kill = self.deadlines[deadline].action == Action::Kill;
                let held_back = self.due.get(&key).is_some_and(|due| due.held_back);
                self.due.insert(
                    key,
                    Due {
                        next,
                        kill,
                        held_back,
                    },
                );
                self.act(watch, task, open, deadline);
            }
            if let Some(due) = self.due.get_mut(&key).filter(|due| due.kill) {
                let first = !std::mem::replace(&mut due.held_back, true);
                self.kill(watch, task, open, deadline, first);
                again = again.min(HELD_BACK);
            }
            let next = self.due.get(&key).map_or(after, |due| due.next);
            again = again.min(Duration::from_nanos(next.saturating_sub(took(time::now()))));
        }
        again
    }

    /// Looks at the innermost call of a task. Returns when to look at it again.
    fn look_whether_stuck(
        &mut self,
        watch: &Watch,
        scale: Scale,
        task: &'static TaskRecord,
        open: &OpenCall,
    ) -> Duration {
        let index = self.deadlines.len();
        let target = self.target(open.target);
        if target.internal || !target.deadlines.is_empty() {
            return Duration::MAX;
        }
        let number = task.number.load(Relaxed);
        let look = |stuck: &mut Lasting| stuck.look(number, open, time::now(), scale);
        let again = self.stuck.as_mut().map_or(Duration::MAX, look);
        if !again.is_zero() || !self.report(watch, task, open, index) {
            return again;
        }
        if let Some(stuck) = &mut self.stuck {
            stuck.reported(open.target, number);
        }
        Duration::MAX
    }

    /// Reports the end of calls that are gone without a noted end. Returns whether some are left.
    fn look_after_reported(&self, watch: &Watch, scale: Scale, open: &HashSet<CallKey>) -> bool {
        let now = time::now();
        let mut all = watch.reported();
        let mut gone = Vec::new();
        all.retain(|call, reported| {
            if open.contains(call) || reported.telling {
                return true;
            }
            // A call that returns has closed its layer, and is about to note its end.
            let since = *reported.gone.get_or_insert(now);
            let stays = scale.ns(now.saturating_sub(since)) < nanoseconds(LOOK_AFTER_REPORTED);
            if !stays {
                gone.push((*call, since));
            }
            stays
        });
        let some = !all.is_empty();
        drop(all);
        for ((task, since), at) in gone {
            let how = HowEnded::Gone;
            (watch.sink)(Record::OverdueEnd(OverdueEnd {
                task,
                since,
                at,
                how,
            }));
        }
        some
    }

    fn target(&mut self, target: u32) -> &OpenTarget {
        self.targets.get(self.engine, &self.deadlines, target)
    }

    /// Reports that a call has missed a deadline. `false`: the call is no longer open.
    fn report(
        &mut self,
        watch: &Watch,
        task: &'static TaskRecord,
        open: &OpenCall,
        deadline: usize,
    ) -> bool {
        let recording = self.engine.recording;
        if self.reports >= MOST_KEPT {
            recording.header().dropped_records.fetch_add(1, Relaxed);
            return recording.is_open(task, open);
        }
        self.reports += 1;
        let os_thread = task.os_thread.load(Relaxed);
        let doing = proc::doing(os_thread);
        let native = native::frames(os_thread, doing.as_ref());
        let (stack, no_stack) = match self.stack(task, open, os_thread) {
            Ok(stack) => (stack, None),
            Err(why) => (0, Some(why)),
        };
        let names = native.names.into_iter().map(|name| self.engine.text(name));
        let native_frames: Vec<u32> = names.collect();
        let native_stack = match native_frames.is_empty() {
            true => 0,
            false => self.engine.stack(native_frames),
        };
        let call = (task.number.load(Relaxed), open.since);
        let passed = recording.kept_arguments(call.0, open);
        {
            let mut all = watch.reported();
            // A call that ends from here on finds that it was reported.
            if !recording.is_open(task, open) {
                return false;
            }
            all.entry(call).or_default().telling = true;
        }
        if let Some(passed) = passed.filter(|_| self.passed.insert(call)) {
            (watch.sink)(Record::Arguments(passed));
        }
        (watch.sink)(Record::Overdue(Overdue {
            deadline: deadline as u32,
            target: open.target,
            task: call.0,
            os_thread,
            since: open.since,
            at: time::now(),
            depth: open.depth,
            nested: task.depth.load(Relaxed).saturating_sub(open.depth + 1),
            stack,
            native: native_stack,
            thread: doing.map(|doing| doing.text),
            no_stack,
            native_ends: native.end,
        }));
        // If the process is killed, this is the last time at which it was seen alive.
        recording.keep_time();
        let mut all = watch.reported();
        let Some(reported) = all.get_mut(&call) else {
            return true;
        };
        reported.telling = false;
        if let Some(end) = reported.end.take() {
            all.remove(&call);
            drop(all);
            (watch.sink)(Record::OverdueEnd(end));
        }
        true
    }

    /// The number of the managed stack.
    fn stack(
        &mut self,
        task: &'static TaskRecord,
        open: &OpenCall,
        os_thread: u32,
    ) -> Result<u32, String> {
        // The runtime would wait for such a call, and all threads for the runtime.
        if let Some(name) = self.suppressed() {
            return Err(format!(
                "{name} is called without a GC transition, and the runtime cannot be suspended meanwhile"
            ));
        }
        let engine = self.engine;
        let walked = managed::of_thread(engine, os_thread)?;
        // While the call lasts, no method on its stack can be unloaded.
        let valid = || engine.recording.is_open(task, open);
        match stacks::keep_if(engine, &walked, valid) {
            0 => Err("the thread has no managed frames".into()),
            stack => Ok(stack),
        }
    }

    /// A target that is open now and is called without a GC transition, if there is one.
    fn suppressed(&mut self) -> Option<String> {
        let innermost = |task| self.engine.recording.open_calls(task).pop();
        let open: Vec<OpenCall> = threads::live().into_iter().filter_map(innermost).collect();
        let suppressed = |call: OpenCall| {
            let target = self.target(call.target);
            let name = || target.name.clone().unwrap_or_default();
            target.suppressed.then(name)
        };
        open.into_iter().find_map(suppressed)
    }

    /// Does what a deadline asks for once.
    fn act(&mut self, watch: &Watch, task: &'static TaskRecord, open: &OpenCall, deadline: usize) {
        if self.deadlines[deadline].action != Action::Dump || self.dumped[deadline] {
            return;
        }
        self.dumped[deadline] = true;
        let file = dump::name(&self.engine.path, &self.temporary);
        let what = match dump::write(&file) {
            Ok(()) => Done::Dumped(file.to_string_lossy().into_owned()),
            Err(why) => Done::NotDumped(why),
        };
        self.record_action(watch, task, open, deadline, what);
    }

    /// Ends the process, unless something prevents that, which is recorded the first time.
    fn kill(
        &self,
        watch: &Watch,
        task: &'static TaskRecord,
        open: &OpenCall,
        deadline: usize,
        first: bool,
    ) {
        if let Some(why) = holds_back(task) {
            if first {
                self.record_action(watch, task, open, deadline, Done::NotKilled(why.into()));
            }
            return;
        }
        self.record_action(watch, task, open, deadline, Done::Killed);
        self.engine.recording.keep_time();
        // SAFETY: the calls take plain numbers. The first process of a container ignores its own
        // SIGKILL, so it exits.
        unsafe {
            libc::kill(libc::getpid(), libc::SIGKILL);
            libc::_exit(128 + libc::SIGKILL);
        }
    }

    fn record_action(
        &self,
        watch: &Watch,
        task: &'static TaskRecord,
        open: &OpenCall,
        deadline: usize,
        what: Done,
    ) {
        (watch.sink)(Record::OverdueAction(OverdueAction {
            task: task.number.load(Relaxed),
            since: open.since,
            deadline: deadline as u32,
            what,
        }));
    }
}
