//! `unexpected-library`: libraries that came from another file than the expected one.

use crate::dotnet::platform::OWN;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::{
    context::Context,
    draft::{Draft, Severity, several},
    thresholds::{UNEXPECTED_FILES, UNEXPECTED_LOADED},
};

/// The most folders of `LD_LIBRARY_PATH` that are looked at.
const MOST_FOLDERS: usize = 32;
/// The most loaded files that are looked for elsewhere.
const MOST_FILES: usize = 512;
/// Where the loader looks by itself.
const SYSTEM: &[&str] = &[
    "/lib",
    "/usr/lib",
    "/lib64",
    "/usr/lib64",
    "/usr/local/lib",
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
];

pub(super) fn find(context: &Context) -> Vec<Draft> {
    // File, and the calls that went there.
    let mut called: BTreeMap<&str, u64> = BTreeMap::new();
    for row in context.forward() {
        if let (Some(file), true) = (&row.file, row.redirected_to.is_none()) {
            let calls = called.entry(file).or_default();
            *calls = calls.saturating_add(row.calls);
        }
    }
    let (folders, searched) = (folders(context), searched(context));
    let objects = context.names.objects.iter();
    let loaded: Vec<&str> = objects.map(|object| object.path.as_str()).collect();
    for file in &loaded {
        called.entry(file).or_default();
    }
    called
        .into_iter()
        .take(MOST_FILES)
        .filter_map(|(file, calls)| {
            twice(file, calls, &loaded).or_else(|| elsewhere(file, calls, &folders, &searched))
        })
        .collect()
}

/// The folders in which libraries of the program are expected, most expected first.
fn folders(context: &Context) -> Vec<PathBuf> {
    let program = fs::canonicalize(&context.model.program);
    let mut folders = Vec::new();
    if let Some(folder) = program.as_deref().ok().and_then(Path::parent) {
        folders.push(folder.to_owned());
        folders.push(folder.join(format!("runtimes/linux-{}/native", OWN.name)));
    }
    folders.extend(SYSTEM.iter().map(PathBuf::from));
    folders
}

/// The folders of `LD_LIBRARY_PATH`. They are those of the program if this tool has started it.
fn searched(context: &Context) -> Vec<PathBuf> {
    if context.model.attach.is_some() {
        return Vec::new();
    }
    let path = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    folders.take(MOST_FOLDERS).collect()
}

/// Two loaded files have one name, and not the same content. The first of them has the finding.
fn twice(file: &str, calls: u64, loaded: &[&str]) -> Option<Draft> {
    let path = Path::new(file);
    let name = path.file_name()?;
    let same = |other: &&str| {
        let other = Path::new(*other);
        other != path && other.file_name() == Some(name) && differs(other, path)
    };
    let mut files: Vec<&str> = loaded.iter().copied().filter(same).collect();
    files.push(file);
    files.sort_unstable();
    files.dedup();
    if (files.len() as u64) < UNEXPECTED_LOADED || files[0] != file {
        return None;
    }
    let many = files.len();
    files.truncate(4);
    let name = name.display();
    let sentence = format!(
        "{many} files called {name} are loaded: {}.",
        files.join(", ")
    );
    Some(draft(file, calls, sentence))
}

/// Another file of the name lies where it is expected.
fn elsewhere(file: &str, calls: u64, folders: &[PathBuf], searched: &[PathBuf]) -> Option<Draft> {
    let path = Path::new(file);
    let (name, folder) = (path.file_name()?, path.parent()?);
    if !path.is_absolute() {
        return None;
    }
    if folders.iter().any(|expected| same_folder(expected, folder)) {
        return None;
    }
    let places = folders
        .iter()
        .chain(searched)
        .map(|folder| folder.join(name));
    let others: Vec<PathBuf> = places.filter(|other| differs(other, path)).collect();
    if (others.len() as u64) < UNEXPECTED_FILES {
        return None;
    }
    Some(draft(
        file,
        calls,
        format!(
            "{} came from {}. With this name, {} elsewhere: {}.",
            name.display(),
            folder.display(),
            several(others.len() as u64, "other file lies", "other files lie"),
            others[0].display()
        ),
    ))
}

fn draft(file: &str, calls: u64, sentence: String) -> Draft {
    Draft {
        id: "unexpected-library",
        severity: Severity::Warning,
        at_stake: calls,
        sentence,
        evidence: match calls {
            0 => format!("{file} is loaded, and no call leads into it directly."),
            _ => format!("{} went into {file}.", several(calls, "call", "calls")),
        },
        advice: "Check LD_LIBRARY_PATH and the folders of the program; remove the copy that is not meant, or name the file with its path.".into(),
        targets: vec![file.to_owned()],
    }
}

fn same_folder(left: &Path, right: &Path) -> bool {
    left == right
        || fs::canonicalize(left)
            .is_ok_and(|left| fs::canonicalize(right).is_ok_and(|right| left == right))
}

/// Whether this is a file, and another one than `than` with another content.
fn differs(this: &Path, than: &Path) -> bool {
    let (Ok(one), Ok(other)) = (fs::metadata(this), fs::metadata(than)) else {
        return false;
    };
    let same = fs::canonicalize(this).ok() == fs::canonicalize(than).ok();
    one.is_file() && other.is_file() && !same && !equal(this, than, one.len(), other.len())
}

/// Whether two files have the same bytes. Large ones of one size count as equal.
fn equal(this: &Path, than: &Path, one: u64, other: u64) -> bool {
    /// The most bytes of a file that is read.
    const MOST: u64 = 16 << 20;
    if one != other {
        return false;
    }
    one > MOST || fs::read(this).is_ok_and(|this| fs::read(than).is_ok_and(|than| this == than))
}
