//! Imports never run in a circle, and go down in the engine.
//!
//! The floors of the engine are those that ARCHITECTURE.md draws.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::{Path, PathBuf},
};

use soglia_tree::{
    files,
    imports::{self, Imports},
};

/// The root files of all crates: libraries, programs, tests, benches, examples, fuzz targets.
fn roots(root: &Path) -> Vec<PathBuf> {
    let is_root = |file: &PathBuf| {
        let parts: Vec<&str> = file.iter().filter_map(|part| part.to_str()).collect();
        match parts[..] {
            ["crates", _, "src", name] => matches!(name, "lib.rs" | "main.rs"),
            ["crates", _, "tests" | "benches" | "examples", name] => name.ends_with(".rs"),
            ["crates", _, "tests" | "benches" | "examples", _, name] => name == "main.rs",
            ["fuzz", .., name] => name.ends_with(".rs"),
            _ => false,
        }
    };
    files::all(root).into_iter().filter(is_root).collect()
}

/// The shortest circle of a crate, with the paths that close it; `None`: there is none.
fn circle(imports: &Imports) -> Option<String> {
    let circles = imports.arrows.keys();
    let circles = circles.filter_map(|start| circle_through(imports, start));
    let shortest = circles.min_by_key(Vec::len)?;
    let pairs = shortest.iter().zip(shortest.iter().cycle().skip(1));
    let steps = pairs.map(|(file, target)| step(imports, file, target));
    Some(steps.collect::<Vec<_>>().join("\n"))
}

/// The shortest circle through a file, from that file on.
fn circle_through<'a>(imports: &'a Imports, start: &'a String) -> Option<Vec<&'a String>> {
    let mut before: BTreeMap<&String, &String> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        let targets = imports.arrows.get(file);
        for target in targets.into_iter().flat_map(BTreeMap::keys) {
            if target == start {
                let back = std::iter::successors(Some(file), |file| before.get(file).copied());
                let mut circle: Vec<&String> = back.collect();
                circle.reverse();
                return Some(circle);
            }
            if !before.contains_key(target) {
                before.insert(target, file);
                next.push_back(target);
            }
        }
    }
    None
}

/// One arrow, with the paths that make it.
fn step(imports: &Imports, file: &str, target: &str) -> String {
    let paths = &imports.arrows[file][target];
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    format!("  {file} imports {} from {target}", paths.join(", "))
}

/// Imports between the floors of a crate that do not go down, and modules that are on no floor.
fn rises(
    imports: &Imports,
    modules: &BTreeSet<String>,
    floors: &[BTreeSet<String>],
) -> Vec<String> {
    let floor = |module: &str| floors.iter().position(|floor| floor.contains(module));
    let unknown = modules.iter().filter(|module| floor(module).is_none());
    let mut found: Vec<String> = unknown
        .map(|module| format!("  {module} is on no floor of the drawing"))
        .collect();
    for gone in floors
        .iter()
        .flatten()
        .filter(|module| !modules.contains(*module))
    {
        found.push(format!("  {gone} is on a floor and not in the crate"));
    }
    for (file, targets) in &imports.arrows {
        for target in targets.keys() {
            let (from, to) = (top(file), top(target));
            if let (Some(upper), Some(lower)) = (floor(from), floor(to))
                && from != to
                && lower <= upper
            {
                found.push(step(imports, file, target));
            }
        }
    }
    found
}

