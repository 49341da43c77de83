//! What can go wrong, and what to do about it.

use std::path::{Path, PathBuf};

use soglia_dotnet::RootError;

use super::HResult;
use crate::assembly::AssemblyError;

/// Why a host has not got what it wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The engine is not where the host or `SOGLIA_ENGINE` says.
    #[error("the engine was to be {}, which is no file: correct `Builder::engine` or SOGLIA_ENGINE", .0.display())]
    EngineNotThere(PathBuf),
    /// The engine is in none of the usual places.
    #[error("soglia's engine, libsoglia.so, was not found: install soglia, or put the file beside this program, or name it by `Builder::engine` or SOGLIA_ENGINE (looked at {})", paths(.0))]
    EngineNotFound(Vec<PathBuf>),
    /// The file is not the engine, or one of another version.
    #[error("{} is not the engine of this version of soglia: {reason}; install soglia again, or correct `Builder::engine` or SOGLIA_ENGINE", path.display())]
    EngineUnusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// There is no .NET that can be started.
    #[error("{0}; looked at: {1}")]
    NoDotnet(#[source] RootError, String),
    /// The root that the host has named is none.
    #[error("{} is no .NET root: it has no host/fxr/VERSION/libhostfxr.so; correct `Builder::dotnet_root`", .0.display())]
    NotARoot(PathBuf),
    /// The version that the host wants is not installed.
    #[error("the .NET in {} has no runtime {wanted}, only {}; install it, or ask for another by `Builder::version`", root.display(), or_none(installed))]
    VersionMissing {
        /// As asked for.
        wanted: String,
        /// The .NET root.
        root: PathBuf,
        /// The versions that are there.
        installed: Vec<String>,
    },
    /// The version is one that soglia cannot start.
    #[error("the runtime {0} is too old: soglia needs .NET 8 or later")]
    VersionTooOld(String),
    /// There is no such configuration.
    #[error("there is no configuration {}: correct `Builder::runtime_config`", .0.display())]
    NoConfiguration(PathBuf),
    /// A configuration leads to another version than the host wants.
    #[error("the configuration {} does not lead to the runtime {version}: correct one of them, or leave `Builder::version` out", path.display())]
    OtherVersion {
        /// The configuration.
        path: PathBuf,
        /// What the host has asked for.
        version: String,
    },

    /// A runtime runs in this process, so what was to be said before its start comes too late.
    #[error(
        "a runtime runs in this process already, and a process has one: {0} must be given before the first start"
    )]
    AlreadyStarted(&'static str),
    /// Another start, which failed, has handed managers over, and they cannot be taken back.
    #[error(
        "an earlier start has failed after handing over its managers, which stay for as long as the process: start again in a new process"
    )]
    ManagersStay,
    /// The environment brings another profiler into the runtime.
    #[error(
        "another profiler is configured, and a runtime takes one: to be told of crossings, unset CORECLR_ENABLE_PROFILING and DOTNET_ENABLE_PROFILING"
    )]
    OtherProfiler,
    /// The runtime runs, but without the engine.
    #[error(
        "the runtime has started without soglia's engine, so nothing would be told: unset DOTNET_EnableDiagnostics and DOTNET_EnableDiagnostics_Profiler"
    )]
    NotTold,
    /// .NET has not started.
    #[error(".NET has not started: {code}{}", after(said))]
    NotStarted {
        /// The answer.
        code: HResult,
        /// What .NET's own host said about it.
        said: String,
    },

    /// There is no such assembly.
    #[error("there is no assembly {}", .0.display())]
    AssemblyNotFound(PathBuf),
    /// The file is no assembly, or one for another kind of machine.
    #[error("{} is no assembly that .NET can load", .0.display())]
    NotAnAssembly(PathBuf),
    /// The file cannot be run as a program.
    #[error(transparent)]
    NotAProgram(#[from] AssemblyError),
    /// The assembly lacks a type, or something that the type needs.
    #[error("{} has no type {type_name}, or not all that it needs: full names have namespaces in them, and a `+` before a nested type's", assembly.display())]
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
        /// Which kind was looked for.
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
    /// An exception came out of the method.
    #[error("an exception came out of {type_name}.{method}: {code}")]
    Exception {
        /// The type.
        type_name: String,
        /// The method.
        method: String,
        /// `Exception.HResult`.
        code: HResult,
    },

    /// The runtime can run managed code no more.
    #[error(
        "the CLR is not available: a host's method has panicked or answered E_FAIL, the host has been stopped, or the process ends"
    )]
    ClrNotAvailable,
    /// A text with a zero in it, which ends texts on the other side.
    #[error("a path, a name or an argument has a zero in it")]
    ZeroByte,
    /// A path that is no Unicode.
    #[error("{} is no Unicode, and .NET's texts are", .0.display())]
    NotUnicode(PathBuf),
    /// Something else.
    #[error("{what}: {code}")]
    Other {
        /// The hosting method that was called.
        what: &'static str,
        /// Its answer.
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

    /// The HRESULT, if there is one.
    pub fn code(&self) -> Option<HResult> {
        match self {
            Self::NotStarted { code, .. }
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
