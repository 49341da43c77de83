//! What a user may have meant who named something that is not a program.

use std::fs;
use std::path::{Path, PathBuf};

/// Entries of a directory that are looked at.
const MOST_ENTRIES: usize = 1000;

/// Whether a file is named like source code, a project or a solution of .NET.
pub(super) fn is_source(path: &Path) -> bool {
    let endings = [
        "csproj", "fsproj", "vbproj", "sln", "slnx", "cs", "fs", "vb",
    ];
    path.extension()
        .is_some_and(|ending| endings.iter().any(|e| ending.eq_ignore_ascii_case(e)))
}

/// What to do instead of naming a directory.
pub(super) fn for_directory(directory: &Path) -> String {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let files: Vec<PathBuf> = entries
        .take(MOST_ENTRIES)
        .map(|entry| entry.path())
        .collect();
    let mut programs = files.iter().filter_map(|file| program_of(file));
    match (programs.next(), programs.next()) {
        (Some(program), None) => format!("name the program in it: {}", program.display()),
        (None, _) if files.iter().any(|file| is_source(file)) => {
            "build it (`dotnet build`) and run the .dll, which is then in bin/".into()
        }
        _ => "name the .dll or the executable in it".into(),
    }
}

/// The assembly that belongs to a `NAME.runtimeconfig.json`.
fn program_of(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?;
    let program =
        file.with_file_name(name.strip_suffix(".runtimeconfig.json")?.to_owned() + ".dll");
    program.is_file().then_some(program)
}

/// What to add to "not on PATH", for a name that is `here` in this directory.
pub(super) fn for_name(here: &Path) -> String {
    let mut name = here.as_os_str().to_owned();
    name.push(".dll");
    let assembly = PathBuf::from(name);
    if here.exists() {
        format!("; for the one in this directory say {}", here.display())
    } else if assembly.is_file() {
        format!(
            "; for the assembly in this directory say {}",
            assembly.display()
        )
    } else {
        String::new()
    }
}
