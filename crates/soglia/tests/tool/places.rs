//! Native functions that lie where others have lain, functions of one name in several libraries,
//! functions without a name.
//!
//! What the functions return tells the program which one it has called, so its output says the same
//! as the report has to.

use std::{collections::BTreeMap, fs};

use crate::support::{Recording, Report, Space, Target, skip, text};

const OWN: [&str; 2] = ["woven", "transitions"];

/// A case under soglia, recorded. `None`, and said so: the kernel has put the second library
/// elsewhere.
fn record<'a>(space: &'a Space, options: &str, case: &str) -> Option<(Recording<'a>, String)> {
    let options = format!("--quiet -o a.soglia {options}");
    let output = space.run(&options, "places.dll", case).output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{case}: {}", text(&output.stderr));
    if said.contains("same place: False") {
        skip(&format!("{case}: no library was put where another one was"));
        return None;
    }
    Some((space.recording("a.soglia"), said))
}

/// Calls by file and symbol, of the program's own targets that have this in one of their names.
fn calls(report: &Report, of: &str) -> BTreeMap<(String, String), u64> {
    let mut calls = BTreeMap::new();
    let named = |row: &&Target| {
        let names = [&row.library, &row.entry, &row.method];
        let mut names = names.into_iter().flatten();
        !row.runtime_internal && names.any(|name| name.contains(of))
    };
    for row in report.targets.iter().filter(named) {
        let file = row.file.as_ref().map_or_else(String::new, |file| {
            let parent = file.parent().unwrap().file_name().unwrap();
            let name = file.file_name().unwrap().to_string_lossy();
            match parent.to_string_lossy() {
                folder if folder.starts_with('v') => format!("{folder}/{name}"),
                _ => name.into_owned(),
            }
        });
        let key = (file, row.symbol.clone().unwrap_or_default());
        assert_eq!(calls.insert(key, row.calls), None, "one row each: {row:?}");
    }
    calls
}

fn expected<const N: usize>(rows: [(&str, &str, u64); N]) -> BTreeMap<(String, String), u64> {
    rows.into_iter()
        .map(|(file, symbol, calls)| ((file.into(), symbol.into()), calls))
        .collect()
}

const FIRST: &str = "libplaces_first.so";
const SECOND: &str = "libplaces_second.so";

#[test]
fn the_program_behaves_as_without() {
    let list = Space::new().bare("places.dll", "list").output().unwrap();
    let cases = text(&list.stdout);
    assert!(cases.lines().count() >= 10, "{cases}");
    for case in cases.lines() {
        let bare = text(
            &Space::new()
                .bare("places.dll", case)
                .output()
                .unwrap()
                .stdout,
        );
        let elsewhere = |said: &str| said.contains("same place: False");
        for source in OWN {
            let space = Space::new();
            let options = format!("--quiet --source {source}");
            let under = space.run(&options, "places.dll", case).output().unwrap();
            let said = text(&under.stdout);
            match elsewhere(&said) || elsewhere(&bare) {
                true => skip(&format!("{case}: no library was put where another one was")),
                false => assert_eq!(said, bare, "{case}, {source}"),
            }
            assert!(under.status.success(), "{case}: {}", text(&under.stderr));
        }
    }
}

#[test]
fn a_pointer_is_what_lies_there_now() {
    for (case, rounds) in [
        ("free", 1),
        ("dlclose", 1),
        ("threads", 1),
        ("free-twice", 3),
    ] {
        for options in ["", "--counts", "--record events"] {
            let space = Space::new();
            let Some((recording, said)) = record(&space, options, case) else {
                return;
            };
            assert_eq!(said.lines().count(), rounds, "{said}");
            let expected = expected([
                (FIRST, "first", 3 * rounds as u64),
                (SECOND, "second", 5 * rounds as u64),
            ]);
            let of = "libplaces_";
            assert_eq!(calls(&recording.report(), of), expected, "{case} {options}");
            if options == "--record events" {
                assert_eq!(
                    calls(&recording.replayed(), of),
                    expected,
                    "{case}, replayed"
                );
            }
        }
    }
}

/// The runtime has linked it once and for all.
#[test]
fn a_declaration_is_what_lies_there_now() {
    for options in [
        "--source woven",
        "--source woven --counts",
        "--source woven --record events",
        "--source transitions",
    ] {
        let space = Space::new();
        let Some((recording, _)) = record(&space, options, "import") else {
            return;
        };
        let report = recording.report();
        assert_eq!(
            calls(&report, "resolved"),
            expected([(FIRST, "first", 3), (SECOND, "second", 5)]),
            "{options}"
        );
        let mut rows = report
            .targets
            .iter()
            .filter(|row| row.library.as_deref() == Some("resolved"));
        assert!(rows.all(|row| row.entry.as_deref() == Some("first")));
        let told = space.soglia("report a.soglia").output().unwrap();
        let told = text(&told.stdout);
        let line = told.lines().find(|line| line.contains("second in /"));
        assert!(
            line.is_some_and(|line| line.contains("resolved!first")),
            "{told}"
        );
    }
}

#[test]
fn delegates_are_on_what_they_were_made_of() {
    for source in OWN {
        let space = Space::new();
        let options = format!("--source {source}");
        let Some((recording, said)) = record(&space, &options, "delegate") else {
            return;
        };
        assert!(said.contains("turns back: True"), "{said}");
        assert_eq!(
            calls(&recording.report(), "Function.Invoke")
                .values()
                .sum::<u64>(),
            8
        );
    }
}

