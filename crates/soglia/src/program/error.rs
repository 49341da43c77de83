//! Why a program cannot be started under the engine.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use semver::Version;

use crate::assembly::AssemblyError;
use crate::dotnet::{self, platform::OWN};

/// Why `PROGRAM` cannot be started under the engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the messages say what the variants and their fields are"
)]
pub enum ProgramError {
    #[error("{} does not exist", path.display())]
    Missing { path: PathBuf },
    #[error("{} is not on PATH{hint}", Path::new(name).display())]
    NotOnPath { name: OsString, hint: String },
    #[error("{} is a directory; {hint}", path.display())]
    Directory { path: PathBuf, hint: String },
    #[error("{} is source code or a project, not a program; build it (`dotnet build`) and run the .dll, which is then in bin/", path.display())]
    Source { path: PathBuf },
    #[error("cannot read {}: {error}", path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{} is neither a .NET assembly nor executable; if it should be, `chmod +x` it", path.display())]
    NotExecutable { path: PathBuf },
    #[error("{} is damaged: {reason}; build or copy it again", path.display())]
    BrokenElf { path: PathBuf, reason: String },
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    #[error("{} is a shared library; name the program that uses it", path.display())]
    SharedLibrary { path: PathBuf },
    #[error("{} is for {machine}; soglia runs programs for AnyCPU or {own}: build it for linux-{own}", path.display(), own = OWN.name)]
    WrongMachine { path: PathBuf, machine: String },
    #[error("{} is compiled ahead of time (Native AOT): no CLR runs in it, so there is nothing to record; build it without PublishAot", path.display())]
    NativeAot { path: PathBuf },
    #[error("{} is a .NET assembly, but .NET only starts files named .dll or .exe; rename it", path.display())]
    Extension { path: PathBuf },
    #[error("{} has no {} beside it, by which .NET picks a runtime; run the .dll in the output directory of `dotnet build` or `dotnet publish`, with the files around it", path.display(), name(config))]
    NoConfig { path: PathBuf, config: PathBuf },
    #[error("{} cannot be read: {reason}; build the program again", path.display())]
    BrokenConfig { path: PathBuf, reason: String },
    #[error("{} is part of a self-contained program, which `dotnet` does not start; run {} instead", path.display(), apphost.display())]
    SelfContained { path: PathBuf, apphost: PathBuf },
    #[error("{} needs {framework}, and the .NET in {} has {found}", path.display(), root.display())]
    FrameworkMissing {
        path: PathBuf,
        framework: String,
        root: PathBuf,
        found: String,
    },
    #[error("{} runs on {} {version}, which is too old: soglia needs .NET 8 or later; build the program for a later one, or set DOTNET_ROLL_FORWARD=Major if it is framework-dependent", path.display(), dotnet::product(version))]
    FrameworkTooOld { path: PathBuf, version: Version },
}

fn name(path: &Path) -> std::path::Display<'_> {
    Path::new(path.file_name().unwrap_or_default()).display()
}
