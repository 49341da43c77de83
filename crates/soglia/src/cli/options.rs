//! The options of every command, as clap reads them.

use std::{ffi::OsString, num::NonZeroU16, path::PathBuf, time::Duration};

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};
use soglia::text::Sort;
use soglia_core::trace::writer::MIN_BYTES;

use super::policy::PolicyOptions;

#[derive(Debug, Parser)]
#[command(
    version,
    about = "Record every call between managed and native code in a .NET program",
    after_help = "Examples:\n  \
        soglia run app.dll                      run the program, then report its native calls\n  \
        soglia run -o a.soglia ./app --port 80  the same for an executable; keep the recording\n  \
        soglia report a.soglia --sort calls     report: during the run, after it or after a crash\n  \
        soglia events a.soglia                  list each crossing (needs --record events)\n  \
        soglia doctor                           check this machine\n\n\
    `soglia COMMAND --help` describes a command, with examples and exit codes."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a .NET program and report its native calls.
    Run(Box<Run>),
    /// Report a recording, also of a program that still runs or was killed.
    Report(Report),
    /// List the crossings of a recording one by one.
    Events(Events),
    /// Run a program with both sources of crossings and compare them.
    Verify(Verify),
    /// Check whether soglia works on this machine, and how to fix it if not.
    Doctor(Doctor),
}

#[derive(Debug, Args)]
#[command(
    override_usage = "soglia run [OPTIONS] PROGRAM [ARGS]...",
    after_help = "PROGRAM is an assembly (.dll), an executable that starts .NET (an apphost, a single-file or \
    self-contained program, a script) or a command such as `dotnet`. It keeps its own input, output, signals \
    and exit code. The report goes to standard error.\n\n\
    Examples:\n  \
        soglia run app.dll --verbose             options after PROGRAM are the program's\n  \
        soglia run --slow 5ms app.dll            show who made calls of 5 ms or more\n  \
        soglia run --record events -o a.soglia app.dll\n  \
        soglia run --follow dotnet test          record child processes too\n  \
        soglia run --deny 'libc!system' app.dll  make such calls throw; --audit only counts them\n  \
        soglia run --redirect 'libz!*=libz-ng.so.2' --max-calls 'sqlite3_step=1000' app.dll\n  \
        soglia run --deadline 'libpq!*=5s' app.dll       report longer calls while they last\n  \
        soglia run --deadline 'libpq!*=2m:kill' app.dll  end the program after such a call\n  \
        soglia run --slots 4 app.dll             let at most 4 threads run managed code at a time\n\n\
    Exit codes:\n  \
        the program's  the program ran; 137 (128 + SIGKILL) if a deadline ended it\n  \
        2              soglia could not start the program\n  \
        125            the engine ended the program: a policy, --slots or a deadline would not hold"
)]
pub struct Run {
    /// Keep the recording in this file.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What to record.
    #[arg(long, value_enum, default_value_t = Record::Summary)]
    pub record: Record,
    /// Count calls without timing them; this costs the least per call.
    #[arg(long, conflicts_with = "record")]
    pub counts: bool,
    /// Keep the managed stacks of native calls that take at least this long; `off` keeps none.
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = duration)]
    pub slow: Duration,
    /// Limit the size of a recording.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub max_size: u64,
    /// Also record the .NET programs that the program starts.
    ///
    /// With -o FILE, each of them has a recording of its own: FILE.PID. Without -o, the report of
    /// each process follows at the end, and no recording is kept.
    #[arg(long)]
    pub follow: bool,
    /// Where the engine learns of crossings.
    #[arg(long, value_enum, default_value_t = Source::Auto)]
    pub source: Source,
    #[command(flatten)]
    pub watched: Watched,
    /// Let at most N threads run managed code at a time; the others wait when they return from
    /// native code.
    #[arg(long, value_name = "N", value_parser = slots)]
    pub slots: Option<NonZeroU16>,
    /// How long a thread waits for a slot before its call throws HOST_E_TIMEOUT
    /// [default: no limit].
    #[arg(long, value_name = "DURATION", requires = "slots", value_parser = limit)]
    pub slot_timeout: Option<Duration>,
    /// Don't print the report at the end.
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub shown: Shown,
    /// The program to run, and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        value_name = "PROGRAM [ARGS]"
    )]
    pub command: Vec<OsString>,
    // Its heading would be that of all that comes after it.
    #[command(flatten)]
    pub policy: PolicyOptions,
}

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

