//! The width of prose and comments, and phrases that stay out. CONTRIBUTING.md has the rules of
//! language.

use std::path::Path;

use soglia_tree::files;

/// Columns of prose and comments. Tables, code and the targets of links may be wider.
const WIDTH: usize = 100;

/// Phrases that hide who does what, or have to be read twice.
const BANNED: &[&str] = &[
    "nobody",
    "whoever",
    "but for",
    "save for",
    "for want of",
    "of soglia's",
    "to be had",
    "no telling",
    "as near as",
    "it is that",
    "that is none",
    "is none of",
    "is told",
    "are told",
    "was told",
    "were told",
    "be told",
    "told of",
    "tells of",
    "seldom",
    "by turns",
    "come upon",
    "comes upon",
    "lest",
    "dear",
    "hitherto",
    "therein",
    "whereupon",
];

/// What kind of text a file holds.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Markdown,
    /// Comments after `//` or in `/* */`.
    Slashes,
    /// Comments after `#`.
    Hashes,
    /// Only phrases count.
    Data,
}

fn kind(file: &Path) -> Option<Kind> {
    if file.ends_with("crates/soglia-tree/tests/language.rs") {
        // It has to name what it looks for.
        return None;
    }
    let name = file.file_name()?.to_str()?;
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "md" => Some(Kind::Markdown),
        "rs" | "h" | "hpp" | "c" | "cc" | "cpp" | "cs" | "fs" => Some(Kind::Slashes),
        "toml" | "sh" | "cmake" | "yml" | "yaml" | "in" => Some(Kind::Hashes),
        "json" | "svg" => Some(Kind::Data),
        "" if name.starts_with("LICENSE") => None,
        "" => Some(Kind::Hashes),
        _ => (name == "CMakeLists.txt").then_some(Kind::Hashes),
    }
}

/// Lines of a text that are too wide, or have a phrase that stays out: number, and what is wrong.
fn faults(text: &str, kind: Kind) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    let mut in_code = false;
    for (number, line) in (1..).zip(text.lines()) {
        let prose = prose(line, kind);
        if let Some(prose) = prose
            && (prose.starts_with("```") || prose.starts_with("~~~"))
        {
            in_code = !in_code;
            continue;
        }
        let is_table = prose.is_some_and(|prose| prose.starts_with('|'));
        if prose.is_some() && !in_code && !is_table {
            let width = without_targets(line).chars().count();
            if width > WIDTH {
                faults.push((number, format!("{width} columns, the most is {WIDTH}")));
            }
        }
        if in_code && kind == Kind::Markdown {
            continue;
        }
        let words = without_code(line).to_lowercase();
        let found = BANNED
            .iter()
            .filter(|phrase| has_phrase(&words, &phrase.to_lowercase()));
        faults.extend(found.map(|phrase| (number, format!("says `{phrase}`"))));
    }
    faults
}

/// The prose of a line: all of it in Markdown, a comment elsewhere.
fn prose(line: &str, kind: Kind) -> Option<&str> {
    let trimmed = line.trim_start();
    match kind {
        Kind::Markdown => Some(trimmed),
        Kind::Slashes => {
            let whole = ["//!", "///", "//", "/*", "* "];
            let whole = whole.iter().find_map(|mark| trimmed.strip_prefix(mark));
            whole.map(str::trim_start).or_else(|| {
                // Behind code. What looks so in a text is preceded by a colon (`https://`).
                line.split_once(" // ").map(|(_, comment)| comment)
            })
        }
        Kind::Hashes => trimmed.strip_prefix('#').map(str::trim_start),
        Kind::Data => None,
    }
}

/// A line without the targets of its links, which cannot be broken.
fn without_targets(line: &str) -> String {
    let mut rest = line;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once("](") {
        kept.push_str(before);
        rest = after.split_once(')').map_or("", |(_, behind)| behind);
    }
    kept.push_str(rest);
    let is_address = |word: &&str| word.contains("://");
    let addresses: usize = kept.split(' ').filter(is_address).map(str::len).sum();
    kept.chars()
        .take(kept.chars().count().saturating_sub(addresses))
        .collect()
}

/// A line without its code spans and quoted words: names are no prose.
fn without_code(line: &str) -> String {
    line.split('`')
        .step_by(2)
        .collect::<Vec<_>>()
        .join(" ")
        .replace("\"nobody\"", "")
}

/// Whether the words of a phrase stand in a text, as whole words.
fn has_phrase(text: &str, phrase: &str) -> bool {
    let is_inside = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    text.match_indices(phrase).any(|(at, _)| {
        !is_inside(text[..at].chars().next_back())
            && !is_inside(text[at + phrase.len()..].chars().next())
    })
}

#[test]
fn texts_are_narrow_and_plain() {
    let root = files::root();
    let mut found = Vec::new();
    for file in files::all(&root) {
        let name = file.display().to_string();
        let Some(kind) = kind(&file) else { continue };
        let Some(text) = files::text(&root, &file) else {
            continue;
        };
        let faults = faults(&text, kind);
        found.extend(
            faults
                .into_iter()
                .map(|(line, what)| format!("{name}:{line}: {what}")),
        );
    }
    let count = found.len();
    found.truncate(200);
    assert!(
        found.is_empty(),
        "{count} lines, CONTRIBUTING.md has the rules:\n{}",
        found.join("\n")
    );
}

#[test]
fn planted_wide_lines_are_found() {
    let wide = "word ".repeat(21);
    let count = |text: &str, kind| faults(text, kind).len();
    assert_eq!(count(&wide, Kind::Markdown), 1);
    assert_eq!(count(&format!("| {wide} |"), Kind::Markdown), 0);
    assert_eq!(count(&format!("```\n{wide}\n```"), Kind::Markdown), 0);
    assert_eq!(
        count(&format!("[x]({})", "a".repeat(200)), Kind::Markdown),
        0
    );
    assert_eq!(count(&format!("    // {wide}"), Kind::Slashes), 1);
    assert_eq!(
        count(&format!("    let x = 1; // {wide}"), Kind::Slashes),
        1
    );
    assert_eq!(count(&format!("    let x = {wide};"), Kind::Slashes), 0);
    assert_eq!(count(&format!("/// | {wide} |"), Kind::Slashes), 0);
    assert_eq!(count(&format!("# {wide}"), Kind::Hashes), 1);
    assert_eq!(count(&format!("run {wide}"), Kind::Hashes), 0);
}

#[test]
fn planted_phrases_are_found() {
    let says = |line: &str| !faults(line, Kind::Slashes).is_empty();
    assert!(says("// Nobody knows."));
    assert!(says("/// All but for one."));
    assert!(says("    bail!(\"it is told to wait\");"));
    // Other words, names, code.
    assert!(!says(
        "// Nobodyness is no word that stays out; nor is `lest`."
    ));
    assert!(!says("    let user = \"nobody\";"));
}
