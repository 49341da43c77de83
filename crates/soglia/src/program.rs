//! What `PROGRAM` on the command line is.
//!
//! An assembly (`.dll`, managed `.exe`) needs a .NET root to start it. Any other executable starts
//! itself: an apphost, a single-file program, `dotnet`, or something that starts one of these
//! later, such as a shell script. What cannot work is an error before anything starts, with the way
//! out in the message.

pub mod bundle;
pub mod elf;
mod error;
mod hint;
mod runtimeconfig;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use object::read::ReadCache;
use soglia_core::regular;

use crate::assembly;
use crate::dotnet::platform::CLibrary;
use crate::dotnet::{Lookup, Root, is_executable};
pub use error::ProgramError;
pub use runtimeconfig::{Asked, RuntimeConfig};

/// A program that can be started.
#[derive(Debug, Clone)]
pub struct Program {
    /// The name as it was given; an executable gets it as its `argv[0]`.
    pub given: OsString,
    /// The file.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
}

/// What kinds of program there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A managed assembly, started with the runtime of a .NET root.
    Assembly(RuntimeConfig),
    /// An executable that starts the CLR for an assembly, by default for the one beside it.
    Apphost {
        /// Its `NAME.runtimeconfig.json`, if that lies beside it.
        config: Option<RuntimeConfig>,
    },
    /// An apphost with the assemblies in the same file.
    SingleFile {
        /// Its `NAME.runtimeconfig.json`, if that is in the file.
        config: Option<RuntimeConfig>,
    },
    /// The `dotnet` command.
    Muxer,
    /// A script; it may start .NET.
    Script,
    /// Any other executable; it may start .NET.
    Native,
}

impl Kind {
    /// A few words for people.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::Assembly(_) => "a .NET assembly",
            Self::Apphost {
                config: Some(config),
            } if !config.included.is_empty() => "a self-contained .NET program",
            Self::Apphost { .. } => "a .NET apphost",
            Self::SingleFile { .. } => "a single-file .NET program",
            Self::Muxer => "the dotnet command",
            Self::Script => "a script",
            Self::Native => "a native executable",
        }
    }
}

impl Program {
    /// Finds the file that `given` names, and looks what it is.
    ///
    /// A name without `/` is looked up on `PATH` as a shell does it; but `app.dll` is a file here,
    /// as for `dotnet`.
    ///
    /// # Errors
    /// If there is no such file, or if it cannot run with the engine.
    pub fn inspect(given: &OsStr, env: Lookup<'_>) -> Result<Self, ProgramError> {
        let path = locate(given, env)?;
        let kind = kind_of(&path)?;
        if let Kind::Apphost { config } | Kind::SingleFile { config } = &kind {
            config
                .iter()
                .try_for_each(|config| config.check_bound(&path, env))?;
        }
        Ok(Self {
            given: given.to_owned(),
            path,
            kind,
        })
    }

    /// Whether it takes a .NET root to start this program.
    pub fn needs_root(&self) -> bool {
        matches!(self.kind, Kind::Assembly(_))
    }

    /// The C library of the runtime that it will have. `root`: the one that starts an assembly.
    pub fn c_library(&self, root: Option<&Root>) -> CLibrary {
        let found = match (&self.kind, root) {
            (Kind::Assembly(_), Some(root)) => match &root.muxer {
                Some(muxer) => CLibrary::of_program(muxer),
                None => CLibrary::of_library(&root.hostfxr),
            },
            (Kind::Script, _) => None,
            _ => CLibrary::of_program(&self.path),
        };
        found.unwrap_or_else(CLibrary::of_system)
    }

    /// Checks that `root` may have the frameworks that the program asks for. An apphost finds its
    /// root itself, so for an apphost the result is right only if that is `root`.
    ///
    /// # Errors
    /// [`ProgramError::FrameworkMissing`] or [`ProgramError::FrameworkTooOld`].
    pub fn check_frameworks(&self, root: &Root, env: Lookup<'_>) -> Result<(), ProgramError> {
        match &self.kind {
            Kind::Assembly(config)
            | Kind::Apphost {
                config: Some(config),
            }
            | Kind::SingleFile {
                config: Some(config),
            } => config.check(&self.path, root, env),
            _ => Ok(()),
        }
    }
}

