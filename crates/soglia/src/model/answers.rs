//! The rows of findings and of calls that failed.

use serde::Serialize;

use super::arguments::{ArgumentRow, RequestRow};

/// Something that is worth a look, in sentences. `docs/advice.md` has a section for each `id`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The number of the process in the report's list of processes.
    pub process: u32,
    /// The kind of finding, such as `chatty-target`.
    pub id: &'static str,
    /// `problem`, `warning` or `hint`.
    pub severity: &'static str,
    /// What was found.
    pub sentence: String,
    /// The figures behind it.
    pub evidence: String,
    /// What to do.
    pub advice: String,
    /// Where the documentation explains it.
    pub link: String,
    /// The names of the targets that it is about.
    pub targets: Vec<String>,
}

/// Calls of one target that failed for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct FailureRow {
    /// The number of the process in the report's list of processes.
    pub process: u32,
    /// The target's name.
    pub target: String,
    /// The type of the exception, if the recording has it.
    pub exception: Option<String>,
    /// `library-not-found`, `dependency-missing`, `entry-not-found`, `bad-image` or `exception`.
    pub reason: &'static str,
    /// The message of the exception, if the recording has it.
    pub message: Option<String>,
    /// The files that were looked for.
    pub probed: Vec<String>,
    /// What was missing: a library, a version of one, or a function.
    pub missing: Option<String>,
    /// What the files say about the reason, in a sentence without its full stop.
    pub explanation: Option<String>,
    /// The managed stack of the first such call, innermost frame first.
    pub first_caller: Vec<String>,
    /// The number of such calls.
    pub calls: u64,
    /// The arguments of the first such call. `None` if they were not recorded.
    pub args: Option<Vec<ArgumentRow>>,
    /// What the thread of that call was working on.
    #[serde(flatten)]
    pub request: RequestRow,
}
