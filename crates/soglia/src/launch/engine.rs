//! The engine: where its file is, which variables make a CLR load it, and what prevents that.
//!
//! CLRs up to .NET 10 read `CORECLR_*`. Later ones also read the same names with `DOTNET_`, and
//! which of the two comes first is up to them. So the tool removes the `DOTNET_` ones. Path
//! variables with a bitness come before the plain one. Notification profilers
//! (`CORECLR_NOTIFICATION_PROFILERS`) are loaded beside a start-up profiler, so they stay.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::read::elf::ElfFile64;
use object::read::{Object, ObjectSymbol, ReadCache};
use soglia_core::regular;

use crate::dotnet::Lookup;
use crate::dotnet::platform::{CLibrary, OWN};

/// The class id by which a CLR asks the engine for its profiler.
pub const PROFILER_GUID: &str = "{C0ABD621-C39C-49F8-A54A-CC5E2BB795C7}";

/// The names of the engine's file, the most usual first. Cargo gives all of them the first name, so
/// a musl engine may have it too.
const fn files(c_library: CLibrary) -> &'static [&'static str] {
    match c_library {
        CLibrary::Glibc => &["libsoglia.so"],
        CLibrary::Musl => &["libsoglia-musl.so", "libsoglia.so"],
    }
}

/// Variables that would lead a CLR past the ones that [`variables`] sets.
pub(super) const REMOVED: [&str; 11] = [
    "CORECLR_PROFILER_PATH_64",
    "CORECLR_PROFILER_PATH_32",
    "CORECLR_PROFILER_PATH_ARM64",
    "CORECLR_PROFILER_PATH_ARM32",
    "DOTNET_ENABLE_PROFILING",
    "DOTNET_PROFILER",
    "DOTNET_PROFILER_PATH",
    "DOTNET_PROFILER_PATH_64",
    "DOTNET_PROFILER_PATH_32",
    "DOTNET_PROFILER_PATH_ARM64",
    "DOTNET_PROFILER_PATH_ARM32",
];

/// The variables of another run in this process's environment, which the engine would take for
/// those of this run. `SOGLIA_ENGINE` is not one of them: users set it to say where the engine is.
pub(super) fn inherited() -> impl Iterator<Item = OsString> {
    std::env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.as_encoded_bytes().starts_with(b"SOGLIA_") && name != "SOGLIA_ENGINE")
}

