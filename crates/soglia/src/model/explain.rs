//! Why a call failed, from the message of its exception and from the files that it names.
//!
//! The message of a `DllNotFoundException` lists the files that the loader was asked for, and what
//! it said of each. A report may be read on another machine, so a file says something only if it is
//! there.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use soglia_core::trace::loaded::LoadedObject;

use super::{answers::FailureRow, rows::TargetRow};
use crate::dotnet::native::{Broken, NativeFile, variations};

/// More files of one message are not listed.
const MOST_PROBED: usize = 64;
/// The most messages whose explanations are kept for the next report.
const MOST_KNOWN: usize = 256;

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Explained {
    reason: Option<&'static str>,
    probed: Vec<String>,
    missing: Option<String>,
    explanation: Option<String>,
}

/// Programs that are looked at again and again have their files read once.
static KNOWN: Mutex<Option<HashMap<String, Explained>>> = Mutex::new(None);

/// Completes the rows of failed calls. `targets` and `objects` say which files were loaded, and
/// `program` where the program lies.
pub(super) fn complete(
    rows: &mut [FailureRow],
    targets: &[TargetRow],
    objects: &[LoadedObject],
    program: &str,
) {
    let loaded = |library: &str| {
        let files = targets.iter().filter_map(|row| row.file.as_deref());
        let objects = objects.iter().map(|object| object.path.as_str());
        let mut known = files.chain(objects);
        let known = known.find(|path| is_name_of(path, library));
        let beside = || {
            let folder = Path::new(program).parent().filter(|f| f.is_absolute())?;
            let names = variations(library).into_iter();
            let mut files = names.map(|name| folder.join(name));
            files.find(|file| file.is_file())
        };
        known.map(PathBuf::from).or_else(beside)
    };
    for row in rows {
        let (Some(exception), Some(message)) = (&row.exception, &row.message) else {
            continue;
        };
        let explained = match exception.as_str() {
            "System.DllNotFoundException" | "System.BadImageFormatException" => {
                known(message, || of_library(message))
            }
            "System.EntryPointNotFoundException" => {
                let (entry, library) = quoted_pair(message).unwrap_or_default();
                known(message, || {
                    of_entry(entry, library, loaded(library).as_deref())
                })
            }
            _ => continue,
        };
        row.reason = explained.reason.unwrap_or(row.reason);
        row.probed = explained.probed;
        row.missing = explained.missing;
        row.explanation = explained.explanation;
    }
}

fn known(message: &str, explain: impl FnOnce() -> Explained) -> Explained {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_default();
    if let Some(explained) = known.get(message) {
        return explained.clone();
    }
    if known.len() >= MOST_KNOWN {
        known.clear();
    }
    let explained = explain();
    known.insert(message.to_owned(), explained.clone());
    explained
}

/// A library that the runtime did not load.
fn of_library(message: &str) -> Explained {
    let Some((library, lines)) = attempts(message) else {
        return Explained::default();
    };
    let mut probed: Vec<String> = Vec::new();
    for (file, _) in &lines {
        if is_name_of(file, library)
            && probed.len() < MOST_PROBED
            && !probed.iter().any(|known| known == file)
        {
            probed.push((*file).to_owned());
        }
    }
    let explained = of_dependency(library, &lines, &probed)
        .or_else(|| of_image(library, &lines, &probed))
        .unwrap_or_else(|| Explained {
            reason: Some("library-not-found"),
            missing: Some(library.to_owned()),
            explanation: refusal(library, &lines),
            ..Explained::default()
        });
    Explained {
        probed,
        ..explained
    }
}

/// The library that a message is about, and its lines: a file, and what the loader said of it.
fn attempts(message: &str) -> Option<(&str, Vec<(&str, &str)>)> {
    let rest = message.strip_prefix("Unable to load shared library '")?;
    let (library, rest) = rest.split_once('\'')?;
    let lines = rest.lines().skip(1);
    let lines = lines.filter_map(|line| line.trim().split_once(": "));
    Some((library, lines.collect()))
}

