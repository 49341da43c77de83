//! A .NET root: one installation.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use semver::Version;

use crate::path::is_executable;

/// The oldest major version of .NET that the engine works with.
pub const OLDEST_MAJOR: u64 = 8;

/// The framework that every .NET program stands on.
pub const CORE_FRAMEWORK: &str = "Microsoft.NETCore.App";

/// What a runtime of this version is called: it was .NET Core before .NET 5.
pub fn product(version: &Version) -> &'static str {
    if version.major < 5 {
        ".NET Core"
    } else {
        ".NET"
    }
}

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

    /// Whether the engine works with a runtime of this root.
    pub(crate) fn is_recent_enough(&self) -> bool {
        self.newest_runtime()
            .is_some_and(|version| version.major >= OLDEST_MAJOR)
    }
}

/// What a place has that may be a root.
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

/// The versions that subdirectories are named after, ascending.
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
