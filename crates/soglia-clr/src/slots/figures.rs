//! How long tasks wait for slots: figures for hosts that ask, and for the recording.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use soglia_abi::hosting::own::SogliaSlotFigures;
use soglia_core::{admission::Bound, trace::log::Record};

use super::table::{Slots, all};
use crate::engine;

/// The slots whose figures go into the recording.
static KEPT: OnceLock<(Bound, Arc<Slots>)> = OnceLock::new();

/// After this many waits the figures are recorded again.
static DUE: AtomicU64 = AtomicU64::new(1);

/// The figures, as hosts get them.
pub fn of(slots: &Slots) -> SogliaSlotFigures {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let figures = slots.figures();
    SogliaSlotFigures {
        Slots: count(slots.count()),
        Free: count(slots.free()),
        Waiting: count(slots.waiting()),
        Reserved: 0,
        Waits: figures.waits,
        WaitedNs: figures.waited_ns,
        LongestNs: figures.longest_ns,
        TimedOut: figures.timed_out,
        Lent: figures.lent,
        Abandoned: figures.abandoned,
    }
}

/// Has the figures of these slots recorded.
pub fn keep(bound: Bound, slots: &Arc<Slots>) {
    let _ = KEPT.set((bound, slots.clone()));
}

/// Records the figures if there were twice as many waits as the last time, so that a process that
/// is killed leaves some.
#[inline]
pub fn look() {
    if let Some((_, slots)) = KEPT.get()
        && slots.waits() >= DUE.load(Relaxed)
    {
        again();
    }
}

#[cold]
fn again() {
    let Some((_, slots)) = KEPT.get() else {
        return;
    };
    let due = DUE.load(Relaxed);
    let next = slots.waits().max(due).saturating_mul(2);
    if slots.waits() >= due && DUE.compare_exchange(due, next, Relaxed, Relaxed).is_ok() {
        write_down();
    }
}

/// Records the figures, if there are any.
pub fn write_down() {
    if let (Some((bound, slots)), Some(engine)) = (KEPT.get(), engine::get()) {
        engine
            .recording
            .log(&Record::Slots(*bound, slots.figures()));
    }
}

/// The runtime shuts down: tasks that still run must not wait for slots that never come back.
pub fn shut_down() {
    for slots in all() {
        slots.lift();
    }
    write_down();
}
