//! Finding an installed .NET.
//!
//! A .NET root is a directory with `host/fxr/VERSION/libhostfxr.so`; beside it lie the shared frameworks
//! (`shared/NAME/VERSION`) and mostly the `dotnet` command. The places are those where `dotnet` and the apphosts look,
//! and every place that was tried is kept: an error that does not tell where it searched helps nobody.

pub mod fxr;
pub mod library;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Component, Path, PathBuf};

use semver::Version;

/// Reads an environment variable; a parameter wherever the environment decides, so that tests can bring their own.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The path from the root, without `.` and `..` in it, as the program sees it then. Links in it stay, unless a `..` is behind them. A folder that is
/// not there stays as it is.
pub fn full_path(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let climbs = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    if !climbs(&full) {
        return full;
    }
    let resolved = match (full.parent(), full.file_name()) {
        (Some(folder), Some(name)) => folder.canonicalize().map(|folder| folder.join(name)),
        _ => full.canonicalize(),
    };
    resolved.unwrap_or(full)
}

/// The environment of this process, as a [`Lookup`].
pub fn process_env(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// The oldest major version of .NET that the engine works with.
pub const OLDEST_MAJOR: u64 = 8;

/// What a runtime of this version is called: it was .NET Core before .NET 5.
pub fn product(version: &Version) -> &'static str {
    if version.major < 5 {
        ".NET Core"
    } else {
        ".NET"
    }
}

/// The framework that every .NET program stands on.
pub const CORE_FRAMEWORK: &str = "Microsoft.NETCore.App";

/// The directories where packages and installers put .NET, tried after everything that was configured.
const USUAL_PLACES: [&str; 7] = [
    "/usr/share/dotnet",
    "/usr/lib/dotnet",
    "/usr/lib64/dotnet",
    "/usr/local/share/dotnet",
    "/usr/local/lib/dotnet",
    "/opt/dotnet",
    "/snap/dotnet/current/usr/lib/dotnet",
];

/// An installed .NET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// The directory, symlinks resolved.
    pub path: PathBuf,
    /// The `libhostfxr.so` of the highest version.
    pub hostfxr: PathBuf,
    /// The version of that `libhostfxr.so`.
    pub hostfxr_version: Version,
    /// The `dotnet` command of this root, if it has one.
    pub muxer: Option<PathBuf>,
    /// The shared frameworks by name, versions ascending.
    pub frameworks: BTreeMap<String, Vec<Version>>,
}

impl Root {
    /// Looks whether `path` is a .NET root.
    ///
    /// # Errors
    /// [`Outcome::Absent`] or [`Outcome::NoHostfxr`].
    pub fn at(path: &Path) -> Result<Self, Outcome> {
        let path = fs::canonicalize(path).map_err(|_| Outcome::Absent)?;
        let (hostfxr_version, hostfxr) = versions_in(&path.join("host/fxr"))
            .into_iter()
            .map(|version| {
                (
                    path.join(format!("host/fxr/{version}/libhostfxr.so")),
                    version,
                )
            })
            .rfind(|(file, _)| file.is_file())
            .map(|(file, version)| (version, file))
            .ok_or(Outcome::NoHostfxr)?;
        let mut frameworks = BTreeMap::new();
        for entry in fs::read_dir(path.join("shared"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let versions = versions_in(&entry.path());
            if let (Ok(name), false) = (entry.file_name().into_string(), versions.is_empty()) {
                frameworks.insert(name, versions);
            }
        }
        let muxer = Some(path.join("dotnet")).filter(|file| is_executable(file));
        Ok(Self {
            path,
            hostfxr,
            hostfxr_version,
            muxer,
            frameworks,
        })
    }

    /// The installed versions of a framework, ascending; empty if it is absent.
    pub fn versions_of(&self, framework: &str) -> &[Version] {
        self.frameworks.get(framework).map_or(&[], Vec::as_slice)
    }

    /// The highest runtime of this root.
    pub fn newest_runtime(&self) -> Option<&Version> {
        self.versions_of(CORE_FRAMEWORK).last()
    }

    fn is_recent_enough(&self) -> bool {
        self.newest_runtime()
            .is_some_and(|version| version.major >= OLDEST_MAJOR)
    }
}

/// What came of looking at one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A .NET root.
    Root,
    /// The variable or file that would name the place is not there.
    NotSet,
    /// The directory does not exist.
    Absent,
    /// The directory has no `host/fxr/VERSION/libhostfxr.so`.
    NoHostfxr,
}

