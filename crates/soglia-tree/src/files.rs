//! The files of the tree: all that git would not ignore.

use std::{
    fs,
    path::{Path, PathBuf},
};

use ignore::WalkBuilder;

/// The root of the tree.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().to_owned()
}

/// Paths below `root`, relative to it and sorted, of all files that git does not ignore.
pub fn all(root: &Path) -> Vec<PathBuf> {
    let mut walk = WalkBuilder::new(root);
    // Only the tree's own rules count, not those of the machine.
    walk.hidden(false)
        .parents(false)
        .git_global(false)
        .git_exclude(false)
        .require_git(false);
    walk.filter_entry(|entry| entry.file_name() != ".git");
    let files = walk.build().map(|entry| entry.unwrap());
    let files = files.filter(|entry| entry.file_type().is_some_and(|t| t.is_file()));
    let mut files: Vec<PathBuf> = files
        .map(|entry| entry.path().strip_prefix(root).unwrap().to_owned())
        .collect();
    files.sort();
    files
}

/// The text of a file; `None` if it is not UTF-8.
pub fn text(root: &Path, file: &Path) -> Option<String> {
    String::from_utf8(fs::read(root.join(file)).unwrap()).ok()
}

/// Whether the last part of the name is one of these.
pub fn has_extension(file: &Path, extensions: &[&str]) -> bool {
    file.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| extensions.contains(&e))
}
