//! Whether two sources of crossings saw the same: the same program was run under each, and its accounts are compared.
//!
//! `transitions` is the reference: the runtime itself tells. `woven` watches less, and says so; what it does watch must be all there.
//! Two differences are no disagreement: a call that fails before it leaves is counted by `woven` as failed, and a callback that fails
//! before it is in managed code as never returned. The runtime tells of neither.

mod callers;
mod entries;
mod weigh;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use callers::FirstCallers;

use crate::model::{Crossings, FUNCTION_POINTER, Model, Runtime, TargetRow, Unwatched};

/// What came of comparing.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    /// Nothing differs but what varies by itself and what is not watched.
    pub agree: bool,
    /// The recorded program.
    pub program: String,
    /// The runtime in it.
    pub runtime: Runtime,
    /// Whose calls were watched by `woven`: `user`, `framework` or `corelib`.
    pub scope: &'static str,
    /// What the program did, run by run, in their order.
    pub runs: Vec<Run>,
    /// Whether it wrote and ended alike: `same`, `differs`, or `varies` if it does so under one source too.
    pub output: &'static str,
    /// Where the output of the first two runs begins to differ, if it does and that is near the beginning.
    pub output_difference: Option<LineDifference>,
    /// Crossings of the targets that were compared.
    pub crossings: Both<Crossings>,
    /// All targets, those that differ first.
    pub targets: Vec<Target>,
    /// Targets that were first called from elsewhere.
    pub first_callers: Vec<FirstCallers>,
    /// What `woven` said it does not see.
    pub not_watched: Vec<Unwatched>,
    /// What makes the comparison less than complete.
    pub remarks: Vec<String>,
}

impl Verdict {
    /// Another run under `transitions` may tell what varies by itself.
    pub fn is_in_doubt(&self) -> bool {
        !self.agree || self.first_callers.iter().any(|differ| !differ.varies)
    }
}

/// The same of each source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Both<T> {
    /// As the runtime told it.
    pub transitions: T,
    /// As wrappers told it.
    pub woven: T,
}

/// One run of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// `transitions` or `woven`.
    pub source: &'static str,
    /// If it exited.
    pub exit_code: Option<i32>,
    /// If a signal ended it.
    pub signal: Option<i32>,
    /// Bytes on standard output.
    pub output_bytes: u64,
    /// A digest of them: the same bytes have the same, within one comparison.
    #[serde(skip)]
    pub digest: u64,
    /// The first of them.
    #[serde(skip)]
    pub beginning: Vec<u8>,
}

impl Run {
    /// Whether two runs wrote and ended alike.
    pub fn is_like(&self, other: &Self) -> bool {
        let told = |run: &Self| (run.exit_code, run.signal, run.output_bytes, run.digest);
        told(self) == told(other)
    }
}

/// A line of standard output that is not the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineDifference {
    /// Which, from 1.
    pub line: usize,
    /// As it was under each source; long ones are cut.
    #[serde(flatten)]
    pub text: Both<String>,
}

impl LineDifference {
    fn between(transitions: &[u8], woven: &[u8]) -> Option<Self> {
        let lines = |bytes: &[u8]| -> Vec<String> {
            let lines = bytes.split(|byte| *byte == b'\n');
            lines
                .map(|line| String::from_utf8_lossy(&line[..line.len().min(200)]).into_owned())
                .collect()
        };
        let (transitions, woven) = (lines(transitions), lines(woven));
        let at = (0..transitions.len().max(woven.len()))
            .find(|n| transitions.get(*n) != woven.get(*n))?;
        let line = |of: &[String]| of.get(at).cloned().unwrap_or_default();
        Some(Self {
            line: at + 1,
            text: Both {
                transitions: line(&transitions),
                woven: line(&woven),
            },
        })
    }
}

/// How the two accounts of one target stand to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// They disagree.
    Differs,
    /// They disagree, but so do two runs under `transitions`.
    Varies,
    /// `woven` saw less, and said that it would.
    NotWatched,
    /// One of the runtime's own, not compared.
    RuntimeInternal,
    /// They agree.
    Same,
}