/// One place where .NET was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What told to look there: a variable, a file, or "usual place".
    pub by: &'static str,
    /// The directory, if it was told.
    pub path: Option<PathBuf>,
    /// What was there.
    pub outcome: Outcome,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.path, self.outcome) {
            (None, _) if self.by.starts_with("DOTNET_") => write!(f, "{}: not set", self.by),
            (None, _) => write!(f, "{}: none", self.by),
            (Some(path), Outcome::Root) => write!(f, "{} ({})", path.display(), self.by),
            (Some(path), Outcome::NoHostfxr) => {
                write!(f, "{} ({}): no host/fxr there", path.display(), self.by)
            }
            (Some(path), _) => write!(f, "{} ({}): absent", path.display(), self.by),
        }
    }
}

/// Why there is no .NET to start an assembly with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RootError {
    /// No place has one.
    #[error(
        "no .NET found by DOTNET_ROOT, PATH, /etc/dotnet or in the usual places: install .NET {OLDEST_MAJOR} or later, or set DOTNET_ROOT (`soglia doctor` lists where it looked)"
    )]
    NotFound,
    /// There is one, but no runtime that the engine works with.
    #[error("the .NET in {} is too old ({newest}): soglia needs .NET {OLDEST_MAJOR} or later; install one, or set DOTNET_ROOT to it", path.display())]
    TooOld {
        /// The root.
        path: PathBuf,
        /// Its highest runtime.
        newest: Version,
    },
    /// There is one, but without any runtime.
    #[error("the .NET in {} has no runtime (shared/{CORE_FRAMEWORK}); install one, or set DOTNET_ROOT to another", path.display())]
    NoRuntime {
        /// The root.
        path: PathBuf,
    },
}

/// All places where .NET may be, and what was there.
#[derive(Debug, Clone)]
pub struct Search {
    /// The places, in the order in which they count.
    pub looked: Vec<Looked>,
    /// The roots among them, in the same order, each once.
    pub roots: Vec<Root>,
}

impl Search {
    /// Looks at `DOTNET_ROOT_X64`, `DOTNET_ROOT`, the `dotnet` on `PATH`, `/etc/dotnet` and the usual places.
    pub fn run(env: Lookup<'_>) -> Self {
        Self::under(Path::new("/"), env)
    }

    /// The same with another directory in place of `/`, for tests.
    fn under(system: &Path, env: Lookup<'_>) -> Self {
        let mut search = Self {
            looked: Vec::new(),
            roots: Vec::new(),
        };
        for variable in ["DOTNET_ROOT_X64", "DOTNET_ROOT"] {
            search.look(
                variable,
                env(variable)
                    .filter(|value| !value.is_empty())
                    .map(PathBuf::from),
            );
        }
        search.look(
            "dotnet on PATH",
            muxer_on_path(env).and_then(|file| Some(file.parent()?.to_owned())),
        );
        for (name, file) in [
            (
                "/etc/dotnet/install_location_x64",
                "etc/dotnet/install_location_x64",
            ),
            (
                "/etc/dotnet/install_location",
                "etc/dotnet/install_location",
            ),
        ] {
            search.look(name, install_location(&system.join(file)));
        }
        for place in USUAL_PLACES {
            search.look("usual place", Some(system.join(&place[1..])));
        }
        if let Some(home) = env("HOME").filter(|home| !home.is_empty()) {
            search.look("usual place", Some(Path::new(&home).join(".dotnet")));
        }
        search
    }

    fn look(&mut self, by: &'static str, path: Option<PathBuf>) {
        let outcome = match path.as_deref().map(Root::at) {
            None => Outcome::NotSet,
            Some(Err(outcome)) => outcome,
            Some(Ok(root)) => {
                if self.roots.iter().all(|known| known.path != root.path) {
                    self.roots.push(root);
                }
                Outcome::Root
            }
        };
        self.looked.push(Looked { by, path, outcome });
    }

