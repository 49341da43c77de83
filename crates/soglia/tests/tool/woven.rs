//! The same programs with `--source woven`: they behave as without soglia, and the recording is
//! complete.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::{Space, text};

/// Native calls of these cases go ways that are not woven around (assemblies and methods made at
/// run time), or have another name (delegates on native functions). Entry points, and how many
/// calls of each are not seen.
const UNSEEN: &[(&str, &str, u64)] = &[
    ("getdelegate", "plain", 2),
    ("dynamicmethod", "plain", 1),
    ("emit", "emitted", 1),
];

/// Callbacks that the oracle and the recording count differently: how many more the recording has.
const CALLBACKS: &[(&str, i64)] = &[
    // Managed code calls managed code by an unmanaged pointer.
    ("uco-calli", 1),
    ("escape", 1),
    // These fail before they enter managed code.
    ("badstub-uco", -5),
    ("suppressgc-callback", -1),
];

/// These need something, never end, may crash a bare runtime (`tlsdestructor`), or print what is
/// woven (`pinvokes`).
const NOT_HERE: &[&str] = &[
    "pinvokes",
    "tlsdestructor",
    "background",
    "spin",
    "hang",
    "exitcode",
    "stdio",
    "signals",
    "environment",
    "child",
];

fn cases() -> Vec<String> {
    let list = Space::new().bare("semantics.dll", "list").output().unwrap();
    let cases: Vec<String> = text(&list.stdout)
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    assert!(cases.len() > 50, "{cases:?}");
    cases
        .into_iter()
        .filter(|case| !NOT_HERE.contains(&&**case))
        .collect()
}

fn verify(case: &str) {
    let space = Space::new();
    let bare = Space::new().bare("semantics.dll", case).output().unwrap();
    let options = "--quiet --source woven --record events -o a.soglia";
    let under = space.run(options, "semantics.dll", case).output().unwrap();
    assert_eq!(text(&under.stdout), text(&bare.stdout), "standard output");
    assert_eq!(under.status, bare.status, "{}", text(&under.stderr));

    let recording = space.recording("a.soglia");
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let targets = recording.report().targets;
    for target in targets.iter().filter(|t| t.direction == "forward") {
        *seen
            .entry(target.entry.clone().unwrap_or_default())
            .or_default() += target.calls;
    }
    let mut callbacks = 0;
    for (entry, (calls, called_back)) in space.oracle() {
        callbacks += called_back;
        let unseen = UNSEEN.iter().find(|(c, e, _)| *c == case && *e == entry);
        let expected = calls - unseen.map_or(0, |(.., calls)| *calls);
        assert_eq!(
            seen.get(&entry).copied().unwrap_or(0),
            expected,
            "calls of {entry}"
        );
    }
    let reverse = targets.iter().filter(|t| t.direction == "reverse");
    let reverse = reverse.map(|t| t.calls).sum::<u64>();
    let more = CALLBACKS.iter().find(|(of, _)| *of == case);
    let more = more.map_or(0, |(_, more)| *more);
    let callbacks = callbacks.checked_add_signed(more).unwrap();
    // The stack may end between native code's count and ours.
    let lost = u64::from(case == "stackoverflow");
    assert!(
        (callbacks - lost..=callbacks).contains(&reverse),
        "callbacks: {reverse}, not {callbacks}"
    );
    assert_eq!(
        recording.report().calls("plain"),
        recording.replayed().calls("plain"),
        "counters and events"
    );
}

#[test]
fn programs_behave_as_without_and_their_calls_are_all_seen() {
    let mut failed = Vec::new();
    for case in cases() {
        println!("-- {case}");
        if catch_unwind(AssertUnwindSafe(|| verify(&case))).is_err() {
            failed.push(case);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:?}");
}

#[test]
fn the_six_steps_are_six_crossings() {
    let space = Space::new();
    let options = "--quiet --source woven --record events -o a.soglia";
    let output = space.run(options, "sixsteps.dll", "").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = space.recording("a.soglia").events();
    let told: Vec<&str> = lines.iter().map(|line| &*line.crossing).collect();
    assert_eq!(
        told,
        [
            "LeaveRuntime",
            "ReverseEnterRuntime",
            "LeaveRuntime",
            "EnterRuntime",
            "ReverseLeaveRuntime",
            "EnterRuntime"
        ]
    );
}

#[test]
fn sqlite_is_seen_whole() {
    let space = Space::new();
    let options = "--quiet --source woven -o a.soglia";
    let bare = Space::new()
        .bare("sqlitedemo.dll", "3000")
        .output()
        .unwrap();
    let under = space
        .run(options, "sqlitedemo.dll", "3000")
        .output()
        .unwrap();
    assert_eq!(text(&under.stdout), text(&bare.stdout));
    let report = space.recording("a.soglia").report();
    let calls = |direction: &str| -> u64 {
        let of = report.targets.iter().filter(|t| t.direction == direction);
        of.map(|t| t.calls).sum()
    };
    assert_eq!((calls("forward"), calls("reverse")), (20 + 7 * 3000, 3000));
}

#[test]
fn a_slow_call_has_its_caller() {
    let space = Space::new();
    let options = "--quiet --source woven --slow 20ms -o a.soglia";
    let output = space
        .run(options, "semantics.dll", "slow 50")
        .output()
        .unwrap();
    assert!(output.status.success());
    let report = space.recording("a.soglia").report();
    let [slow] = &report.slow[..] else {
        panic!("one slow call, not {}", report.slow.len())
    };
    assert!(
        slow.stack.iter().any(|frame| frame.ends_with("Load.Slow")),
        "{:?}",
        slow.stack
    );
}