/// The variables that make a CLR load `engine` when it starts.
pub(super) fn variables(engine: &Path) -> [(&'static str, &OsStr); 3] {
    [
        ("CORECLR_ENABLE_PROFILING", "1".as_ref()),
        ("CORECLR_PROFILER", PROFILER_GUID.as_ref()),
        ("CORECLR_PROFILER_PATH", engine.as_os_str()),
    ]
}

/// The CLR's compiler may give up a method's frame before its last call, and stacks would lack the
/// caller. This variable makes it keep frames. The engine removes the variable if it has exactly
/// this value, which means 0.
pub(super) const TAIL_CALLS: (&str, &str) = ("DOTNET_TailCallOpt", "00");

/// Whether the user has set the variable.
pub(super) fn says_tail_calls(env: Lookup<'_>) -> bool {
    let mut names = [TAIL_CALLS.0, "COMPlus_TailCallOpt"].iter();
    names.any(|name| env(name).is_some())
}

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// `SOGLIA_ENGINE` names no file.
    #[error("SOGLIA_ENGINE is {}, which is no file; correct it, or unset it", .0.display())]
    NotThere(PathBuf),
    /// None of the usual places has it.
    #[error(
        "the engine for {c_library}, {file}, was not found; install it beside this tool, or set SOGLIA_ENGINE to it (looked at {})",
        paths(places)
    )]
    NotFound {
        /// The C library of the program.
        c_library: &'static str,
        /// The name of the engine's file.
        file: &'static str,
        /// Where the tool has looked.
        places: Vec<PathBuf>,
    },
    /// The CLR does not accept a path of this length.
    #[error("the path of the engine is too long for the CLR: {}; install it elsewhere, or set SOGLIA_ENGINE", .0.display())]
    TooLong(PathBuf),
    /// The file is not an engine for this machine.
    #[error("{} is not soglia's engine for {machine}: {reason}; install soglia again, or correct SOGLIA_ENGINE", path.display(), machine = OWN.kernel)]
    NotEngine {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

fn paths(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}

/// Finds the engine for programs with this C library: the file that `SOGLIA_ENGINE` names, or one
/// near `tool`, the tool's own file.
///
/// # Errors
/// If there is none; the error tells where it looked.
pub fn find_engine(
    tool: &Path,
    env: Lookup<'_>,
    c_library: CLibrary,
) -> Result<PathBuf, EngineError> {
    let engine = match env("SOGLIA_ENGINE").filter(|value| !value.is_empty()) {
        Some(named) => {
            let named = PathBuf::from(named);
            let found = fs::canonicalize(&named).ok().filter(|file| file.is_file());
            found.ok_or(EngineError::NotThere(named))?
        }
        None => {
            let tool = fs::canonicalize(tool).unwrap_or_else(|_| tool.to_owned());
            let directory = tool.parent().unwrap_or(Path::new("/"));
            // The parent by name, not by `..`: the places are also for people to read.
            let prefix = directory.parent().unwrap_or(directory);
            let names = files(c_library);
            let folders = [directory, &prefix.join("lib"), &prefix.join("lib/soglia")];
            let in_folder = |name| folders.map(|folder| folder.join(name));
            let places: Vec<PathBuf> = names.iter().flat_map(in_folder).collect();
            let found = places.iter().find(|file| file.is_file()).cloned();
            found.ok_or(EngineError::NotFound {
                c_library: c_library.name(),
                file: names[0],
                places,
            })?
        }
    };
    // MAX_LONGPATH of the CLR, with the terminating zero.
    if engine.as_os_str().len() >= 1024 {
        Err(EngineError::TooLong(engine))
    } else {
        Ok(engine)
    }
}

/// Finds the engine for programs with this C library, and checks it.
///
/// # Errors
/// If there is none, or if it is not one for such programs.
pub fn engine_for(
    tool: &Path,
    env: Lookup<'_>,
    c_library: CLibrary,
) -> Result<PathBuf, EngineError> {
    let path = find_engine(tool, env, c_library)?;
    check_engine(&path)?;
    match CLibrary::of_library(&path) {
        Some(other) if other != c_library => Err(EngineError::NotEngine {
            path,
            reason: format!(
                "it is built for {}, and the program for {}",
                other.name(),
                c_library.name()
            ),
        }),
        _ => Ok(path),
    }
}

/// Checks that `path` is a shared object that a CLR can load as a profiler. The file is read, not
/// loaded: the tool never runs code of the engine.
///
/// # Errors
/// [`EngineError::NotEngine`].
pub fn check_engine(path: &Path) -> Result<(), EngineError> {
    let wrong = |reason: String| EngineError::NotEngine {
        path: path.to_owned(),
        reason,
    };
    let data = ReadCache::new(regular::open(path).map_err(|error| wrong(error.to_string()))?);
    let file =
        ElfFile64::<Endianness, _>::parse(&data).map_err(|error| wrong(error.to_string()))?;
    if file.elf_header().e_machine.get(file.endian()).0 != OWN.elf {
        return Err(wrong(format!("it is for {:?}", file.architecture())));
    }
    let entry = file
        .dynamic_symbols()
        .any(|symbol| symbol.is_definition() && symbol.name() == Ok("DllGetClassObject"));
    if entry {
        Ok(())
    } else {
        Err(wrong("it has no DllGetClassObject".into()))
    }
}

/// Something in the environment that keeps a CLR from loading the engine, and that the user set on
/// purpose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Conflict {
    /// Another profiler is set up; a CLR takes one.
    #[error("another profiler is configured ({variable}={}, switched on by {enable}), and a CLR takes only one: `unset {enable}` to record this program", Path::new(guid).display())]
    OtherProfiler {
        /// The variable with its class id.
        variable: &'static str,
        /// Its class id.
        guid: OsString,
        /// The variable that switches it on.
        enable: &'static str,
    },
    /// Profilers are switched off.
    #[error("{variable}={} keeps a CLR from loading any profiler: `unset {variable}` to record this program", Path::new(value).display())]
    SwitchedOff {
        /// The variable.
        variable: &'static str,
        /// Its value.
        value: OsString,
    },
}