    /// The root that assemblies are started with: the first that has a recent enough runtime.
    ///
    /// # Errors
    /// If there is none; what is wrong with the first one then decides the error.
    pub fn root(&self) -> Result<&Root, RootError> {
        if let Some(root) = self.roots.iter().find(|root| root.is_recent_enough()) {
            return Ok(root);
        }
        let Some(first) = self.roots.first() else {
            return Err(RootError::NotFound);
        };
        let path = first.path.clone();
        Err(match first.newest_runtime() {
            Some(newest) => RootError::TooOld {
                path,
                newest: newest.clone(),
            },
            None => RootError::NoRuntime { path },
        })
    }
}

/// The first executable `dotnet` on `PATH`, symlinks resolved: packages link `/usr/bin/dotnet` to where .NET is.
fn muxer_on_path(env: Lookup<'_>) -> Option<PathBuf> {
    let path = env("PATH")?;
    let file = std::env::split_paths(&path)
        .map(|directory| directory.join("dotnet"))
        .find(|file| is_executable(file))?;
    fs::canonicalize(file).ok()
}

/// The directory that an `install_location` file names: its first line, in old files prefixed by `x64=`.
fn install_location(file: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| !line.trim().is_empty())?.trim();
    Some(PathBuf::from(line.strip_prefix("x64=").unwrap_or(line)))
}

