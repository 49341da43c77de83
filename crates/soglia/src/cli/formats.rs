//! The options of `soglia export`, and the formats that it knows.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{attaching::Briefly, recording::HELP};

#[derive(Debug, Args)]
#[command(
    after_help = "Without -o, the export lies beside the recording and has its name: a.soglia becomes a.parquet. A \
    file that is there already is kept, unless --force or -o is given. If the export fails, no file is left.\n\n\
    Examples:\n  \
        soglia run --record events -o a.soglia app.dll\n  \
        soglia export a.soglia --to perfetto           a.perfetto-trace, for ui.perfetto.dev\n  \
        soglia export a.soglia --to flamegraph -o calls.svg\n  \
        soglia export a.soglia --to jsonl -o - | grep sqlite3_step\n  \
        soglia export a.soglia --to parquet --table targets\n  \
        soglia export a.soglia --to parquet --table targets --partition -o lake\n\n\
    Exit codes:\n  \
        0  the export was written\n  \
        2  the recording cannot be read or lacks what the format needs, or the export cannot be written"
)]
pub struct Export {
    #[arg(value_name = "FILE|PID", help = HELP)]
    pub file: PathBuf,
    /// The format.
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub to: Format,
    /// Write to this file and replace it; `-` is standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What a row is, in formats that have rows.
    #[arg(long, value_enum, default_value_t = Table::Calls)]
    pub table: Table,
    /// With --to parquet: write into folders of FILE by service, host and day, as
    /// FILE/targets/service=shop/host=web-1/day=2026-11-29/.
    #[arg(long, requires = "output")]
    pub partition: bool,
    /// The service, for --partition [default: OTEL_SERVICE_NAME, or the name of the program].
    #[arg(long, value_name = "NAME", requires = "partition")]
    pub service: Option<String>,
    /// The machine, for --partition [default: this one].
    #[arg(long, value_name = "NAME", requires = "partition")]
    pub host: Option<String>,
    /// Replace a file that is there already.
    #[arg(short, long)]
    pub force: bool,
    /// Read what is left of a file that was cut short.
    #[arg(long)]
    pub partial: bool,
    #[command(flatten)]
    pub attaching: Briefly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A trace for ui.perfetto.dev and Perfetto's trace processor.
    Perfetto,
    /// A profile for profiler.firefox.com: samples, and the longest calls as markers.
    Firefox,
    /// A profile for speedscope.app.
    Speedscope,
    /// Chrome's Trace Event Format (JSON), for chrome://tracing and many other viewers.
    Chrome,
    /// A flame graph (SVG): callers down to native functions. Needs no events.
    Flamegraph,
    /// The stacks of the flame graph as lines of text. Needs no events.
    Folded,
    /// A profile for pprof: calls and own time by caller. Needs no events.
    Pprof,
    /// Apache Parquet, for DuckDB, pandas, Polars and Spark.
    Parquet,
    /// Comma-separated values.
    Csv,
    /// JSON, one object per line.
    Jsonl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Table {
    /// One row per call and callback; needs --record events.
    Calls,
    /// One row per target, with its sums.
    Targets,
}

impl Format {
    /// Of a file that the tool names.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Perfetto => "perfetto-trace",
            Self::Firefox => "firefox.json",
            Self::Speedscope => "speedscope.json",
            Self::Chrome => "trace.json",
            Self::Flamegraph => "svg",
            Self::Folded => "folded",
            Self::Pprof => "pb",
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }

    /// Whether `--table` says what its rows are.
    pub const fn has_rows(self) -> bool {
        matches!(self, Self::Parquet | Self::Csv | Self::Jsonl)
    }

    /// Whether it shows sums by caller, which every recording has.
    pub const fn is_tree(self) -> bool {
        matches!(self, Self::Flamegraph | Self::Folded | Self::Pprof)
    }
}