/// Everything in the environment that conflicts with the engine.
pub fn conflicts(env: Lookup<'_>) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    for (enable, variable) in [
        ("CORECLR_ENABLE_PROFILING", "CORECLR_PROFILER"),
        ("DOTNET_ENABLE_PROFILING", "DOTNET_PROFILER"),
    ] {
        let on = env(enable)
            .and_then(|value| clr_number(&value))
            .is_some_and(|number| number != 0);
        let guid = env(variable)
            .filter(|guid| !guid.is_empty() && !guid.eq_ignore_ascii_case(PROFILER_GUID));
        if let (true, Some(guid)) = (on, guid) {
            conflicts.push(Conflict::OtherProfiler {
                variable,
                guid,
                enable,
            });
        }
    }
    // The CLR takes the first of two names that is there.
    for names in [
        ["DOTNET_EnableDiagnostics", "COMPlus_EnableDiagnostics"],
        [
            "DOTNET_EnableDiagnostics_Profiler",
            "COMPlus_EnableDiagnostics_Profiler",
        ],
    ] {
        match first(names, env) {
            Some((variable, value)) if clr_number(&value) == Some(0) => {
                conflicts.push(Conflict::SwitchedOff { variable, value });
            }
            _ => {}
        }
    }
    match first(
        [
            "DOTNET_ProfAPI_ProfilerCompatibilitySetting",
            "COMPlus_ProfAPI_ProfilerCompatibilitySetting",
        ],
        env,
    ) {
        Some((variable, value)) if value.eq_ignore_ascii_case("PreventLoad") => {
            conflicts.push(Conflict::SwitchedOff { variable, value });
        }
        _ => {}
    }
    conflicts
}

