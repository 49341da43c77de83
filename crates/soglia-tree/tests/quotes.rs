//! The documents show programs word for word as they are in the tree, where they are tested.

use std::path::Path;

use soglia_tree::files;

/// A document, the language of the block, and the file that the block shows.
const QUOTES: &[(&str, &str, &str)] = &[
    ("docs/rust-host.md", "csharp", "fixtures/guest/Plugin.cs"),
    ("docs/rust-host.md", "c", "fixtures/guest/guest.c"),
    (
        "docs/rust-host.md",
        "rust,no_run",
        "crates/soglia/examples/embed.rs",
    ),
    (
        "docs/rust-host.md",
        "rust,no_run",
        "crates/soglia/examples/bound.rs",
    ),
    (
        "docs/rust-host.md",
        "rust,no_run",
        "crates/soglia/examples/slots.rs",
    ),
    (
        "docs/rust-host.md",
        "rust,no_run",
        "crates/soglia/examples/refuse.rs",
    ),
    (
        "docs/rust-host.md",
        "rust,no_run",
        "crates/soglia/examples/watch.rs",
    ),
    ("docs/hosting.md", "cpp", "examples/cpp/embed.cpp"),
    (
        "docs/top.md",
        "text",
        "crates/soglia/src/top/draw/screens/targets-80x10.txt",
    ),
    (
        "docs/top.md",
        "text",
        "crates/soglia/src/top/draw/screens/target-80x26.txt",
    ),
];

#[test]
fn documents_show_programs_as_they_are() {
    let root = files::root();
    let text = |file: &str| files::text(&root, Path::new(file)).unwrap();
    let differs = |(document, language, file): &&(&str, &str, &str)| {
        !text(document).contains(&format!("```{language}\n{}```\n", text(file)))
    };
    let found: Vec<_> = QUOTES.iter().filter(differs).collect();
    assert!(found.is_empty(), "shown otherwise: {found:?}");
}
