//! What `PROGRAM` on the command line is.
//!
//! An assembly (`.dll`, managed `.exe`) needs a .NET root to start it; anything else that is executable starts itself,
//! and may be an apphost, a single-file program, `dotnet`, or something that starts one of these later, like a shell
//! script. What cannot work is refused before anything is started, with the way out in the message.

mod bundle;
mod elf;
mod runtimeconfig;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use object::read::ReadCache;
use semver::Version;
use soglia_core::regular;

use crate::assembly::{self, AssemblyError};
use crate::dotnet::{self, Lookup, Root, is_executable};
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
    #[error("{} is a directory; name the .dll or the executable in it", path.display())]
    Directory { path: PathBuf },
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
    #[error("{} is for {machine}; soglia runs programs for AnyCPU or x64: build it for linux-x64", path.display())]
    WrongMachine { path: PathBuf, machine: String },
    #[error("{} is built for musl libc (its loader is {interpreter}), the engine for glibc: publish the program for linux-x64 instead of linux-musl-x64", path.display())]
    Musl { path: PathBuf, interpreter: String },
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

impl Program {
    /// Finds the file that `given` names, and looks what it is.
    ///
    /// A name without `/` is looked up on `PATH` as a shell does it; but `app.dll` is a file here, as for `dotnet`.
    ///
    /// # Errors
    /// If there is no such file, or if it surely cannot run under the engine.
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

