//! Runtimes: those that are installed, the one that a version means, and the one in this process.
//!
//! Installed runtimes are those of one .NET root, which is the one that `dotnet` itself uses. A
//! process has one runtime at most.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use semver::Version;
use soglia_abi::{HRESULT, hosting::types::HANDLE, hresult};
use soglia_core::mappings;
use soglia_dotnet::{CORE_FRAMEWORK, OLDEST_MAJOR, Root, Search, process_env};

use crate::objects;

/// The file of a runtime.
pub const LIBRARY: &str = "libcoreclr.so";

/// A runtime.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runtime {
    /// Its version. `None` for a runtime beside a self-contained program.
    pub version: Option<Version>,
    /// Where [`LIBRARY`] is.
    pub directory: PathBuf,
    /// The `libhostfxr.so` that starts it. `None` for a runtime that was found running.
    pub hostfxr: Option<PathBuf>,
    /// Its root. `None` for a runtime that was found running.
    pub root: Option<PathBuf>,
}

impl Runtime {
    /// The version as the hosting API writes it: with a `v` before it.
    pub fn version_string(&self) -> String {
        self.version
            .as_ref()
            .map_or_else(|| "v0.0.0".into(), |version| format!("v{version}"))
    }

    /// Whether soglia can start it here: it is recent enough, and this process has no other.
    pub fn is_loadable(&self) -> bool {
        let recent = self
            .version
            .as_ref()
            .is_some_and(|version| version.major >= OLDEST_MAJOR);
        match loaded() {
            Some(there) => there.directory == self.directory,
            None => recent && self.hostfxr.is_some(),
        }
    }

    fn of(root: &Root, version: &Version) -> Self {
        Self {
            version: Some(version.clone()),
            directory: root
                .path
                .join("shared")
                .join(CORE_FRAMEWORK)
                .join(version.to_string()),
            hostfxr: Some(root.hostfxr.clone()),
            root: Some(root.path.clone()),
        }
    }
}

/// The root that the host has named, instead of a search.
static NAMED: Mutex<Option<Root>> = Mutex::new(None);

/// Sets the root whose runtimes count. `None`: the one that a search finds.
pub fn set_root(root: Option<Root>) {
    *NAMED.lock().unwrap_or_else(PoisonError::into_inner) = root;
}

/// All installed runtimes, versions ascending.
pub fn installed() -> Vec<Runtime> {
    if let Some(root) = &*NAMED.lock().unwrap_or_else(PoisonError::into_inner) {
        let versions = root.versions_of(CORE_FRAMEWORK);
        return versions.iter().map(|v| Runtime::of(root, v)).collect();
    }
    let search = Search::run(&process_env);
    let Some(root) = search.root().ok().or_else(|| search.roots.first()) else {
        return Vec::new();
    };
    let versions = root.versions_of(CORE_FRAMEWORK);
    versions.iter().map(|v| Runtime::of(root, v)).collect()
}

/// The runtime that is loaded in this process, by this library or not.
pub fn loaded() -> Option<Runtime> {
    let files = objects::loaded();
    let file = files.iter().find(|path| path.ends_with(LIBRARY))?;
    Some(at(file))
}

/// The runtime whose [`LIBRARY`] is `file`.
pub fn at(file: &Path) -> Runtime {
    let file = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
    let directory = file.parent().unwrap_or(Path::new("/")).to_owned();
    let known = installed().into_iter().find(|r| {
        r.directory == directory
            || std::fs::canonicalize(&r.directory).is_ok_and(|d| d == directory)
    });
    known.unwrap_or_else(|| Runtime {
        version: directory
            .file_name()
            .and_then(|name| Version::parse(name.to_str()?).ok()),
        directory,
        hostfxr: None,
        root: None,
    })
}

/// The runtime that a version means. `None` if it is not installed.
///
/// A `v` before it is optional. All numbers name exactly one runtime. Fewer numbers name the newest
/// runtime that begins with them. The versions of .NET Framework 2 and 4, which hosts contain as
/// constants, mean the newest runtime of all. A release counts before a preview.
pub fn named(text: &str) -> Option<Runtime> {
    choose(installed(), text)
}