/// Whether `path` is a file that somebody may execute.
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The subdirectories that are named like a version, ascending.
fn versions_in(directory: &Path) -> Vec<Version> {
    let mut versions: Vec<Version> = fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| Version::parse(entry.file_name().to_str()?).ok())
        .collect();
    versions.sort();
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<OsString> {
        None
    }

    /// A directory that looks like a .NET root with these runtimes.
    fn root_with(path: &Path, fxr: &[&str], runtimes: &[&str]) {
        for version in fxr {
            let directory = path.join("host/fxr").join(version);
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join("libhostfxr.so"), "").unwrap();
        }
        for version in runtimes {
            fs::create_dir_all(path.join("shared").join(CORE_FRAMEWORK).join(version)).unwrap();
        }
    }

    #[test]
    fn the_highest_hostfxr_counts_and_a_release_is_higher_than_its_candidates() {
        let temp = tempfile::tempdir().unwrap();
        root_with(
            temp.path(),
            &[
                "9.0.7",
                "10.0.0-rc.1.25451.107",
                "10.0.0-rc.2.25502.107",
                "8.0.31",
            ],
            &[],
        );
        assert_eq!(
            Root::at(temp.path()).unwrap().hostfxr_version.to_string(),
            "10.0.0-rc.2.25502.107"
        );
        root_with(temp.path(), &["10.0.0"], &[]);
        assert_eq!(
            Root::at(temp.path()).unwrap().hostfxr_version.to_string(),
            "10.0.0"
        );
        fs::create_dir_all(temp.path().join("host/fxr/11.0.0")).unwrap(); // what an interrupted removal leaves
        assert_eq!(
            Root::at(temp.path()).unwrap().hostfxr_version.to_string(),
            "10.0.0"
        );
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        let temp = tempfile::tempdir().unwrap();
        root_with(
            temp.path(),
            &["10.0.0"],
            &["8.0.31", "10.0.2", "10.0.12", "9.0.0", "not-a-version"],
        );
        let root = Root::at(temp.path()).unwrap();
        let versions: Vec<_> = root
            .versions_of(CORE_FRAMEWORK)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(versions, ["8.0.31", "9.0.0", "10.0.2", "10.0.12"]);
    }

    #[test]
    fn the_variable_of_the_architecture_counts_first() {
        let temp = tempfile::tempdir().unwrap();
        let (first, second) = (temp.path().join("first"), temp.path().join("second"));
        root_with(&first, &["9.0.0"], &["9.0.0"]);
        root_with(&second, &["8.0.0"], &["8.0.0"]);
        let env = |name: &str| match name {
            "DOTNET_ROOT_X64" => Some(first.clone().into_os_string()),
            "DOTNET_ROOT" => Some(second.clone().into_os_string()),
            _ => None,
        };
        let search = Search::under(temp.path(), &env);
        assert_eq!(search.root().unwrap().path, first.canonicalize().unwrap());
        assert_eq!(search.roots.len(), 2);
    }

    #[test]
    fn a_linked_command_on_the_path_leads_to_its_root() {
        let temp = tempfile::tempdir().unwrap();
        let (root, bin) = (temp.path().join("lib/dotnet"), temp.path().join("bin"));
        root_with(&root, &["8.0.0"], &["8.0.0"]);
        fs::create_dir_all(&bin).unwrap();
        fs::write(root.join("dotnet"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(
            root.join("dotnet"),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        std::os::unix::fs::symlink("../lib/dotnet/dotnet", bin.join("dotnet")).unwrap();
        let env = |name: &str| (name == "PATH").then(|| bin.clone().into_os_string());
        let search = Search::under(temp.path(), &env);
        assert_eq!(
            search.root().unwrap().muxer,
            Some(root.canonicalize().unwrap().join("dotnet"))
        );
    }

    #[test]
    fn the_install_location_file_counts_in_both_forms() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("somewhere");
        root_with(&root, &["8.0.0"], &["8.0.0"]);
        fs::create_dir_all(temp.path().join("etc/dotnet")).unwrap();
        for prefix in ["", "x64="] {
            fs::write(
                temp.path().join("etc/dotnet/install_location"),
                format!("{prefix}{}\n", root.display()),
            )
            .unwrap();
            assert_eq!(
                Search::under(temp.path(), &none).root().unwrap().path,
                root.canonicalize().unwrap()
            );
        }
    }

    #[test]
    fn an_old_root_is_named_and_a_recent_one_behind_it_is_taken() {
        let temp = tempfile::tempdir().unwrap();
        root_with(
            &temp.path().join("usr/share/dotnet"),
            &["6.0.36"],
            &["6.0.36"],
        );
        let message = Search::under(temp.path(), &none)
            .root()
            .unwrap_err()
            .to_string();
        assert!(message.contains("too old (6.0.36)"), "{message}");
        root_with(&temp.path().join("opt/dotnet"), &["8.0.0"], &["8.0.0"]);
        assert!(Search::under(temp.path(), &none).root().is_ok());
    }

    #[test]
    fn where_it_looked_is_kept_for_doctor() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("opt/dotnet")).unwrap();
        let search = Search::under(temp.path(), &none);
        let message = search.root().unwrap_err().to_string();
        assert!(message.contains("set DOTNET_ROOT"), "{message}");
        let looked: Vec<String> = search.looked.iter().map(ToString::to_string).collect();
        for expected in [
            "DOTNET_ROOT: not set",
            "opt/dotnet (usual place): no host/fxr there",
            "usr/lib/dotnet (usual place): absent",
        ] {
            assert!(looked.iter().any(|l| l.contains(expected)), "{looked:?}");
        }
    }

    #[test]
    fn a_root_without_runtime_says_so() {
        let temp = tempfile::tempdir().unwrap();
        root_with(&temp.path().join("opt/dotnet"), &["8.0.0"], &[]);
        assert!(
            Search::under(temp.path(), &none)
                .root()
                .unwrap_err()
                .to_string()
                .contains("has no runtime")
        );
    }

    #[test]
    fn a_full_path_climbs_as_the_system_does() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path().canonicalize().unwrap();
        fs::create_dir_all(folder.join("real/deep")).unwrap();
        std::os::unix::fs::symlink(folder.join("real/deep"), folder.join("link")).unwrap();
        let full = |path: &str| full_path(&folder.join(path));
        assert_eq!(full("link/a.dll"), folder.join("link/a.dll"));
        assert_eq!(full("./real/.//a.dll"), folder.join("real/a.dll"));
        assert_eq!(full("real/../a.dll"), folder.join("a.dll"));
        assert_eq!(full("link/../a.dll"), folder.join("real/a.dll"));
        assert_eq!(full("absent/../a.dll"), folder.join("absent/../a.dll"));
    }
}