    /// Refuses if the frameworks that the program asks for are surely not in `root`. An apphost finds its root itself, so
    /// for one the answer is right only if that is `root`.
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
    if is_assembly_name(path) {
        return Ok(here);
    }
    let on_path = env("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    let found = std::env::split_paths(&on_path)
        .map(|directory| directory.join(path))
        .find(|file| is_executable(file));
    found.ok_or_else(|| {
        let hint = if here.exists() {
            format!("; for the one in this directory say {}", here.display())
        } else {
            String::new()
        };
        ProgramError::NotOnPath {
            name: given.to_owned(),
            hint,
        }
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
        return Err(ProgramError::Directory { path: owned() });
    }
    let mut file = match regular::open(path) {
        // What may be executed but not read is the system's business.
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
        let included = beside(".deps.json").and_then(|file| runtimeconfig::of_deps(&file));
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
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const CONFIG: &str = r#"{"runtimeOptions": {"framework": {"name": "Microsoft.NETCore.App", "version": "8.0.0"}}}"#;

    struct Directory(tempfile::TempDir);

    impl Directory {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn file(&self, name: &str, bytes: &[u8], mode: u32) -> PathBuf {
            let path = self.0.path().join(name);
            fs::write(&path, bytes).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        }

        fn dll(&self, name: &str) -> PathBuf {
            self.file(
                name,
                &assembly::tests::assembly(false, 0x14c, 1, 0x0600_0001, true),
                0o644,
            )
        }
    }

    fn inspect(path: &Path) -> Result<Kind, String> {
        Program::inspect(path.as_os_str(), &|_| None)
            .map(|program| program.kind)
            .map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refused(path: &Path, because: &str) {
        let message = inspect(path).unwrap_err();
        assert!(message.contains(because), "{message}");
        assert!(
            message.contains(path.file_name().unwrap().to_str().unwrap())
                && !message.contains('\n'),
            "{message}"
        );
    }

    #[test]
    fn an_assembly_with_its_configuration_is_one() {
        let directory = Directory::new();
        let dll = directory.dll("a.dll");
        refused(&dll, "no a.runtimeconfig.json beside it");
        directory.file("a.runtimeconfig.json", CONFIG.as_bytes(), 0o644);
        assert!(
            matches!(inspect(&dll), Ok(Kind::Assembly(config)) if config.frameworks.len() == 1)
        );
        directory.file("a.runtimeconfig.json", b"{ not json", 0o644);
        let message = inspect(&dll).unwrap_err();
        assert!(
            message.contains("a.runtimeconfig.json cannot be read: "),
            "{message}"
        );
    }

    #[test]
    fn the_dll_of_a_self_contained_program_points_at_its_apphost() {
        let directory = Directory::new();
        let dll = directory.dll("a.b.dll");
        let config = r#"{"runtimeOptions": {"includedFrameworks": [{"name": "Microsoft.NETCore.App", "version": "9.0.7"}]}}"#;
        directory.file("a.b.runtimeconfig.json", config.as_bytes(), 0o644);
        refused(&dll, "self-contained");
        let apphost = directory.file(
            "a.b",
            &elf::tests::executable(2, 62, "/lib64/ld-linux-x86-64.so.2", Some(0)),
            0o755,
        );
        let kind = inspect(&apphost).unwrap();
        assert_eq!(kind.describe(), "a self-contained .NET program");
        assert!(inspect(&dll).unwrap_err().ends_with("a.b instead"));
    }

    #[test]
    fn a_bundle_tells_what_runtime_is_in_it() {
        let directory = Directory::new();
        let single_file = |name: &str, version: u32, config: &str| {
            let mut file = elf::tests::executable(2, 62, "/lib64/ld-linux-x86-64.so.2", Some(0));
            let (bundle, list) = bundle::tests::bundle(version, config, file.len() as u64);
            file[0x248..0x250].copy_from_slice(&list.to_le_bytes());
            file.extend(bundle);
            directory.file(name, &file, 0o755)
        };
        let with = |what: &str| format!(r#"{{"runtimeOptions": {{{what}}}}}"#);
        let core = |version: &str| {
            format!(r#"{{"name": "Microsoft.NETCore.App", "version": "{version}"}}"#)
        };
        let included =
            |version: &str| with(&format!(r#""includedFrameworks": [{}]"#, core(version)));
        let asks = |version: &str| with(&format!(r#""framework": {}"#, core(version)));
        let old = single_file("old6", 6, &included("6.0.36"));
        refused(&old, "runs on .NET 6.0.36, which is too old");
        let old = single_file("old3", 1, &included("3.1.32"));
        refused(&old, "runs on .NET Core 3.1.32, which is too old");
        refused(&single_file("asks6", 6, &asks("6.0.0")), "too old");
        let rolls =
            asks("6.0.0").replace("{\"framework", "{\"rollForward\": \"Major\", \"framework");
        for (name, config) in [
            ("new", included("8.0.31")),
            ("asks", asks("8.0.0")),
            ("rolls", rolls),
        ] {
            let kind = inspect(&single_file(name, 6, &config)).unwrap();
            assert!(
                matches!(&kind, Kind::SingleFile { config: Some(_) }),
                "{name}: {kind:?}"
            );
        }
        let kind = inspect(&single_file("odd", 6, "no json")).unwrap();
        assert_eq!(kind, Kind::SingleFile { config: None });
    }

    #[test]
    fn an_old_self_contained_folder_is_known_by_its_deps() {
        let directory = Directory::new();
        let host = elf::tests::executable(2, 62, "/lib64/ld-linux-x86-64.so.2", Some(0));
        let apphost = directory.file("a", &host, 0o755);
        directory.file("a.runtimeconfig.json", br#"{"runtimeOptions": {}}"#, 0o644);
        let deps = br#"{"runtimeTarget": {"name": ".NETCoreApp,Version=v2.2/linux-x64"}}"#;
        directory.file("a.deps.json", deps, 0o644);
        // Without a runtime beside it, it asks for one that is installed.
        assert!(inspect(&apphost).is_ok());
        directory.file("libcoreclr.so", b"", 0o644);
        refused(&apphost, "runs on .NET Core 2.2.0, which is too old");
    }

    #[test]
    fn files_that_nobody_can_start_are_refused() {
        let directory = Directory::new();
        refused(&directory.0.path().join("absent"), "does not exist");
        refused(directory.0.path(), "is a directory");
        refused(
            &directory.file("text", b"hello", 0o644),
            "neither a .NET assembly nor executable",
        );
        refused(
            &directory.file("empty", b"", 0o644),
            "neither a .NET assembly nor executable",
        );
        refused(&directory.dll("a.bin"), "rename it");
        refused(
            &directory.file(
                "n.dll",
                &assembly::tests::assembly(true, 0x8664, 0, 0, false),
                0o644,
            ),
            "native Windows program",
        );
        refused(
            &directory.file(
                "l.dll",
                &assembly::tests::assembly(false, 0x14c, 1, 0, true),
                0o644,
            ),
            "has no entry point",
        );
    }

    #[test]
    fn a_windows_apphost_points_at_the_dll_beside_it() {
        let directory = Directory::new();
        let exe = directory.file(
            "a.exe",
            &assembly::tests::assembly(true, 0x8664, 0, 0, false),
            0o755,
        );
        directory.dll("a.dll");
        refused(&exe, "a.dll instead");
    }

    #[test]
    fn scripts_and_native_programs_are_allowed() {
        let directory = Directory::new();
        assert_eq!(
            inspect(&directory.file("run.sh", b"#!/bin/sh\n", 0o755)),
            Ok(Kind::Script)
        );
        assert_eq!(inspect(Path::new("/bin/sh")), Ok(Kind::Native));
    }

    #[test]
    fn a_bare_name_is_looked_up_on_the_path() {
        let directory = Directory::new();
        let tool = directory.file("tool", b"#!/bin/sh\n", 0o755);
        directory.file("data", b"", 0o644);
        let env = |name: &str| (name == "PATH").then(|| directory.0.path().into());
        assert_eq!(Program::inspect("tool".as_ref(), &env).unwrap().path, tool);
        for name in ["absent", "data"] {
            let message = Program::inspect(name.as_ref(), &env)
                .unwrap_err()
                .to_string();
            assert!(
                message.starts_with(&format!("{name} is not on PATH")),
                "{message}"
            );
        }
    }

    #[test]
    fn a_bare_dll_is_a_file_of_this_directory() {
        let message = Program::inspect("absent.dll".as_ref(), &|_| None)
            .unwrap_err()
            .to_string();
        assert_eq!(message, "./absent.dll does not exist");
    }
}
