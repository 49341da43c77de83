use super::*;
use crate::model::{FUNCTION_POINTER, Model, TargetRow, UnwatchedRow};

fn row(direction: &'static str, method: &str, entry: Option<&str>, calls: u64) -> TargetRow {
    TargetRow {
        direction,
        method: Some(method.into()),
        assembly: Some("app".into()),
        library: entry.map(|_| "native".into()),
        entry: entry.map(Into::into),
        calls,
        returned: calls,
        ..TargetRow::default()
    }
}

fn forward(entry: &str, calls: u64) -> TargetRow {
    row("forward", &format!("App.{entry}"), Some(entry), calls)
}

fn pointer(method: Option<&str>, calls: u64) -> TargetRow {
    TargetRow {
        method: method.map(Into::into),
        ..row("forward", "", None, calls)
    }
}

fn model(targets: Vec<TargetRow>) -> Model {
    Model {
        scope: Some("user"),
        targets,
        ..Model::default()
    }
}

fn run(source: &'static str, output: &str) -> ProgramRun {
    ProgramRun {
        source,
        exit_code: Some(0),
        signal: None,
        output_bytes: output.len() as u64,
        digest: output.bytes().map(u64::from).sum(),
        beginning: output.into(),
    }
}

/// Compares with runs that wrote and ended alike.
fn of(reference: &[Vec<TargetRow>], woven: Vec<TargetRow>) -> Comparison {
    let reference: Vec<Model> = reference.iter().cloned().map(model).collect();
    compare(&reference, &model(woven), Vec::new())
}

fn outcomes(comparison: &Comparison) -> Vec<(Outcome, String)> {
    comparison
        .targets
        .iter()
        .map(|t| (t.outcome, t.name()))
        .collect()
}

#[test]
fn equal_counts_agree() {
    let rows = vec![
        forward("f", 3),
        row("reverse", "App.Back", None, 2),
        pointer(None, 4),
    ];
    let comparison = of(std::slice::from_ref(&rows), rows.clone());
    assert!(comparison.agree && comparison.targets.len() == 3);
    let crossings = comparison.crossings;
    assert_eq!(crossings.transitions.all(), Some(18));
    assert_eq!(crossings.woven.all(), Some(18));
    assert_eq!(
        (crossings.woven.reverse_enter, crossings.woven.enter),
        (2, Some(7))
    );
}

#[test]
fn one_call_less_or_more_is_a_difference() {
    for woven in [vec![forward("f", 2)], vec![forward("f", 4)], vec![]] {
        let comparison = of(&[vec![forward("f", 3)]], woven);
        assert!(!comparison.agree);
        assert_eq!(
            outcomes(&comparison),
            [(Outcome::Differs, "native!f".to_owned())]
        );
    }
    // The same number, but of another target.
    let comparison = of(&[vec![forward("f", 3)]], vec![forward("g", 3)]);
    assert_eq!(outcomes(&comparison).len(), 2);
    assert!(!comparison.agree);
}

#[test]
fn what_became_of_calls_counts_too() {
    let open = TargetRow {
        returned: 2,
        open: 1,
        ..forward("f", 3)
    };
    let abandoned = TargetRow {
        returned: 2,
        abandoned: 1,
        ..forward("f", 3)
    };
    let differing = |t: &TargetRow, w: &TargetRow| {
        let comparison = of(&[vec![t.clone()]], vec![w.clone()]);
        let differences = comparison.targets[0].counts.differences("forward");
        let names: Vec<&str> = differences.iter().map(|(name, ..)| *name).collect();
        names.join(" ")
    };
    assert_eq!(differing(&open, &open), "");
    assert_eq!(differing(&open, &forward("f", 3)), "returned open");
    assert_eq!(
        differing(&abandoned, &forward("f", 3)),
        "returned abandoned"
    );
    assert_eq!(differing(&abandoned, &open), "abandoned open");
}

/// Under `transitions` a failed call is missing, has returned, or is abandoned.
#[test]
fn failed_calls_may_be_missing_under_transitions() {
    let failed = TargetRow {
        returned: 3,
        failed: 2,
        ..forward("f", 5)
    };
    let some_left = TargetRow {
        returned: 3,
        abandoned: 1,
        ..forward("f", 4)
    };
    for (transitions, agree) in [
        (forward("f", 2), false),
        (forward("f", 3), true),
        (forward("f", 4), true),
        (forward("f", 5), true),
        (forward("f", 6), false),
        (some_left, true),
    ] {
        let comparison = of(&[vec![transitions.clone()]], vec![failed.clone()]);
        assert_eq!(comparison.agree, agree, "{transitions:?}");
    }
}

