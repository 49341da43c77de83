//! `soglia diff`.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use soglia::{
    diff::{self, Condition, NOISE_PERCENT, Options, Report},
    model::Model,
};

use super::recording::open;

/// Exit code if a condition of `--fail-on` holds.
const FAILED: i32 = 1;

#[derive(Debug, Args)]
#[command(
    after_help = "A and B are recordings, or reports of `soglia report --format json`, also of older versions. \
    Targets are paired by their names, whatever the addresses and the versions in the names of libraries.\n\n\
    A difference is reported only if it is more than noise: more than the spread of the calls within both runs \
    explains, and more than two runs of one program differ by anyway. docs/diff.md has the rules.\n\n\
    --fail-on takes [TARGET:]MEASURE>VALUE and may be repeated:\n  \
        'p99>+20%'               a target's 99th percentile is more than 20 % above that of A, beyond chance\n  \
        'calls>+10%'             a target is called more often\n  \
        'failed>0'               calls of B failed\n  \
        'libz!*:total>+50ms'     more time in calls of this library\n\
    MEASURE is one of calls, failed, denied, open, total, self, mean, p50, p90, p99, max.\n\n\
    Examples:\n  \
        soglia diff old.soglia new.soglia\n  \
        soglia diff baseline.json new.soglia --fail-on 'p99>+20%' --fail-on 'failed>0'\n  \
        soglia diff baseline.json new.json --format markdown >>\"$GITHUB_STEP_SUMMARY\"\n\n\
    Exit codes:\n  \
        0  the comparison was printed\n  \
        1  a condition of --fail-on holds; standard error says which\n  \
        2  a file cannot be read, or is neither a recording nor a report"
)]
pub struct Diff {
    /// The recording or report to compare with.
    pub a: PathBuf,
    /// The recording or report that may have changed.
    pub b: PathBuf,
    /// How to print the comparison.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
    /// Exit with code 1 if this holds for a target.
    #[arg(long, value_name = "CONDITION")]
    pub fail_on: Vec<Condition>,
    /// Changes of durations below this percentage are noise.
    #[arg(long, value_name = "PERCENT", default_value_t = NOISE_PERCENT, value_parser = percent)]
    pub noise: f64,
    /// Also compare the runtime's own targets.
    #[arg(long)]
    pub all: bool,
    /// In text and Markdown, show this many targets; 0 shows all that changed.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
    /// Read what is left of a recording that was cut short.
    #[arg(long)]
    pub partial: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Text,
    /// One object; docs/diff.schema.json describes it.
    Json,
    /// A table for pull requests, in GitHub's Markdown.
    Markdown,
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: f64 = text
        .strip_suffix('%')
        .unwrap_or(text)
        .parse()
        .unwrap_or(-1.0);
    if percent.is_finite() && percent >= 0.0 {
        Ok(percent)
    } else {
        Err("expected a percentage such as 25".into())
    }
}

/// Compares two recordings or reports, and returns the exit code.
pub fn diff(options: &Diff) -> anyhow::Result<i32> {
    let (a, b) = (
        read(&options.a, options.partial)?,
        read(&options.b, options.partial)?,
    );
    let name = |path: &Path| path.display().to_string();
    let how = Options {
        noise_percent: options.noise,
        all: options.all,
    };
    let diff = diff::compare(
        (&name(&options.a), &a),
        (&name(&options.b), &b),
        &how,
        &options.fail_on,
    );
    match options.format {
        DiffFormat::Text => {
            let mut out = BufWriter::new(anstream::stdout().lock());
            diff::text(&diff, options.top, &mut out)?;
            out.flush()?;
        }
        DiffFormat::Markdown => {
            let mut out = BufWriter::new(io::stdout().lock());
            diff::markdown(&diff, options.top, &mut out)?;
            out.flush()?;
        }
        DiffFormat::Json => {
            let mut out = BufWriter::new(io::stdout().lock());
            serde_json::to_writer_pretty(&mut out, &diff)?;
            writeln!(out)?;
            out.flush()?;
        }
    }
    for failed in &diff.failed {
        super::complain::complain(failed);
    }
    Ok(if diff.failed.is_empty() { 0 } else { FAILED })
}

/// Reads a recording, or a report as JSON.
fn read(path: &Path, partial: bool) -> anyhow::Result<Report> {
    let named = || path.display().to_string();
    if diff::starts_as_json(path) {
        return diff::read_json(path).with_context(named);
    }
    let reader = open(path, partial)?;
    let model = Model::of(&reader, false);
    reader.check_whole()?;
    Report::of(&model).with_context(named)
}
