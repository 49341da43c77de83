//! Where .NET is looked for.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use semver::Version;

use crate::environment::Lookup;
use crate::machine::OWN;
use crate::path::is_executable;
use crate::root::{CORE_FRAMEWORK, OLDEST_MAJOR, Outcome, Root};

/// What [`Search::and_beside`] calls the place that it looks at.
const BESIDE: &str = "beside soglia";

/// The directories where packages and installers put .NET. They come after what was configured.
const USUAL_PLACES: [&str; 7] = [
    "/usr/share/dotnet",
    "/usr/lib/dotnet",
    "/usr/lib64/dotnet",
    "/usr/local/share/dotnet",
    "/usr/local/lib/dotnet",
    "/opt/dotnet",
    "/snap/dotnet/current/usr/lib/dotnet",
];

/// One place where .NET was looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// What names the place: a variable, a file, or "usual place".
    pub by: &'static str,
    /// The directory, if the variable or file names one.
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
    /// Looks at `DOTNET_ROOT_X64`, `DOTNET_ROOT`, the `dotnet` on `PATH`, `/etc/dotnet` and the
    /// usual places.
    pub fn run(env: Lookup<'_>) -> Self {
        Self::under(Path::new("/"), env)
    }

    /// The same with another directory in place of `/`, for tests.
    pub fn under(system: &Path, env: Lookup<'_>) -> Self {
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
            INSTALL_LOCATION,
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

    /// Looks, after all other places, at the directory or link `dotnet-root` beside this program.
    ///
    /// `make demo` puts it there on a machine without .NET. It is as trustworthy as the program: a
    /// user who can change one can change the other.
    #[must_use]
    pub fn and_beside(mut self, program: &Path) -> Self {
        let program = fs::canonicalize(program).unwrap_or_else(|_| program.to_owned());
        self.look(
            BESIDE,
            program.parent().map(|folder| folder.join("dotnet-root")),
        );
        self
    }

    /// What named the place of a root: the first of several.
    pub fn found_by(&self, root: &Root) -> &'static str {
        let is_there = |looked: &&Looked| {
            looked.outcome == Outcome::Root
                && looked
                    .path
                    .as_deref()
                    .and_then(|path| fs::canonicalize(path).ok())
                    .as_ref()
                    == Some(&root.path)
        };
        self.looked
            .iter()
            .find(is_there)
            .map_or("", |looked| looked.by)
    }

    /// The root that [`Search::and_beside`] found, if no other one is recent enough. Other programs
    /// find it only if `DOTNET_ROOT` names it.
    pub fn lent(&self) -> Option<&Root> {
        self.root()
            .ok()
            .filter(|root| self.found_by(root) == BESIDE)
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

    /// The root that assemblies are started with: the first with a runtime that is recent enough.
    ///
    /// # Errors
    /// If there is none. The error says what is wrong with the first root, if there are any.
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

/// The first executable `dotnet` on `PATH`, with links resolved: packages link `/usr/bin/dotnet` to
/// the root.
fn muxer_on_path(env: Lookup<'_>) -> Option<PathBuf> {
    let path = env("PATH")?;
    let file = std::env::split_paths(&path)
        .map(|directory| directory.join("dotnet"))
        .find(|file| is_executable(file))?;
    fs::canonicalize(file).ok()
}

/// The file that says where the .NET for this architecture is: its name, and its path.
const INSTALL_LOCATION: (&str, &str) = if cfg!(target_arch = "aarch64") {
    (
        "/etc/dotnet/install_location_arm64",
        "etc/dotnet/install_location_arm64",
    )
} else {
    (
        "/etc/dotnet/install_location_x64",
        "etc/dotnet/install_location_x64",
    )
};

/// The directory that an `install_location` file names in its first line. Old files have `x64=`, or
/// another architecture, before it.
fn install_location(file: &Path) -> Option<PathBuf> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| !line.trim().is_empty())?.trim();
    let own = line.strip_prefix(OWN.name);
    let own = own.and_then(|line| line.strip_prefix('='));
    Some(PathBuf::from(own.unwrap_or(line)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

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
        // What an interrupted removal leaves.
        fs::create_dir_all(temp.path().join("host/fxr/11.0.0")).unwrap();
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
        for prefix in ["".to_owned(), format!("{}=", OWN.name)] {
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
    fn a_root_beside_the_program_is_the_last_resort() {
        let temp = tempfile::tempdir().unwrap();
        let (tool, own) = (
            temp.path().join("bin/soglia"),
            temp.path().join("bin/dotnet-root"),
        );
        root_with(&temp.path().join("fetched"), &["8.0.4"], &["8.0.4"]);
        fs::create_dir_all(temp.path().join("bin")).unwrap();
        fs::write(&tool, "").unwrap();
        let search = || Search::under(temp.path(), &none).and_beside(&tool);
        let looked = search().looked.last().unwrap().to_string();
        assert!(
            looked.ends_with("bin/dotnet-root (beside soglia): absent"),
            "{looked}"
        );
        std::os::unix::fs::symlink("../fetched", &own).unwrap();
        let found = search();
        let root = found.root().unwrap();
        assert_eq!(
            root.path,
            temp.path().canonicalize().unwrap().join("fetched")
        );
        assert_eq!(found.lent(), Some(root));
        root_with(&temp.path().join("opt/dotnet"), &["8.0.0"], &["8.0.0"]);
        let found = search();
        let root = found.root().unwrap();
        assert!(root.path.ends_with("opt/dotnet"));
        assert_eq!(found.lent(), None);
        assert_eq!(found.found_by(root), "usual place");
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
}
