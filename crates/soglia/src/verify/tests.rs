use super::*;

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

fn run(source: &'static str, output: &str) -> Run {
    Run {
        source,
        exit_code: Some(0),
        signal: None,
        output_bytes: output.len() as u64,
        digest: output.bytes().map(u64::from).sum(),
        beginning: output.into(),
    }
}

/// Compares with runs that wrote and ended alike.
fn of(reference: &[Vec<TargetRow>], woven: Vec<TargetRow>) -> Verdict {
    let reference: Vec<Model> = reference.iter().cloned().map(model).collect();
    compare(&reference, &model(woven), Vec::new())
}

fn outcomes(verdict: &Verdict) -> Vec<(Outcome, String)> {
    verdict
        .targets
        .iter()
        .map(|t| (t.outcome, t.name()))
        .collect()
}

#[test]
fn the_same_accounts_agree() {
    let rows = vec![
        forward("f", 3),
        row("reverse", "App.Back", None, 2),
        pointer(None, 4),
    ];
    let verdict = of(std::slice::from_ref(&rows), rows.clone());
    assert!(verdict.agree && verdict.targets.len() == 3);
    let crossings = verdict.crossings;
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
        let verdict = of(&[vec![forward("f", 3)]], woven);
        assert!(!verdict.agree);
        assert_eq!(
            outcomes(&verdict),
            [(Outcome::Differs, "native!f".to_owned())]
        );
    }
    // The same number, but of another target.
    let verdict = of(&[vec![forward("f", 3)]], vec![forward("g", 3)]);
    assert_eq!(outcomes(&verdict).len(), 2);
    assert!(!verdict.agree);
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
    let told = |t: &TargetRow, w: &TargetRow| {
        let verdict = of(&[vec![t.clone()]], vec![w.clone()]);
        let differences = verdict.targets[0].counts.differences("forward");
        let names: Vec<&str> = differences.iter().map(|(name, ..)| *name).collect();
        names.join(" ")
    };
    assert_eq!(told(&open, &open), "");
    assert_eq!(told(&open, &forward("f", 3)), "returned open");
    assert_eq!(told(&abandoned, &forward("f", 3)), "returned abandoned");
    assert_eq!(told(&abandoned, &open), "abandoned open");
}

/// A failed call may not have left at all, may have left and returned, or be taken for abandoned by who sees no exceptions.
#[test]
fn failed_calls_are_told_or_not() {
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
    for (told, agree) in [
        (forward("f", 2), false),
        (forward("f", 3), true),
        (forward("f", 4), true),
        (forward("f", 5), true),
        (forward("f", 6), false),
        (some_left, true),
    ] {
        let verdict = of(&[vec![told.clone()]], vec![failed.clone()]);
        assert_eq!(verdict.agree, agree, "{told:?}");
    }
}

#[test]
fn callbacks_that_never_got_in_are_not_told() {
    let back = |calls, returned, abandoned, open| TargetRow {
        returned,
        abandoned,
        open,
        ..row("reverse", "App.Back", None, calls)
    };
    for (told, seen, agree) in [
        (vec![], back(5, 0, 5, 0), true),
        (vec![], back(1, 0, 0, 1), true),
        (vec![back(3, 2, 1, 0)], back(6, 2, 3, 1), true),
        // Those that returned were in.
        (vec![], back(1, 1, 0, 0), false),
        (vec![back(3, 3, 0, 0)], back(4, 4, 0, 0), false),
        (vec![back(3, 3, 0, 0)], back(3, 2, 1, 0), false),
        (vec![back(3, 2, 1, 0)], back(2, 2, 0, 0), false),
    ] {
        let verdict = of(std::slice::from_ref(&told), vec![seen.clone()]);
        assert_eq!(verdict.agree, agree, "{told:?} {seen:?}");
    }
    // Calls to native code have no such excuse.
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
    let nobodys = TargetRow {
        assembly: None,
        ..pointer(None, 7)
    };
    // Where it points to does not make it the runtime's own.
    let to_runtime = TargetRow {
        runtime_internal: true,
        ..named.clone()
    };
    let told = vec![pointer(None, 4), own.clone(), nobodys];
    let verdict = of(std::slice::from_ref(&told), vec![named, to_runtime]);
    let pointers: Vec<(Outcome, u64, u64)> = verdict
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
    assert!(verdict.agree);
    // With the core library, its own count too.
    let woven = Model {
        scope: Some("corelib"),
        ..model(vec![pointer(None, 9)])
    };
    let told = model(vec![pointer(None, 4), own]);
    assert!(compare(&[told], &woven, Vec::new()).agree);
}

#[test]
fn what_varies_by_itself_is_no_disagreement() {
    let runs = [vec![forward("f", 3)], vec![forward("f", 4)]];
    let verdict = of(&runs, vec![forward("f", 5)]);
    assert!(verdict.agree);
    assert_eq!(verdict.targets[0].outcome, Outcome::Varies);
    // What does not vary stays a difference.
    let runs = [vec![forward("f", 3)], vec![forward("f", 3)]];
    assert!(!of(&runs, vec![forward("f", 5)]).agree);
}

