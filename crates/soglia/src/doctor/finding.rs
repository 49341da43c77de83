//! One thing that was looked at.

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, with less comfort or precision.
    Warn,
    /// It does not work.
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, in a word or two.
    pub title: &'static str,
    /// What was found.
    pub detail: String,
    /// More of it, one line each.
    pub notes: Vec<String>,
    /// What to do; empty if nothing needs doing.
    pub advice: String,
}

impl Finding {
    pub(super) fn ok(title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            title,
            detail: detail.into(),
            notes: Vec::new(),
            advice: String::new(),
        }
    }

    pub(super) fn warn(
        title: &'static str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warn,
            title,
            detail: detail.into(),
            notes: Vec::new(),
            advice: advice.into(),
        }
    }

    pub(super) fn fail(
        title: &'static str,
        detail: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Fail,
            title,
            detail: detail.into(),
            notes: Vec::new(),
            advice: advice.into(),
        }
    }

    /// The finding with these notes.
    pub(super) fn noting<T: Into<String>>(mut self, notes: impl IntoIterator<Item = T>) -> Self {
        self.notes.extend(notes.into_iter().map(Into::into));
        self
    }

    /// An error of soglia. Its message says what is wrong, and after `; ` or `: ` what to do.
    pub(super) fn error(title: &'static str, error: &dyn std::error::Error) -> Self {
        Self::fail(title, error.to_string(), "")
    }
}
