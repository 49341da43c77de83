//! The command line. Clap's types stay in here.

mod deadline;
mod events;
mod pipes;
mod policy;
mod report;
mod run;
mod start;
mod verify;
mod watch;

use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    num::NonZeroU16,
    path::{Path, PathBuf},
    time::Duration,
};

use bytesize::ByteSize;
use clap::{Args, Parser, Subcommand, ValueEnum};
use soglia::{
    doctor, fxr,
    text::{Sort, plain},
};
use soglia_core::trace::{reader::Reader, writer::MIN_BYTES};

/// Exit code for wrong usage and for an environment in which soglia cannot work.
const CANNOT: i32 = 2;

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
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
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
struct Run {
    /// Keep the recording in this file.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to record.
    #[arg(long, value_enum, default_value_t = Record::Summary)]
    record: Record,
    /// Only count calls: nothing is timed, and a call costs least.
    #[arg(long, conflicts_with = "record")]
    counts: bool,
    /// Calls to native code of at least this long are slow: their managed stacks are kept. `off`: none is.
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = duration)]
    slow: Duration,
    /// The recording never grows beyond this.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = size)]
    max_size: u64,
    /// Also record .NET programs that the program starts, each into a file of its own: FILE.PID.
    #[arg(long, requires = "output")]
    follow: bool,
    /// Where crossings come from.
    #[arg(long, value_enum, default_value_t = Source::Auto)]
    source: Source,
    #[command(flatten)]
    watched: Watched,
    /// At most N tasks run managed code at a time: others wait where they come back from native code.
    #[arg(long, value_name = "N", value_parser = slots)]
    slots: Option<NonZeroU16>,
    /// A task waits so long for a slot; then its call throws HOST_E_TIMEOUT [default: for ever].
    #[arg(long, value_name = "DURATION", requires = "slots", value_parser = limit)]
    slot_timeout: Option<Duration>,
    /// How to give the account.
    #[arg(long, value_enum, default_value_t = RunFormat::Text)]
    format: RunFormat,
    /// Give no account at the end.
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    shown: Shown,
    /// What to run, and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM [ARGS]"
    )]
    command: Vec<OsString>,
    // Its heading would be that of all that comes after it.
    #[command(flatten)]
    policy: policy::PolicyOptions,
}

#[derive(Debug, Args)]
struct Watched {
    /// Also watch the calls of the framework's assemblies. `transitions` always does.
    #[arg(long)]
    framework: bool,
    /// Also those of the core library, System.Private.CoreLib; implies --framework.
    #[arg(long)]
    corelib: bool,
}

impl Watched {
    /// The engine's word for it.
    const fn scope(&self) -> &'static str {
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
struct Verify {
    /// How to tell the outcome.
    #[arg(long, value_enum, default_value_t = VerifyFormat::Text)]
    format: VerifyFormat,
    /// Do not pass on what the program writes.
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    watched: Watched,
    /// Run under `transitions` at most this often; more than one tells what varies by itself.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// What to run, and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "PROGRAM [ARGS]"
    )]
    command: Vec<OsString>,
}

#[derive(Debug, Args)]
struct Shown {
    /// Also list the runtime's own targets, which by default are one line.
    #[arg(long)]
    all: bool,
    /// What to sort targets by.
    #[arg(long, value_enum, default_value_t = Sort::Total)]
    sort: Sort,
    /// Show this many targets; 0 shows all.
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
}