fn first(names: [&'static str; 2], env: Lookup<'_>) -> Option<(&'static str, OsString)> {
    names
        .into_iter()
        .find_map(|name| Some((name, env(name).filter(|value| !value.is_empty())?)))
}

/// A number as the CLR reads it: hexadecimal, with or without `0x`. The CLR ignores what follows.
pub(crate) fn clr_number(value: &OsStr) -> Option<u32> {
    let text = value.to_str()?.trim_start();
    let digits = text
        .strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .unwrap_or(text);
    let end = digits
        .find(|c: char| !c.is_ascii_hexdigit())
        .unwrap_or(digits.len());
    u32::from_str_radix(&digits[..end], 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Vec<String> {
        let env = |name: &str| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.into())
        };
        conflicts(&env).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn another_profiler_is_named_with_its_variable() {
        let guid = "{846F5F1C-F9AE-4B07-969E-05C26BC060D8}";
        for prefix in ["CORECLR", "DOTNET"] {
            let (enable, variable) = (
                format!("{prefix}_ENABLE_PROFILING"),
                format!("{prefix}_PROFILER"),
            );
            let text = found(&[(&enable, "1"), (&variable, guid)]);
            assert!(
                text[0].contains(guid) && text[0].contains(&format!("unset {enable}")),
                "{text:?}"
            );
            assert_eq!(found(&[(&enable, "0"), (&variable, guid)]), [""; 0]);
            assert_eq!(found(&[(&variable, guid)]), [""; 0]);
            assert_eq!(found(&[(&enable, "1")]), [""; 0]);
            assert_eq!(
                found(&[(&enable, "1"), (&variable, &PROFILER_GUID.to_lowercase())]),
                [""; 0]
            );
        }
    }

    #[test]
    fn switches_that_turn_profilers_off_are_named() {
        assert!(
            found(&[("DOTNET_EnableDiagnostics", "0")])[0]
                .contains("unset DOTNET_EnableDiagnostics`")
        );
        assert!(found(&[("COMPlus_EnableDiagnostics_Profiler", "0")])[0].starts_with("COMPlus_"));
        assert_eq!(
            found(&[
                ("DOTNET_EnableDiagnostics", "1"),
                ("COMPlus_EnableDiagnostics", "0")
            ]),
            [""; 0]
        );
        assert_eq!(
            found(&[("DOTNET_EnableDiagnostics", "off")]),
            [""; 0],
            "no number is the default"
        );
        assert_eq!(
            found(&[("DOTNET_ProfAPI_ProfilerCompatibilitySetting", "PreventLoad")]).len(),
            1
        );
    }

    #[test]
    fn notification_profilers_are_no_conflict() {
        let list = "/x/lib.so={846F5F1C-F9AE-4B07-969E-05C26BC060D8};";
        let variables = [
            ("CORECLR_ENABLE_NOTIFICATION_PROFILERS", "1"),
            ("CORECLR_NOTIFICATION_PROFILERS", list),
        ];
        assert_eq!(found(&variables), [""; 0]);
    }

    #[test]
    fn numbers_are_read_as_the_clr_reads_them() {
        let number = |text: &str| clr_number(text.as_ref());
        assert_eq!(
            (number("1"), number("0x10"), number("ff"), number(" 0 ")),
            (Some(1), Some(16), Some(255), Some(0))
        );
        assert_eq!(
            (number(""), number("true"), number("yes")),
            (None, None, None)
        );
    }

    #[test]
    fn the_engine_is_beside_the_tool_or_in_lib_or_where_the_variable_says() {
        let temp = tempfile::tempdir().unwrap();
        let base = temp.path().canonicalize().unwrap();
        let tool = base.join("bin/soglia");
        fs::create_dir_all(base.join("bin")).unwrap();
        fs::create_dir_all(base.join("lib/soglia")).unwrap();
        fs::write(&tool, "").unwrap();
        let link = base.join("link");
        std::os::unix::fs::symlink(&tool, &link).unwrap();
        let none = |_: &str| None;
        let message = find_engine(&link, &none, CLibrary::Glibc)
            .unwrap_err()
            .to_string();
        for place in [
            "lib/libsoglia.so",
            "lib/soglia/libsoglia.so",
            "bin/libsoglia.so",
        ] {
            assert!(
                message.contains(base.join(place).to_str().unwrap()),
                "{message}"
            );
        }
        for place in [
            "lib/soglia/libsoglia.so",
            "lib/libsoglia.so",
            "bin/libsoglia.so",
        ] {
            fs::write(base.join(place), "").unwrap();
            assert_eq!(
                find_engine(&link, &none, CLibrary::Glibc).unwrap(),
                base.join(place)
            );
        }
        let env =
            |name: &str| (name == "SOGLIA_ENGINE").then(|| base.join("lib/libsoglia.so").into());
        assert_eq!(
            find_engine(&link, &env, CLibrary::Glibc).unwrap(),
            base.join("lib/libsoglia.so")
        );
        let env = |name: &str| (name == "SOGLIA_ENGINE").then(|| "/absent.so".into());
        assert!(
            find_engine(&link, &env, CLibrary::Glibc)
                .unwrap_err()
                .to_string()
                .contains("SOGLIA_ENGINE is /absent.so")
        );
    }

    #[test]
    fn a_file_that_is_not_the_engine_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("libsoglia.so");
        fs::write(&path, "text").unwrap();
        assert!(
            check_engine(&path)
                .unwrap_err()
                .to_string()
                .contains("is not soglia's engine")
        );
        let own = std::env::current_exe().unwrap();
        assert!(
            check_engine(&own)
                .unwrap_err()
                .to_string()
                .contains("no DllGetClassObject")
        );
    }
}
