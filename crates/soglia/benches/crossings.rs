//! What a crossing costs, with and without soglia: `make bench`, or
//! `cargo bench -p soglia --bench crossings -- --help`.
//!
//! All configurations run in turn in one run of this program, so that other load on the machine
//! affects all of them. docs/benchmarks.md says what is compared, and has the results.

mod bench;

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;
use bench::{attach, host, lab::Lab, parts, results::Results, role, woven};
use clap::{Parser, ValueEnum};

/// Measures what soglia costs. Reports targets that are missed, without failing.
#[derive(Debug, Parser)]
struct Options {
    /// Fewer rounds, and a tenth of the synthetic recording: for trying, not for quoting
    #[arg(long)]
    quick: bool,
    /// Also write everything that was measured to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Only this part; may be given several times
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Part>,
    /// What `cargo bench` passes to every benchmark; `cargo test --all-targets` does not, and
    /// nothing is measured
    #[arg(long, hide = true)]
    bench: bool,
}

/// In the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Time per crossing.
    Crossings,
    /// Start of a small program.
    Start,
    /// A program that does something: SQLite.
    Sqlite,
    /// Memory.
    Memory,
    /// Wrappers: time per crossing, and beside uftrace.
    Woven,
    /// Wrappers: whole programs.
    Programs,
    /// A program that runs already: attaching and letting go.
    Attach,
    /// A host that is notified of crossings.
    Host,
    /// A very long recording: writing and reading it.
    Recording,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, role, of_host @ ..] = &arguments[..]
        && role == role::ROLE
    {
        return match role::play(of_host) {
            Ok(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
            Err(error) => {
                eprintln!("host: {error:#}");
                ExitCode::FAILURE
            }
        };
    }
    let options = Options::parse();
    if !options.bench {
        println!("nothing is measured without --bench: cargo bench -p soglia --bench crossings");
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("crossings: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let lab = Lab::set_up()?;
    let mut results = Results::new(options.quick, lab.about()?);
    for part in Part::value_variants() {
        if !options.only.is_empty() && !options.only.contains(part) {
            continue;
        }
        match part {
            Part::Crossings => parts::crossings(&lab, &mut results),
            Part::Start => parts::start(&lab, &mut results),
            Part::Sqlite => parts::sqlite(&lab, &mut results),
            Part::Memory => parts::memory(&lab, &mut results),
            Part::Woven => woven::crossings(&lab, &mut results),
            Part::Programs => woven::programs(&lab, &mut results),
            Part::Attach => attach::measure(&lab, &mut results),
            Part::Host => host::measure(&lab, &mut results),
            Part::Recording => bench::recording::measure(&lab, &mut results),
        }
        .with_context(|| format!("{part:?}"))?;
    }
    results.conclude();
    if let Some(file) = &options.json {
        std::fs::write(file, format!("{:#}\n", results.json()))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}
