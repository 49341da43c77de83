//! Native functions that lie where others have lain, functions of one name in several libraries,
//! functions without a name.
//!
//! What the functions return tells the program which one it has called, so its output says the same
//! as the report has to.

use std::{collections::BTreeMap, fs, process::Command};

use soglia_testing::needs::{Outcome, Unmet};

use crate::support::{Recording, Report, Space, Target, text};

const OWN: [&str; 2] = ["woven", "transitions"];

/// What the program says where the kernel has put the second library elsewhere.
const ELSEWHERE: &str = "same place: False";
/// The kernel chooses at random, so a case gets some tries.
const TRIES: usize = 8;
const UNMET: &str = "the kernel does not put a library where another one was";

/// A case under soglia, recorded, and what it said.
fn record<'a>(
    space: &'a Space,
    options: &str,
    case: &str,
) -> Result<(Recording<'a>, String), Unmet> {
    let options = format!("--quiet -o a.soglia {options}");
    for _ in 0..TRIES {
        let output = space.run(&options, "places.dll", case).output().unwrap();
        let said = text(&output.stdout);
        assert!(output.status.success(), "{case}: {}", text(&output.stderr));
        if !said.contains(ELSEWHERE) {
            return Ok((space.recording("a.soglia"), said));
        }
    }
    Err(Unmet::new(UNMET))
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

pub fn the_program_behaves_as_without() -> Outcome {
    let list = Space::new().bare("places.dll", "list").output().unwrap();
    let cases = text(&list.stdout);
    assert!(cases.lines().count() >= 10, "{cases}");
    for case in cases.lines() {
        let space = Space::new();
        let bare = said(|| space.bare("places.dll", case))?;
        for source in OWN {
            let space = Space::new();
            let options = format!("--quiet --source {source}");
            let under = said(|| space.run(&options, "places.dll", case))?;
            assert_eq!(under, bare, "{case}, {source}");
        }
    }
    Ok(())
}

/// What this command says once the libraries are where the case needs them.
fn said(command: impl Fn() -> Command) -> Result<String, Unmet> {
    for _ in 0..TRIES {
        let output = command().output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let said = text(&output.stdout);
        if !said.contains(ELSEWHERE) {
            return Ok(said);
        }
    }
    Err(Unmet::new(UNMET))
}

pub fn a_pointer_is_what_lies_there_now() -> Outcome {
    for (case, rounds) in [
        ("free", 1),
        ("dlclose", 1),
        ("threads", 1),
        ("free-twice", 3),
    ] {
        for options in ["", "--counts", "--record events"] {
            let space = Space::new();
            let (recording, said) = record(&space, options, case)?;
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
    Ok(())
}

/// The runtime has linked it once and for all.
pub fn a_declaration_is_what_lies_there_now() -> Outcome {
    for options in [
        "--source woven",
        "--source woven --counts",
        "--source woven --record events",
        "--source transitions",
    ] {
        let space = Space::new();
        let (recording, _) = record(&space, options, "import")?;
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
    Ok(())
}

pub fn delegates_are_on_what_they_were_made_of() -> Outcome {
    for source in OWN {
        let space = Space::new();
        let options = format!("--source {source}");
        let (recording, said) = record(&space, &options, "delegate")?;
        assert!(said.contains("turns back: True"), "{said}");
        assert_eq!(
            calls(&recording.report(), "Function.Invoke")
                .values()
                .sum::<u64>(),
            8
        );
    }
    Ok(())
}

pub fn the_same_library_again_is_the_same_target() -> Outcome {
    let space = Space::new();
    let (recording, _) = record(&space, "", "same-file")?;
    assert_eq!(
        calls(&recording.report(), "libplaces_"),
        expected([(FIRST, "first", 8)])
    );
    Ok(())
}

pub fn every_context_calls_its_own_library() -> Outcome {
    for options in [
        "--source woven",
        "--source woven --counts",
        "--source woven --record events",
        "--source transitions",
    ] {
        for (contexts, said) in [(2, "sum 13"), (9, "sum 55")] {
            let space = Space::new();
            let case = format!("contexts {contexts}");
            let (recording, sum) = record(&space, options, &case)?;
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
        record(&space, options, "contexts 2")?;
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
    Ok(())
}

/// Those that load assemblies for ever do not fill the recording.
pub fn very_many_contexts_share_targets() -> Outcome {
    let size = |contexts: u64| -> Result<u64, Unmet> {
        let space = Space::new();
        let case = format!("contexts {contexts}");
        let (recording, _) = record(&space, "--source woven", &case)?;
        let calls = calls(&recording.report(), "places");
        assert_eq!(calls.values().sum::<u64>(), contexts / 2 * 8, "{calls:?}");
        // The first call of each that has no target of its own is nowhere, which is no guess; all
        // others are where they were made.
        let named = |file: &str| calls[&(file.into(), "version_of".into())];
        assert!((contexts..=contexts / 2 * 3).contains(&named("v1/libplaces.so")));
        assert!((contexts * 2..=contexts / 2 * 5).contains(&named("v2/libplaces.so")));
        Ok(fs::metadata(&recording.path).unwrap().len())
    };
    let (many, more) = (size(200)?, size(400)?);
    assert!(more < many + many / 4, "{many} bytes, then {more}");
    Ok(())
}

pub fn functions_without_an_exported_name_are_told_apart() -> Outcome {
    for (case, file) in [("hidden", FIRST), ("hidden-stripped", "libplaces.so")] {
        let space = Space::new();
        let (recording, _) = record(&space, "", case)?;
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
    Ok(())
}

/// A file's own symbols are those of the file that was loaded. Another file has none to give.
pub fn another_build_of_a_file_names_nothing() -> Outcome {
    let space = Space::new();
    let (recording, _) = record(&space, "", "hidden")?;
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
    Ok(())
}
