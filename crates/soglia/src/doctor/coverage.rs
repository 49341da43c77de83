//! Which crossings of a program `--source woven` records, as far as its files show.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use memchr::memmem;
use soglia_core::regular;

use super::finding::{Finding, Level};
use crate::dotnet::Lookup;
use crate::program::{Kind, Program};

/// A method that an assembly refers to, and the calls that it makes possible and wrappers do not
/// see.
const UNSEEN: [(&str, &str); 2] = [
    (
        "DefinePInvokeMethod",
        "P/Invokes that are declared at run time",
    ),
    (
        "EmitCalli",
        "function pointers that are called by code made at run time",
    ),
];

/// The finding for every program.
pub(super) fn general(env: Lookup<'_>) -> Finding {
    // As the engine decides, which reads the same variable.
    let hot_reload = env("DOTNET_MODIFIABLE_ASSEMBLIES");
    if hot_reload.is_some_and(|value| value.eq_ignore_ascii_case("debug")) {
        return Finding::warn(
            "woven",
            "DOTNET_MODIFIABLE_ASSEMBLIES=debug lets hot reload change modules, so no wrappers are put into them",
            "recordings come from the runtime's own callbacks, and cost more; unset it if you do without hot reload",
        );
    }
    Finding {
        level: Level::Ok,
        ..Finding::warn(
            "woven",
            "records the calls and callbacks of the program and its libraries, but not those of code made at run time",
            "--framework adds the framework's, --corelib also the core library's; `soglia verify PROGRAM` shows what is missing",
        )
    }
}

/// The findings for this program: one for each kind of calls that wrappers do not see.
pub(super) fn of_program(program: &Program) -> Vec<Finding> {
    let folder = match program.kind {
        Kind::Assembly(_) | Kind::Apphost { .. } => program.path.parent(),
        // What others start, or have inside, is not looked for.
        Kind::SingleFile { .. } | Kind::Muxer | Kind::Script | Kind::Native => None,
    };
    let Some(folder) = folder else {
        return Vec::new();
    };
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for file in assemblies(folder) {
        let Ok(bytes) = regular::read(&file, MOST_BYTES) else {
            continue;
        };
        for (name, what) in UNSEEN {
            if refers_to(&bytes, name) {
                let assembly = file.file_stem().unwrap_or_default().to_string_lossy();
                found.entry(what).or_default().push(assembly.into_owned());
            }
        }
    }
    found
        .into_iter()
        .map(|(what, assemblies)| {
            let more = assemblies.len().saturating_sub(MOST_NAMES);
            let mut names = assemblies[..assemblies.len() - more].join(", ");
            if more > 0 {
                names += &format!(" and {more} more");
            }
            Finding::warn(
                "woven",
                format!("not seen in {names}: {what}"),
                "--source transitions sees them",
            )
        })
        .collect()
}

/// Assemblies that are named in one line.
const MOST_NAMES: usize = 5;
/// Larger files are not read: they are mostly data.
const MOST_BYTES: u64 = 64 << 20;
/// More than this many are not looked at.
const MOST_FILES: usize = 1000;

/// The assemblies beside a program that may be its own. Those of the framework are left out: they
/// refer to these methods without a need to report it.
fn assemblies(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .take(MOST_FILES)
        .filter(|entry| {
            entry
                .metadata()
                .is_ok_and(|about| about.len() <= MOST_BYTES)
        })
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "dll"))
        .filter(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with("System.") && name != "mscorlib.dll" && name != "netstandard.dll"
        })
        .collect();
    files.sort();
    files
}

/// Whether an assembly's metadata refer to a name. Names there end with a zero byte, and may share
/// their ends.
fn refers_to(assembly: &[u8], name: &str) -> bool {
    let mut wanted = name.as_bytes().to_vec();
    wanted.push(0);
    memmem::find(assembly, &wanted).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assemblies_that_make_code_are_named() {
        let temp = tempfile::tempdir().unwrap();
        let program = |kind| Program {
            given: "app.dll".into(),
            path: temp.path().join("app.dll"),
            kind,
        };
        let write = |name: &str, bytes: &[u8]| fs::write(temp.path().join(name), bytes).unwrap();
        write("app.dll", b"MZ\0Main\0Console\0");
        let apphost = || Kind::Apphost { config: None };
        assert_eq!(of_program(&program(apphost())), []);
        write("app.dll", b"MZ\0Main\0EmitCalli\0");
        write("lib.dll", b"MZ\0EmitCalli\0DefinePInvokeMethod\0");
        // The end of another name, a word in a text, another file, the framework itself.
        write("other.dll", b"MZ\0EmitCallis\0EmitCalli is a word\0");
        write("notes.txt", b"MZ\0EmitCalli\0");
        write("System.Reflection.Emit.dll", b"MZ\0EmitCalli\0");
        let found: Vec<String> = of_program(&program(apphost()))
            .into_iter()
            .map(|finding| finding.detail)
            .collect();
        assert_eq!(
            found,
            [
                "not seen in lib: P/Invokes that are declared at run time",
                "not seen in app, lib: function pointers that are called by code made at run time"
            ]
        );
        assert_eq!(of_program(&program(Kind::SingleFile { config: None })), []);
    }

    #[test]
    fn hot_reload_is_a_reason_against_wrappers() {
        let hot = |name: &str| (name == "DOTNET_MODIFIABLE_ASSEMBLIES").then(|| "Debug".into());
        assert_eq!(general(&hot).level, Level::Warn);
        assert_eq!(general(&|_: &str| None).level, Level::Ok);
    }
}
