//! Options that several commands have.

use std::time::Duration;

use clap::{Args, ValueEnum};
use soglia::text::{By, Sort};

#[derive(Debug, Args)]
pub struct Watched {
    /// Also watch the native calls of the framework's assemblies; `transitions` always does.
    #[arg(long)]
    pub framework: bool,
    /// Also watch those of the core library, System.Private.CoreLib; implies --framework.
    #[arg(long)]
    pub corelib: bool,
}

impl Watched {
    /// The engine's word for it.
    pub const fn scope(&self) -> &'static str {
        match self {
            Self { corelib: true, .. } => "corelib",
            Self {
                framework: true, ..
            } => "framework",
            _ => "user",
        }
    }
}

/// How a report is printed, and how much of it.
#[derive(Debug, Args)]
pub struct Shown {
    /// How to print the report.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    /// In text, also list the runtime's own targets, which are one line by default.
    #[arg(long)]
    pub all: bool,
    /// In text, print names in full, even if lines are wider than the terminal.
    #[arg(long)]
    pub wide: bool,
    /// What to add calls up by in text; JSON always has both.
    #[arg(long, value_enum, default_value_t = By::Target)]
    pub by: By,
    /// What to sort targets by.
    #[arg(long, value_enum, default_value_t = Sort::Total)]
    pub sort: Sort,
    /// Show this many targets; 0 shows all [default: 20 in text, 0 in other formats].
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// One object; docs/report.schema.json describes it.
    Json,
    /// One line per target.
    Csv,
    /// A page for a browser, in one file.
    Html,
}

/// Reads a duration.
///
/// # Errors
/// If it is none.
pub fn limit(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a duration such as 500ms or 2s".into())
}
