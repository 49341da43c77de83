//! The outcome of a comparison: the JSON of `soglia diff --format json`.

use serde::Serialize;

use super::noise::Certainty;

/// What changed between two reports.
#[derive(Clone, Debug, Serialize)]
pub struct Diff {
    /// The first report.
    pub a: Side,
    /// The second report.
    pub b: Side,
    /// Sums over all targets.
    pub totals: Vec<TotalRow>,
    /// The targets that changed, those with the most at stake first, then all others.
    pub targets: Vec<DiffTarget>,
    /// The conditions of `--fail-on` that hold, in sentences.
    pub failed: Vec<String>,
    /// Why the comparison is to be read with care, in sentences.
    pub remarks: Vec<String>,
}

/// One of the two reports.
#[derive(Clone, Debug, Serialize)]
pub struct Side {
    /// The file, as the command line names it.
    pub file: String,
    /// The recorded program.
    pub program: String,
    /// The runtime, as in `.NET 10.0.12`.
    pub runtime: String,
    /// `exit`, `signal`, `killed`, `detached`, `running` or `unknown`.
    pub ended: String,
    /// How long the process ran, or the report covers.
    pub duration_ns: u64,
    /// The report covers a part of the life of its process.
    pub is_part: bool,
}

/// A sum in both reports.
#[derive(Clone, Debug, Serialize)]
pub struct TotalRow {
    /// What it is a sum of.
    pub measure: &'static str,
    /// Whether it is a duration in nanoseconds.
    pub is_time: bool,
    /// The sum in the first report.
    pub a: u64,
    /// The sum in the second report.
    pub b: u64,
    /// The change in percent. `None` if the first sum is 0.
    pub percent: Option<f64>,
}

/// What the numbers of a target say about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Calls fail, and none failed before, or many more do.
    Failing,
    /// A policy denies calls, and denied none before.
    Denied,
    /// Calls take longer.
    Slower,
    /// There are more calls.
    Chattier,
    /// It was not called before.
    New,
    /// It is not called any more.
    Gone,
    /// Calls no longer fail.
    Mended,
    /// Calls take less time.
    Faster,
    /// There are fewer calls.
    Quieter,
    /// It differs much, with too few calls to tell why.
    Unclear,
    /// It differs by noise only, or not at all.
    Same,
}

impl Verdict {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failing => "failing now",
            Self::Denied => "denied now",
            Self::Slower => "slower",
            Self::Chattier => "chattier",
            Self::New => "new",
            Self::Gone => "gone",
            Self::Mended => "no longer failing",
            Self::Faster => "faster",
            Self::Quieter => "fewer calls",
            Self::Unclear => "too few calls to tell",
            Self::Same => "same",
        }
    }
}

/// What is compared of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// All calls.
    Calls,
    /// Calls that ended by an exception.
    Failed,
    /// Calls that a policy denied.
    Denied,
    /// Calls that have not returned.
    Open,
    /// Time in calls that returned.
    Total,
    /// The same without nested callbacks and calls.
    #[serde(rename = "self")]
    Own,
    /// The mean duration.
    Mean,
    /// The median.
    P50,
    /// The 90th percentile.
    P90,
    /// The 99th percentile.
    P99,
    /// The longest call.
    Max,
}

impl Measure {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::Calls,
        Self::Failed,
        Self::Denied,
        Self::Open,
        Self::Total,
        Self::Own,
        Self::Mean,
        Self::P50,
        Self::P90,
        Self::P99,
        Self::Max,
    ];

    /// Its name in conditions and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Open => "open",
            Self::Total => "total",
            Self::Own => "self",
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }

    /// Whether it is a duration.
    pub const fn is_time(self) -> bool {
        !matches!(self, Self::Calls | Self::Failed | Self::Denied | Self::Open)
    }

    /// Whether it is a sum, which is 0 for a target that was not called.
    pub const fn is_sum(self) -> bool {
        !self.is_time() || matches!(self, Self::Total | Self::Own)
    }
}

/// One measure of one target in both reports.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// What is compared.
    pub measure: Measure,
    /// The number in the first report.
    pub a: Option<u64>,
    /// The number in the second report.
    pub b: Option<u64>,
    /// The change in percent, if there is one.
    pub percent: Option<f64>,
    /// What the difference is.
    pub certainty: Certainty,
    /// Whether the difference is more than chance, whatever its size.
    #[serde(skip)]
    pub is_significant: bool,
}

/// One target in both reports.
#[derive(Clone, Debug, Serialize)]
pub struct DiffTarget {
    /// What changed, most important first. Never empty.
    pub verdicts: Vec<Verdict>,
    /// `forward` for a call to native code, `reverse` for a callback.
    pub direction: String,
    /// The target's name.
    pub target: String,
    /// The managed method.
    pub method: Option<String>,
    /// The assembly of the method.
    pub assembly: Option<String>,
    /// The library.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// Time in calls that the second report has more than the first. Negative if it has less.
    pub at_stake_ns: i64,
    /// The measures.
    pub changes: Vec<Change>,
}

impl DiffTarget {
    /// The most important verdict.
    pub fn verdict(&self) -> Verdict {
        self.verdicts.first().copied().unwrap_or(Verdict::Same)
    }

    /// One measure of the target.
    pub fn change(&self, measure: Measure) -> Option<&Change> {
        self.changes.iter().find(|change| change.measure == measure)
    }
}