#[test]
fn the_same_library_again_is_the_same_target() {
    let space = Space::new();
    let (recording, _) = record(&space, "", "same-file").unwrap();
    assert_eq!(
        calls(&recording.report(), "libplaces_"),
        expected([(FIRST, "first", 8)])
    );
}

#[test]
fn every_context_calls_its_own_library() {
    for options in [
        "--source woven",
        "--source woven --counts",
        "--source woven --record events",
        "--source transitions",
    ] {
        for (contexts, said) in [(2, "sum 13"), (9, "sum 55")] {
            let space = Space::new();
            let case = format!("contexts {contexts}");
            let (recording, sum) = record(&space, options, &case).unwrap();
            assert_eq!(sum.trim_end(), said);
            let (one, other) = (contexts / 2 + contexts % 2, contexts / 2);
            let expected = expected([
                ("v1/libplaces.so", "version_of", 3 * one),
                ("v2/libplaces.so", "version_of", 5 * other),
            ]);
            let of = "places";
            assert_eq!(calls(&recording.report(), of), expected, "{options} {case}");
            if options.contains("events") {
                assert_eq!(
                    calls(&recording.replayed(), of),
                    expected,
                    "{case}, replayed"
                );
            }
        }
        let space = Space::new();
        record(&space, options, "contexts 2").unwrap();
        let told = text(&space.soglia("report a.soglia").output().unwrap().stdout);
        for file in ["v1/libplaces.so", "v2/libplaces.so"] {
            let lines = told
                .lines()
                .filter(|line| line.contains("places!version_of"));
            assert_eq!(
                lines.filter(|line| line.contains(file)).count(),
                1,
                "{told}"
            );
        }
    }
}

/// Those that load assemblies for ever do not fill the recording.
#[test]
fn very_many_contexts_share_targets() {
    let size = |contexts: u64| {
        let space = Space::new();
        let case = format!("contexts {contexts}");
        let (recording, _) = record(&space, "--source woven", &case).unwrap();
        let calls = calls(&recording.report(), "places");
        assert_eq!(calls.values().sum::<u64>(), contexts / 2 * 8, "{calls:?}");
        // The first call of each that has no target of its own is nowhere, which is no guess; all
        // others are where they were made.
        let named = |file: &str| calls[&(file.into(), "version_of".into())];
        assert!((contexts..=contexts / 2 * 3).contains(&named("v1/libplaces.so")));
        assert!((contexts * 2..=contexts / 2 * 5).contains(&named("v2/libplaces.so")));
        fs::metadata(&recording.path).unwrap().len()
    };
    let (many, more) = (size(200), size(400));
    assert!(more < many + many / 4, "{many} bytes, then {more}");
}

#[test]
fn functions_without_an_exported_name_are_told_apart() {
    for (case, file) in [("hidden", FIRST), ("hidden-stripped", "libplaces.so")] {
        let space = Space::new();
        let (recording, _) = record(&space, "", case).unwrap();
        let report = recording.report();
        let hidden: Vec<&Target> = report
            .targets
            .iter()
            .filter(|row| {
                row.library.as_deref() == Some(file) && row.entry.as_deref() != Some("hidden")
            })
            .collect();
        let mut counted: Vec<u64> = hidden.iter().map(|row| row.calls).collect();
        counted.sort_unstable();
        assert_eq!(counted, [12, 30], "{case}: {hidden:?}");
        let told = text(&space.soglia("report a.soglia").output().unwrap().stdout);
        for row in hidden {
            let offset = row.offset.as_deref().unwrap();
            let name = match case {
                "hidden" if row.calls == 30 => format!("{file}!hidden_one "),
                "hidden" => format!("{file}!hidden_two "),
                _ => format!("{file}+{offset} "),
            };
            assert_eq!(row.symbol.is_some(), case == "hidden", "{row:?}");
            assert!(told.contains(&name), "{name}: {told}");
        }
        assert!(!told.contains("[function pointer]"), "{told}");
    }
}

/// A file's own symbols are those of the file that was loaded. Another file has none to give.
#[test]
fn another_build_of_a_file_names_nothing() {
    let space = Space::new();
    let (recording, _) = record(&space, "", "hidden").unwrap();
    let file = recording.report().targets.iter().find_map(|row| {
        row.file
            .clone()
            .filter(|_| row.entry.as_deref() == Some("hidden_one"))
    });
    let file = file.unwrap();
    // The same recording, but of a file of another name.
    let other = space.path("x");
    let (from, to) = (file.to_str().unwrap(), other.to_str().unwrap());
    let padded = format!("{}{to}", "/".repeat(from.len() - to.len()));
    let mut changed = fs::read(&recording.path).unwrap();
    let mut at = 0;
    while let Some(found) = changed[at..]
        .windows(from.len())
        .position(|w| w == from.as_bytes())
    {
        at += found;
        changed[at..at + from.len()].copy_from_slice(padded.as_bytes());
    }
    fs::write(space.path("b.soglia"), &changed).unwrap();
    let named = |build: &str| {
        let source = file.with_file_name(build);
        fs::copy(source, &other).unwrap();
        let report = space.recording("b.soglia").report();
        report.calls("hidden_one") == 30
    };
    assert!(named(FIRST), "the same bytes elsewhere");
    assert!(!named(SECOND), "another build");
}
