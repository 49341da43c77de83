//! What findings are made from.

use std::collections::{HashMap, HashSet};

use soglia_core::{
    time::Scale,
    trace::{facts::Signature, names::Names},
};

use crate::model::{Model, TargetRow};

/// What findings need and reports do not show.
#[derive(Default)]
pub(crate) struct Facts {
    /// Calls of each target on the finalizer's thread.
    pub(crate) on_finalizer: HashMap<u32, Part>,
    /// Calls of each target on threads of the pool.
    pub(crate) on_pool: HashMap<u32, Part>,
    /// Open calls in which other calls or callbacks have returned: task and depth.
    pub(crate) called_back: HashSet<(u32, u32)>,
    /// For each target that shares a row with an earlier one: the first of them.
    pub(crate) rows: HashMap<u32, u32>,
    /// Processors of this machine.
    pub(crate) processors: u64,
}

/// A part of a target's calls.
#[derive(Clone, Copy, Default)]
pub(crate) struct Part {
    /// The calls.
    pub(crate) calls: u64,
    /// Nanoseconds in those that returned, without what was nested in them.
    pub(crate) own_ns: u64,
}

/// What findings are made from.
pub(crate) struct Context<'a> {
    /// The report.
    pub(crate) model: &'a Model,
    /// The records of the log.
    pub(crate) names: &'a Names,
    /// The length of a tick.
    pub(crate) scale: Scale,
    /// What else the recording says.
    pub(crate) facts: &'a Facts,
}

impl<'a> Context<'a> {
    /// The native functions that the program called, without the runtime's own.
    pub(super) fn forward(&self) -> impl Iterator<Item = &'a TargetRow> + use<'a> {
        self.of("forward")
    }

    /// The managed methods that native code called, without the runtime's own.
    pub(super) fn reverse(&self) -> impl Iterator<Item = &'a TargetRow> + use<'a> {
        self.of("reverse")
    }

    /// The number of the row that a target is in.
    pub(super) fn row_of(&self, target: u32) -> u32 {
        self.facts.rows.get(&target).copied().unwrap_or(target)
    }

    /// The signature of a target, if the recording has it.
    pub(super) fn signature(&self, row: &TargetRow) -> Option<&'a Signature> {
        self.names.signatures.get(&row.number)
    }

    /// Whether calls of a target are made without a GC transition.
    pub(super) fn is_suppressed(&self, row: &TargetRow) -> bool {
        let target = self.names.targets.get(&row.number);
        target.is_some_and(|target| target.suppressed)
    }

    fn of(&self, direction: &'static str) -> impl Iterator<Item = &'a TargetRow> + use<'a> {
        let all = self.model.targets.iter();
        all.filter(move |row| row.direction == direction && !row.runtime_internal)
    }

    /// Whether so much of the run is worth a finding, or so many calls are.
    pub(super) fn matters(&self, (ns, percent): (u64, u64), (calls, many): (u64, u64)) -> bool {
        calls >= many || self.percent_of_run(ns) >= percent
    }

    /// How much of the run a time is, in percent.
    pub(super) fn percent_of_run(&self, ns: u64) -> u64 {
        let run = u128::from(self.model.duration_ns.max(1));
        u64::try_from(u128::from(ns) * 100 / run).unwrap_or(u64::MAX)
    }
}
