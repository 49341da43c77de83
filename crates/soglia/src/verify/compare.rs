//! The comparison of recordings.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    callers,
    comparison::{ComparedTarget, Comparison, LineDifference, Outcome, ProgramRun},
    counts::{Both, Counts},
    entries,
    key::{Key, is_in_scope},
};
use crate::model::{CrossingCounts, Model};

/// The counts of each target in one recording, and which targets are the runtime's own.
struct SourceCounts {
    counts: BTreeMap<Key, Counts>,
    internal: BTreeSet<Key>,
}

impl SourceCounts {
    fn of(model: &Model, is_reference: bool, scope: &str) -> Self {
        let mut seen = Self {
            counts: BTreeMap::new(),
            internal: BTreeSet::new(),
        };
        for row in &model.targets {
            let key = Key::of(row, is_reference, scope);
            seen.counts
                .entry(key.clone())
                .or_default()
                .add(Counts::of(row));
            // A function pointer is the runtime's own if the runtime calls it. Where it leads does
            // not matter.
            let pointer = row.method.is_none() && key.assembly.is_none();
            if row.runtime_internal && !pointer {
                seen.internal.insert(key);
            }
        }
        seen
    }

    fn get(&self, key: &Key) -> Counts {
        self.counts.get(key).copied().unwrap_or_default()
    }
}

/// Compares one recording under `woven` with one or more under `transitions`.
///
/// The first recording of `reference` is the one that counts. The others show what varies by
/// itself. `runs` has the runs of all recordings, first `transitions`, then `woven`, then the
/// others.
pub fn compare(reference: &[Model], woven: &Model, runs: Vec<ProgramRun>) -> Comparison {
    let scope = woven.scope.unwrap_or("user");
    let references: Vec<SourceCounts> = reference
        .iter()
        .map(|model| SourceCounts::of(model, true, scope))
        .collect();
    let watched = SourceCounts::of(woven, false, scope);
    let keys: BTreeSet<&Key> = references
        .iter()
        .chain([&watched])
        .flat_map(|source| source.counts.keys())
        .collect();
    let mut targets: Vec<ComparedTarget> = keys
        .into_iter()
        .filter_map(|key| {
            let (first, others) = references.split_first()?;
            let counts = Both {
                transitions: first.get(key),
                woven: watched.get(key),
            };
            let mut sources = references.iter().chain([&watched]);
            let internal = sources.any(|source| source.internal.contains(key));
            let outcome = if internal && !is_in_scope(key.assembly.as_deref(), scope) {
                Outcome::RuntimeInternal
            } else if counts.differences(key.direction).is_empty() {
                Outcome::Same
            } else if counts.is_less() && key.is_unwatched(&woven.not_watched) {
                Outcome::NotWatched
            } else if others
                .iter()
                .any(|other| other.get(key) != counts.transitions)
            {
                Outcome::Varies
            } else {
                Outcome::Differs
            };
            let Key {
                direction,
                assembly,
                method,
                library,
                entry,
            } = key.clone();
            Some(ComparedTarget {
                outcome,
                direction,
                method,
                assembly,
                library,
                entry,
                counts,
            })
        })
        .collect();
    entries::settle(&mut targets);
    targets.sort_by_key(|target| {
        let calls = target
            .counts
            .transitions
            .calls
            .max(target.counts.woven.calls);
        (target.outcome, std::cmp::Reverse(calls))
    });
    let output = output(&runs);
    let differs = |target: &ComparedTarget| target.outcome == Outcome::Differs;
    Comparison {
        agree: output != "differs" && !targets.iter().any(differs),
        program: woven.command_line.join(" "),
        runtime: woven.runtime.clone(),
        scope,
        output_difference: match &runs[..] {
            [first, second, ..] if output != "same" => {
                LineDifference::between(&first.beginning, &second.beginning)
            }
            _ => None,
        },
        runs,
        output,
        crossings: crossings(&targets),
        first_callers: callers::compare(reference, woven, scope),
        not_watched: woven.not_watched.clone(),
        remarks: remarks(reference, woven),
        targets,
    }
}

fn output(runs: &[ProgramRun]) -> &'static str {
    let [first, second, others @ ..] = runs else {
        return "same";
    };
    if first.is_like(second) {
        "same"
    } else if others.iter().any(|other| !other.is_like(first)) {
        "varies"
    } else {
        "differs"
    }
}

fn crossings(targets: &[ComparedTarget]) -> Both<CrossingCounts> {
    let of = |counts: fn(&ComparedTarget) -> Counts| {
        let mut sum = CrossingCounts {
            enter: Some(0),
            reverse_leave: Some(0),
            ..CrossingCounts::default()
        };
        for target in targets
            .iter()
            .filter(|t| t.outcome != Outcome::RuntimeInternal)
        {
            let Counts {
                calls,
                returned,
                failed,
                ..
            } = counts(target);
            let (open, close) = if target.direction == "forward" {
                (&mut sum.leave, &mut sum.enter)
            } else {
                (&mut sum.reverse_enter, &mut sum.reverse_leave)
            };
            *open += calls;
            *close.get_or_insert(0) += returned + failed;
        }
        sum
    };
    Both {
        transitions: of(|target| target.counts.transitions),
        woven: of(|target| target.counts.woven),
    }
}

fn remarks(reference: &[Model], woven: &Model) -> Vec<String> {
    let mut remarks = woven.remarks.clone();
    for model in reference.iter().take(1).chain([woven]) {
        if model.dropped_crossings > 0 {
            remarks.push(format!(
                "{} crossings were not recorded under {}, because the recording had no room",
                model.dropped_crossings,
                model.source.unwrap_or("woven"),
            ));
        }
    }
    remarks
}
