//! Calls by function pointer under `--source woven`, where method bodies are patched.

use crate::support::{Space, text};

/// Shapes that .NET 8 cannot call. They fail before native code is reached: wrappers record them,
/// and native code does not count them.
const MAY_FAIL: &str = "generic-value";

#[test]
fn every_shape_and_place_is_called_as_without() {
    let bare = Space::new();
    let without = bare.bare("pointers.dll", "").output().unwrap();
    assert!(without.status.success(), "{}", text(&without.stderr));
    // Tiers and the way loops get out of the first one make different code of the wrappers.
    for variables in [
        &[][..],
        &[("DOTNET_TieredCompilation", "0")],
        &[
            ("DOTNET_TC_OnStackReplacement_InitialCounter", "1"),
            ("DOTNET_OSR_HitLimit", "1"),
        ],
        &[("DOTNET_GCgen0size", "10000")],
    ] {
        let space = Space::new();
        let mut run = space.run("--quiet --source woven", "pointers.dll", "");
        let under = run.envs(variables.iter().copied()).output().unwrap();
        assert_eq!(text(&under.stdout), text(&without.stdout), "{variables:?}");
        assert_eq!(
            under.status,
            without.status,
            "{variables:?}: {}",
            text(&under.stderr)
        );
    }
}

#[test]
fn every_call_is_seen() {
    let list = Space::new().bare("pointers.dll", "list").output().unwrap();
    let cases = text(&list.stdout);
    let cases: Vec<&str> = cases.lines().filter(|case| *case != MAY_FAIL).collect();
    assert!(cases.len() > 20, "{cases:?}");
    let space = Space::new();
    let output = space
        .run(
            "--quiet --source woven -o a.soglia",
            "pointers.dll",
            &cases.join(" "),
        )
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let oracle = space.oracle();
    let report = space.recording("a.soglia").report();
    let calls = |direction: &str| -> u64 {
        let of = report.targets.iter().filter(|t| t.direction == direction);
        of.map(|t| t.calls).sum()
    };
    assert!(oracle.len() > 10, "{oracle:?}");
    for (entry, (counted, _)) in &oracle {
        let of_it = report
            .targets
            .iter()
            .filter(|t| t.entry.as_ref() == Some(entry));
        let seen: u64 = of_it.map(|t| t.calls).sum();
        assert_eq!(seen, *counted, "calls of {entry}");
    }
    let counted: u64 = oracle.values().map(|(calls, _)| calls).sum();
    let called_back: u64 = oracle.values().map(|(_, callbacks)| callbacks).sum();
    assert!(counted > 100_000);
    assert_eq!((calls("forward"), calls("reverse")), (counted, called_back));
    assert!(report.open.is_empty(), "{:?}", report.open);
}
