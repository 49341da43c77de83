//! Programs that switch the engine off themselves, before they start .NET.
//!
//! A runtime that may load no profiler leaves no trace, and its process is gone when the tool
//! notices. What is left are the files that could have changed the environment: one has the
//! variable's name.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::{self, File},
    io::Read,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use memchr::memmem;

/// What may stand before and after in the name of such a variable.
const NAMES: [&str; 5] = [
    "DOTNET_EnableDiagnostics",
    "COMPlus_EnableDiagnostics",
    "DOTNET_ProfAPI_ProfilerCompatibilitySetting",
    "COMPlus_ProfAPI_ProfilerCompatibilitySetting",
    "CORECLR_ENABLE_PROFILING",
];
/// Of the diagnostics that can be switched off one by one, the one that matters here.
const PROFILER: &str = "_Profiler";

/// Of larger files this much is read.
const MOST_BYTES: u64 = 64 << 20;
/// More libraries beside a program are not looked at.
const MOST_LIBRARIES: usize = 50;

/// A variable that can keep a runtime from loading the engine, and where its name was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The variable.
    pub variable: String,
    /// The file; `None` if it was the command line.
    pub file: Option<PathBuf>,
}

/// Looks for the name of such a variable in the arguments of a program, in its own file, in files
/// that are among its arguments, and in the libraries beside it.
pub fn find_switch(program: &Path, args: &[OsString]) -> Option<Switch> {
    let told = args.iter().find_map(|arg| in_bytes(arg.as_bytes()));
    if let Some(variable) = told {
        return Some(Switch {
            variable,
            file: None,
        });
    }
    let files = std::iter::once(program.to_owned())
        .chain(args.iter().map(PathBuf::from))
        .chain(libraries(program));
    let mut seen = BTreeSet::new();
    for file in files {
        let real = fs::canonicalize(&file).ok();
        let Some(real) = real.filter(|real| real.is_file()) else {
            continue;
        };
        if !seen.insert(real.clone()) {
            continue;
        }
        let mut bytes = Vec::new();
        let read = File::open(&real).and_then(|f| f.take(MOST_BYTES).read_to_end(&mut bytes));
        if let (Ok(_), Some(variable)) = (read, in_bytes(&bytes)) {
            return Some(Switch {
                variable,
                file: Some(file),
            });
        }
    }
    None
}

/// The shared objects in the folder of a program, without those of .NET.
fn libraries(program: &Path) -> Vec<PathBuf> {
    let folder = fs::canonicalize(program).ok();
    let entries = folder
        .as_deref()
        .and_then(Path::parent)
        .and_then(|folder| fs::read_dir(folder).ok());
    let of_runtime = |name: &str| {
        ["libcoreclr", "libmscor", "libclr", "libhost", "libSystem."]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    let mut files: Vec<PathBuf> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.contains(".so") && !of_runtime(&name)
        })
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files.truncate(MOST_LIBRARIES);
    files
}

/// The first name in these bytes.
fn in_bytes(bytes: &[u8]) -> Option<String> {
    NAMES.iter().find_map(|name| {
        let ends = memmem::find_iter(bytes, name.as_bytes()).map(|at| at + name.len());
        ends.filter_map(|end| {
            let rest = &bytes[end..];
            let part = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let more = &rest[..rest.iter().take_while(|byte| part(byte)).count()];
            let is_known = more.is_empty()
                || (name.ends_with("_EnableDiagnostics") && more == PROFILER.as_bytes());
            is_known.then(|| format!("{name}{}", String::from_utf8_lossy(more)))
        })
        .next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_whole() {
        for (text, found) in [
            ("\0DOTNET_EnableDiagnostics\0", "DOTNET_EnableDiagnostics"),
            (
                "export COMPlus_EnableDiagnostics_Profiler=0",
                "COMPlus_EnableDiagnostics_Profiler",
            ),
            (
                "DOTNET_EnableDiagnostics_IPC=0 DOTNET_EnableDiagnostics=0",
                "DOTNET_EnableDiagnostics",
            ),
            ("unset CORECLR_ENABLE_PROFILING", "CORECLR_ENABLE_PROFILING"),
            ("DOTNET_EnableDiagnostics_Debugger=0", ""),
            ("EnableDiagnostics DOTNET_EnableDiagnosticsX", ""),
        ] {
            assert_eq!(in_bytes(text.as_bytes()).unwrap_or_default(), found);
        }
    }

    #[test]
    fn the_file_is_told_that_has_the_name() {
        let temp = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = temp.path().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let file_of = |program: &Path, args: &[&str]| {
            let args: Vec<OsString> = args.iter().map(Into::into).collect();
            find_switch(program, &args).map(|switch| switch.file)
        };
        let name = "DOTNET_EnableDiagnostics";
        let plain = write("plain", "nothing");
        assert_eq!(file_of(&plain, &["x"]), None);
        let argument = format!("{name}=0");
        assert_eq!(file_of(&plain, &[&argument]), Some(None));
        let script = write("script.sh", name);
        assert_eq!(
            file_of(&plain, &[script.to_str().unwrap()]),
            Some(Some(script.clone()))
        );
        assert_eq!(file_of(&script, &[]), Some(Some(script)));
        write("libcoreclr.so", name);
        assert_eq!(file_of(&plain, &[]), None);
        let library = write("libhelper.so.1", name);
        assert_eq!(
            file_of(&plain, &[]),
            Some(Some(library.canonicalize().unwrap()))
        );
    }
}