/// One target under both sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// How the two stand to each other.
    pub outcome: Outcome,
    /// `forward` or `reverse`.
    pub direction: &'static str,
    /// `Namespace.Type.Method`.
    pub method: Option<String>,
    /// Of the method.
    pub assembly: Option<String>,
    /// As written in `DllImport`.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// What each source counted.
    #[serde(flatten)]
    pub counts: Both<Counts>,
}

impl Target {
    /// As in reports.
    pub fn name(&self) -> String {
        let row = TargetRow {
            method: self.method.clone(),
            library: self.library.clone(),
            entry: self.entry.clone(),
            ..TargetRow::default()
        };
        row.name()
    }
}

/// What became of the calls of a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them: `LeaveRuntime` or `ReverseEnterRuntime`.
    pub calls: u64,
    /// Those that returned: `EnterRuntime` or `ReverseLeaveRuntime`.
    pub returned: u64,
    /// Those that were unwound past.
    pub abandoned: u64,
    /// Those that had not returned at the end.
    pub open: u64,
    /// Those that ended by an exception.
    pub failed: u64,
}

impl Counts {
    fn of(row: &TargetRow) -> Self {
        Self {
            calls: row.calls,
            returned: row.returned + row.untimed,
            abandoned: row.abandoned,
            open: row.open,
            failed: row.failed,
        }
    }

    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.returned += other.returned;
        self.abandoned += other.abandoned;
        self.open += other.open;
        self.failed += other.failed;
    }
}

impl Counts {
    /// In the order in which differences are told.
    const fn numbers(&self) -> [u64; 4] {
        [self.calls, self.returned, self.abandoned, self.open]
    }

    /// Takes away callbacks that ended before they were in managed code, because their delegate was gone or could not be called:
    /// wrappers are outermost and see them begin, the runtime tells nothing.
    fn forget_early(&mut self, told: Self) {
        let mut early = self.calls.saturating_sub(told.calls + self.failed);
        for (mine, theirs) in [
            (&mut self.abandoned, told.abandoned),
            (&mut self.open, told.open),
        ] {
            let gone = early.min(mine.saturating_sub(theirs));
            *mine -= gone;
            self.calls -= gone;
            early -= gone;
        }
    }
}

impl Both<Counts> {
    /// The numbers that disagree, with their names.
    pub fn differences(&self, direction: &str) -> Vec<(&'static str, u64, u64)> {
        let t = self.transitions;
        let mut w = self.woven;
        if direction == "reverse" {
            w.forget_early(t);
        }
        // A failed call may have left and come back, or may not have left at all.
        let fits = |told: u64, counted: u64| (counted..=counted + w.failed).contains(&told);
        let agree = [
            ("calls", fits(t.calls, w.calls - w.failed)),
            ("returned", fits(t.returned, w.returned)),
            ("abandoned", fits(t.abandoned, w.abandoned)),
            ("open", t.open == w.open),
        ];
        let (told, counted) = (self.transitions.numbers(), self.woven.numbers());
        let all = agree.into_iter().zip(told.into_iter().zip(counted));
        all.filter(|((_, agree), _)| !agree)
            .map(|((what, _), (told, counted))| (what, told, counted))
            .collect()
    }

    /// Whether `woven` saw nothing that `transitions` did not see.
    fn is_less(&self) -> bool {
        let (t, w) = (self.transitions, self.woven);
        w.calls <= t.calls + w.failed && w.returned <= t.returned && w.open <= t.open
    }
}

/// The assembly whose calls take `--corelib` to be watched.
pub const CORELIB: &str = "System.Private.CoreLib";

/// What tells one target from another; without a method, it stands for all function pointers.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    direction: &'static str,
    assembly: Option<String>,
    method: Option<String>,
    library: Option<String>,
    entry: Option<String>,
}

