//! `NAME.runtimeconfig.json`: which frameworks a program asks for, and whether a root has them.
//!
//! hostfxr decides that, and its message reaches the user unchanged. This module rejects only cases
//! that cannot succeed under any reading of the file, because its message can name the way out.

use std::ffi::OsString;
use std::path::Path;

use semver::Version;
use serde_json::Value;
use soglia_core::regular;

use super::error::ProgramError;
use crate::dotnet::{CORE_FRAMEWORK, Lookup, OLDEST_MAJOR, Root};

/// No configuration is larger.
const MOST_BYTES: u64 = 4 << 20;

/// A framework that a program asks for, or brings along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `Microsoft.NETCore.App` and the like.
    pub name: String,
    /// The version; absent or odd ones are left to hostfxr.
    pub version: Option<Version>,
}

/// What a `runtimeconfig.json` says about frameworks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuntimeConfig {
    /// The frameworks that a root has to have.
    pub frameworks: Vec<Asked>,
    /// The frameworks that lie beside the program: it is self-contained.
    pub included: Vec<Asked>,
    /// Whether the file allows another major version.
    pub rolls_to_major: bool,
}

impl RuntimeConfig {
    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read, or is not a JSON object.
    pub fn read(path: &Path) -> Result<Self, ProgramError> {
        let broken = |reason: String| ProgramError::BrokenConfig {
            path: path.to_owned(),
            reason,
        };
        let text =
            regular::read_to_string(path, MOST_BYTES).map_err(|error| broken(error.to_string()))?;
        Self::parse(&text).map_err(broken)
    }

    /// Reads the text of a file as leniently as hostfxr does: a byte order mark, comments and text
    /// behind the object are allowed.
    ///
    /// # Errors
    /// If the text does not begin with a JSON object.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = without_comments(text.trim_start_matches('\u{feff}'));
        let mut values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) => return Err(error.to_string()),
            None => return Err("the file is empty".into()),
        };
        if !value.is_object() {
            return Err("no JSON object".into());
        }
        let options = &value["runtimeOptions"];
        let mut frameworks = list(&options["frameworks"]);
        frameworks.extend(asked(&options["framework"]));
        let policies = [
            &options["rollForward"],
            &options["framework"]["rollForward"],
        ]
        .into_iter()
        .chain(
            options["frameworks"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|framework| &framework["rollForward"]),
        )
        .filter_map(Value::as_str);
        let rolls_to_major = policies.into_iter().any(allows_major)
            || !options["rollForwardOnNoCandidateFx"].is_null();
        Ok(Self {
            frameworks,
            included: list(&options["includedFrameworks"]),
            rolls_to_major,
        })
    }

    /// Checks that `root` may have a version of each framework.
    ///
    /// # Errors
    /// [`ProgramError::FrameworkMissing`] or [`ProgramError::FrameworkTooOld`].
    pub fn check(&self, program: &Path, root: &Root, env: Lookup<'_>) -> Result<(), ProgramError> {
        let rolls_to_major = self.rolls_to_major || env_allows_major(env);
        for asked in &self.frameworks {
            let installed = root.versions_of(&asked.name);
            let Some(version) = &asked.version else {
                continue;
            };
            let mut candidates = installed
                .iter()
                .filter(|candidate| {
                    candidate.major == version.major || (rolls_to_major && *candidate > version)
                })
                .filter(|candidate| *candidate >= version);
            let missing = || ProgramError::FrameworkMissing {
                path: program.to_owned(),
                framework: format!("{} {version}", asked.name),
                root: root.path.clone(),
                found: format!("{}; {}", listed(installed), hint(asked, version, installed)),
            };
            let best = candidates.next_back().ok_or_else(missing)?;
            if asked.name == CORE_FRAMEWORK && best.major < OLDEST_MAJOR {
                return Err(ProgramError::FrameworkTooOld {
                    path: program.to_owned(),
                    version: best.clone(),
                });
            }
        }
        Ok(())
    }

    /// Checks that the program does not need a runtime that is too old, whatever is installed. It
    /// needs one if it brings it along, or accepts no later one.
    ///
    /// # Errors
    /// [`ProgramError::FrameworkTooOld`].
    pub fn check_bound(&self, program: &Path, env: Lookup<'_>) -> Result<(), ProgramError> {
        let rolls_to_major = self.rolls_to_major || env_allows_major(env);
        let asked = self.frameworks.iter().filter(|_| !rolls_to_major);
        let core = self
            .included
            .iter()
            .chain(asked)
            .find(|framework| framework.name == CORE_FRAMEWORK);
        match core.and_then(|framework| framework.version.as_ref()) {
            Some(version) if version.major < OLDEST_MAJOR => Err(ProgramError::FrameworkTooOld {
                path: program.to_owned(),
                version: version.clone(),
            }),
            _ => Ok(()),
        }
    }
}