#[derive(Debug, Args)]
#[command(
    override_usage = "soglia verify [OPTIONS] PROGRAM [ARGS]...",
    after_help = "PROGRAM runs two or three times: with --source transitions, then with --source woven. If the \
    two differ, it runs with `transitions` again, which shows what varies from run to run. Each run gets the \
    same standard input, or none if that is a terminal. The output of the first run is passed on; the second \
    run must write the same. The comparison goes to standard error.\n\n\
    Examples:\n  \
        soglia verify app.dll\n  \
        soglia verify --quiet --format json app.dll 2>verdict.json\n  \
        soglia verify --framework --runs 5 ./server --self-test\n\n\
    Exit codes:\n  \
        0  `woven` recorded everything that it watches\n  \
        1  the sources differ\n  \
        2  there is nothing to compare"
)]
pub struct Verify {
    /// How to print the comparison.
    #[arg(long, value_enum, default_value_t = VerifyFormat::Text)]
    pub format: VerifyFormat,
    /// Don't pass on what the program writes.
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub watched: Watched,
    /// How often to run with `transitions` at most; two or more runs show what varies by itself.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// The program to run, and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        value_name = "PROGRAM [ARGS]"
    )]
    pub command: Vec<OsString>,
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
    /// What to sort targets by.
    #[arg(long, value_enum, default_value_t = Sort::Total)]
    pub sort: Sort,
    /// Show this many targets; 0 shows all [default: 20 in text, 0 in other formats].
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "JSON and CSV hold all targets, including the runtime's own, unless --top is given.\n\n\
    Examples:\n  \
        soglia report a.soglia --sort self --top 5\n  \
        soglia report a.soglia --format json | jq '.targets[] | select(.max_ns > 1e6) | .entry'\n\n\
    Exit codes:\n  \
        0  the report was printed\n  \
        2  the file cannot be read, or is not a recording"
)]
pub struct Report {
    /// The recording.
    pub file: PathBuf,
    #[command(flatten)]
    pub shown: Shown,
    /// Compute the report from the recorded events instead of the counters.
    #[arg(long)]
    pub replay: bool,
    /// Read what is left of a file that was cut short.
    #[arg(long)]
    pub partial: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        soglia events a.soglia | less\n  \
        soglia events a.soglia --format jsonl | grep sqlite3_step\n\n\
    Exit codes:\n  \
        0  the crossings were listed\n  \
        2  the file cannot be read, or holds no events")]
pub struct Events {
    /// A recording made with --record events.
    pub file: PathBuf,
    /// How to print a crossing; each has one line.
    #[arg(long, value_enum, default_value_t = EventFormat::Text)]
    pub format: EventFormat,
    /// In text, also list the runtime's own targets; JSON lines always hold them.
    #[arg(long)]
    pub all: bool,
    /// List only the thread with this number in reports.
    #[arg(long, value_name = "N")]
    pub task: Option<u32>,
    /// Read what is left of a file that was cut short.
    #[arg(long)]
    pub partial: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Nothing is started and nothing is changed. Each line names one thing that a recording depends \
    on: `ok`, `warn` (it works, with less comfort or precision) or `FAIL`.\n\n\
    Examples:\n  \
        soglia doctor\n  \
        soglia doctor ./app                    check this program too\n\n\
    Exit codes:\n  \
        0  soglia works here\n  \
        2  it does not: a line says FAIL"
)]
pub struct Doctor {
    /// A program to check as well.
    pub program: Option<OsString>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Record {
    /// Counters and times of each target on each thread.
    Summary,
    /// Also each crossing: 4 to 6 bytes.
    Events,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// `woven` if possible, otherwise `transitions`.
    Auto,
    /// Wrappers that the engine puts around calls when the runtime loads a module: the cheaper way.
    Woven,
    /// The runtime's callbacks: the reference. They include the framework's calls, cost more per
    /// call and slow down the start.
    Transitions,
}

impl Source {
    /// The engine's word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Transitions => "transitions",
            Self::Woven => "woven",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum VerifyFormat {
    /// For people.
    Text,
    /// One object; docs/verify.schema.json describes it.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// One object; docs/report.schema.json describes it.
    Json,
    /// One line per target.
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum EventFormat {
    /// For people.
    Text,
    /// One object per line; docs/events.schema.json describes it.
    Jsonl,
}

fn duration(text: &str) -> Result<Duration, String> {
    if text == "off" {
        return Ok(Duration::ZERO);
    }
    let duration = humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as 5ms, 1.5s or off")?;
    if duration.is_zero() {
        return Err("0 would make every call slow: off turns it off".into());
    }
    Ok(duration)
}

fn slots(text: &str) -> Result<NonZeroU16, String> {
    text.parse()
        .map_err(|_| "expected a number from 1 to 65535".into())
}

fn limit(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| "expected a duration such as 500ms or 2s".into())
}

fn size(text: &str) -> Result<u64, String> {
    let size = text
        .parse::<ByteSize>()
        .map_err(|_| "expected a size such as 64MiB or 2GiB".to_owned())?;
    if size.as_u64() < MIN_BYTES {
        return Err(format!("at least {}", ByteSize(MIN_BYTES)));
    }
    Ok(size.as_u64())
}
