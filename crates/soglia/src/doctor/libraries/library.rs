//! Where one library would be found, and what it lacks.

use std::path::Path;

use super::super::finding::Finding;
use super::imported::{Imported, Use};
use super::names::listed;
use super::places::Places;
use crate::dotnet::native::{Attempt, Found, NativeFile, Place, Probe, variations};
use crate::dotnet::platform::{CLibrary, OWN};

/// What became of a library.
pub(super) enum Looked {
    /// A file is found.
    Found {
        /// Which.
        line: String,
        /// Functions that it does not export.
        lacking: Option<Finding>,
    },
    /// The runtime finds no file, and an assembly of this name may.
    Resolved(String),
    /// The runtime would not load any file.
    NotFound(Finding),
}

/// Looks for a library as the runtime would, for those who import it.
pub(super) fn look(
    library: &str,
    uses: &[Use<'_>],
    places: &Places,
    imported: &Imported,
) -> Looked {
    let beside = uses.iter().find(|(_, import)| import.beside_assembly);
    let assembly = beside.map(|(assembly, _)| assembly.folder.as_path());
    let probe = Probe {
        folders: &places.folders,
        assembly,
        runtime: places.runtime.as_deref(),
        loader: &places.loader,
    };
    let (found, place) = match inside(library, imported) {
        Some(file) => {
            let found = probe.take(file, Place::Program);
            (found, "inside the program")
        }
        None => {
            let found = probe.find(library);
            let place = match found.file {
                Some((_, Place::LibraryPath)) => "by LD_LIBRARY_PATH",
                _ => "",
            };
            (found, place)
        }
    };
    let Some((file, _)) = &found.file else {
        return absent(library, uses, &found);
    };
    let place = match place {
        "" => file.path.display().to_string(),
        place => format!("{} {place}", file.path.display()),
    };
    let mut entries: Vec<&str> = uses.iter().map(|(_, i)| i.entry.as_str()).collect();
    entries.sort_unstable();
    entries.dedup();
    let absent = entries.iter().filter(|entry| !found.exports(entry));
    let absent: Vec<String> = absent.map(|entry| (*entry).to_owned()).collect();
    let lacking = (!absent.is_empty()).then(|| {
        let first = &absent[0];
        let near = file.nearest(first);
        let near = near.map(|near| format!("; it has {near}, which is like {first}"));
        Finding::warn(
            "libraries",
            format!(
                "{library}: {} lacks {} of {}: {}",
                file.path.display(),
                absent.len(),
                plural(entries.len(), "function", "functions"),
                listed(&absent)
            ),
            format!(
                "calls of these from {} throw EntryPointNotFoundException{}",
                importers(uses),
                near.unwrap_or_default()
            ),
        )
    });
    let line = format!(
        "{library}: {place}, {} for {}",
        plural(entries.len(), "function", "functions"),
        importers(uses)
    );
    Looked::Found { line, lacking }
}

/// The library inside a single-file program.
fn inside(library: &str, imported: &Imported) -> Option<NativeFile> {
    let names = variations(library).into_iter();
    let mut files = names.filter_map(|name| {
        let bytes = imported.inside.get(&name)?;
        NativeFile::parse(Path::new(&name), bytes.as_slice()).ok()
    });
    files.next()
}

fn absent(library: &str, uses: &[Use<'_>], found: &Found) -> Looked {
    let from = importers(uses);
    let resolvers = uses
        .iter()
        .filter(|(assembly, _)| assembly.imports.resolves)
        .map(|(assembly, _)| &assembly.imports.assembly);
    if let Some(resolver) = resolvers.min() {
        return Looked::Resolved(resolver.clone());
    }
    let (detail, advice) = match found.attempts.first() {
        None => (
            format!(
                "there is no file {} beside the program, in its frameworks or where the loader looks",
                variations(library).join(", ")
            ),
            "install the library, or put it beside the program".to_owned(),
        ),
        Some(attempt) => {
            let (why, advice) = reason(attempt);
            (format!("{} {why}", attempt.file.display()), advice)
        }
    };
    Looked::NotFound(Finding::warn(
        "libraries",
        format!("{library}: {detail}"),
        format!("calls from {from} throw DllNotFoundException: {advice}"),
    ))
}

/// Why a file is not loaded, and what to do.
fn reason(attempt: &Attempt) -> (String, String) {
    if let Some(broken) = &attempt.broken {
        let advice = format!("put the file for linux-{} there", OWN.name);
        return (broken.to_string(), advice);
    }
    let musl = attempt
        .missing
        .iter()
        .any(|missing| CLibrary::of_name(&missing.name) == Some(CLibrary::Musl));
    if musl {
        return (
            "is built for musl, and this system has glibc".into(),
            format!(
                "put the file for linux-{0} there, not the one for linux-musl-{0}",
                OWN.name
            ),
        );
    }
    let missing = attempt.missing.iter().map(|missing| {
        let by = if missing.needed_by == attempt.file {
            String::new()
        } else {
            format!(" (for {})", missing.needed_by.display())
        };
        let broken = missing.broken.as_ref();
        let broken = broken.map(|why| format!(", and the file of that name {why}"));
        format!("{}{by}{}", missing.name, broken.unwrap_or_default())
    });
    let names: Vec<String> = missing.collect();
    let first = attempt.missing.first().map(|missing| missing.name.as_str());
    (
        format!("needs {}, which the loader does not find", listed(&names)),
        format!("install what has {}", first.unwrap_or("it")),
    )
}

/// The assemblies that import a library.
fn importers(uses: &[Use<'_>]) -> String {
    let mut names: Vec<String> = uses
        .iter()
        .map(|(assembly, _)| assembly.imports.assembly.clone())
        .collect();
    names.sort();
    names.dedup();
    listed(&names)
}

fn plural(n: usize, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}