impl Asked {
    /// Reads the framework that a `NAME.deps.json` was made for.
    pub(super) fn read_deps(path: &Path) -> Option<Self> {
        Self::of_deps(&regular::read_to_string(path, MOST_BYTES).ok()?)
    }

    /// The framework that the text of a `NAME.deps.json` names as its target.
    ///
    /// Returns `None` if the text is no JSON, or names no target.
    pub fn of_deps(text: &str) -> Option<Self> {
        let deps: Value = serde_json::from_str(text).ok()?;
        // `.NETCoreApp,Version=v2.2/linux-x64`
        let name = deps["runtimeTarget"]["name"].as_str()?;
        let (_, version) = name.split_once(",Version=v")?;
        let version = version.split('/').next()?;
        Some(Self {
            name: CORE_FRAMEWORK.into(),
            version: Version::parse(&format!("{version}.0")).ok(),
        })
    }
}

fn list(value: &Value) -> Vec<Asked> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(asked)
        .collect()
}

fn asked(value: &Value) -> Option<Asked> {
    let name = value["name"].as_str()?.to_owned();
    let version = value["version"]
        .as_str()
        .and_then(|version| Version::parse(version).ok());
    Some(Asked { name, version })
}

fn allows_major(policy: &str) -> bool {
    let keeps = ["LatestPatch", "Minor", "LatestMinor", "Disable"];
    !keeps.iter().any(|keeps| policy.eq_ignore_ascii_case(keeps))
}

fn env_allows_major(env: Lookup<'_>) -> bool {
    let set = |name: &str| env(name).filter(|value: &OsString| !value.is_empty());
    set("DOTNET_ROLL_FORWARD").is_some_and(|policy| policy.to_str().is_none_or(allows_major))
        || set("DOTNET_ROLL_FORWARD_ON_NO_CANDIDATE_FX").is_some()
}