impl Shown {
    const fn shown(&self) -> soglia::text::Shown {
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
struct Report {
    /// A recording.
    file: PathBuf,
    /// How to give the account.
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    format: ReportFormat,
    /// Also list the runtime's own targets, which in text are one line by default.
    #[arg(long)]
    all: bool,
    /// What to sort targets by.
    #[arg(long, value_enum, default_value_t = Sort::Total)]
    sort: Sort,
    /// Show this many targets; 0 shows all [default: 20 in text, 0 in other formats].
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Make the account anew from the recorded events instead of reading its counters.
    #[arg(long)]
    replay: bool,
    /// Read what is left of a file that was cut short.
    #[arg(long)]
    partial: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        soglia events a.soglia | less\n  \
        soglia events a.soglia --format jsonl | grep sqlite3_step")]
struct Events {
    /// A recording made with --record events.
    file: PathBuf,
    /// One line per crossing, for people or for programs.
    #[arg(long, value_enum, default_value_t = EventFormat::Text)]
    format: EventFormat,
    /// In text, also the runtime's own targets. JSON lines hold them always.
    #[arg(long)]
    all: bool,
    /// Only this task.
    #[arg(long, value_name = "N")]
    task: Option<u32>,
    /// Read what is left of a file that was cut short.
    #[arg(long)]
    partial: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Record {
    /// An account per task and target.
    Summary,
    /// Also every crossing: 4 to 6 bytes each.
    Events,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Source {
    /// `woven` where that is possible, else `transitions`.
    Auto,
    /// Wrappers that are put around calls when modules are loaded: cheap.
    Woven,
    /// The runtime's own callbacks, the reference: they tell of the framework's calls too, cost more, and slow the start down.
    Transitions,
}

impl Source {
    /// The engine's word for it.
    const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Transitions => "transitions",
            Self::Woven => "woven",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RunFormat {
    /// For people.
    Text,
    /// As `soglia report --format json`.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum VerifyFormat {
    /// For people.
    Text,
    /// One object; docs/verify.schema.json describes it.
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For people.
    Text,
    /// One object; docs/report.schema.json describes it.
    Json,
    /// The targets, one line each.
    Csv,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EventFormat {
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

/// Runs the command, and answers with the exit code.
pub fn main() -> i32 {
    // Before clap, which would see options of its own in the program's arguments.
    if env::args_os()
        .nth(1)
        .is_some_and(|arg| arg == fxr::SUBCOMMAND)
    {
        return assembly(env::args_os().skip(2).collect());
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let result = match cli.command {
        Command::Run(options) => run::run(&options),
        Command::Report(options) => report::report(&options).map(|()| 0),
        Command::Events(options) => events::events(&options).map(|()| 0),
        Command::Verify(options) => verify::verify(&options),
        Command::Doctor { program } => doctor::run(program.as_deref()).map_err(Into::into),
    };
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => 0,
        Err(error) => {
            complain(&format!("{error:#}"));
            CANNOT
        }
    }
}

/// Says in one line what is wrong with the command line; help and version that were asked for are printed as they are.
fn usage(error: &clap::Error) -> i32 {
    use clap::error::ErrorKind::{
        DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion,
    };
    let asked_for = [
        DisplayHelp,
        DisplayVersion,
        DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    if asked_for.contains(&error.kind()) {
        // If nobody reads it, nobody asked.
        let _ = error.print();
        return error.exit_code();
    }
    let text = error.to_string();
    let said: Vec<&str> = text
        .lines()
        .take_while(|line| !line.is_empty())
        .map(str::trim)
        .collect();
    let said = said.join(" ");
    let said = said.strip_prefix("error: ").unwrap_or(&said);
    complain(&format!("{said} (--help tells more)"));
    CANNOT
}

/// Starts an assembly by hostfxr, in this very process: where a root has no `dotnet` to do it.
fn assembly(args: Vec<OsString>) -> i32 {
    let [root, hostfxr, app, args @ ..] = &args[..] else {
        complain(&"that command is for soglia itself");
        return CANNOT;
    };
    fxr::run(Path::new(root), Path::new(hostfxr), Path::new(app), args).unwrap_or_else(|error| {
        complain(&error);
        error.exit_code()
    })
}

/// One line on standard error.
fn complain(what: &dyn std::fmt::Display) {
    // Whatever it quotes. If standard error is gone, there is nobody left to tell.
    let _ = writeln!(io::stderr(), "soglia: {}", plain(&what.to_string()));
}

/// Whoever read the output has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        io.or_else(|| {
            cause
                .downcast_ref::<serde_json::Error>()
                .and_then(serde_json::Error::io_error_kind)
        })
    };
    error
        .chain()
        .any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}

fn open(file: &Path, partial: bool) -> anyhow::Result<Reader> {
    let reader = if partial {
        Reader::open_partial(file)?
    } else {
        Reader::open(file)?
    };
    if !reader.is_claimed() {
        anyhow::bail!(
            "{} holds nothing: no .NET program has recorded into it{}",
            file.display(),
            reader
                .note()
                .map(|note| format!(" ({note})"))
                .unwrap_or_default()
        );
    }
    Ok(reader)
}
