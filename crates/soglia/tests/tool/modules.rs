//! Modules without a file, in several versions, that go away or are made at run time, with
//! `--source woven`.

use crate::support::{Space, text};

/// What these cases call is made at run time.
const MADE: &[&str] = &[
    "emit-call",
    "emit-reflection",
    "emit-calli",
    "emit-many",
    "dynamic-method",
];

fn cases() -> Vec<String> {
    let list = Space::new().bare("modules.dll", "list").output().unwrap();
    let cases: Vec<String> = text(&list.stdout).lines().map(str::to_owned).collect();
    assert!(MADE.iter().all(|case| cases.iter().any(|c| c == case)));
    cases
}

#[test]
fn programs_behave_as_without() {
    for options in ["", "--framework", "--corelib"] {
        let bare = Space::new().bare("modules.dll", "").output().unwrap();
        let space = Space::new();
        let options = format!("--quiet --source woven {options}");
        let under = space.run(&options, "modules.dll", "").output().unwrap();
        assert_eq!(text(&under.stdout), text(&bare.stdout), "{options}");
        assert_eq!(
            under.status,
            bare.status,
            "{options}: {}",
            text(&under.stderr)
        );
    }
}

#[test]
fn what_is_loaded_is_seen_whole() {
    for case in cases().iter().filter(|case| !MADE.contains(&&***case)) {
        let space = Space::new();
        let options = "--quiet --source woven -o a.soglia";
        let output = space.run(options, "modules.dll", case).output().unwrap();
        assert!(output.status.success(), "{case}: {}", text(&output.stderr));
        let report = space.recording("a.soglia").report();
        let of = |direction: &str, entry: Option<&str>| -> u64 {
            let targets = report.targets.iter().filter(|t| t.direction == direction);
            let own = targets.filter(|t| !t.runtime_internal);
            let these = own.filter(|t| entry.is_none_or(|entry| t.entry.as_deref() == Some(entry)));
            these.map(|t| t.calls).sum()
        };
        let oracle = space.oracle();
        for (entry, (calls, _)) in &oracle {
            assert_eq!(
                of("forward", Some(entry)),
                *calls,
                "{case}: calls of {entry}"
            );
        }
        let callbacks: u64 = oracle.values().map(|(_, callbacks)| callbacks).sum();
        assert_eq!(of("reverse", None), callbacks, "{case}");
        assert!(callbacks > 0 || case == "framework-bytes", "{case}");
        assert!(report.open.is_empty(), "{case}: {:?}", report.open);
        assert!(
            report.not_watched.is_empty(),
            "{case}: {:?}",
            report.not_watched
        );
    }
}

/// Nothing can be woven there, and the report says what that means.
#[test]
fn what_is_made_at_run_time_is_named() {
    for (case, assembly, method, what) in [
        (
            "emit-call",
            Some("made-call"),
            "Made.add_one",
            "libpointers.so!add_one",
        ),
        (
            "emit-reflection",
            Some("made-reflection"),
            "Made.add_one",
            "libpointers.so!add_one",
        ),
        (
            "emit-calli",
            Some("made-calli"),
            "[function pointer]",
            "made-calli",
        ),
        (
            "emit-many 3",
            Some("made-2"),
            "Made.add_one",
            "libpointers.so!add_one",
        ),
        (
            "dynamic-method",
            None,
            "[function pointer]",
            "Calli, a DynamicMethod",
        ),
    ] {
        let space = Space::new();
        let options = "--quiet --source woven -o a.soglia";
        let output = space.run(options, "modules.dll", case).output().unwrap();
        assert!(output.status.success(), "{case}: {}", text(&output.stderr));
        let report = space.recording("a.soglia").report();
        let named = report.not_watched.iter().any(|row| {
            row.assembly.as_deref() == assembly
                && row.method.as_deref() == Some(method)
                && row.direction.as_deref() == Some("forward")
                && row.what.contains(what)
        });
        assert!(named, "{case}: {:?}", report.not_watched);
    }
}