#[test]
fn what_is_not_watched_excuses_less_and_never_more() {
    let unwatched = |direction, assembly: Option<&str>, method: Option<&str>| Unwatched {
        what: "so".into(),
        direction,
        assembly: assembly.map(Into::into),
        method: method.map(Into::into),
    };
    let outcome = |what: Unwatched, seen: u64| {
        let woven = Model {
            not_watched: vec![what],
            ..model(vec![row("reverse", "App.Back", None, seen)])
        };
        let told = model(vec![row("reverse", "App.Back", None, 3)]);
        compare(&[told], &woven, Vec::new()).targets[0].outcome
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
    let told = model(vec![pointer(None, 3), forward("f", 1)]);
    let verdict = compare(&[told], &woven, Vec::new());
    let found: Vec<Outcome> = verdict.targets.iter().map(|t| t.outcome).collect();
    assert_eq!(found, [Outcome::Differs, Outcome::NotWatched]);
}

#[test]
fn the_runtimes_own_are_compared_when_asked_for() {
    let own = |assembly: &str| TargetRow {
        runtime_internal: true,
        assembly: Some(assembly.into()),
        ..forward("f", 1)
    };
    let told = model(vec![own("System.Console"), own("System.Private.CoreLib")]);
    for (scope, compared) in [("user", 0), ("framework", 1), ("corelib", 2)] {
        let woven = Model {
            scope: Some(scope),
            ..model(Vec::new())
        };
        let verdict = compare(std::slice::from_ref(&told), &woven, Vec::new());
        let differ = verdict
            .targets
            .iter()
            .filter(|t| t.outcome == Outcome::Differs);
        assert_eq!(differ.count(), compared, "{scope}");
        assert_eq!(verdict.agree, compared == 0);
    }
}

#[test]
fn other_output_is_a_difference_unless_it_varies() {
    let told = |outputs: &[&str]| {
        let sources = ["transitions", "woven", "transitions"];
        let runs = outputs.iter().zip(sources);
        let runs = runs.map(|(output, source)| run(source, output)).collect();
        compare(&[model(vec![])], &model(vec![]), runs)
    };
    let same = told(&["a\nb\n", "a\nb\n"]);
    assert_eq!(
        (same.agree, same.output, same.output_difference),
        (true, "same", None)
    );
    let other = told(&["a\nb\n", "a\nc\n", "a\nb\n"]);
    assert_eq!((other.agree, other.output), (false, "differs"));
    let difference = other.output_difference.unwrap();
    assert_eq!((difference.line, &*difference.text.woven), (2, "c"));
    let varies = told(&["1", "2", "3"]);
    assert_eq!((varies.agree, varies.output), (true, "varies"));
    // More than one ends where the other ends.
    assert_eq!(told(&["a\n", "a\nb\n"]).output_difference.unwrap().line, 2);
}

#[test]
fn exit_codes_are_compared() {
    let crashed = Run {
        exit_code: None,
        signal: Some(6),
        ..run("woven", "")
    };
    let runs = vec![run("transitions", ""), crashed];
    assert!(!compare(&[model(vec![])], &model(vec![]), runs).agree);
}

#[test]
fn what_precompiled_code_makes_is_no_difference() {
    let verdict = |told: &str, seen: &str, precompiled: &str, compiled: &str| {
        let runs = vec![run("transitions", told), run("woven", seen)];
        let mut verdict = compare(&[model(vec![])], &model(vec![]), runs);
        verdict.weigh(&run("none", precompiled), &run("none", compiled));
        (verdict.output, verdict.agree)
    };
    assert_eq!(verdict("ab", "a", "a", "ab"), ("varies", true));
    // The wrappers' doing, whatever is precompiled.
    assert_eq!(verdict("ab", "x", "a", "ab"), ("differs", false));
    assert_eq!(verdict("a", "x", "a", "a"), ("differs", false));
    // Without soglia it is always the same, as under woven.
    assert_eq!(verdict("ab", "a", "a", "a"), ("differs", false));
    assert_eq!(verdict("a", "a", "a", "ab"), ("same", true));
}

#[test]
fn calls_that_only_one_saw_are_counted_apart() {
    let mut failing = forward("f", 3);
    (failing.returned, failing.failed) = (1, 2);
    let verdict = of(&[vec![forward("f", 1)]], vec![failing]);
    assert!(verdict.agree);
    assert_eq!(verdict.seen("forward"), (1, 2));
    assert_eq!(verdict.seen("reverse"), (0, 0));
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
    let verdict = of(&[vec![of_type(8)]], methods());
    assert!(verdict.agree);
    assert_eq!(
        outcomes(&verdict),
        [
            (Outcome::Same, "App.Second".to_owned()),
            (Outcome::Same, "App.First".to_owned())
        ]
    );
    assert!(!of(&[vec![of_type(9)]], methods()).agree);
    assert!(!of(&[Vec::new()], methods()).agree);
}