impl Key {
    /// A function that is called by its address has one target per address under `woven`, and under `transitions` one per assembly that
    /// calls. Those that `transitions` tells and `woven` cannot see get keys of their own.
    fn of(row: &TargetRow, is_reference: bool, scope: &str) -> Self {
        if row.method.is_none() {
            let assembly = row.assembly.as_deref();
            return Self {
                direction: row.direction,
                method: (is_reference && assembly.is_none()).then(|| MADE_AT_RUN_TIME.into()),
                assembly: row
                    .assembly
                    .clone()
                    .filter(|_| row.runtime_internal && !is_in_scope(assembly, scope)),
                ..Self::default()
            };
        }
        Self {
            direction: row.direction,
            assembly: row.assembly.clone(),
            method: row.method.clone(),
            library: row.library.clone(),
            entry: row.entry.clone(),
        }
    }

    /// Whether `woven` said that it does not see this, or never could.
    fn is_unwatched(&self, not_watched: &[Unwatched]) -> bool {
        let method = self.method.as_deref().unwrap_or(FUNCTION_POINTER);
        not_watched.iter().any(|what| {
            // What says nothing of its targets excuses none of them.
            let says = what.assembly.is_some() || what.method.is_some();
            // Whose function pointers they are is not known here.
            let assembly = what.assembly.is_none()
                || what.assembly == self.assembly
                || (self.method.is_none() && what.method.as_deref() == Some(FUNCTION_POINTER));
            says && assembly
                && what.direction.is_none_or(|d| d == self.direction)
                && what.method.as_ref().is_none_or(|named| named == method)
        }) || method == MADE_AT_RUN_TIME
    }
}

/// What function pointers are called by that no module calls: nothing that is ever woven around.
const MADE_AT_RUN_TIME: &str = "[function pointer] in code made at run time";

/// What one recording has of each target, and which of them are the runtime's own.
struct Seen {
    counts: BTreeMap<Key, Counts>,
    internal: BTreeSet<Key>,
}

impl Seen {
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
            // What matters of function pointers is who calls, not where they point to.
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

/// Compares one account by `woven` with those of one or more runs by `transitions`, of which the first counts and the others
/// tell what varies. `runs` are all of these, the first by `transitions` and the second by `woven`.
pub fn compare(reference: &[Model], woven: &Model, runs: Vec<Run>) -> Verdict {
    let scope = woven.scope.unwrap_or("user");
    let told: Vec<Seen> = reference
        .iter()
        .map(|model| Seen::of(model, true, scope))
        .collect();
    let seen = Seen::of(woven, false, scope);
    let keys: BTreeSet<&Key> = told
        .iter()
        .chain([&seen])
        .flat_map(|seen| seen.counts.keys())
        .collect();
    let mut targets: Vec<Target> = keys
        .into_iter()
        .filter_map(|key| {
            let (first, others) = told.split_first()?;
            let counts = Both {
                transitions: first.get(key),
                woven: seen.get(key),
            };
            let internal = told.iter().chain([&seen]).any(|s| s.internal.contains(key));
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
            Some(Target {
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
    let differs = |target: &Target| target.outcome == Outcome::Differs;
    Verdict {
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

/// Whether one of the runtime's own targets is watched.
fn is_in_scope(assembly: Option<&str>, scope: &str) -> bool {
    match scope {
        "user" => false,
        "framework" => assembly != Some(CORELIB),
        _ => true,
    }
}

fn output(runs: &[Run]) -> &'static str {
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

fn crossings(targets: &[Target]) -> Both<Crossings> {
    let of = |counts: fn(&Target) -> Counts| {
        let mut sum = Crossings {
            enter: Some(0),
            reverse_leave: Some(0),
            ..Crossings::default()
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
                "{} crossings were not recorded under {}, for want of room",
                model.dropped_crossings,
                model.source.unwrap_or("woven"),
            ));
        }
    }
    remarks
}

#[cfg(test)]
mod tests;
