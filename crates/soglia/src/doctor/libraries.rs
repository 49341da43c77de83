//! Which native libraries a program imports, and where the runtime would find them.
//!
//! | part | has |
//! | --- | --- |
//! | `imported` | the assemblies of the program, and what they import |
//! | `places` | the folders in which the runtime looks |
//! | `library` | the finding for one library |
//! | `names` | lists of names |

mod imported;
mod library;
mod names;
mod places;

use std::collections::BTreeMap;

use super::finding::Finding;
use crate::dotnet::native::other_system;
use crate::dotnet::{Lookup, Search};
use crate::program::Program;
use imported::Imported;
use library::Looked;
use names::listed;
use places::Places;

/// One finding for all libraries that are found, and one for each that is not, or that lacks
/// functions.
pub(super) fn findings(program: &Program, search: &Search, env: Lookup<'_>) -> Vec<Finding> {
    let Some(imported) = Imported::of(program) else {
        return Vec::new();
    };
    let places = Places::of(program, (&imported.folder, &imported.deps), search, env);
    let mut found = Vec::new();
    let mut trouble = Vec::new();
    let mut resolved: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut elsewhere: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (library, uses) in imported.by_library() {
        if is_of_runtime(library) {
            continue;
        }
        match library::look(library, &uses, &places, &imported) {
            Looked::Found { line, lacking } => {
                found.push(line);
                trouble.extend(lacking);
            }
            Looked::Resolved(by) => resolved.entry(by).or_default().push(library.to_owned()),
            Looked::NotFound(finding) => match other_system(library) {
                Some(system) => elsewhere
                    .entry(system)
                    .or_default()
                    .push(library.to_owned()),
                None => trouble.push(finding),
            },
        }
    }
    let mut findings = Vec::new();
    if !found.is_empty() {
        let libraries = if found.len() == 1 {
            "1 native library is found".to_owned()
        } else {
            format!("{} native libraries are found", found.len())
        };
        findings.push(Finding::ok("libraries", libraries).noting(found));
    }
    findings.extend(trouble);
    findings.extend(resolved.iter().map(|(by, names)| {
        let detail = format!(
            "not found by the runtime: {}; {by} resolves libraries itself",
            listed(names)
        );
        Finding::ok("libraries", detail)
    }));
    if !elsewhere.is_empty() {
        let lists: Vec<String> = elsewhere
            .iter()
            .map(|(system, names)| format!("{} for {system} ({})", names.len(), listed(names)))
            .collect();
        let detail = format!("not looked for: {}", lists.join(", "));
        findings.push(Finding::ok("libraries", detail));
    }
    findings
}

/// Libraries that come with the runtime, or are a part of it.
fn is_of_runtime(library: &str) -> bool {
    library.starts_with("libSystem.") && !library.ends_with(".dylib")
        || [
            "QCall",
            "libcoreclr",
            "libhostpolicy",
            "libhostfxr",
            "hostpolicy",
            "hostfxr",
        ]
        .contains(&library)
}