/// Whether a file has one of the names that the runtime tries for a library.
fn is_name_of(file: &str, library: &str) -> bool {
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    // The runtime knows the C library by its short name.
    base(file) == "libc.so.6" && library == "libc"
        || variations(library)
            .iter()
            .any(|name| base(name) == base(file))
}

/// A file that the library needs, if that is what is missing.
fn of_dependency(library: &str, lines: &[(&str, &str)], probed: &[String]) -> Option<Explained> {
    let absent = |why: &str| why.contains("cannot open shared object file");
    let missing = lines.iter().find_map(|(file, why)| {
        if absent(why) && !is_name_of(file, library) {
            return Some(((*file).to_owned(), String::new()));
        }
        if let Some((_, rest)) = why.split_once("version `")
            && let Some((version, rest)) = rest.split_once('\'')
            && rest.contains("not found")
        {
            let of = format!(" of {}", file.rsplit('/').next().unwrap_or(file));
            return Some((version.to_owned(), of));
        }
        let symbol = why.strip_prefix("undefined symbol: ")?;
        let symbol = symbol.split([',', ' ']).next().unwrap_or(symbol);
        Some((symbol.to_owned(), String::new()))
    });
    let (missing, of) = missing?;
    // The loader named what is missing instead of the file that needs it.
    let files = probed.iter().map(Path::new);
    let mut folders: Vec<&Path> = files
        .filter(|f| f.is_absolute())
        .filter_map(Path::parent)
        .collect();
    folders.dedup();
    let names = variations(library);
    let files = folders
        .iter()
        .flat_map(|folder| names.iter().map(|name| folder.join(name)));
    let mut there = files.filter_map(|file| NativeFile::read(&file).ok());
    let needs = there.find(|file| file.needed.contains(&missing));
    let who = match &needs {
        Some(file) => format!("{} is there, and needs", file.path.display()),
        None => format!("A file for {library} is there, and needs"),
    };
    let explanation = if missing.starts_with("libc.musl") {
        format!("{who} {missing}: it is built for musl, and the program runs with glibc")
    } else {
        format!("{who} {missing}{of}, which the loader did not find")
    };
    Some(Explained {
        reason: Some("dependency-missing"),
        missing: Some(missing),
        explanation: Some(explanation),
        ..Explained::default()
    })
}

/// A file that is there and that the loader does not accept.
fn of_image(library: &str, lines: &[(&str, &str)], probed: &[String]) -> Option<Explained> {
    // Of a file for another processor the loader says that there is none.
    let files = probed.iter().filter(|file| file.starts_with('/'));
    let mut broken = files.filter_map(|file| match NativeFile::read(Path::new(file)) {
        Err(Broken::Unreadable(_)) | Ok(_) => None,
        Err(broken) => Some(format!("{file} {broken}")),
    });
    let said = |(file, why): &(&str, &str)| {
        let image = [
            "invalid ELF header",
            "wrong ELF class",
            "file too short",
            "ELF file",
        ];
        let is_image = image.iter().any(|part| why.contains(part));
        (is_image && is_name_of(file, library)).then(|| format!("{file}: {why}"))
    };
    let explanation = broken.next().or_else(|| lines.iter().find_map(said))?;
    Some(Explained {
        reason: Some("bad-image"),
        explanation: Some(explanation),
        ..Explained::default()
    })
}

/// What else the loader said, other than that there is no file.
fn refusal(library: &str, lines: &[(&str, &str)]) -> Option<String> {
    let other = lines.iter().find(|(file, why)| {
        is_name_of(file, library) && !why.contains("No such file or directory")
    });
    other.map(|(file, why)| format!("{file}: {why}"))
}

/// The texts in the first two pairs of quotes.
fn quoted_pair(message: &str) -> Option<(&str, &str)> {
    let mut parts = message.split('\'');
    Some((parts.nth(1)?, parts.nth(1)?))
}