fn listed(versions: &[Version]) -> String {
    if versions.is_empty() {
        return "no version of it".into();
    }
    versions
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

fn hint(asked: &Asked, version: &Version, installed: &[Version]) -> String {
    let mut ways = Vec::new();
    if version.major >= OLDEST_MAJOR || asked.name != CORE_FRAMEWORK {
        ways.push(format!("install {}.{}", version.major, version.minor));
        ways.push("set DOTNET_ROOT to a .NET that has it".into());
    }
    if installed
        .last()
        .is_some_and(|newest| newest.major > version.major)
    {
        ways.push("set DOTNET_ROLL_FORWARD=Major to run on a later one".into());
    }
    if ways.is_empty() {
        "build the program for .NET 8 or later".into()
    } else {
        ways.join(", or ")
    }
}

/// Replaces `//` and `/* */` comments outside strings by spaces.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut in_string = false;
    while let Some(c) = chars.next() {
        match (in_string, c, chars.peek()) {
            (true, '\\', _) => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            (_, '"', _) => in_string = !in_string,
            (false, '/', Some('/')) => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
                continue;
            }
            (false, '/', Some('*')) => {
                chars.next();
                let mut last = ' ';
                for c in chars.by_ref() {
                    if (last, c) == ('*', '/') {
                        break;
                    }
                    last = c;
                }
                out.push(' ');
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    fn root(versions: &[&str]) -> Root {
        let versions = versions
            .iter()
            .map(|version| Version::parse(version).unwrap())
            .collect();
        Root {
            path: PathBuf::from("/r"),
            hostfxr: PathBuf::from("/r/host/fxr/10.0.0/libhostfxr.so"),
            hostfxr_version: Version::new(10, 0, 0),
            muxer: None,
            frameworks: BTreeMap::from([(CORE_FRAMEWORK.to_owned(), versions)]),
        }
    }

    fn config(version: &str, more: &str) -> RuntimeConfig {
        let text = format!(
            r#"{{"runtimeOptions": {{"framework": {{"name": "{CORE_FRAMEWORK}", "version": "{version}"}} {more} }} }}"#
        );
        RuntimeConfig::parse(&text).unwrap()
    }

    fn message(config: &RuntimeConfig, root: &Root, env: Lookup<'_>) -> String {
        config
            .check(Path::new("a.dll"), root, env)
            .map_or_else(|error| error.to_string(), |()| "fine".into())
    }

    fn none(_: &str) -> Option<OsString> {
        None
    }

    #[test]
    fn a_newer_minor_satisfies_and_a_newer_major_only_if_allowed() {
        assert_eq!(
            message(&config("8.0.0", ""), &root(&["8.0.31"]), &none),
            "fine"
        );
        let nine = root(&["9.0.7"]);
        let text = message(&config("8.0.0", ""), &nine, &none);
        assert!(
            text.contains("8.0.0")
                && text.contains("9.0.7")
                && text.contains("DOTNET_ROLL_FORWARD=Major"),
            "{text}"
        );
        assert_eq!(
            message(
                &config("8.0.0", r#", "rollForward": "LatestMajor""#),
                &nine,
                &none
            ),
            "fine"
        );
        let env = |name: &str| (name == "DOTNET_ROLL_FORWARD").then(|| "major".into());
        assert_eq!(message(&config("8.0.0", ""), &nine, &env), "fine");
        let env = |name: &str| (name == "DOTNET_ROLL_FORWARD").then(|| "LatestMinor".into());
        assert_ne!(message(&config("8.0.0", ""), &nine, &env), "fine");
    }

    #[test]
    fn an_older_version_never_satisfies() {
        let text = message(
            &config("10.0.0", r#", "rollForward": "Major""#),
            &root(&["8.0.31", "9.0.7"]),
            &none,
        );
        assert!(
            text.contains("8.0.31, 9.0.7") && text.contains("install 10.0"),
            "{text}"
        );
    }

    #[test]
    fn prereleases_are_ordered() {
        assert_eq!(
            message(
                &config("11.0.0-preview.1.26104.118", ""),
                &root(&["11.0.0-preview.2.1"]),
                &none
            ),
            "fine"
        );
        assert_ne!(
            message(&config("11.0.0", ""), &root(&["11.0.0-preview.2.1"]), &none),
            "fine"
        );
    }

    #[test]
    fn an_absent_framework_is_named() {
        let config = RuntimeConfig::parse(
            r#"{"runtimeOptions": {"frameworks": [{"name": "Microsoft.AspNetCore.App", "version": "8.0.0"}]}}"#,
        );
        let text = message(&config.unwrap(), &root(&["8.0.31"]), &none);
        assert!(
            text.contains("Microsoft.AspNetCore.App 8.0.0") && text.contains("no version of it"),
            "{text}"
        );
    }

    #[test]
    fn a_program_for_an_old_runtime_runs_on_the_new_one_or_not_at_all() {
        assert!(
            message(&config("6.0.0", ""), &root(&["6.0.36", "8.0.31"]), &none).contains("too old")
        );
        assert_eq!(
            message(
                &config("6.0.0", r#", "rollForward": "Major""#),
                &root(&["6.0.36", "8.0.31"]),
                &none
            ),
            "fine"
        );
    }

    #[test]
    fn what_is_unclear_is_left_to_hostfxr() {
        assert_eq!(
            message(&config("8.x", ""), &root(&["9.0.7"]), &none),
            "fine"
        );
        assert_eq!(RuntimeConfig::parse("{}"), Ok(RuntimeConfig::default()));
    }

    #[test]
    fn comments_a_mark_and_trailing_text_are_read_as_hostfxr_reads_them() {
        let text = "\u{feff}{ // \"a\" {\n \"runtimeOptions\": /* \" */ \
                    {\"tfm\": \"http://x\\\" // y\"}} trailing";
        assert_eq!(RuntimeConfig::parse(text), Ok(RuntimeConfig::default()));
        for broken in ["", "{", "[]", "{\"a\": }"] {
            assert!(RuntimeConfig::parse(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn included_frameworks_are_what_makes_a_program_self_contained() {
        let text = r#"{"runtimeOptions": {"includedFrameworks": [{"name": "Microsoft.NETCore.App", "version": "7.0.0"}]}}"#;
        let config = RuntimeConfig::parse(text).unwrap();
        assert_eq!(config.included.len(), 1);
        assert!(
            config
                .check_bound(Path::new("a"), &none)
                .unwrap_err()
                .to_string()
                .contains("too old")
        );
    }
}
