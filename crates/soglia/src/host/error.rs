//! What can go wrong when a host starts .NET or calls managed code, and what to do about it.

use std::path::{Path, PathBuf};

use soglia_dotnet::RootError;

use super::hresult::HResult;
use crate::assembly::AssemblyError;

/// Why a host could not start .NET or call managed code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine's file that the host or `SOGLIA_ENGINE` names does not exist.
    #[error(
        "there is no engine {}: correct `Builder::engine` or SOGLIA_ENGINE",
        .0.display()
    )]
    EngineNotThere(PathBuf),
    /// The engine is in none of the usual places.
    #[error(
        "soglia's engine, libsoglia.so, was not found: install soglia, or put the file beside this \
         program, or name it by `Builder::engine` or SOGLIA_ENGINE (looked at {}, and along \
         LD_LIBRARY_PATH)",
        paths(.0)
    )]
    EngineNotFound(Vec<PathBuf>),
    /// The file is not the engine, or it is the engine of another version.
    #[error(
        "{} is not the engine of this version of soglia: {reason}; install soglia again, or \
         correct `Builder::engine` or SOGLIA_ENGINE",
        path.display()
    )]
    EngineUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The engine that the program carries cannot be put into memory.
    #[error(
        "the engine inside this program cannot be loaded from memory: {0}; name a file instead, by \
         `Builder::engine` or SOGLIA_ENGINE"
    )]
    EngineNotInMemory(std::io::Error),

    /// There is no .NET that can be started.
    #[error("{0}; looked at: {1}")]
    NoDotnet(#[source] RootError, String),
    /// The folder that the host names is not a .NET root.
    #[error(
        "{} is not a .NET root: it has no host/fxr/VERSION/libhostfxr.so; correct \
         `Builder::dotnet_root`",
        .0.display()
    )]
    NotARoot(PathBuf),
    /// The version that the host asks for is not installed.
    #[error(
        "the .NET in {} has no runtime {wanted}, only {}; install it, or ask for another by \
         `Builder::version`",
        root.display(),
        or_none(installed)
    )]
    VersionMissing {
        /// The version, as the host asked for it.
        wanted: String,
        /// The .NET root.
        root: PathBuf,
        /// The versions that are installed.
        installed: Vec<String>,
    },
    /// soglia cannot start a runtime of that version.
    #[error("the runtime {0} is too old: soglia needs .NET 8 or later")]
    VersionTooOld(String),
    /// The configuration does not exist.
    #[error("there is no configuration {}: correct `Builder::runtime_config`", .0.display())]
    NoConfiguration(PathBuf),
    /// The configuration leads to another version than the host asks for.
    #[error(
        "the configuration {} does not lead to the runtime {version}: correct one of them, or \
         leave `Builder::version` out",
        path.display()
    )]
    OtherVersion {
        /// The configuration.
        path: PathBuf,
        /// The version that the host asks for.
        version: String,
    },

    /// A runtime runs in this process, so a setting for its start comes too late.
    #[error(
        "a runtime runs in this process already, and a process has one: {0} must be set before \
         the first start"
    )]
    AlreadyStarted(&'static str),
    /// An earlier start has failed after it handed over managers, which cannot be taken back.
    #[error(
        "an earlier start failed after it handed over its managers, which stay until the process \
         ends: start again in a new process"
    )]
    ManagersStay,
    /// The environment brings another profiler into the runtime.
    #[error(
        "another profiler is configured, and a runtime takes one: unset \
         CORECLR_ENABLE_PROFILING and DOTNET_ENABLE_PROFILING, so that soglia can be notified of \
         crossings"
    )]
    OtherProfiler,
    /// The runtime runs without the engine.
    #[error(
        "the runtime has started without soglia's engine, so no crossing would reach this host: \
         unset DOTNET_EnableDiagnostics and DOTNET_EnableDiagnostics_Profiler"
    )]
    WithoutEngine,
    /// There is nothing to attach to.
    #[error(
        "no .NET runs in this process, or the runtime is inside the program's own file: start \
         .NET first, or start it by `Builder::start` with the task manager"
    )]
    NoRuntime,
    /// A setting that has to come before the start.
    #[error(
        "{0} has to be set before .NET starts: leave it out, since `Builder::attach` takes a task \
         manager, `watch` and an engine"
    )]
    OnlyAtStart(&'static str),
    /// There is nothing to notify.
    #[error("nothing would be notified: add `Builder::task_manager` or `Builder::watch`")]
    NoTaskManager,
    /// The engine cannot notify the task manager, or let it go.
    #[error("{doing} the task manager failed: {why} ({code})")]
    NotAttached {
        /// What was done.
        doing: &'static str,
        /// The engine's result code.
        code: HResult,
        /// The engine's reason, and what to do.
        why: String,
    },
    /// .NET has not started.
    #[error(".NET has not started: {code}{}", after(said))]
    NotStarted {
        /// The runtime's result code.
        code: HResult,
        /// The message of .NET's own host.
        said: String,
    },

    /// The assembly does not exist.
    #[error("there is no assembly {}", .0.display())]
    AssemblyNotFound(PathBuf),
    /// The file is not an assembly, or it is one for another kind of machine.
    #[error("{} is not an assembly that .NET can load", .0.display())]
    NotAnAssembly(PathBuf),
    /// The file cannot be run as a program.
    #[error(transparent)]
    NotAProgram(#[from] AssemblyError),
    /// The assembly lacks the type, or something that the type needs.
    #[error(
        "{} has no type {type_name}, or lacks something that the type needs: a full name has the \
         namespace in it, and a `+` before a nested type's name",
        assembly.display()
    )]
    TypeMissing {
        /// The assembly.
        assembly: PathBuf,
        /// The type.
        type_name: String,
    },
    /// The type lacks a method of that name and kind.
    #[error("{type_name} has no {kind} {method}")]
    MethodMissing {
        /// The type.
        type_name: String,
        /// The method.
        method: String,
        /// The kind of method that was looked for.
        kind: &'static str,
    },
    /// The method cannot be called as a function.
    #[error("{type_name}.{method} is not for native callers: it lacks [UnmanagedCallersOnly]")]
    NotForNativeCallers {
        /// The type.
        type_name: String,
        /// The method.
        method: String,
    },
    /// An exception left the method.
    #[error("an exception left {type_name}.{method}: {code}")]
    Exception {
        /// The type.
        type_name: String,
        /// The method.
        method: String,
        /// The exception's `HResult`.
        code: HResult,
    },

    /// The domain is unloaded, or it is being unloaded.
    #[error("the domain {0} is unloaded")]
    DomainUnloaded(u32),
    /// The domain has not gone in time.
    #[error(
        "the domain {0} has not gone in time: a thread is in it, or something refers to what it \
         has; it takes no more calls, and `Domain::unload` may wait for it again"
    )]
    DomainHeld(u32),
    /// The calling thread would wait for itself.
    #[error("the calling thread is in the domain {0}: unload it on another thread, or later")]
    InsideDomain(u32),

    /// The runtime runs no more managed code.
    #[error(
        "the CLR is not available: a method of a host panicked or returned E_FAIL, or the host \
         has been stopped, or the process ends"
    )]
    ClrNotAvailable,
    /// A text has a zero in it, which would end it on .NET's side.
    #[error("a path, a name or an argument has a zero in it")]
    ZeroByte,
    /// The path is not Unicode.
    #[error("{} is not Unicode, and .NET's texts are", .0.display())]
    NotUnicode(PathBuf),
    /// A hosting method has failed in another way.
    #[error("{what}: {code}")]
    Other {
        /// The hosting method.
        what: &'static str,
        /// Its result code.
        code: HResult,
    },
}

impl Error {
    pub(super) fn other(what: &'static str, code: HResult) -> Self {
        if code == HResult::CLR_NOT_AVAILABLE {
            Self::ClrNotAvailable
        } else {
            Self::Other { what, code }
        }
    }

    /// The HRESULT behind the error, if it has one.
    pub fn code(&self) -> Option<HResult> {
        match self {
            Self::NotStarted { code, .. }
            | Self::NotAttached { code, .. }
            | Self::Exception { code, .. }
            | Self::Other { code, .. } => Some(*code),
            Self::ClrNotAvailable => Some(HResult::CLR_NOT_AVAILABLE),
            _ => None,
        }
    }
}

fn paths(paths: &[PathBuf]) -> String {
    let paths = paths.iter().map(|path| Path::display(path).to_string());
    paths.collect::<Vec<_>>().join(", ")
}

fn or_none(versions: &[String]) -> String {
    if versions.is_empty() {
        "none at all".into()
    } else {
        versions.join(", ")
    }
}

fn after(said: &str) -> String {
    if said.is_empty() {
        String::new()
    } else {
        format!("; it says: {said}")
    }
}