/// A function that a library lacks. `file` is the library, if that is known.
fn of_entry(entry: &str, library: &str, file: Option<&Path>) -> Explained {
    let file = file.filter(|file| file.is_absolute());
    let read = file.and_then(|file| NativeFile::read(file).ok());
    let explanation = match &read {
        Some(found) if !found.exports(entry) => {
            let near = found.nearest(entry);
            let near = near.map(|near| format!("; it has {near}, which is like it"));
            Some(format!(
                "{} exports no {entry}{}",
                found.path.display(),
                near.unwrap_or_default()
            ))
        }
        _ => None,
    };
    if entry.is_empty() || library.is_empty() {
        return Explained::default();
    }
    Explained {
        reason: Some("entry-not-found"),
        missing: Some(entry.to_owned()),
        explanation,
        ..Explained::default()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn message(library: &str, lines: &[String]) -> String {
        format!(
            "Unable to load shared library '{library}' or one of its dependencies. In order to \
             help diagnose loading problems, consider using a tool like strace.\n{}\n",
            lines.join("\n")
        )
    }

    const ABSENT: &str = "cannot open shared object file: No such file or directory";

    #[test]
    fn an_absent_library_has_its_places_listed() {
        let lines = ["/app/heif.so", "heif.so", "/app/libheif.so", "heif.so"];
        let said = of_library(&message(
            "heif",
            &lines.map(|file| format!("{file}: {ABSENT}")),
        ));
        assert_eq!(said.reason, Some("library-not-found"));
        assert_eq!(said.probed, ["/app/heif.so", "heif.so", "/app/libheif.so"]);
        assert_eq!(said.missing.as_deref(), Some("heif"));
        assert_eq!(said.explanation, None);
    }

    #[test]
    fn a_missing_dependency_is_not_a_missing_library() {
        let lines = [
            format!("/app/heif.so: {ABSENT}"),
            format!("libde265.so.0: {ABSENT}"),
            format!("heif: {ABSENT}"),
        ];
        let said = of_library(&message("heif", &lines));
        assert_eq!(said.reason, Some("dependency-missing"));
        assert_eq!(said.missing.as_deref(), Some("libde265.so.0"));
        assert_eq!(said.probed, ["/app/heif.so", "heif"]);
        let glibc = "/lib/libc.so.6: version `GLIBC_2.99' not found (required by /app/heif.so)";
        let said = of_library(&message("heif", &[glibc.into()]));
        assert_eq!(said.missing.as_deref(), Some("GLIBC_2.99"));
        assert!(
            said.explanation
                .unwrap()
                .contains("GLIBC_2.99 of libc.so.6")
        );
    }

    #[test]
    fn a_file_that_is_no_library_is_named() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("libheif.so");
        fs::write(&file, "MZ").unwrap();
        let file = file.display().to_string();
        let said = of_library(&message("heif", &[format!("{file}: {ABSENT}")]));
        assert_eq!(said.reason, Some("bad-image"));
        let expected = format!("{file} is no ELF file but one for Windows");
        assert_eq!(said.explanation, Some(expected));
        // On another machine, the loader's own words count.
        let said = of_library(&message(
            "heif",
            &["/far/heif.so: invalid ELF header".into()],
        ));
        let expected = "/far/heif.so: invalid ELF header";
        assert_eq!(said.explanation.as_deref(), Some(expected));
    }

    #[test]
    fn the_nearest_function_is_named() {
        let message = "Unable to find an entry point named 'getpidd' in shared library 'libc'.";
        let (entry, library) = quoted_pair(message).unwrap();
        assert_eq!((entry, library), ("getpidd", "libc"));
        let loader = crate::dotnet::native::Loader::new(&|_| None);
        let libc = loader.open("libc.so.6", &[]).unwrap().path;
        let said = of_entry(entry, library, Some(&libc));
        assert_eq!(said.missing.as_deref(), Some("getpidd"));
        let expected = "exports no getpidd; it has getpid, which is like it";
        assert!(said.explanation.unwrap().ends_with(expected));
        assert_eq!(of_entry(entry, library, None).explanation, None);
    }

    #[test]
    fn other_messages_say_nothing() {
        for message in ["", "no", "Unable to load shared library 'x", "'", "a 'b' c"] {
            assert_eq!(of_library(message), Explained::default(), "{message}");
            let _ = quoted_pair(message);
        }
    }
}