fn locate(given: &OsStr, env: Lookup<'_>) -> Result<PathBuf, ProgramError> {
    let path = Path::new(given);
    if given.as_encoded_bytes().contains(&b'/') {
        return Ok(path.to_owned());
    }
    let here = Path::new(".").join(path);
    if is_assembly_name(path) || hint::is_source(path) {
        return Ok(here);
    }
    let on_path = env("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let found = std::env::split_paths(&on_path)
        .map(|directory| directory.join(path))
        .find(|file| is_executable(file));
    if found.is_none() && path.is_dir() {
        return Ok(path.to_owned());
    }
    found.ok_or_else(|| ProgramError::NotOnPath {
        name: given.to_owned(),
        hint: hint::for_name(&here),
    })
}

fn is_assembly_name(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        extension.eq_ignore_ascii_case("dll") || extension.eq_ignore_ascii_case("exe")
    })
}

fn kind_of(path: &Path) -> Result<Kind, ProgramError> {
    let owned = || path.to_owned();
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ProgramError::Missing { path: owned() },
        _ => ProgramError::Unreadable {
            path: owned(),
            error,
        },
    })?;
    if metadata.is_dir() {
        let hint = hint::for_directory(path);
        return Err(ProgramError::Directory {
            path: owned(),
            hint,
        });
    }
    let mut file = match regular::open(path) {
        // The system executes a file that this process may not read.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && is_executable(path) => {
            return Ok(Kind::Native);
        }
        Err(error) => {
            return Err(ProgramError::Unreadable {
                path: owned(),
                error,
            });
        }
        Ok(file) => file,
    };
    let mut start = Vec::new();
    (&mut file)
        .take(4)
        .read_to_end(&mut start)
        .map_err(|error| ProgramError::Unreadable {
            path: owned(),
            error,
        })?;
    if start.starts_with(b"MZ") {
        assembly::check(path, &ReadCache::new(file))?;
        return kind_of_assembly(path);
    }
    if !is_executable(path) {
        // One that is executable is a script: `#!/usr/bin/env dotnet`.
        if hint::is_source(path) {
            return Err(ProgramError::Source { path: owned() });
        }
        return Err(ProgramError::NotExecutable { path: owned() });
    }
    if start != b"\x7fELF" {
        return Ok(Kind::Script);
    }
    let file = ReadCache::new(file);
    match elf::check(path, &file)? {
        elf::Host::Apphost => apphost(path),
        elf::Host::SingleFile(list) => {
            // hostfxr says what it does not like about the one inside.
            let config = bundle::runtime_config(&file, list)
                .and_then(|text| RuntimeConfig::parse(text).ok());
            Ok(Kind::SingleFile { config })
        }
        elf::Host::None => Ok(if is_muxer(path) {
            Kind::Muxer
        } else {
            Kind::Native
        }),
    }
}

fn kind_of_assembly(path: &Path) -> Result<Kind, ProgramError> {
    let path = path.to_owned();
    if !is_assembly_name(&path) {
        return Err(ProgramError::Extension { path });
    }
    let config = path.with_extension("runtimeconfig.json");
    if !config.exists() {
        return Err(ProgramError::NoConfig { path, config });
    }
    let config = RuntimeConfig::read(&config)?;
    if !config.included.is_empty() {
        let apphost = path.with_extension("");
        return Err(ProgramError::SelfContained { path, apphost });
    }
    Ok(Kind::Assembly(config))
}

fn apphost(path: &Path) -> Result<Kind, ProgramError> {
    // A renamed or linked apphost has its files elsewhere; it knows where.
    let real = fs::canonicalize(path).ok();
    let beside = |ending: &str| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        let file = real.as_ref().map(|real| real.with_file_name(&name));
        file.filter(|file| file.exists())
    };
    let config = beside(".runtimeconfig.json");
    let mut config = config.map(|file| RuntimeConfig::read(&file)).transpose()?;
    let names_none =
        |config: &RuntimeConfig| config.frameworks.is_empty() && config.included.is_empty();
    // Self-contained programs before .NET Core 3.1 do not name their framework there.
    if let (Some(config), true) = (&mut config, beside_runtime(real.as_deref()))
        && names_none(config)
    {
        let included = beside(".deps.json").and_then(|file| Asked::read_deps(&file));
        config.included.extend(included);
    }
    Ok(Kind::Apphost { config })
}

/// Whether a runtime lies beside this file.
fn beside_runtime(real: Option<&Path>) -> bool {
    real.is_some_and(|real| real.with_file_name("libcoreclr.so").exists())
}

fn is_muxer(path: &Path) -> bool {
    fs::canonicalize(path).is_ok_and(|real| {
        real.file_name() == Some("dotnet".as_ref()) && real.with_file_name("host/fxr").is_dir()
    })
}

#[cfg(test)]
mod tests;
