//! The outcome of a comparison.

use serde::Serialize;

use super::{
    callers::FirstCallers,
    counts::{Both, Counts},
};
use crate::model::{CrossingCounts, RuntimeVersion, TargetRow, UnwatchedRow};

/// The outcome of comparing recordings under both sources.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// `woven` saw all that it watches. What varies by itself or is not watched may differ.
    pub agree: bool,
    /// The recorded program.
    pub program: String,
    /// The runtime in the process.
    pub runtime: RuntimeVersion,
    /// Whose calls `woven` watched: `user`, `framework` or `corelib`.
    pub scope: &'static str,
    /// The runs of the program, in their order.
    pub runs: Vec<ProgramRun>,
    /// Whether the runs wrote the same and ended the same: `same`, `differs`, or `varies` if runs
    /// under one source differ too.
    pub output: &'static str,
    /// The first line in which the output of the first two runs differs, if it is near the
    /// beginning.
    pub output_difference: Option<LineDifference>,
    /// CrossingCounts of the targets that were compared.
    pub crossings: Both<CrossingCounts>,
    /// All targets, those that differ first.
    pub targets: Vec<ComparedTarget>,
    /// Targets whose first caller was not the same.
    pub first_callers: Vec<FirstCallers>,
    /// What `woven` reported that it does not watch.
    pub not_watched: Vec<UnwatchedRow>,
    /// Why the comparison is incomplete, in sentences.
    pub remarks: Vec<String>,
}

impl Comparison {
    /// Whether another run under `transitions` can show that a difference varies by itself.
    pub fn is_in_doubt(&self) -> bool {
        !self.agree || self.first_callers.iter().any(|differ| !differ.varies)
    }
}

/// One run of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProgramRun {
    /// `transitions` or `woven`.
    pub source: &'static str,
    /// The exit code, if the program exited.
    pub exit_code: Option<i32>,
    /// The signal that ended the program.
    pub signal: Option<i32>,
    /// Bytes that the program wrote to standard output.
    pub output_bytes: u64,
    /// A digest of these bytes. It has a meaning only within one comparison.
    #[serde(skip)]
    pub digest: u64,
    /// The first of these bytes.
    #[serde(skip)]
    pub beginning: Vec<u8>,
}

impl ProgramRun {
    /// Whether two runs wrote the same and ended the same.
    pub fn is_like(&self, other: &Self) -> bool {
        let outcome = |run: &Self| (run.exit_code, run.signal, run.output_bytes, run.digest);
        outcome(self) == outcome(other)
    }
}

/// A line of standard output that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LineDifference {
    /// The number of the line, from 1.
    pub line: usize,
    /// The line under each source. Long lines are cut.
    #[serde(flatten)]
    pub text: Both<String>,
}

impl LineDifference {
    pub(super) fn between(transitions: &[u8], woven: &[u8]) -> Option<Self> {
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

/// What the counts of one target under both sources say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// They disagree.
    Differs,
    /// They disagree, but so do two runs under `transitions`.
    Varies,
    /// `woven` saw less, and reported that it does not watch the target.
    NotWatched,
    /// The target is one of the runtime's own and is not compared.
    RuntimeInternal,
    /// They agree.
    Same,
}

/// One target under both sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComparedTarget {
    /// The outcome for this target.
    pub outcome: Outcome,
    /// `forward` for a call to native code, `reverse` for a callback.
    pub direction: &'static str,
    /// The managed method, `Namespace.Type.Method`.
    pub method: Option<String>,
    /// The assembly of the method.
    pub assembly: Option<String>,
    /// The library, as `DllImport` names it.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// The counts under each source.
    #[serde(flatten)]
    pub counts: Both<Counts>,
}

impl ComparedTarget {
    /// The target's name, as in reports.
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