/// The module of the crate's root in which a file is.
fn top(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

/// The floors that a text draws in a block called `floors`, from the top down.
fn drawn(text: &str) -> Vec<BTreeSet<String>> {
    let lines = text.lines().skip_while(|line| *line != "```floors").skip(1);
    let lines = lines.take_while(|line| *line != "```");
    let floors = lines.filter_map(|line| line.split_once(':'));
    floors
        .map(|(_, modules)| modules.split_whitespace().map(str::to_owned).collect())
        .collect()
}

#[test]
fn no_imports_run_in_a_circle() {
    let root = files::root();
    let roots = roots(&root);
    assert!(roots.len() > 10, "{roots:?}");
    let mut found = Vec::new();
    for file in roots {
        let name = file.display().to_string();
        let circle = circle(&imports::of_crate(&root.join(&file)));
        if let Some(circle) = circle {
            found.push(format!(
                "{name}:
{circle}"
            ));
        }
    }
    assert!(
        found.is_empty(),
        "imports run in a circle:\n{}",
        found.join("\n")
    );
}

#[test]
fn imports_of_the_engine_go_down() {
    let root = files::root();
    let floors = drawn(&files::text(&root, Path::new("ARCHITECTURE.md")).unwrap());
    assert!(!floors.is_empty(), "ARCHITECTURE.md draws no floors");
    let source = root.join("crates/soglia-clr/src");
    let imports = imports::of_crate(&source.join("lib.rs"));
    let files = files::all(&source);
    let mut modules: BTreeSet<String> = files
        .iter()
        .map(|file| top(file.to_str().unwrap()).to_owned())
        .collect();
    // The root itself stands on all of them.
    modules.remove("lib");
    let found = rises(&imports, &modules, &floors);
    assert!(
        found.is_empty(),
        "imports that do not go down:\n{}",
        found.join("\n")
    );
}

/// A crate of these files in a folder of its own.
fn planted(files: &[(&str, &str)]) -> (tempfile::TempDir, Imports) {
    let tree = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let file = tree.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    let imports = imports::of_crate(&tree.path().join("lib.rs"));
    (tree, imports)
}

#[test]
fn a_planted_circle_is_found_through_re_exports() {
    let lib = ("lib.rs", "mod a; mod b;");
    let a = ("a.rs", "pub use crate::b::Up; pub struct Down;");
    // By `use`, by a path in code, by a macro.
    for b in [
        "use crate::a::Down; pub struct Up(Down);",
        "pub struct Up; fn f() { let _ = super::a::Down; }",
        "pub struct Up; fn f() { assert_eq!(1, crate::a::Down::one()); }",
    ] {
        let found = circle(&planted(&[lib, a, ("b.rs", b)]).1).unwrap();
        assert!(
            found.contains("a.rs imports crate::b::Up from b.rs"),
            "{found}"
        );
        assert!(found.contains("from a.rs"), "{found}");
    }
    // What is re-exported is an arrow to where it is defined, so this is none.
    let b = ("b.rs", "pub struct Up;");
    let c = ("c.rs", "use crate::a::Up; pub struct On(Up);");
    let lib = ("lib.rs", "mod a; mod b; mod c; pub use c::On;");
    let (_tree, imports) = planted(&[lib, a, b, c]);
    assert_eq!(circle(&imports), None);
    assert_eq!(imports.arrows["c.rs"].keys().collect::<Vec<_>>(), ["b.rs"]);
}

#[test]
fn what_only_tests_import_closes_no_circle() {
    let lib = ("lib.rs", "mod a; mod b;");
    let a = ("a.rs", "use crate::b::B; pub struct A;");
    let b = (
        "b.rs",
        "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
    );
    assert_eq!(circle(&planted(&[lib, a, b]).1), None);
}

#[test]
fn a_planted_import_that_rises_is_found() {
    let files = [
        ("lib.rs", "mod high; mod low; mod side;"),
        ("high.rs", "use crate::low::Low;"),
        ("low.rs", "pub struct Low; use crate::side::Side;"),
        ("side.rs", "pub struct Side;"),
    ];
    let (_tree, imports) = planted(&files);
    let modules = ["high", "low", "side"].map(str::to_owned).into();
    let check = |text: &str| rises(&imports, &modules, &drawn(text));
    let good = "```floors\ntop: high\nmiddle: low\nground: side\n```\n";
    assert_eq!(check(good), Vec::<String>::new());
    let level = "```floors\ntop: high\nground: low side\n```\n";
    assert_eq!(
        check(level),
        ["  low.rs imports crate::side::Side from side.rs"]
    );
    let missing = "```floors\ntop: high\nground: side old\n```\n";
    assert_eq!(
        check(missing),
        [
            "  low is on no floor of the drawing",
            "  old is on a floor and not in the crate"
        ]
    );
}
