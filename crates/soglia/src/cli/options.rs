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
    about = "An exact account of every crossing between managed and native code in a .NET program",
    after_help = "Examples:\n  \
        soglia run app.dll                     account of all native calls and callbacks, at the end\n  \
        soglia run -o a.soglia ./app --port 80 the same for an executable, kept in a file\n  \
        soglia report a.soglia --sort calls    now, or while the program runs, or after a crash\n  \
        soglia events a.soglia                 every crossing, if recorded with --record events\n  \
        soglia doctor                          will it work here, and if not, what to do"
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a .NET program and gives an account of its native calls.
    Run(Box<Run>),
    /// Gives the account of a recording: also of a program that still runs, or was killed.
    Report(Report),
    /// Lists the crossings of a recording one by one.
    Events(Events),
    /// Runs a program under both sources of crossings, and tells whether they saw the same.
    Verify(Verify),
    /// Tells whether soglia will work here, and if not, what to do.
    Doctor {
        /// Also look at this program.
        program: Option<OsString>,
    },
}

#[derive(Debug, Args)]
#[command(
    after_help = "PROGRAM is an assembly (.dll, .exe), an executable that starts .NET (an apphost, a single-file or \
    self-contained program, a script), or a command such as `dotnet`. Its input, output, signals and exit code are its own; the \
    account goes to standard error.\n\n\
    Examples:\n  \
        soglia run app.dll --verbose           options after PROGRAM are the program's\n  \
        soglia run --slow 5ms app.dll          also who made calls of 5 ms and more\n  \
        soglia run --record events -o a.soglia app.dll\n  \
        soglia run --follow -o a.soglia dotnet test\n  \
        soglia run --deny 'libc!system' app.dll  such calls throw; with --audit, they are only counted\n  \
        soglia run --redirect 'libz!*=libz-ng.so.2' --max-calls 'sqlite3_step=1000' app.dll\n  \
        soglia run --deadline 'libpq!*=5s' app.dll  calls that last longer are reported while they last\n  \
        soglia run --deadline 'libpq!*=2m:kill' app.dll  or are the end of the program\n  \
        soglia run --slots 4 app.dll           at most four tasks in managed code at a time\n\n\
    Exit code: the program's, which is 137 (128 + SIGKILL) if a deadline ended it; 2 if it could not be started under soglia; \
    125 if the engine ended it, because a policy, --slots or a deadline would not hold."
)]
pub struct Run {
    /// Keep the recording in this file.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What to record.
    #[arg(long, value_enum, default_value_t = Record::Summary)]
    pub record: Record,
    /// Only count calls: nothing is timed, and a call costs least.
    #[arg(long, conflicts_with = "record")]
    pub counts: bool,
    /// Calls to native code of at least this long are slow: their managed stacks are kept. `off`: none is.
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = duration)]
    pub slow: Duration,
    /// The recording never grows beyond this.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    pub max_size: u64,
    /// Also record .NET programs that the program starts, each into a file of its own: FILE.PID.
    #[arg(long, requires = "output")]
    pub follow: bool,
    /// Where crossings come from.
    #[arg(long, value_enum, default_value_t = Source::Auto)]
    pub source: Source,
    #[command(flatten)]
    pub watched: Watched,
    /// At most N tasks run managed code at a time: others wait where they come back from native code.
    #[arg(long, value_name = "N", value_parser = slots)]
    pub slots: Option<NonZeroU16>,
    /// A task waits so long for a slot; then its call throws HOST_E_TIMEOUT [default: for ever].
    #[arg(long, value_name = "DURATION", requires = "slots", value_parser = limit)]
    pub slot_timeout: Option<Duration>,
    /// How to give the account.
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    pub format: RunFormat,
    /// Give no account at the end.
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub shown: Shown,
    /// What to run, and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM [ARGS]"
    )]
    pub command: Vec<OsString>,
    // Its heading would be that of all that comes after it.
    #[command(flatten)]
    pub policy: PolicyOptions,
}

