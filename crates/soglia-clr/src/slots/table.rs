//! All slots of the process.

use std::sync::{
    Arc, Mutex, PoisonError, Weak,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use soglia_core::admission::{self, Bound, Doing, Thread};

use crate::host::suspension;

/// Slots, with the function that finds out what threads do.
pub type Slots = admission::Slots<fn(Thread) -> Doing>;

/// The slots of all managers.
static ALL: Mutex<Vec<Weak<Slots>>> = Mutex::new(Vec::new());

/// Whether the manager in front has no host behind it.
pub static ALONE: AtomicBool = AtomicBool::new(false);

/// The slots of all managers that still exist.
pub fn all() -> Vec<Arc<Slots>> {
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|slots| slots.strong_count() > 0);
    all.iter().filter_map(Weak::upgrade).collect()
}

/// Whether there are any. They need to know when threads are suspended.
pub fn any() -> bool {
    !all().is_empty()
}

/// Whether tasks are soglia's own, so that no host pairs them with the CLR's.
pub fn alone() -> bool {
    ALONE.load(Relaxed)
}

/// Threads that wait for the collector sleep too, and run managed code as soon as they may.
fn look_at(thread: Thread) -> Doing {
    match admission::look_at(thread) {
        Doing::Sleeps(_) if suspension::is_on() => Doing::Runs,
        doing => doing,
    }
}

/// Makes slots.
pub fn new_slots(bound: Bound) -> Arc<Slots> {
    let slots: Arc<Slots> = Arc::new(Slots::new(bound.slots, bound.limit, look_at));
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    all.retain(|slots| slots.strong_count() > 0);
    all.push(Arc::downgrade(&slots));
    slots
}
