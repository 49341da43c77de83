//! The options of `soglia attach`.

use std::{path::PathBuf, time::Duration};

use clap::Args;

use super::super::{
    metrics::MetricsOptions,
    policy::PolicyOptions,
    recorded::Recorded,
    shared::{Shown, Watched, limit},
};

#[derive(Debug, Args)]
#[command(
    override_usage = "soglia attach [OPTIONS] PID",
    after_help = "PID is a process that runs .NET 8 or later. It needs no preparation and is not restarted. From \
    then on its native calls are recorded, until you press Ctrl-C, the time of --for is over, or the program \
    ends. Then soglia lets go: the program's code is as it was, and the report goes to standard output. If \
    soglia itself is killed, the engine lets go as well.\n\n\
    Code that is running at that moment is seen from its next call on; docs/attach.md says what else is not \
    seen. `soglia doctor PID` says beforehand whether it can be done. --slots needs `soglia run`, because it has to hold from the first thread on.\n\n\
    Examples:\n  \
        soglia attach 4711                       record process 4711 until Ctrl-C\n  \
        soglia attach 4711 --for 30s             record it for 30 seconds\n  \
        soglia attach 4711 --framework --slow 5ms\n  \
        soglia attach 4711 --record events -o a.soglia\n  \
        soglia attach 4711 --for 1m --format json >report.json\n  \
        soglia attach 4711 --deny 'libc!system'  such calls throw until soglia lets go\n  \
        soglia attach 4711 --metrics 9464        answer Prometheus at http://127.0.0.1:9464/metrics\n  \
        soglia attach 4711 --for 1s --keep -o a.soglia  record on after this command\n  \
        soglia attach 4711 --end                 end what --keep has left\n\n\
    Exit codes:\n  \
        0    it was recorded, until you, the time or the program ended that\n  \
        2    soglia could not attach, or could not let go\n  \
        130  a second Ctrl-C ended soglia at once; the engine lets go by itself"
)]
pub struct Attach {
    /// The process.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: u32,
    /// Record for so long [default: until Ctrl-C, or until the program ends].
    #[arg(long = "for", value_name = "DURATION", value_parser = limit)]
    pub time: Option<Duration>,
    /// Record on after this command has ended and printed its report.
    #[arg(long, requires = "output")]
    pub keep: bool,
    /// Let go of a program that --keep has left recording.
    #[arg(long, conflicts_with_all = ["time", "keep", "output", "counts", "quiet", "page", "metrics", "otlp"])]
    pub end: bool,
    #[command(flatten)]
    pub recorded: Recorded,
    #[command(flatten)]
    pub watched: Watched,
    /// Don't print the report at the end.
    #[arg(short, long)]
    pub quiet: bool,
    /// Also write the report as a page for a browser into this file.
    #[arg(long, value_name = "FILE")]
    pub page: Option<PathBuf>,
    #[command(flatten)]
    pub shown: Shown,
    // Their headings would be those of all that comes after them.
    #[command(flatten)]
    pub policy: PolicyOptions,
    #[command(flatten)]
    pub metrics: MetricsOptions,
}
