//! What the runtime refuses stays refused, and what has not left has not returned.

use std::collections::{BTreeMap, BTreeSet};
use std::env;

use crate::support::{Space, text};

/// Seeds of `odd`: the first, and how many. `SOGLIA_ODD_SEEDS=FIRST:COUNT` tries others, or more.
fn seeds() -> Vec<(u32, u32)> {
    let Ok(wanted) = env::var("SOGLIA_ODD_SEEDS") else {
        // Once, 777 has found something that those before it had not.
        return vec![(0, 500), (777, 1)];
    };
    let numbers = wanted.split_once(':').expect("FIRST:COUNT");
    vec![(numbers.0.parse().unwrap(), numbers.1.parse().unwrap())]
}

/// Why methods stay as they are, as reports say it, in the order of the alphabet.
const REASONS: &[&str] = &[
    "a name of where it leads is empty or too long",
    "it calls a member function without an object",
    "it has code of its own besides",
    "it has no code",
    "it is a P/Invoke and UnmanagedCallersOnly",
    "it is generic",
    "its flags are not those of a call that the runtime makes",
    "its signature is not that of a static method",
    "its type is generic",
    "its type is imported from COM",
];

#[test]
fn methods_that_no_compiler_writes_do_the_same() {
    let mut found = Found::default();
    let seeds = seeds();
    for (first, count) in &seeds {
        try_seeds(*first, first + count, &mut found);
    }
    if env::var_os("SOGLIA_ODD_SEEDS").is_none() {
        let left: Vec<&str> = found.left.iter().map(String::as_str).collect();
        assert_eq!(left, REASONS, "why methods stay as they are");
        assert!(found.watched > 200, "{} calls", found.watched);
    }
}

#[derive(Default)]
struct Found {
    /// Why methods stay as they are.
    left: BTreeSet<String>,
    /// Calls that were recorded.
    watched: u64,
}

fn try_seeds(mut first: u32, end: u32, found: &mut Found) {
    while first < end {
        let args = format!("{first} {}", end - first);
        let bare = Space::new().bare("odd.dll", &args).output().unwrap();
        let space = Space::new();
        let options = "--quiet --source woven -o a.soglia";
        let under = space.run(options, "odd.dll", &args).output().unwrap();
        let (expected, seen) = (text(&bare.stdout), text(&under.stdout));
        let mut seed = "";
        for (expected, seen) in expected.lines().zip(seen.lines()) {
            if !expected.starts_with(' ') {
                seed = expected;
            }
            assert_eq!(seen, expected, "{seed}");
        }
        assert_eq!(seen.lines().count(), expected.lines().count(), "{seed}");
        assert_eq!(under.status, bare.status, "{seed}: {}", text(&under.stderr));
        let report = space.recording("a.soglia").report();
        found.watched += report.targets.iter().map(|row| row.calls).sum::<u64>();
        for row in report.not_watched {
            let Some((_, why)) = row.what.split_once(" stays as it is: ") else {
                continue;
            };
            let assembly = row.assembly.as_deref();
            assert!(assembly.is_some_and(|name| name.starts_with("odd")));
            assert_eq!(row.method.as_deref(), Some("T.M"));
            assert!(row.direction.is_some());
            found.left.insert(why.to_owned());
        }
        // Some end the process: the next one goes on behind them.
        let (number, _) = seed.split_once(':').expect("a seed");
        first = number.parse::<u32>().unwrap() + 1;
    }
}

/// Methods of `outcomes`: their calls, and how many of them fail before they leave.
const OUTCOMES: &[(&str, u64, u64)] = &[
    ("Returns", 1, 0),
    ("Throws", 1, 0),
    ("NoLibrary", 2, 2),
    ("NoEntry", 2, 2),
    ("BadArgument", 2, 2),
    ("NoLibraryPlain", 2, 2),
    ("NoEntryPlain", 2, 2),
    ("BadArgumentPlain", 2, 2),
    ("ReturnsOrFails", 2, 1),
    ("ThrowsOutside", 1, 0),
    ("ThrowsInside", 2, 0),
    ("ThrowsAroundFailure", 1, 0),
    ("FailsInside", 1, 1),
    ("FailsAroundThrow", 1, 1),
    ("FailsAfter", 1, 1),
    ("ThrowsInCallback", 1, 0),
    ("Sort", 1, 0),
];

#[test]
fn what_fails_before_it_leaves_has_not_returned() {
    let bare = Space::new().bare("outcomes.dll", "").output().unwrap();
    assert!(bare.status.success(), "{}", text(&bare.stderr));
    for source in ["woven", "transitions"] {
        let space = Space::new();
        let options = format!("--quiet --source {source} --record events -o a.soglia");
        let under = space.run(&options, "outcomes.dll", "").output().unwrap();
        assert_eq!(text(&under.stdout), text(&bare.stdout), "{source}");
        let recording = space.recording("a.soglia");
        for report in [recording.report(), recording.replayed()] {
            let own = |name: Option<String>| {
                let name = name?;
                name.strip_prefix("Soglia.Outcomes.Native.")
                    .map(str::to_owned)
            };
            let rows = report.targets.into_iter();
            let seen: BTreeMap<String, (u64, u64)> = rows
                .filter_map(|row| Some((own(row.method)?, (row.calls, row.failed))))
                .collect();
            let expected = OUTCOMES.iter().filter_map(|(name, calls, failed)| {
                // Transitions tell of no call that does not leave.
                let told = match source {
                    "woven" => (*calls, *failed),
                    _ => (calls - failed, 0),
                };
                (told.0 > 0).then(|| ((*name).to_owned(), told))
            });
            assert_eq!(seen, expected.collect(), "{source}");
        }
    }
}

#[test]
fn what_a_policy_cannot_hold_to_ends_the_process() {
    let space = Space::new();
    // Plans that differ in flags which the runtime may take or not.
    let mut under = space.run("--quiet --deny libc!abs", "odd.dll", "0 200");
    let under = under.output().unwrap();
    let why = text(&under.stderr);
    assert_eq!(under.status.code(), Some(125), "{why}");
    assert!(why.contains("no rule holds for it: T.M of odd"), "{why}");
    assert!(why.contains("stays as it is: "), "{why}");
}
