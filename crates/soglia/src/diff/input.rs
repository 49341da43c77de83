//! A report as `soglia diff` reads it, from a recording or from JSON of this or an older version.

use std::{io, path::Path};

use serde::{Deserialize, Deserializer};
use soglia_core::regular;

use crate::model::{Model, key::Parts};

/// No report is larger.
const MOST_BYTES: u64 = 1 << 30;

/// Why a file is not a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// It cannot be read.
    #[error("cannot read it: {0}")]
    Unreadable(io::Error),
    /// It is not JSON, or not of this form.
    #[error("it is not a report: {0} (`soglia report --format json` makes one)")]
    Json(serde_json::Error),
    /// It is JSON of something else.
    #[error("its JSON is not a report: it has no {0} (`soglia report --format json` makes one)")]
    Foreign(&'static str),
}

/// A report, as far as it is compared. Fields that an older version does not write are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The recorded program.
    pub program: String,
    /// The runtime in the process.
    pub runtime: Runtime,
    /// `exit`, `signal`, `killed`, `detached`, `running` or `unknown`.
    pub ended: String,
    /// From the start of the runtime to the end of the process, or to now while it runs.
    pub duration_ns: u64,
    /// Present if the report is about a part of the life of a process: since the attach.
    pub attach: Option<serde::de::IgnoredAny>,
    /// The same: a window of `--since` or `--last`.
    pub window: Option<Window>,
    /// `counts`, `summary` or `events`.
    pub level: String,
    /// `transitions` or `woven`.
    pub source: Option<String>,
    /// `user`, `framework`, `corelib` or `all`.
    pub scope: Option<String>,
    /// Crossings and records for which the recording had no room.
    pub dropped: u64,
    /// The targets.
    pub targets: Vec<Target>,
}

/// The part of a run that a report is about.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Window {
    /// Nanoseconds.
    pub duration_ns: u64,
}

/// The runtime in a recorded process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Runtime {
    /// `.NET`.
    pub name: String,
    /// The version.
    pub version: String,
}

/// One target of a report. The fields are those of [`crate::model::TargetRow`].
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Target {
    pub direction: String,
    pub method: Option<String>,
    pub assembly: Option<String>,
    pub library: Option<String>,
    pub entry: Option<String>,
    pub file: Option<String>,
    pub offset: Option<String>,
    pub symbol: Option<String>,
    pub runtime_internal: bool,
    pub calls: u64,
    pub returned: u64,
    pub open: u64,
    pub failed: u64,
    pub refused: u64,
    pub total_ns: u64,
    pub self_ns: u64,
    pub timed_calls: Option<u64>,
    pub total_ns_se: Option<u64>,
    pub min_ns: Option<u64>,
    pub mean_ns: Option<u64>,
    pub p50_ns: Option<u64>,
    pub p90_ns: Option<u64>,
    pub p99_ns: Option<u64>,
    pub max_ns: Option<u64>,
    #[serde(deserialize_with = "buckets")]
    pub histogram: Vec<[u64; 3]>,
}

impl Target {
    /// What may name it.
    pub(super) fn parts(&self) -> Parts<'_> {
        Parts {
            direction: &self.direction,
            method: self.method.as_deref(),
            assembly: self.assembly.as_deref(),
            library: self.library.as_deref(),
            entry: self.entry.as_deref(),
            file: self.file.as_deref(),
            offset: self.offset.as_deref(),
            symbol: self.symbol.as_deref(),
        }
    }
}

/// The buckets of a histogram in the order of their durations, whatever a file has.
fn buckets<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<[u64; 3]>, D::Error> {
    let mut buckets = Vec::<[u64; 3]>::deserialize(from)?;
    buckets.retain(|[low, high, calls]| low <= high && *calls > 0);
    buckets.sort_unstable();
    Ok(buckets)
}

impl Report {
    /// Whether it is about a part of the life of a process.
    pub(super) const fn is_part(&self) -> bool {
        self.attach.is_some() || self.window.is_some()
    }

    /// Nanoseconds that it is about.
    pub(super) fn covers_ns(&self) -> u64 {
        self.window
            .map_or(self.duration_ns, |window| window.duration_ns)
    }

    /// The report of a recording.
    ///
    /// # Errors
    /// If the report cannot be written as JSON, which is how it is read here.
    pub fn of(model: &Model) -> Result<Self, InputError> {
        let value = serde_json::to_value(model).map_err(InputError::Json)?;
        serde_json::from_value(value).map_err(InputError::Json)
    }

    /// The report in a text of JSON.
    ///
    /// # Errors
    /// If it is no report.
    pub fn parse(text: &str) -> Result<Self, InputError> {
        let text = text.trim_start_matches('\u{feff}');
        /// What every report has had since the first version.
        #[derive(Deserialize)]
        struct Shape {
            program: Option<serde::de::IgnoredAny>,
            targets: Option<serde::de::IgnoredAny>,
        }
        let shape: Shape = serde_json::from_str(text).map_err(InputError::Json)?;
        if shape.program.is_none() {
            return Err(InputError::Foreign("`program`"));
        }
        if shape.targets.is_none() {
            return Err(InputError::Foreign("`targets`"));
        }
        serde_json::from_str(text).map_err(InputError::Json)
    }
}

/// Whether a file begins as JSON does. A recording begins with its magic.
pub fn starts_as_json(path: &Path) -> bool {
    let Ok(file) = regular::open(path) else {
        return false;
    };
    let mut start = Vec::new();
    let read = io::Read::read_to_end(&mut io::Read::take(file, 64), &mut start);
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&start);
    read.is_ok() && start.trim_ascii_start().first() == Some(&b'{')
}

/// Reads a report from a file of JSON.
///
/// # Errors
/// If it cannot be read or is no report.
pub fn read_json(path: &Path) -> Result<Report, InputError> {
    let text = regular::read_to_string(path, MOST_BYTES).map_err(InputError::Unreadable)?;
    Report::parse(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_of_older_versions_are_read() {
        let old = r#"{"program": "a.dll", "targets": [{"entry": "getpid", "calls": 3}], "odd": 1}"#;
        let report = Report::parse(old).unwrap();
        assert_eq!(report.targets[0].calls, 3);
        assert!(report.targets[0].histogram.is_empty() && report.source.is_none());
    }

    #[test]
    fn what_is_no_report_is_named() {
        let error = |text: &str| Report::parse(text).unwrap_err().to_string();
        assert!(error("[]").starts_with("it is not a report: "));
        assert!(error("{\"a\": 1}").contains("it has no `program`"));
        assert!(error("{\"program\": \"a\"}").contains("it has no `targets`"));
        assert!(error("{\"program\": \"a\", \"targets\": 3}").starts_with("it is not a report: "));
        assert!(error("{\"program\": \"a\", \"targets\": [{\"calls\": -1}]}").contains("-1"));
    }

    #[test]
    fn hostile_buckets_are_put_in_order() {
        let text = r#"{"program": "a", "targets": [{"histogram": [[9,1,5],[8,9,0],[5,6,1],[1,2,18446744073709551615]]}]}"#;
        let report = Report::parse(text).unwrap();
        assert_eq!(report.targets[0].histogram, [[1, 2, u64::MAX], [5, 6, 1]]);
    }
}
