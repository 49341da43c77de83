//! `soglia advise`.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use soglia::{
    model::{Finding, Model},
    text,
};

use soglia_core::trace::writer::Level;

use super::{attaching::Briefly, recording::open, screen::screen, several::Several};

#[derive(Debug, Args)]
#[command(
    after_help = "A finding is one thing that is worth a look: what it is, the figures behind it, and what to do. The \
    most important one comes first. docs/advice.md explains each kind and lists the thresholds.\n\n\
    Examples:\n  \
        soglia advise a.soglia\n  \
        soglia advise 4711                            a program that runs under soglia\n  \
        soglia advise --follow a.soglia               with the processes that it started\n  \
        soglia advise a.soglia --fail-on problem      for CI\n  \
        soglia advise a.soglia --format json | jq -r '.findings[].sentence'\n\n\
    Exit codes:\n  \
        0  the findings were printed, or there are none\n  \
        1  there is a finding that --fail-on names\n  \
        2  the file cannot be read or is not a recording, or the process has none"
)]
pub struct Advise {
    /// The recording, or the process that makes it: a program under soglia, or its `soglia run`.
    /// Of several of them, or of a directory of recordings, the findings of all.
    #[arg(value_name = "FILE|PID|DIRECTORY", required = true)]
    pub files: Vec<PathBuf>,
    /// Also read the recordings of the processes that the program started under
    /// `soglia run --follow -o FILE`: FILE.PID.
    #[arg(long)]
    pub follow: bool,
    /// How to print the findings.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Exit with code 1 if there is a finding of this severity, or of a higher one.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<Severity>,
    /// Read what is left of a file that was cut short.
    #[arg(long)]
    pub partial: bool,
    #[command(flatten)]
    pub attaching: Briefly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One object with the `findings` of `soglia report --format json`.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Severity {
    /// The program could be faster.
    Hint,
    /// The program loses much time, or does not do what it was written for.
    Warning,
    /// The program failed or hung, or it will.
    Problem,
}

/// Prints the findings of a recording, and returns the exit code.
pub fn advise(options: &Advise) -> anyhow::Result<i32> {
    let model = match Several::of(&options.files, options.follow)? {
        Some(_) if options.attaching.is_asked() => {
            anyhow::bail!("--attach takes one recording: name one PID")
        }
        Some(several) => several.report(options.partial, false)?.0,
        None => one(options)?,
    };
    match options.format {
        Format::Text => print(&model, anstream::stdout().lock())?,
        Format::Json => {
            let mut out = BufWriter::new(io::stdout().lock());
            let findings = serde_json::json!({ "findings": model.findings });
            serde_json::to_writer_pretty(&mut out, &findings)?;
            writeln!(out)?;
            out.flush()?;
        }
    }
    let fails = options.fail_on.is_some_and(|least| {
        let mut severities = model.findings.iter().map(severity);
        severities.any(|severity| severity >= least)
    });
    Ok(i32::from(fails))
}

/// The report of one recording.
fn one(options: &Advise) -> anyhow::Result<Model> {
    let named = options.files.first().context("no recording was named")?;
    let source = options.attaching.source(named, Level::Summary, None)?;
    let reader = open(source.path(), options.partial)?;
    let model = Model::of(&reader, false);
    reader.check_whole()?;
    Ok(model)
}

fn print(model: &Model, out: impl Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    if model.findings.is_empty() {
        let program = text::plain(&model.program);
        writeln!(
            out,
            "no findings for {program}: soglia report has the figures"
        )?;
    }
    text::advice(model, screen(false, io::stdout()), &mut out)?;
    out.flush()
}

fn severity(finding: &Finding) -> Severity {
    match finding.severity {
        "problem" => Severity::Problem,
        "warning" => Severity::Warning,
        _ => Severity::Hint,
    }
}
