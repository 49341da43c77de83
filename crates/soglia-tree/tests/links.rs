//! Links between the Markdown files of the tree lead somewhere, and so do names of documents in
//! code.

use std::{
    collections::BTreeSet,
    path::{Component, Path, PathBuf},
};

use soglia_tree::files;

/// What is wrong with the links of a tree: one line for each.
fn faults(root: &Path) -> Vec<String> {
    let all = files::all(root);
    let mut found = Vec::new();
    // This package names what it looks for.
    let others = all
        .iter()
        .filter(|it| !it.starts_with("crates/soglia-tree"));
    for file in others {
        let Some(text) = files::text(root, file) else {
            continue;
        };
        let wrong = if files::has_extension(file, &["md"]) {
            wrong_links(root, &all, file, &text)
        } else {
            wrong_names(&all, &text)
        };
        let lines = wrong.into_iter();
        found.extend(lines.map(|(number, what)| format!("{}:{number}: {what}", file.display())));
    }
    found
}

/// Links of a Markdown file that lead nowhere: the line's number, and the target.
fn wrong_links(root: &Path, all: &[PathBuf], file: &Path, text: &str) -> Vec<(usize, String)> {
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut wrong = Vec::new();
    for (number, line) in prose(text) {
        for target in targets(&without_code(line)) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let leads_to = match path {
                "" => file.to_owned(),
                _ => plain(&folder.join(path)),
            };
            let is_there = all
                .iter()
                .any(|it| *it == leads_to || it.starts_with(&leads_to));
            if !is_there {
                wrong.push((number, format!("no file {target}")));
            } else if !anchor.is_empty() {
                let text = files::text(root, &leads_to).unwrap_or_default();
                if !anchors(&text).contains(anchor) {
                    wrong.push((number, format!("no heading {target}")));
                }
            }
        }
    }
    wrong
}

/// Documents that a text names by their path in the tree, and that are not there.
fn wrong_names(all: &[PathBuf], text: &str) -> Vec<(usize, String)> {
    let mut wrong = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for (at, _) in line.match_indices("docs/") {
            let before = line[..at].chars().next_back();
            let name: String = line[at..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "/-_.".contains(*c))
                .collect();
            // Part of a longer path, for instance in another repository.
            let is_part = before.is_some_and(|c| c.is_alphanumeric() || c == '/' || c == '-');
            if is_part || name.matches('/').count() > 1 || !name.ends_with(".md") {
                continue;
            }
            if !all.iter().any(|it| it == Path::new(&name)) {
                wrong.push((number, format!("no document {name}")));
            }
        }
    }
    wrong
}

/// The lines of a Markdown text that are not code, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_code ^= is_fence;
        !in_code && !is_fence
    })
}

/// A line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

/// The targets of the links in a line, images included.
fn targets(line: &str) -> Vec<String> {
    let parts = line.split("](").skip(1);
    let targets = parts.filter_map(|part| part.split_once(')'));
    targets.map(|(target, _)| target.to_owned()).collect()
}

/// A path without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// The anchors of a Markdown text's headings, by GitHub's rules.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for (_, line) in prose(text) {
        let heading = line.trim_start_matches('#');
        if heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let slug: String = kept
            .flat_map(char::to_lowercase)
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let again = (1..).map(|number| format!("{slug}-{number}"));
        let mut names = std::iter::once(slug.clone()).chain(again);
        anchors.insert(names.find(|name| !anchors.contains(name)).unwrap());
    }
    anchors
}

#[test]
fn all_links_lead_somewhere() {
    let found = faults(&files::root());
    assert!(
        found.is_empty(),
        "links that lead nowhere:\n{}",
        found.join("\n")
    );
}

#[test]
fn the_book_has_all_documents() {
    let root = files::root();
    let summary = files::text(&root, Path::new("docs/SUMMARY.md")).unwrap();
    let chapters: BTreeSet<String> = summary.lines().flat_map(targets).collect();
    let all = files::all(&root);
    let documents = all
        .iter()
        .filter(|file| file.starts_with("docs") && files::has_extension(file, &["md"]));
    let missing: Vec<&PathBuf> = documents
        .filter(|file| {
            let name = file.strip_prefix("docs").unwrap();
            name != Path::new("SUMMARY.md") && !chapters.contains(name.to_str().unwrap())
        })
        .collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}

#[test]
fn planted_links_are_found() {
    let tree = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = tree.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write(
        "README.md",
        "[a](docs/a.md) [b](docs/a.md#two-words-and_code) [c](docs) ![d](https://example.com/x)\n\
         `[no](link)`\n```\n[nor](this)\n```\n[e](docs/a.md#again-1) [f](#none) [g](docs/b.md)\n",
    );
    write(
        "docs/a.md",
        "# Two words, and_`code`\n## Again\n## Again\n[up](../README.md)\n[out](../b.md#x)\n",
    );
    write(
        "code.rs",
        "// `docs/a.md` says so.\n// docs/c.md too, not other/docs/d.md, docs/far/e.md.\n",
    );
    assert_eq!(
        faults(tree.path()),
        [
            "README.md:6: no heading #none",
            "README.md:6: no file docs/b.md",
            "code.rs:2: no document docs/c.md",
            "docs/a.md:5: no file ../b.md#x",
        ]
    );
}
