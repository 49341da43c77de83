//! Who calls a target, besides the caller of its first call.
//!
//! The engine keeps the stack of the first call on each further task, and of calls that it chooses
//! by chance. For these, an engine thread takes the tasks' tables away now and then
//! ([`Recording::hold_tables`]): the next call of each task does not find its slot, takes the slow
//! path, and is chosen there. So hooks have no additional instruction for it.
//!
//! [`Recording::hold_tables`]: soglia_core::trace::writer::Recording::hold_tables

use std::{
    collections::HashMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use soglia_core::trace::{facts::Caller, log::Record};

use crate::{clerk, engine::Engine, stacks};

/// The most further tasks of a target whose first calls are kept.
const MOST_TASKS: usize = 8;
/// The most calls of a target that are chosen.
const MOST_CHOSEN: u32 = 64;
/// The most stacks that are kept of all targets.
const MOST: u32 = 4000;

/// When calls are chosen for the first time.
const FIRST: Duration = Duration::from_millis(1);
/// How often calls are chosen, when the program has run for a while.
const LAST: Duration = Duration::from_millis(500);

/// What is kept of a target.
#[derive(Default)]
struct Kept {
    /// The tasks that have called it, the first one included.
    tasks: Vec<u32>,
    chosen: u32,
}

static KEPT: Mutex<Option<HashMap<u32, Kept>>> = Mutex::new(None);
static COUNT: AtomicU32 = AtomicU32::new(0);
/// Whether calls are chosen.
static CHOOSES: AtomicBool = AtomicBool::new(false);

/// Forgets all of that, when the recording has ended.
pub fn end() {
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = None;
    COUNT.store(0, Relaxed);
    CHOOSES.store(false, Relaxed);
}

fn with<T>(target: u32, body: impl FnOnce(&mut Kept) -> T) -> T {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    body(kept.get_or_insert_default().entry(target).or_default())
}

/// Notes the task of a target's first call.
pub fn first(engine: &'static Engine, target: u32, task: u32) {
    if !CHOOSES.swap(true, Relaxed) {
        let mut wait = FIRST;
        clerk::also(FIRST, move || {
            engine.recording.hold_tables();
            wait = (wait * 3 / 2).min(LAST);
            (engine.is_current() && COUNT.load(Relaxed) < MOST).then_some(wait)
        });
    }
    with(target, |kept| kept.tasks.push(task));
}

/// Keeps the stack of the running call, which is the first one of this target on a further task.
pub fn further(engine: &'static Engine, target: u32, task: u32) {
    let new = with(target, |kept| {
        let new = !kept.tasks.contains(&task) && kept.tasks.len() <= MOST_TASKS;
        if new {
            kept.tasks.push(task);
        }
        new
    });
    if new {
        keep(engine, target, task);
    }
}

/// Keeps the stack of the running call, which was chosen by chance.
pub fn chosen(engine: &'static Engine, target: u32, task: u32) {
    let new = with(target, |kept| {
        kept.chosen = kept.chosen.saturating_add(1);
        kept.chosen <= MOST_CHOSEN
    });
    if new {
        keep(engine, target, task);
    }
}

fn keep(engine: &'static Engine, target: u32, task: u32) {
    if COUNT.fetch_add(1, Relaxed) >= MOST {
        COUNT.store(MOST, Relaxed);
        return;
    }
    let stack = stacks::current(engine);
    if stack != 0 {
        engine.recording.log(&Record::Caller(Caller {
            target,
            task,
            stack,
        }));
    }
}