/// The newest installed runtime.
pub fn newest() -> Option<Runtime> {
    best(installed(), |_| true)
}

fn choose(installed: Vec<Runtime>, text: &str) -> Option<Runtime> {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    if let Ok(exact) = Version::parse(text) {
        if is_framework(&exact) {
            return best(installed, |_| true);
        }
        return installed
            .into_iter()
            .find(|r| r.version.as_ref() == Some(&exact));
    }
    let numbers: Vec<u64> = text
        .split('.')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .ok()?;
    match numbers[..] {
        [4] | [4, 0] => best(installed, |_| true),
        [major] => best(installed, |version| version.major == major),
        [major, minor] => best(installed, |version| {
            (version.major, version.minor) == (major, minor)
        }),
        _ => None,
    }
}

/// Whether it is `v2.0.50727` or any build of `v4.0.30319`. There never was a .NET 4 of today's
/// kind.
fn is_framework(version: &Version) -> bool {
    (version.major, version.minor) == (4, 0)
        || (version.major, version.minor, version.patch) == (2, 0, 50727)
}

fn best(installed: Vec<Runtime>, fits: impl Fn(&Version) -> bool) -> Option<Runtime> {
    installed
        .into_iter()
        .filter(|r| r.version.as_ref().is_some_and(&fits))
        .max_by_key(|r| r.version.clone().map(|v| (v.pre.is_empty(), v)))
}

/// The runtimes that are loaded in a process: one or none. The handle is a process id, or one of
/// the two that mean this process: null, and the -1 that `GetCurrentProcess` returns.
pub fn loaded_in(process: HANDLE) -> Result<Vec<Runtime>, HRESULT> {
    let id = process as isize;
    if id == 0 || id == -1 || id == std::process::id() as isize {
        return Ok(loaded().into_iter().collect());
    }
    let id = u32::try_from(id).map_err(|_| hresult::E_HANDLE)?;
    let mappings = mappings::of(id).map_err(|_| hresult::E_HANDLE)?;
    let mut files: Vec<PathBuf> = mappings
        .into_iter()
        .filter_map(|mapping| mapping.path)
        .filter(|path| path.ends_with(LIBRARY))
        .collect();
    files.dedup();
    Ok(files.iter().map(|path| at(Path::new(path))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meant(text: &str) -> Option<String> {
        let versions = [
            "6.0.36",
            "8.0.31",
            "9.0.0",
            "9.0.7",
            "10.0.2",
            "10.0.12",
            "11.0.0-preview.1.2",
        ];
        let installed = versions
            .iter()
            .map(|version| Runtime {
                version: Some(Version::parse(version).unwrap()),
                directory: PathBuf::from(version),
                hostfxr: None,
                root: None,
            })
            .collect();
        choose(installed, text).map(|r| r.version_string())
    }

    #[test]
    fn a_version_means_one_runtime() {
        for (text, version) in [
            ("10.0.12", "v10.0.12"),
            ("v10.0.2", "v10.0.2"),
            ("v10.0", "v10.0.12"),
            ("V9", "v9.0.7"),
            ("v11.0", "v11.0.0-preview.1.2"),
            ("11.0.0-preview.1.2", "v11.0.0-preview.1.2"),
            ("v4.0.30319", "v10.0.12"),
            ("v4.0", "v10.0.12"),
            ("v2.0.50727", "v10.0.12"),
            ("v6.0.36", "v6.0.36"),
        ] {
            assert_eq!(meant(text).as_deref(), Some(version), "{text}");
        }
        for text in [
            "",
            "v",
            "v10.0.3",
            "v12.0",
            "v1.1.4322",
            "v2.0.0",
            "v10.",
            "10.0.12.0",
            "newest",
        ] {
            assert_eq!(meant(text), None, "{text}");
        }
    }
}