#[test]
fn callbacks_that_fail_before_they_enter_are_missing_under_transitions() {
    let back = |calls, returned, abandoned, open| TargetRow {
        returned,
        abandoned,
        open,
        ..row("reverse", "App.Back", None, calls)
    };
    for (transitions, woven, agree) in [
        (vec![], back(5, 0, 5, 0), true),
        (vec![], back(1, 0, 0, 1), true),
        (vec![back(3, 2, 1, 0)], back(6, 2, 3, 1), true),
        // A callback that returned had entered.
        (vec![], back(1, 1, 0, 0), false),
        (vec![back(3, 3, 0, 0)], back(4, 4, 0, 0), false),
        (vec![back(3, 3, 0, 0)], back(3, 2, 1, 0), false),
        (vec![back(3, 2, 1, 0)], back(2, 2, 0, 0), false),
    ] {
        let comparison = of(std::slice::from_ref(&transitions), vec![woven.clone()]);
        assert_eq!(comparison.agree, agree, "{transitions:?} {woven:?}");
    }
    // Calls to native code must be there.
    let open = TargetRow {
        returned: 0,
        open: 1,
        ..forward("f", 1)
    };
    assert!(!of(&[vec![]], vec![open]).agree);
}

/// One target per function under `woven`, one per calling assembly under `transitions`.
#[test]
fn function_pointers_are_one_target() {
    let named = TargetRow {
        method: None,
        assembly: None,
        ..forward("f", 2)
    };
    let own = TargetRow {
        runtime_internal: true,
        assembly: Some("System.Private.CoreLib".into()),
        ..pointer(None, 5)
    };
    let unowned = TargetRow {
        assembly: None,
        ..pointer(None, 7)
    };
    // A pointer into the runtime is not the runtime's own.
    let to_runtime = TargetRow {
        runtime_internal: true,
        ..named.clone()
    };
    let transitions = vec![pointer(None, 4), own.clone(), unowned];
    let comparison = of(std::slice::from_ref(&transitions), vec![named, to_runtime]);
    let pointers: Vec<(Outcome, u64, u64)> = comparison
        .targets
        .iter()
        .map(|t| (t.outcome, t.counts.transitions.calls, t.counts.woven.calls))
        .collect();
    assert_eq!(
        pointers,
        [
            (Outcome::NotWatched, 7, 0),
            (Outcome::RuntimeInternal, 5, 0),
            (Outcome::Same, 4, 4)
        ]
    );
    assert!(comparison.agree);
    // With the core library watched, its function pointers count too.
    let woven = Model {
        scope: Some("corelib"),
        ..model(vec![pointer(None, 9)])
    };
    let transitions = model(vec![pointer(None, 4), own]);
    assert!(compare(&[transitions], &woven, Vec::new()).agree);
}

#[test]
fn what_varies_by_itself_is_no_disagreement() {
    let runs = [vec![forward("f", 3)], vec![forward("f", 4)]];
    let comparison = of(&runs, vec![forward("f", 5)]);
    assert!(comparison.agree);
    assert_eq!(comparison.targets[0].outcome, Outcome::Varies);
    // What does not vary stays a difference.
    let runs = [vec![forward("f", 3)], vec![forward("f", 3)]];
    assert!(!of(&runs, vec![forward("f", 5)]).agree);
}

#[test]
fn a_target_that_is_not_watched_may_have_less_but_not_more() {
    let unwatched = |direction, assembly: Option<&str>, method: Option<&str>| UnwatchedRow {
        what: "so".into(),
        direction,
        assembly: assembly.map(Into::into),
        method: method.map(Into::into),
    };
    let outcome = |what: UnwatchedRow, calls: u64| {
        let woven = Model {
            not_watched: vec![what],
            ..model(vec![row("reverse", "App.Back", None, calls)])
        };
        let transitions = model(vec![row("reverse", "App.Back", None, 3)]);
        compare(&[transitions], &woven, Vec::new()).targets[0].outcome
    };
    let (app, back) = (Some("app"), Some("App.Back"));
    for (what, expected) in [
        (unwatched(None, app, None), Outcome::NotWatched),
        (unwatched(Some("reverse"), app, back), Outcome::NotWatched),
        (unwatched(Some("forward"), app, None), Outcome::Differs),
        (unwatched(None, Some("other"), None), Outcome::Differs),
        (unwatched(None, app, Some("App.Other")), Outcome::Differs),
        (unwatched(None, None, None), Outcome::Differs),
    ] {
        assert_eq!(outcome(what.clone(), 2), expected, "{what:?}");
        assert_eq!(outcome(what.clone(), 0), expected, "{what:?}");
        assert_eq!(outcome(what.clone(), 4), Outcome::Differs, "{what:?}");
    }
    let what = unwatched(Some("forward"), None, Some(FUNCTION_POINTER));
    let woven = Model {
        not_watched: vec![what],
        ..model(Vec::new())
    };
    let transitions = model(vec![pointer(None, 3), forward("f", 1)]);
    let comparison = compare(&[transitions], &woven, Vec::new());
    let found: Vec<Outcome> = comparison.targets.iter().map(|t| t.outcome).collect();
    assert_eq!(found, [Outcome::Differs, Outcome::NotWatched]);
}