#[derive(Debug, Args)]
pub struct Watched {
    /// Also watch the calls of the framework's assemblies. `transitions` always does.
    #[arg(long)]
    pub framework: bool,
    /// Also those of the core library, System.Private.CoreLib; implies --framework.
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
    after_help = "PROGRAM runs two or three times: under `transitions`, under `woven`, and if they differ under `transitions` again, to \
    see what varies from run to run by itself. It gets the same standard input each time, or none from a terminal. The output \
    of the first run is passed through; that of the second must be the same. The comparison goes to standard error.\n\n\
    Examples:\n  \
        soglia verify app.dll\n  \
        soglia verify --quiet --format json app.dll 2>verdict.json\n  \
        soglia verify --framework --runs 5 ./server --self-test\n\n\
    Exit code: 0 if `woven` saw all that it watches; 1 if they differ; 2 if there is nothing to compare."
)]
pub struct Verify {
    /// How to tell the outcome.
    #[arg(long, value_enum, default_value_t = VerifyFormat::Text)]
    pub format: VerifyFormat,
    /// Do not pass on what the program writes.
    #[arg(short, long)]
    pub quiet: bool,
    #[command(flatten)]
    pub watched: Watched,
    /// Run under `transitions` at most this often; more than one tells what varies by itself.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// What to run, and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM [ARGS]"
    )]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Shown {
    /// Also list the runtime's own targets, which by default are one line.
    #[arg(long)]
    pub all: bool,
    /// What to sort targets by.
    #[arg(long, value_enum, default_value_t = Sort::Total)]
    pub sort: Sort,
    /// Show this many targets; 0 shows all.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub top: usize,
}

impl Shown {
    pub const fn shown(&self) -> soglia::text::Shown {
        soglia::text::Shown {
            all: self.all,
            sort: self.sort,
            top: self.top,
        }
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "JSON and CSV hold all targets, the runtime's own included, unless --top is given.\n\n\
    Examples:\n  \
        soglia report a.soglia --sort self --top 5\n  \
        soglia report a.soglia --format json | jq '.targets[] | select(.max_ns > 1e6) | .entry'"
)]
pub struct Report {
    /// A recording.
    pub file: PathBuf,
    /// How to give the account.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub format: ReportFormat,
    /// Also list the runtime's own targets, which in text are one line by default.
    #[arg(long)]
    pub all: bool,
    /// What to sort targets by.
    #[arg(long, value_enum, default_value_t = Sort::Total)]
    pub sort: Sort,
    /// Show this many targets; 0 shows all [default: 20 in text, 0 in other formats].
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Make the account anew from the recorded events instead of reading its counters.
    #[arg(long)]
    pub replay: bool,
    /// Read what is left of a file that was cut short.
    #[arg(long)]
    pub partial: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        soglia events a.soglia | less\n  \
        soglia events a.soglia --format jsonl | grep sqlite3_step")]
pub struct Events {
    /// A recording made with --record events.
    pub file: PathBuf,
    /// One line per crossing, for people or for programs.
    #[arg(long, value_enum, default_value_t = EventFormat::Text)]
    pub format: EventFormat,
    /// In text, also the runtime's own targets. JSON lines hold them always.
    #[arg(long)]
    pub all: bool,
    /// Only this task.
    #[arg(long, value_name = "N")]
    pub task: Option<u32>,
    /// Read what is left of a file that was cut short.
    #[arg(long)]
    pub partial: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Record {
    /// An account per task and target.
    Summary,
    /// Also every crossing: 4 to 6 bytes each.
    Events,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Source {
    /// `woven` where that is possible, else `transitions`.
    Auto,
    /// Wrappers that are put around calls when modules are loaded: cheap.
    Woven,
    /// The runtime's own callbacks, the reference: they tell of the framework's calls too, cost more, and slow the start down.
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
pub enum RunFormat {
    /// For people.
    Text,
    /// As `soglia report --format json`.
    Json,
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
    /// The targets, one line each.
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
    humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as 5ms, 1.5s or off".into())
        .and_then(|d| {
            if d.is_zero() {
                Err("0 would make every call slow: off turns it off".into())
            } else {
                Ok(d)
            }
        })
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
