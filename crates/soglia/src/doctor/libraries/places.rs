//! The folders in which the runtime looks for native libraries.

use std::path::{Path, PathBuf};

use serde_json::Value;
use soglia_core::regular;

use crate::dotnet::native::Loader;
use crate::dotnet::{CORE_FRAMEWORK, Lookup, Search};
use crate::program::{Kind, Program, RuntimeConfig};

/// No `deps.json` is larger.
const MOST_BYTES: u64 = 64 << 20;
/// More files than this are not listed.
const MOST_ASSETS: usize = 10_000;

/// The platforms whose files the host takes, the best first.
const PLATFORMS: [&str; 6] = if cfg!(target_arch = "aarch64") {
    ["linux-arm64", "linux", "unix-arm64", "unix", "any", "base"]
} else {
    ["linux-x64", "linux", "unix-x64", "unix", "any", "base"]
};

/// What a `deps.json` says about files for this platform. Paths are relative to the program's
/// folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deps {
    /// Native libraries.
    pub(super) native: Vec<PathBuf>,
    /// Assemblies in folders of their own.
    pub(super) assemblies: Vec<PathBuf>,
}

impl Deps {
    /// Reads a file. One that is missing or damaged says nothing.
    pub(super) fn read(path: &Path) -> Self {
        let text = regular::read_to_string(path, MOST_BYTES).unwrap_or_default();
        Self::parse(text.trim_start_matches('\u{feff}'))
    }

    fn parse(text: &str) -> Self {
        let mut deps = Self::default();
        let Ok(json) = serde_json::from_str::<Value>(text) else {
            return deps;
        };
        let target = json["runtimeTarget"]["name"].as_str().unwrap_or_default();
        let target = json["runtimeTarget"].as_str().unwrap_or(target);
        let packages = json["targets"][target].as_object();
        for package in packages.into_iter().flat_map(|packages| packages.values()) {
            let native = package["native"].as_object();
            let native = native.into_iter().flat_map(|native| native.keys());
            deps.native.extend(native.map(PathBuf::from));
            let assets = package["runtimeTargets"].as_object();
            let of = |platform: &str, kind: &str| -> Vec<PathBuf> {
                let assets = assets.into_iter().flatten();
                assets
                    .filter(|(_, about)| about["rid"] == platform && about["assetType"] == kind)
                    .map(|(path, _)| PathBuf::from(path))
                    .collect()
            };
            for (kind, list) in [
                ("native", &mut deps.native),
                ("runtime", &mut deps.assemblies),
            ] {
                let mut platforms = PLATFORMS.iter().map(|platform| of(platform, kind));
                list.extend(
                    platforms
                        .find(|files| !files.is_empty())
                        .unwrap_or_default(),
                );
            }
            if deps.native.len() + deps.assemblies.len() > MOST_ASSETS {
                break;
            }
        }
        deps
    }
}

/// Where the runtime looks.
pub(super) struct Places {
    /// The folders that the host gives the runtime.
    pub(super) folders: Vec<PathBuf>,
    /// The folder of the runtime, if it is known.
    pub(super) runtime: Option<PathBuf>,
    pub(super) loader: Loader,
}

impl Places {
    /// The places for a program in this folder.
    pub(super) fn of(
        program: &Program,
        (program_folder, deps): (&Path, &Deps),
        search: &Search,
        env: Lookup<'_>,
    ) -> Self {
        let mut folders: Vec<PathBuf> = Vec::new();
        let mut add = |folder: PathBuf| {
            if !folders.contains(&folder) {
                folders.push(folder);
            }
        };
        for asset in &deps.native {
            // A published program has the file beside it, whatever folder the package has it in.
            let file = asset.file_name().map(|name| program_folder.join(name));
            let file = file.filter(|file| file.is_file());
            let file = file.unwrap_or_else(|| program_folder.join(asset));
            if let Some(folder) = file.parent().filter(|_| file.is_file()) {
                add(folder.to_owned());
            }
        }
        add(program_folder.to_owned());
        let frameworks = frameworks(program, search);
        let runtime = frameworks
            .iter()
            .find(|folder| folder.join("libcoreclr.so").is_file())
            .cloned();
        frameworks.into_iter().for_each(add);
        Self {
            folders,
            runtime,
            loader: Loader::new(env),
        }
    }
}

/// The folders of the frameworks that the program asks for.
fn frameworks(program: &Program, search: &Search) -> Vec<PathBuf> {
    let config = match &program.kind {
        Kind::Assembly(config) => config,
        Kind::Apphost {
            config: Some(config),
        }
        | Kind::SingleFile {
            config: Some(config),
        } => config,
        _ => return Vec::new(),
    };
    let Ok(root) = search.root() else {
        return Vec::new();
    };
    let RuntimeConfig { frameworks, .. } = config;
    let asked = frameworks
        .iter()
        .map(|asked| (asked.name.as_str(), asked.version.as_ref()));
    let mut asked: Vec<_> = asked.collect();
    if !asked.is_empty() && !asked.iter().any(|(name, _)| *name == CORE_FRAMEWORK) {
        asked.push((CORE_FRAMEWORK, None));
    }
    asked
        .into_iter()
        .filter_map(|(name, version)| {
            let installed = root.versions_of(name);
            let same = installed
                .iter()
                .filter(|found| version.is_some_and(|asked| asked.major == found.major));
            let best = same.max().or_else(|| installed.iter().max())?;
            Some(root.path.join("shared").join(name).join(best.to_string()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_platform_of_each_package_counts() {
        let text = r#"{
            "runtimeTarget": {"name": "t"},
            "targets": {"t": {
                "a/1": {"runtimeTargets": {
                    "runtimes/linux-x64/native/liba.so": {"rid": "linux-x64", "assetType": "native"},
                    "runtimes/linux/native/liba.so": {"rid": "linux", "assetType": "native"},
                    "runtimes/win/lib/a.dll": {"rid": "win", "assetType": "runtime"},
                    "runtimes/unix/lib/a.dll": {"rid": "unix", "assetType": "runtime"}}},
                "b/1": {"native": {"runtimes/linux-x64/native/libb.so": {}}}}}}"#;
        let deps = Deps::parse(text);
        let paths = |list: &[&str]| list.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(
            deps.native,
            paths(&[
                "runtimes/linux-x64/native/liba.so",
                "runtimes/linux-x64/native/libb.so"
            ])
        );
        assert_eq!(deps.assemblies, paths(&["runtimes/unix/lib/a.dll"]));
        for odd in [
            "",
            "[]",
            "{\"targets\": 3}",
            "{\"runtimeTarget\": {\"name\": 1}}",
        ] {
            assert_eq!(Deps::parse(odd), Deps::default());
        }
    }
}