#[test]
fn the_runtimes_own_are_compared_when_asked_for() {
    let own = |assembly: &str| TargetRow {
        runtime_internal: true,
        assembly: Some(assembly.into()),
        ..forward("f", 1)
    };
    let transitions = model(vec![own("System.Console"), own("System.Private.CoreLib")]);
    for (scope, compared) in [("user", 0), ("framework", 1), ("corelib", 2)] {
        let woven = Model {
            scope: Some(scope),
            ..model(Vec::new())
        };
        let comparison = compare(std::slice::from_ref(&transitions), &woven, Vec::new());
        let differ = comparison
            .targets
            .iter()
            .filter(|t| t.outcome == Outcome::Differs);
        assert_eq!(differ.count(), compared, "{scope}");
        assert_eq!(comparison.agree, compared == 0);
    }
}

#[test]
fn other_output_is_a_difference_unless_it_varies() {
    let of_outputs = |outputs: &[&str]| {
        let sources = ["transitions", "woven", "transitions"];
        let runs = outputs.iter().zip(sources);
        let runs = runs.map(|(output, source)| run(source, output)).collect();
        compare(&[model(vec![])], &model(vec![]), runs)
    };
    let same = of_outputs(&["a\nb\n", "a\nb\n"]);
    assert_eq!(
        (same.agree, same.output, same.output_difference),
        (true, "same", None)
    );
    let other = of_outputs(&["a\nb\n", "a\nc\n", "a\nb\n"]);
    assert_eq!((other.agree, other.output), (false, "differs"));
    let difference = other.output_difference.unwrap();
    assert_eq!((difference.line, &*difference.text.woven), (2, "c"));
    let varies = of_outputs(&["1", "2", "3"]);
    assert_eq!((varies.agree, varies.output), (true, "varies"));
    // More than one ends where the other ends.
    assert_eq!(
        of_outputs(&["a\n", "a\nb\n"])
            .output_difference
            .unwrap()
            .line,
        2
    );
}

#[test]
fn exit_codes_are_compared() {
    let crashed = ProgramRun {
        exit_code: None,
        signal: Some(6),
        ..run("woven", "")
    };
    let runs = vec![run("transitions", ""), crashed];
    assert!(!compare(&[model(vec![])], &model(vec![]), runs).agree);
}

#[test]
fn what_precompiled_code_makes_is_no_difference() {
    let comparison = |transitions: &str, woven: &str, precompiled: &str, compiled: &str| {
        let runs = vec![run("transitions", transitions), run("woven", woven)];
        let mut comparison = compare(&[model(vec![])], &model(vec![]), runs);
        comparison.weigh(&run("none", precompiled), &run("none", compiled));
        (comparison.output, comparison.agree)
    };
    assert_eq!(comparison("ab", "a", "a", "ab"), ("varies", true));
    // Here the wrappers change the output.
    assert_eq!(comparison("ab", "x", "a", "ab"), ("differs", false));
    assert_eq!(comparison("a", "x", "a", "a"), ("differs", false));
    // Without soglia the output is always what it is under `woven`.
    assert_eq!(comparison("ab", "a", "a", "a"), ("differs", false));
    assert_eq!(comparison("a", "a", "a", "ab"), ("same", true));
}

#[test]
fn calls_that_only_wrappers_saw_are_counted_separately() {
    let mut failing = forward("f", 3);
    (failing.returned, failing.failed) = (1, 2);
    let comparison = of(&[vec![forward("f", 1)]], vec![failing]);
    assert!(comparison.agree);
    assert_eq!(comparison.seen("forward"), (1, 2));
    assert_eq!(comparison.seen("reverse"), (0, 0));
}

#[test]
fn methods_that_hostfxr_gives_are_compared_in_sum() {
    let entry = "Internal.Runtime.InteropServices.ComponentActivator+ComponentEntryPoint.Invoke";
    let of_type = |calls| TargetRow {
        assembly: Some(CORELIB.into()),
        runtime_internal: true,
        ..row("reverse", entry, None, calls)
    };
    let methods = || {
        vec![
            row("reverse", "App.First", None, 3),
            row("reverse", "App.Second", None, 5),
        ]
    };
    let comparison = of(&[vec![of_type(8)]], methods());
    assert!(comparison.agree);
    assert_eq!(
        outcomes(&comparison),
        [
            (Outcome::Same, "App.Second".to_owned()),
            (Outcome::Same, "App.First".to_owned())
        ]
    );
    assert!(!of(&[vec![of_type(9)]], methods()).agree);
    assert!(!of(&[Vec::new()], methods()).agree);
}
