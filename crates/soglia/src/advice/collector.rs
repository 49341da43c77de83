//! `gc-wait`: garbage collections that waited long for the program's threads to stop.

use super::{
    context::Context,
    draft::{Draft, Severity, several},
    thresholds::{GC_LONGEST, GC_SHARE},
};
use crate::text::time;

/// What the recording says about collections that waited for calls of one target.
pub(super) struct Waited {
    /// How many.
    pub(super) times: u64,
    /// Nanoseconds that all of them waited.
    pub(super) ns: u64,
    /// Nanoseconds that one waited at most.
    pub(super) longest: u64,
}

/// The collections that waited for calls of the target with this number. 0: for no known target.
pub(super) fn waited_for(context: &Context, number: u32) -> Waited {
    let all = context.names.suspensions.iter();
    let of_target = all.filter(|stop| context.row_of(stop.target) == number);
    let mut waited = Waited {
        times: 0,
        ns: 0,
        longest: 0,
    };
    for stop in of_target {
        let ns = context.scale.ns(stop.waited);
        waited.times += 1;
        waited.ns = waited.ns.saturating_add(ns);
        waited.longest = waited.longest.max(ns);
    }
    waited
}

pub(super) fn find(context: &Context) -> Vec<Draft> {
    // Those that waited for a marked call belong to the finding about that call.
    let waited = waited_for(context, 0);
    if waited.longest < GC_LONGEST || context.percent_of_run(waited.ns) < GC_SHARE {
        return Vec::new();
    }
    let all = context.names.all_suspensions.unwrap_or_default();
    vec![Draft {
        id: "gc-wait",
        severity: Severity::Warning,
        at_stake: waited.ns,
        sentence: format!(
            "Garbage collections waited for the program's threads to stop: {} in all, the longest {}.",
            time(waited.ns),
            time(waited.longest)
        ),
        evidence: format!(
            "{} waited 1 ms or more, of {} in all, {} % of the run.",
            several(waited.times, "collection", "collections"),
            crate::text::count(all.count.max(waited.times)),
            context.percent_of_run(waited.ns)
        ),
        advice: "Look for threads that do not stop: long native functions without a GC transition (SuppressGCTransition, QCalls), or too few processors for the threads.".into(),
        targets: Vec::new(),
    }]
}
