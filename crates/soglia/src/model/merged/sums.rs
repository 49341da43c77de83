//! What is summed, or the same for all processes.

use std::collections::BTreeMap;

use super::super::{
    process::RuntimeVersion,
    rows::{FaultRow, NoRoomRow, UnwatchedRow},
    whole::{CrossingCounts, DeadlineSummary, Model, PolicySummary, SlotSummary},
};

/// A word for what differs between processes.
const MIXED: &str = "mixed";

/// The sums so far.
#[derive(Debug, Default)]
pub(super) struct Sums {
    crossings: Option<CrossingCounts>,
    faults: Vec<FaultRow>,
    dropped: [u64; 3],
    no_room: BTreeMap<&'static str, u32>,
    not_watched: Vec<UnwatchedRow>,
    policy: Option<PolicySummary>,
    deadlines: Option<DeadlineSummary>,
    slots: Option<SlotSummary>,
    runtimes: Vec<RuntimeVersion>,
    /// Of levels, times, sources and scopes, those that there are.
    levels: Vec<&'static str>,
    times: Vec<&'static str>,
    sources: Vec<Option<&'static str>>,
    scopes: Vec<Option<&'static str>>,
    clock_ns: Option<u64>,
    slow_threshold_ns: Option<u64>,
}

impl Sums {
    /// Adds those of a process.
    pub(super) fn add(&mut self, model: &Model) {
        self.crossings = Some(match self.crossings {
            None => model.crossings,
            Some(mine) => sum(mine, model.crossings),
        });
        for fault in &model.faults {
            match self.faults.iter_mut().find(|row| row.kind == fault.kind) {
                Some(row) => {
                    row.count = row.count.saturating_add(fault.count);
                    row.tasks = row.tasks.saturating_add(fault.tasks);
                }
                None => self.faults.push(fault.clone()),
            }
        }
        let dropped = [model.dropped, model.dropped_events, model.dropped_crossings];
        for (mine, theirs) in self.dropped.iter_mut().zip(dropped) {
            *mine = mine.saturating_add(theirs);
        }
        for row in &model.no_room {
            let times = self.no_room.entry(row.reason).or_default();
            *times = times.saturating_add(row.times);
        }
        for row in &model.not_watched {
            keep(&mut self.not_watched, row.clone());
        }
        take_rules(&mut self.policy, &model.policy, |of| &mut of.idle_rules);
        take_rules(&mut self.deadlines, &model.deadlines, |of| {
            &mut of.idle_rules
        });
        take_slots(&mut self.slots, model.slots);
        keep(&mut self.runtimes, model.runtime.clone());
        keep(&mut self.levels, model.level);
        keep(&mut self.times, model.times);
        keep(&mut self.sources, model.source);
        keep(&mut self.scopes, model.scope);
        self.clock_ns = self.clock_ns.max(model.clock_ns);
        let threshold = Some(model.slow_threshold_ns).filter(|ns| *ns > 0);
        let both = [self.slow_threshold_ns, threshold];
        self.slow_threshold_ns = both.into_iter().flatten().min();
    }

    /// Moves them into a report.
    pub(super) fn give(self, model: &mut Model) {
        model.crossings = self.crossings.unwrap_or_default();
        model.faults = self.faults;
        [model.dropped, model.dropped_events, model.dropped_crossings] = self.dropped;
        let no_room = self.no_room.into_iter();
        model.no_room = no_room
            .map(|(reason, times)| NoRoomRow { reason, times })
            .collect();
        model.not_watched = self.not_watched;
        model.policy = self.policy;
        model.deadlines = self.deadlines;
        model.slots = self.slots;
        model.runtime = the_same(self.runtimes).unwrap_or_default();
        model.level = the_same(self.levels).unwrap_or(MIXED);
        model.times = the_same(self.times).unwrap_or(MIXED);
        model.source = the_same(self.sources).flatten();
        model.scope = the_same(self.scopes).flatten();
        model.clock_ns = self.clock_ns;
        model.slow_threshold_ns = self.slow_threshold_ns.unwrap_or(0);
    }
}

/// Adds a value that is not there yet.
fn keep<T: PartialEq>(all: &mut Vec<T>, one: T) {
    if !all.contains(&one) {
        all.push(one);
    }
}

/// The value that all have.
fn the_same<T>(mut all: Vec<T>) -> Option<T> {
    all.pop().filter(|_| all.is_empty())
}

fn sum(one: CrossingCounts, other: CrossingCounts) -> CrossingCounts {
    let both = |one: Option<u64>, other: Option<u64>| Some(one?.saturating_add(other?));
    CrossingCounts {
        leave: one.leave.saturating_add(other.leave),
        enter: both(one.enter, other.enter),
        reverse_enter: one.reverse_enter.saturating_add(other.reverse_enter),
        reverse_leave: both(one.reverse_leave, other.reverse_leave),
    }
}

/// Takes the rules of a process. All processes of a run have the same ones, and a rule is idle if
/// it is so in each process.
fn take_rules<T: Clone>(
    mine: &mut Option<T>,
    theirs: &Option<T>,
    idle: impl Fn(&mut T) -> &mut Vec<String>,
) {
    let Some(mut theirs) = theirs.clone() else {
        return;
    };
    match mine {
        None => *mine = Some(theirs),
        Some(mine) => {
            let theirs = idle(&mut theirs);
            idle(mine).retain(|rule| theirs.contains(rule));
        }
    }
}

/// Adds the waits for slots, if both processes had as many.
fn take_slots(mine: &mut Option<SlotSummary>, theirs: Option<SlotSummary>) {
    let Some(theirs) = theirs else {
        return;
    };
    let Some(sum) = mine else {
        *mine = Some(theirs);
        return;
    };
    sum.count = sum.count.max(theirs.count);
    sum.timeout_ns = sum.timeout_ns.max(theirs.timeout_ns);
    sum.at_least |= theirs.at_least;
    sum.longest_wait_ns = sum.longest_wait_ns.max(theirs.longest_wait_ns);
    for (mine, theirs) in [
        (&mut sum.waits, theirs.waits),
        (&mut sum.waited_ns, theirs.waited_ns),
        (&mut sum.timed_out, theirs.timed_out),
        (&mut sum.lent, theirs.lent),
        (&mut sum.abandoned, theirs.abandoned),
    ] {
        *mine = mine.saturating_add(theirs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_said_of_no_process() {
        let model = |level, source| Model {
            level,
            source,
            ..Model::default()
        };
        let mut sums = Sums::default();
        sums.add(&model("summary", Some("woven")));
        sums.add(&model("events", Some("woven")));
        let mut all = Model::default();
        sums.give(&mut all);
        assert_eq!((all.level, all.source), (MIXED, Some("woven")));
    }

    #[test]
    fn a_rule_is_idle_if_no_process_used_it() {
        let policy = |idle: &[&str]| Model {
            policy: Some(PolicySummary {
                audit: false,
                deny_fatal: false,
                rules: vec!["a".into(), "b".into()],
                idle_rules: idle.iter().map(|rule| (*rule).to_owned()).collect(),
            }),
            ..Model::default()
        };
        let mut sums = Sums::default();
        sums.add(&policy(&["a", "b"]));
        sums.add(&Model::default());
        sums.add(&policy(&["b"]));
        let mut all = Model::default();
        sums.give(&mut all);
        assert_eq!(all.policy.unwrap().idle_rules, ["b"]);
    }
}
