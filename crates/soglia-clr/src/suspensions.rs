//! How long the runtime waits for its threads when it stops them for a collection, and for which
//! call it waits.
//!
//! The runtime waits for every thread that runs managed code, and for every native call that was
//! made without a GC transition. It announces the beginning and the end of the wait on the thread
//! that stops the others, one stop after the other.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use soglia_abi::profiler::types::{
    COR_PRF_SUSPEND_FOR_GC, COR_PRF_SUSPEND_FOR_GC_PREP, COR_PRF_SUSPEND_REASON,
};
use soglia_core::{
    crossing::Side,
    time,
    trace::{
        facts::{Suspension, Suspensions},
        log::Record,
    },
};

use crate::{
    boundary,
    engine::{self, Engine},
    known::targets::any_suppressed,
    threads,
};

/// From here on a wait has a record of its own.
const LONG: Duration = Duration::from_millis(1);
/// The most records of single waits.
const MOST: u32 = 1000;

/// Ticks when the runtime began to stop its threads for a collection; 0: it does not.
static SINCE: AtomicU64 = AtomicU64::new(0);
/// The task and the target of the call that was open then, and that the runtime waits for.
static WAITS_FOR: Mutex<(u32, u32)> = Mutex::new((0, 0));

static KEPT: AtomicU32 = AtomicU32::new(0);
/// After this many stops their figures are recorded again.
static DUE: AtomicU64 = AtomicU64::new(1);

static FIGURES: Mutex<Suspensions> = Mutex::new(Suspensions {
    count: 0,
    waited: 0,
    longest: 0,
});

/// `RuntimeSuspendStarted`. The engine's own stops have another reason.
pub fn started(reason: COR_PRF_SUSPEND_REASON) {
    let collects = reason == COR_PRF_SUSPEND_FOR_GC || reason == COR_PRF_SUSPEND_FOR_GC_PREP;
    let since = if collects { time::now() } else { 0 };
    SINCE.store(since, Relaxed);
    if collects && any_suppressed() {
        boundary::fence((), || {
            let open = engine::get().and_then(open_call).unwrap_or_default();
            *WAITS_FOR.lock().unwrap_or_else(PoisonError::into_inner) = open;
        });
    }
}

/// The call without a GC transition that has been open for the longest time: its task and target.
fn open_call(engine: &Engine) -> Option<(u32, u32)> {
    let open = threads::live().into_iter().filter_map(|task| {
        let call = engine.recording.open_calls(task).pop()?;
        let is_native = call.side == Side::Unmanaged;
        let waits = is_native && engine.names_of(call.target)?.suppressed;
        waits.then(|| (call.since, task.number.load(Relaxed), call.target))
    });
    let (_, task, target) = open.min()?;
    Some((task, target))
}

/// `RuntimeSuspendFinished`: all threads have stopped.
pub fn finished() {
    let since = SINCE.swap(0, Relaxed);
    if since == 0 {
        return;
    }
    let waited = time::now().saturating_sub(since);
    let (task, target) = {
        let mut waits_for = WAITS_FOR.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *waits_for)
    };
    boundary::fence((), || {
        if let Some(engine) = engine::get() {
            let long = engine.recording.scale().ns(waited) >= LONG.as_nanos() as u64;
            if long && KEPT.fetch_add(1, Relaxed) < MOST {
                engine.recording.log(&Record::Suspension(Suspension {
                    at: since,
                    waited,
                    task,
                    target,
                }));
            }
            count(engine, waited, long);
        }
    });
}

/// `RuntimeSuspendAborted`.
pub fn aborted() {
    SINCE.store(0, Relaxed);
}

/// Adds a stop to the figures. Records these if there were twice as many stops as the last time, or
/// a long one, so that a process that is killed leaves some.
fn count(engine: &Engine, waited: u64, long: bool) {
    let figures = {
        let mut figures = FIGURES.lock().unwrap_or_else(PoisonError::into_inner);
        figures.count += 1;
        figures.waited = figures.waited.saturating_add(waited);
        figures.longest = figures.longest.max(waited);
        *figures
    };
    let due = DUE.load(Relaxed);
    if figures.count >= due {
        DUE.store(due.saturating_mul(2), Relaxed);
    }
    if figures.count >= due || long && KEPT.load(Relaxed) <= MOST {
        engine.recording.log(&Record::Suspensions(figures));
    }
}

/// Records the figures when the recording ends, and begins with none.
pub fn end() {
    shut_down();
    *FIGURES.lock().unwrap_or_else(PoisonError::into_inner) = Suspensions {
        count: 0,
        waited: 0,
        longest: 0,
    };
    SINCE.store(0, Relaxed);
    KEPT.store(0, Relaxed);
    DUE.store(1, Relaxed);
}

/// Records the figures when the runtime shuts down.
pub fn shut_down() {
    let figures = *FIGURES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(engine) = engine::get().filter(|_| figures.count > 0) {
        engine.recording.log(&Record::Suspensions(figures));
    }
}
