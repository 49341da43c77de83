//! The options of every command, as clap reads them.

use std::{
    ffi::OsString,
    num::{NonZeroU16, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::{
    attaching::Briefly,
    diff::Diff,
    formats::Export,
    metrics::MetricsOptions,
    policy::PolicyOptions,
    recorded::Recorded,
    recording::HELP,
    shared::{Shown, Watched, limit},
};

#[derive(Debug, Parser)]
#[command(
    version,
    about = "Record every call between managed and native code in a .NET program",
    after_help = "Examples:\n  \
        soglia run app.dll                      run the program, then report its native calls\n  \
        soglia run -o a.soglia ./app --port 80  the same for an executable; keep the recording\n  \
        soglia attach 4711                      record a program that runs already, until Ctrl-C\n  \
        soglia stacks 4711                      show where each thread of a program stands now\n  \
        soglia report a.soglia --sort calls     report: during the run, after it or after a crash\n  \
        soglia top                              watch a program that runs; lists .NET programs\n  \
        soglia advise a.soglia                  what is slow, stuck, missing or wasteful\n  \
        soglia events a.soglia                  list each crossing (needs --record events)\n  \
        soglia diff old.soglia new.soglia       compare two runs\n  \
        soglia doctor                           check this machine; with a PID, an attach\n\n\
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
    /// Attach to a .NET program that runs already and report its native calls.
    Attach(Box<super::attach::options::Attach>),
    /// Show where every thread of a .NET program that runs stands now.
    Stacks(super::stacks::StacksOptions),
    /// Report a recording, also of a program that still runs or was killed.
    Report(Report),
    /// Say what is slow, stuck, missing or wasteful in a recording, and what to do.
    Advise(super::advise::Advise),
    /// List the crossings of a recording one by one.
    Events(Events),
    /// Watch a program that runs, and list the .NET programs.
    Top(super::top::Top),
    /// Write a recording in a format that other tools read.
    Export(Export),
    /// Compare two recordings or reports: what is slower, new, gone or failing.
    Diff(Diff),
    /// Run a program with both sources of crossings and compare them.
    Verify(Verify),
    /// Check whether soglia works on this machine, or can attach to a process, and how to fix it if
    /// not.
    Doctor(super::doctor::Doctor),
    /// Print what a shell needs to complete soglia's command lines.
    Completions(super::completions::Completions),
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
        soglia run --page a.html app.dll         also make a page to look at in a browser\n  \
        soglia run --follow dotnet test          record child processes too, in one report\n  \
        soglia run --deny 'libc!system' app.dll  make such calls throw; --audit only counts them\n  \
        soglia run --redirect 'libz!*=libz-ng.so.2' --max-calls 'sqlite3_step=1000' app.dll\n  \
        soglia run --deadline 'libpq!*=5s' app.dll       report longer calls while they last\n  \
        soglia run --deadline 'libpq!*=2m:kill' app.dll  end the program after such a call\n  \
        soglia run --slots 4 app.dll             let at most 4 threads run managed code at a time\n  \
        soglia run -o recordings/ --keep 10 app.dll      a new file each time, and at most 10\n  \
        soglia run --metrics 9464 app.dll        answer Prometheus at http://127.0.0.1:9464/metrics\n  \
        soglia run --otlp http://localhost:4318 app.dll  send metrics and slow calls to a collector\n\n\
    Exit codes:\n  \
        the program's  the program ran; 137 (128 + SIGKILL) if a deadline ended it\n  \
        2              soglia could not start the program\n  \
        125            the engine ended the program: a policy, --slots or a deadline would not hold"
)]
pub struct Run {
    #[command(flatten)]
    pub recorded: Recorded,
    /// Keep the newest N recordings of the folder -o, with the new one, and remove older ones.
    #[arg(long, value_name = "N", requires = "output")]
    pub keep: Option<NonZeroUsize>,
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
    /// Also write the report as a page for a browser into this file.
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
    #[command(flatten)]
    pub shown: Shown,
    /// The program to run, and its arguments.
    #[arg(
        required = true,
        trailing_var_arg = true,
        value_name = "PROGRAM [ARGS]"
    )]
    pub command: Vec<OsString>,
    // Their headings would be those of all that comes after them.
    #[command(flatten)]
    pub policy: PolicyOptions,
    #[command(flatten)]
    pub metrics: MetricsOptions,
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

