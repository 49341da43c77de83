//! That calls are watched, and which of them were reported.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock},
    time::Duration,
};

use soglia_core::trace::{
    log::Record,
    overdue::{HowEnded, OverdueEnd},
};

use super::stuck::CallKey;

/// Gets what becomes known about calls that miss their deadlines: [`Record::Arguments`],
/// [`Record::Overdue`], [`Record::OverdueEnd`] and [`Record::OverdueAction`], in that order for
/// each call.
///
/// Called on an engine thread, and for ends on the thread that made the call, in preemptive mode.
pub type Sink = Box<dyn Fn(Record) + Send + Sync>;

/// What the watching thread shares with the threads that make calls.
pub(super) struct Watch {
    pub(super) sink: Sink,
    reported: Mutex<HashMap<CallKey, Reported>>,
    /// Whether nothing is watched any more.
    over: Mutex<bool>,
    ended: Condvar,
}

/// A call that was reported and is not known to have ended.
#[derive(Default)]
pub(super) struct Reported {
    /// A report is about to be passed on, and what comes after it waits.
    pub(super) telling: bool,
    pub(super) end: Option<OverdueEnd>,
    /// Ticks when the call was first found to be gone, while no end of it was noted.
    pub(super) gone: Option<u64>,
}

static WATCH: RwLock<Option<Arc<Watch>>> = RwLock::new(None);

impl Watch {
    /// Begins to watch. `None`: calls are watched already.
    pub(super) fn begin(sink: Sink) -> Option<Arc<Self>> {
        let mut watched = WATCH.write().unwrap_or_else(PoisonError::into_inner);
        if watched.is_some() {
            return None;
        }
        let watch = Arc::new(Self {
            sink,
            reported: Mutex::default(),
            over: Mutex::default(),
            ended: Condvar::new(),
        });
        *watched = Some(Arc::clone(&watch));
        Some(watch)
    }

    /// The calls that were reported, locked.
    pub(super) fn reported(&self) -> MutexGuard<'_, HashMap<CallKey, Reported>> {
        self.reported.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps so long, or until nothing is watched any more; returns whether it is so.
    pub(super) fn sleep(&self, length: Duration) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.ended.wait_timeout_while(over, length, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Watches no calls any more.
pub fn end() {
    let watch = WATCH.write().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(watch) = watch {
        *watch.over.lock().unwrap_or_else(PoisonError::into_inner) = true;
        watch.ended.notify_all();
    }
}

/// Notes the end of a native call. Cold: for returns that are looked into, and calls that end by an
/// exception.
pub fn ended(task: u32, since: u64, at: u64, how: HowEnded) {
    let watch = WATCH.read().unwrap_or_else(PoisonError::into_inner).clone();
    let Some(watch) = watch else {
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
