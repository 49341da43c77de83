//! No source file grows beyond what a reader can hold.

use std::path::Path;

use soglia_tree::files;

/// Lines of a Rust file.
const MOST: usize = 500;

/// Files that are longer and have not been split yet.
const LONG: &[&str] = &[
    "crates/soglia/src/text.rs",
    "crates/soglia/src/verify.rs",
    "crates/soglia-abi/src/profiler/metadata.rs",
];

fn long(root: &Path) -> Vec<String> {
    let files = files::all(root)
        .into_iter()
        .filter(|file| files::has_extension(file, &["rs"]));
    let sizes = files.map(|file| {
        let lines = files::text(root, &file).map_or(0, |text| text.lines().count());
        (file.display().to_string(), lines)
    });
    let long = sizes.filter(|(file, lines)| *lines > MOST && !LONG.contains(&file.as_str()));
    long.map(|(file, lines)| format!("{file}: {lines} lines, the most is {MOST}"))
        .collect()
}

#[test]
fn no_file_is_too_long() {
    let found = long(&files::root());
    assert!(found.is_empty(), "split by purpose:\n{}", found.join("\n"));
}

#[test]
fn a_planted_long_file_is_found() {
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join("long.rs"), "\n".repeat(MOST + 1)).unwrap();
    std::fs::write(tree.path().join("short.rs"), "\n".repeat(MOST)).unwrap();
    assert_eq!(long(tree.path()), ["long.rs: 501 lines, the most is 500"]);
}
