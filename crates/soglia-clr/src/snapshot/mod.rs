//! Records what every thread of the program is doing at a moment.
//!
//! | what a record has | where it comes from |
//! | --- | --- |
//! | managed stack | the CLR, which is suspended once for all threads |
//! | native stack | the thread's stack, if the thread waits |
//! | the native function that the thread is inside | [`callee`] |
//! | what the thread does | the kernel |

mod callee;
mod seen;
mod tasks;

use std::collections::BTreeMap;

use soglia_core::{
    time,
    trace::{attached::Snapshot, log::Record},
};

use crate::{
    engine::Engine,
    other_threads::{
        managed,
        native::{Outer, Walker},
    },
    stacks::{self, Walked},
};
use callee::{Callees, Inside};
use seen::Seen;

/// Which threads are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those that have managed frames, as far as that can be found out.
    Managed,
    /// All except those of the engine.
    All,
}

/// The most threads that are recorded.
const MOST: usize = 8192;

/// Makes the thread that walks stacks. It is made in advance, since a new thread may have to wait
/// for a library that is being loaded.
pub fn prepare() {
    managed::prepare();
}

/// Records what threads are doing. To be called on an engine thread that is not in a callback.
///
/// Returns within seconds, even if something keeps the runtime from being suspended. Then there are
/// no managed stacks, and the records say why.
pub fn record(engine: &Engine, which: Which) {
    // The number of a function means nothing any more when its module is gone.
    let _modules = managed::keep_modules();
    managed::prepare();
    let mut taking = Taking {
        engine,
        callees: Callees::of(engine),
        walker: Walker::default(),
        tasks: tasks::of(engine),
    };
    let threads = taking.threads();
    taking.record(threads, which);
}

/// What is needed to take a snapshot.
struct Taking<'e> {
    engine: &'e Engine,
    callees: Callees<'e>,
    walker: Walker,
    /// The numbers of tasks, by the operating system's number of their threads.
    tasks: BTreeMap<u32, u32>,
}

impl Taking<'_> {
    /// The threads of the process, except those of the engine, and what can be seen of them without
    /// the runtime.
    fn threads(&mut self) -> Vec<Seen> {
        let mut threads = seen::all();
        threads.truncate(MOST);
        for thread in &mut threads {
            thread.native = self.walker.frames(thread.os_thread, thread.doing.as_ref());
        }
        threads
    }

    fn record(&mut self, threads: Vec<Seen>, which: Which) {
        // The runtime would wait for such a call, and all threads for the runtime.
        let suppressed = threads.iter().find_map(|thread| {
            let name = self.callees.suppressed_at(thread.native.managed?)?;
            Some((thread.os_thread, name))
        });
        let suppressed = suppressed.or_else(|| tasks::suppressed(self.engine));
        let walked = match suppressed {
            None => managed::of_all(&self.engine.info).map_err(str::to_owned),
            Some((os_thread, name)) => Err(format!(
                "thread {os_thread} is inside {name}, which is called without a GC transition: \
                 the runtime cannot be suspended meanwhile"
            )),
        };
        let at = time::now();
        let stacks = walked.as_ref().map(|stacks| stacks.threads().collect());
        let stacks: Result<BTreeMap<u32, &[Walked]>, &String> = stacks;
        for mut thread in threads {
            let frames = match &stacks {
                Ok(stacks) => Ok(stacks.get(&thread.os_thread).copied().unwrap_or_default()),
                Err(why) => Err(why.as_str()),
            };
            let is_managed = match frames {
                Ok(frames) => !frames.is_empty(),
                Err(_) => thread.native.managed.is_some(),
            };
            if is_managed || which == Which::All {
                let snapshot = self.snapshot(&mut thread, frames, at);
                self.engine.recording.log(&Record::Snapshot(snapshot));
            }
        }
        if let (Err(why), Which::Managed) = (&walked, which) {
            // Threads that run have no row, which would say so.
            let text = format!("the stacks of threads were not read at the attach: {why}");
            self.engine.recording.log(&Record::Remark { text });
        }
        if let Ok(left_out @ 1..) = walked.map(|stacks| stacks.left_out) {
            let text = format!(
                "the stacks of {left_out} threads were not read: the program would have been held up for too long"
            );
            self.engine.recording.log(&Record::Remark { text });
        }
    }

    fn snapshot(
        &mut self,
        thread: &mut Seen,
        walked: Result<&[Walked], &str>,
        at: u64,
    ) -> Snapshot {
        // Without the runtime's help, the method is known that native code goes on to.
        let method = || self.callees.frame_at(thread.native.managed?);
        let alone: Vec<Walked> = walked.err().and_then(|_| method()).into_iter().collect();
        let frames = walked.unwrap_or(&alone);
        let innermost = frames.first().filter(|frame| !frame.function.is_null());
        if let Some(frame) = innermost.filter(|_| thread.native.managed.is_none()) {
            let outer = Outer {
                ip: frame.ip as u64,
                sp: frame.sp as u64,
                fp: frame.fp as u64,
            };
            let (walker, doing) = (&mut self.walker, thread.doing.as_ref());
            thread.native = walker.frames_inside(thread.os_thread, doing, Some(outer));
        }
        let inside = match innermost {
            Some(frame) => self.callees.inside(frame, &thread.native),
            None => self.callees.inside_native(&thread.native),
        };
        let (inside, callee) = match inside {
            Inside::Native(callee) => (true, callee),
            Inside::Managed => (false, None),
        };
        let stack = stacks::keep_if(self.engine, frames, || true);
        let names = std::mem::take(&mut thread.native.names);
        let names: Vec<u32> = names.into_iter().map(|n| self.engine.text(n)).collect();
        let native = match names.is_empty() {
            true => 0,
            false => self.engine.stack(names),
        };
        Snapshot {
            at,
            os_thread: thread.os_thread,
            task: self.tasks.get(&thread.os_thread).copied().unwrap_or(0),
            stack,
            native,
            target: 0,
            inside,
            thread: thread.name.take(),
            callee,
            doing: thread.doing.take().map(|doing| doing.text),
            no_stack: walked.err().map(str::to_owned),
            native_ends: thread.native.end.take(),
        }
    }
}
