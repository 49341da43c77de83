//! The sums of one task.

use std::collections::HashMap;

use soglia_core::{
    account::{Total, Totals},
    crossing::Side,
    fault::Fault,
    trace::{reader::Reader, replay, snapshot::TaskSnapshot},
};

/// The calls of one task, summed up by target.
pub(super) struct TaskTotals {
    pub(super) targets: Vec<((u32, Side), Total)>,
    /// Crossings by kind.
    pub(super) crossings: [u64; 4],
    /// Faults by kind.
    pub(super) faults: [u64; Fault::ALL.len()],
}

impl TaskTotals {
    /// Takes the counters out of the task.
    pub(super) fn counted(task: &mut TaskSnapshot) -> Self {
        Self {
            targets: std::mem::take(&mut task.targets).into_iter().collect(),
            crossings: task.crossings,
            faults: task.faults.map(u64::from),
        }
    }

    /// Computes the sums from the task's events.
    pub(super) fn replayed(reader: &Reader, task: &TaskSnapshot) -> Self {
        Self::of_events(&replay::totals(reader, task.number), task)
    }

    /// Takes sums that were computed from the task's events.
    pub(super) fn of_events(totals: &Totals, task: &TaskSnapshot) -> Self {
        // Events do not say on which side a target is. The counters do.
        let sides: HashMap<u32, Side> = task.targets.keys().copied().collect();
        let side = |target| sides.get(&target).copied().unwrap_or(Side::Unmanaged);
        Self {
            targets: totals
                .iter()
                .map(|(target, total)| ((target, side(target)), total.clone()))
                .collect(),
            crossings: totals.crossings,
            faults: totals.faults,
        }
    }
    /// Ticks in native code, without callbacks, of calls that returned. `None` if no call returned.
    pub(super) fn native_ticks(&self) -> Option<u64> {
        let native = self
            .targets
            .iter()
            .filter(|((_, side), total)| *side == Side::Unmanaged && total.ended > 0);
        native
            .map(|(_, total)| total.own)
            .reduce(u64::saturating_add)
    }
}
