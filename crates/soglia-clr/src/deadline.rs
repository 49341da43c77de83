//! Finds native calls that take too long, on a thread of its own, and reports them.
//!
//! The thread reads the open layers where tasks keep them, and sleeps until one of them can be due.
//! Hooks do nothing for it and have no additional instruction. The engine still records the exact
//! end of a reported call, since it looks into returns of long calls in any case.
//!
//! | what a report has | where it comes from |
//! | --- | --- |
//! | target, task, beginning, what is nested in the call | the recording |
//! | managed stack | the CLR, which is suspended for that moment: [`stack`] |
//! | what the thread is doing | the kernel: [`proc`] |
//! | native frames | the thread's stack, from the stack pointer that the kernel gives: [`native`] |
//!
//! A report never has arguments, since the engine does not record them.

mod dump;
mod native;
mod proc;
mod stack;

use std::{
    collections::{HashMap, HashSet},
    env,
    path::PathBuf,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use soglia_core::{
    crossing::Side,
    deadline::{Action, Deadline, next_after, of},
    time::{self, Scale},
    trace::{
        format::TaskRecord,
        log::{MOST_KEPT, Record},
        open_layers::OpenCall,
        overdue::{Done, HowEnded, Overdue, OverdueAction, OverdueEnd},
    },
};

use crate::{boundary, clerk, engine::Engine, stacks, threads};

pub use stack::shut_down;

/// Gets what becomes known about calls that miss their deadlines: [`Record::Overdue`],
/// [`Record::OverdueEnd`] and [`Record::OverdueAction`], in that order for each call.
///
/// Called on an engine thread, and for ends on the thread that made the call, in preemptive mode.
pub type Sink = Box<dyn Fn(Record) + Send + Sync>;

/// A call, by its task and the ticks when it began.
type CallKey = (u32, u64);

struct Watch {
    sink: Sink,
    reported: Mutex<HashMap<CallKey, Reported>>,
}

/// A call that was reported and is not known to have ended.
#[derive(Default)]
struct Reported {
    /// A report is about to be passed on, and what comes after it waits.
    telling: bool,
    end: Option<OverdueEnd>,
    /// Ticks when the call was first found to be gone, while no end of it was noted.
    gone: Option<u64>,
}

static WATCH: OnceLock<Watch> = OnceLock::new();

/// How often calls that were reported are looked at, in case nothing notes their end. Other calls
/// are not looked at before they are due.
const LOOK_AFTER_REPORTED: Duration = Duration::from_secs(1);
/// How often a call is looked at that must end the process, and is not allowed to yet.
const HELD_BACK: Duration = Duration::from_millis(50);
/// The shortest sleep.
const LEAST_SLEEP: Duration = Duration::from_micros(200);

/// Watches calls from now on. `false`: they are watched already, or no thread could be made.
///
/// For tasks that exist already, the ends of calls are exact only if calls as long as the shortest
/// deadline are looked into anyway.
pub fn watch(engine: &'static Engine, deadlines: Vec<Deadline>, sink: Sink) -> bool {
    let watch = Watch {
        sink,
        reported: Mutex::default(),
    };
    if deadlines.is_empty() || WATCH.set(watch).is_err() {
        return false;
    }
    let shortest = deadlines.iter().map(|d| d.after).min().unwrap_or_default();
    let recording = engine.recording;
    let ticks = recording.scale().ticks(nanoseconds(shortest));
    // The rate of ticks is not exactly known yet, and every reported call must be noticed when it
    // returns.
    recording.note_from(ticks - ticks / 8);
    let texts = deadlines.iter().map(|d| d.text.clone()).collect();
    recording.log(&Record::Deadlines(texts));
    let mut watcher = Watcher {
        engine,
        shortest,
        dumped: vec![false; deadlines.len()],
        deadlines,
        targets: HashMap::new(),
        due: HashMap::new(),
        temporary: env::temp_dir(),
        reports: 0,
    };
    let Some(watch) = WATCH.get() else {
        return false;
    };
    stack::prepare(engine)
        && clerk::thread("soglia-deadline", move || {
            while let Some(sleep) = boundary::fence(None, || Some(watcher.look(watch))) {
                thread::sleep(sleep.max(LEAST_SLEEP));
            }
        })
}

/// Notes the end of a native call. Cold: for returns that are looked into, and calls that end by an
/// exception.
pub fn ended(task: u32, since: u64, at: u64, how: HowEnded) {
    let Some(watch) = WATCH.get() else {
        return;
    };
    let end = OverdueEnd {
        task,
        since,
        at,
        how,
    };
    let mut all = watch.reported();
    let Some(reported) = all.get_mut(&(task, since)) else {
        return;
    };
    if reported.telling {
        reported.end = Some(end);
        return;
    }
    all.remove(&(task, since));
    drop(all);
    (watch.sink)(Record::OverdueEnd(end));
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

impl Watch {
    fn reported(&self) -> MutexGuard<'_, HashMap<CallKey, Reported>> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A target of open calls.
struct OpenTarget {
    /// Indices of the deadlines for its calls.
    deadlines: Vec<usize>,
    name: Option<String>,
    suppressed: bool,
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
    /// For each deadline, whether a dump was tried.
    dumped: Vec<bool>,
    targets: HashMap<u32, OpenTarget>,
    /// The calls that have missed a deadline, by call and index of the deadline.
    due: HashMap<(CallKey, usize), Due>,
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
            for call in self.engine.recording.open_calls(task) {
                if call.side == Side::Unmanaged {
                    open.insert((task.number.load(Relaxed), call.since));
                    sleep = sleep.min(self.look_at(watch, scale, task, &call));
                }
            }
        }
        self.due.retain(|(call, _), _| open.contains(call));
        if self.look_after_reported(watch, scale, &open) {
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
            let took = |at: u64| scale.ns(at.saturating_sub(open.since));
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
        self.targets.entry(target).or_insert_with(|| {
            let names = self.engine.names_of(target).unwrap_or_default();
            let named = names.library.as_deref().zip(names.entry.as_deref());
            OpenTarget {
                deadlines: named.map_or_else(Vec::new, |(library, entry)| {
                    of(&self.deadlines, library, entry)
                }),
                name: named.map(|(library, entry)| format!("{library}!{entry}")),
                suppressed: names.suppressed,
            }
        })
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
        {
            let mut all = watch.reported();
            // A call that ends from here on finds that it was reported.
            if !recording.is_open(task, open) {
                return false;
            }
            all.entry(call).or_default().telling = true;
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
        let walked = stack::of_thread(os_thread)?;
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
