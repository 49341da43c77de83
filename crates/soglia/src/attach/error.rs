//! Why nothing can be attached to a process, and what to do about it.

use crate::dotnet::platform::OWN;
use std::io;

use soglia_dotnet::diagnostics::IpcError;

/// Why soglia cannot attach to a process.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// There is no such process.
    #[error("there is no process {0}: `ps` lists those that run")]
    NoProcess(u32),
    /// It is the number of a thread, as `top -H` and debuggers show it.
    #[error("{pid} is a thread of process {process}: give the number of the process")]
    Thread {
        /// The thread.
        pid: u32,
        /// Its process.
        process: u32,
    },
    /// It is a zombie, or it ended meanwhile.
    #[error("process {0} has ended")]
    Ended(u32),
    /// The system does not let this user look into it.
    #[error("process {pid} belongs to {user}: only that user and root can attach to it")]
    NotYours {
        /// The process.
        pid: u32,
        /// The name of its user, or the number.
        user: String,
    },
    /// The system lets this user, who may look into processes of the kind, not look into this one.
    #[error("the kernel shows nothing of process {pid} to this user: {why}")]
    Hidden {
        /// The process.
        pid: u32,
        /// What is missing.
        why: &'static str,
    },
    /// It has not loaded the runtime.
    #[error(
        "process {pid} ({name}) runs no .NET: if it starts a .NET program, give the number of that one{}",
        those(.children)
    )]
    NotDotnet {
        /// The process.
        pid: u32,
        /// Its name.
        name: String,
        /// Its children that run .NET.
        children: Vec<u32>,
    },
    /// It opened no diagnostics socket.
    #[error("process {pid} has no diagnostics socket, by which one attaches: {why}")]
    NoSocket {
        /// The process.
        pid: u32,
        /// The likely reason, and what to do.
        why: String,
    },
    /// Its runtime is too old.
    #[error("process {pid} runs .NET {version}: soglia attaches to .NET 8 and later")]
    TooOld {
        /// The process.
        pid: u32,
        /// The runtime's version.
        version: String,
    },
    /// It has no runtime that compiles code.
    #[error(
        "process {0} was compiled ahead of time (NativeAOT), so no hooks can be put into its code: publish it \
         without PublishAot to record it"
    )]
    Native(u32),
    /// Its runtime is for another machine.
    #[error("process {pid} runs .NET for {what}, and this soglia is for Linux on {own}", own = OWN.name)]
    OtherMachine {
        /// The process.
        pid: u32,
        /// Operating system and architecture.
        what: String,
    },
    /// It does not run at the moment.
    #[error("process {pid} cannot answer: {why}")]
    Halted {
        /// The process.
        pid: u32,
        /// Why, and what to do.
        why: String,
    },
    /// Hot reload may change its code.
    #[error(
        "hot reload may change the code of process {0}, which hooks would disturb: start it without \
         DOTNET_MODIFIABLE_ASSEMBLIES"
    )]
    HotReload(u32),
    /// Its runtime has a profiler already.
    #[error(
        "process {pid} has another profiler, and a runtime takes only one{}: start it without that one to attach soglia",
        found(.profiler)
    )]
    OtherProfiler {
        /// The process.
        pid: u32,
        /// The profiler, if it could be found.
        profiler: Option<String>,
    },
    /// It runs under `soglia run`, which records it.
    #[error(
        "process {0} runs under soglia already: `soglia report {0}` or `soglia top {0}` show what it does"
    )]
    Recorded(u32),
    /// Another tool is attached to it.
    #[error(
        "{} is attached to process {pid}: `soglia report {pid}` shows what it records",
        by(.holder)
    )]
    Busy {
        /// The process.
        pid: u32,
        /// The process of that tool.
        holder: Option<u32>,
    },
    /// It records on, as `--keep` has it.
    #[error(
        "process {0} records already, since a `soglia attach --keep`: `soglia report {0}` shows it, and \
         `soglia attach {0} --end` ends it"
    )]
    Kept(u32),
    /// No `--keep` has left it recording.
    #[error("nothing records process {0}: there is nothing to end")]
    Free(u32),
    /// The engine is in it, and does not answer.
    #[error("process {pid} has the engine, which does not answer: {why}")]
    Deaf {
        /// The process.
        pid: u32,
        /// What was tried.
        why: String,
    },
    /// Its runtime is held at its start.
    #[error(
        "process {0} has not started its program yet: its runtime waits for a tool to have it go on, if \
         DOTNET_DiagnosticPorts or DOTNET_DefaultDiagnosticPortSuspend is set; attach when it runs"
    )]
    Early(u32),
    /// The runtime could not load the engine.
    #[error("the runtime of process {pid} cannot load the engine: {why}")]
    Engine {
        /// The process.
        pid: u32,
        /// What was tried, and what is wrong.
        why: String,
    },
    /// The runtime did not do it.
    #[error("the runtime of process {pid} did not load the engine: {error}")]
    Runtime {
        /// The process.
        pid: u32,
        /// What it answered.
        error: IpcError,
    },
    /// The runtime did not say what it is.
    #[error(
        "the runtime of process {pid} does not answer on its diagnostics socket: {error}; if it has just started or \
         the machine is very busy, try again"
    )]
    Mute {
        /// The process.
        pid: u32,
        /// What came instead of an answer.
        error: IpcError,
    },
    /// The engine said no.
    #[error("the engine in process {pid} cannot record: {why}")]
    Engaged {
        /// The process.
        pid: u32,
        /// What it said.
        why: String,
    },
    /// It is in another container, which this user may not enter.
    #[error(
        "cannot attach to process {pid} from here: {why}; run soglia as root, or in the container of the process"
    )]
    Elsewhere {
        /// The process.
        pid: u32,
        /// What cannot be entered.
        why: String,
    },
    /// The tool was asked to end before hooks were live.
    #[error("interrupted before process {0} was attached to")]
    Interrupted(u32),
    /// The operating system gave an error.
    #[error("cannot attach to process {pid}: {what}: {error}")]
    Os {
        /// The process.
        pid: u32,
        /// What was tried.
        what: &'static str,
        /// The error.
        error: io::Error,
    },
}

fn those(children: &[u32]) -> String {
    match children {
        [] => String::new(),
        [one] => format!(" (its child {one} does)"),
        all => {
            let all: Vec<String> = all.iter().map(ToString::to_string).collect();
            format!(" (its children {} do)", all.join(", "))
        }
    }
}

fn by(holder: &Option<u32>) -> String {
    match holder {
        Some(holder) => format!("another soglia (process {holder})"),
        None => "another soglia".into(),
    }
}

fn found(profiler: &Option<String>) -> String {
    profiler
        .as_ref()
        .map(|what| format!(" ({what})"))
        .unwrap_or_default()
}