#[derive(Debug, Args)]
#[command(
    after_help = "JSON and CSV hold all targets, including the runtime's own, unless --top is given.\n\n\
    A report of several recordings adds up targets with the same library, function and method, and names the \
    process of everything else. --since, --last and --attach take one recording. docs/processes.md has more.\n\n\
    With --since and --last, times and histograms are those of calls that returned in the window, and calls \
    and crossings are those that began in it. Open calls are those of the window's end, with their whole \
    duration. min and max are exact to about 6 %, as percentiles are.\n\n\
    Examples:\n  \
        soglia report a.soglia --sort self --top 5\n  \
        soglia report 4711                      report what process 4711 has done so far\n  \
        soglia report 4711 --since 10s          report what it does in the next 10 seconds\n  \
        soglia report 4711 --attach --for 30s   the same if it was not started under soglia\n  \
        soglia report --follow a.soglia         with the processes that it started\n  \
        soglia report recordings/               the same of all recordings in a directory\n  \
        soglia report a.soglia --format html -o a.html\n  \
        soglia report a.soglia --format json | jq '.targets[] | select(.max_ns > 1e6) | .entry'\n\n\
    Exit codes:\n  \
        0  the report was printed\n  \
        2  the file cannot be read or is not a recording, or the process has none"
)]
pub struct Report {
    /// The recording, or the process that makes it: a program under soglia, or its `soglia run`.
    /// Several of them, or a directory of recordings, make one report.
    #[arg(value_name = "FILE|PID|DIRECTORY", required = true)]
    pub files: Vec<PathBuf>,
    /// Also report on the processes that the program started under `soglia run --follow -o FILE`:
    /// their recordings are FILE.PID.
    #[arg(long)]
    pub follow: bool,
    /// Write the report into this file.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub shown: Shown,
    /// Look twice at a running program, this long apart, and report what happened in between.
    #[arg(long, value_name = "DURATION", conflicts_with_all = ["last", "replay"], value_parser = limit)]
    pub since: Option<Duration>,
    /// Report only the last part of a recording with events, up to its end or to now.
    #[arg(long, value_name = "DURATION", value_parser = limit)]
    pub last: Option<Duration>,
    /// Compute the report from the recorded events instead of the counters.
    #[arg(long)]
    pub replay: bool,
    /// Read what is left of a file that was cut short.
    #[arg(long)]
    pub partial: bool,
    #[command(flatten)]
    pub attaching: Briefly,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        soglia events a.soglia | less\n  \
        soglia events 4711                     those of process 4711 so far\n  \
        soglia events a.soglia --by time       those of all threads in one timeline\n  \
        soglia events a.soglia --format jsonl | grep sqlite3_step\n\n\
    Exit codes:\n  \
        0  the crossings were listed\n  \
        2  the file cannot be read or holds no events, or the process has no recording")]
pub struct Events {
    #[arg(value_name = "FILE|PID", help = HELP)]
    pub file: PathBuf,
    /// How to print a crossing; each has one line.
    #[arg(long, value_enum, default_value_t = EventFormat::Text)]
    pub format: EventFormat,
    /// In text, also list the runtime's own targets; JSON lines always hold them.
    #[arg(long)]
    pub all: bool,
    /// In which order to list crossings.
    #[arg(long, value_enum, default_value_t = By::Thread)]
    pub by: By,
    /// List only the thread with this number in reports.
    #[arg(long, value_name = "N", alias = "task")]
    pub thread: Option<u32>,
    /// Read what is left of a file that was cut short.
    #[arg(long)]
    pub partial: bool,
    #[command(flatten)]
    pub attaching: Briefly,
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
pub enum EventFormat {
    /// For people.
    Text,
    /// One object per line; docs/events.schema.json describes it.
    Jsonl,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum By {
    /// Thread by thread, in time order within each.
    Thread,
    /// All threads in one timeline. If the program runs, it ends at the time of the command.
    Time,
}

fn slots(text: &str) -> Result<NonZeroU16, String> {
    text.parse()
        .map_err(|_| "expected a number from 1 to 65535".into())
}
