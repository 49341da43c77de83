//! Who called: the same under both sources, from every kind of method, and without anything of
//! ours.

use std::collections::BTreeMap;

use crate::support::{Report, Space, fixture, text};

/// The names of all cases of a fixture.
fn cases(program: &str) -> Vec<String> {
    let list = Space::new().bare(program, "list").output().unwrap();
    text(&list.stdout).lines().map(str::to_owned).collect()
}

/// By function and library, the frames of the program on the stack of the first call.
fn first_callers(report: &Report) -> BTreeMap<String, Vec<String>> {
    let own = report.targets.iter().filter(|row| !row.runtime_internal);
    let forward = own.filter(|row| row.direction == "forward" && row.method.is_some());
    let callers = forward.map(|row| {
        let frames = row.first_caller.iter();
        let frames = frames.filter(|frame| !frame.starts_with("System."));
        let name = format!("{:?} {:?} {:?}", row.library, row.entry, row.method);
        (name, frames.cloned().collect())
    });
    callers.collect()
}

/// Runs a case under a source, with these variables.
fn run(source: &str, program: &str, args: &str, variables: &[(&str, &str)]) -> Report {
    let space = Space::new();
    let options = format!("-q --source {source} -o a.soglia");
    let mut command = space.run(&options, program, args);
    let output = command.envs(variables.iter().copied()).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {args} under {source}: {}",
        text(&output.stderr)
    );
    space.recording("a.soglia").report()
}

/// As compiled at first, and as compiled when it is worth it: methods that may be compiled into
/// others are then, and frames given up.
const COMPILERS: [&[(&str, &str)]; 2] = [&[], &[("DOTNET_TieredCompilation", "0")]];

const OURS: [&str; 5] = ["soglia>", "soglia$", "$body", "$native", "IL_STUB"];

#[test]
fn every_kind_of_method_is_found_by_both_sources() {
    let cases = cases("callers.dll");
    assert!(cases.len() > 40, "{cases:?}");
    let mut wrong = Vec::new();
    for variables in COMPILERS {
        for case in &cases {
            let run = |source| first_callers(&run(source, "callers.dll", case, variables));
            let (told, seen) = (run("transitions"), run("woven"));
            for (name, callers) in &seen {
                let is_ours = |frame: &String| OURS.iter().any(|ours| frame.contains(ours));
                if callers.iter().any(is_ours) {
                    wrong.push(format!("{case}: ours are shown: {name} {callers:#?}"));
                }
                // What is called by its address is one target under `transitions`.
                if told.get(name).is_some_and(|told| told != callers) {
                    wrong.push(format!("{case} {variables:?}: {told:#?} {seen:#?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the frames really are, for some of those.
#[test]
fn callers_are_named_in_their_order() {
    const CALLERS: &str = "Soglia.Callers.";
    for (case, expected) in [
        (
            "chain",
            "Plain.Handler Plain.Third Plain.Second Plain.First",
        ),
        (
            "expression",
            "Plain.Handler [made at run time: lambda_method1]",
        ),
        (
            "expression-chain",
            "Plain.Handler Made.Chain [made at run time: lambda_method1]",
        ),
        ("expression-direct", "[made at run time: lambda_method1]"),
        ("dynamic-method", "Plain.Handler [made at run time: Made]"),
        ("dynamic-method-direct", "[made at run time: Made]"),
        ("iterator", "Plain.Handler Plain+<Iterate>"),
        (
            "callback",
            "Plain.Handler Plain.Back [unmanaged] Plain+<>c.<.cctor>",
        ),
        (
            "callback-pointer",
            "Plain.Handler Plain.BackByPointer [unmanaged] Plain.CallBackByPointer",
        ),
        ("library-import", "Plain.Measure Plain+<>c.<.cctor>"),
        (
            "library-import-nested",
            "Plain.Measure Plain.MeasureBack [unmanaged] Plain+<>c.<.cctor>",
        ),
        ("overload", "Native.suppressed Plain+<>c.<.cctor>"),
        ("initialiser", "Plain.Handler Plain+Lazy..cctor"),
    ] {
        for source in ["transitions", "woven"] {
            for variables in COMPILERS {
                let report = run(source, "callers.dll", case, variables);
                let innermost = ["length", "suppressed", "plain"];
                let find = |entry: &&str| {
                    let mut rows = report.targets.iter();
                    rows.find(|row| row.entry.as_deref() == Some(*entry))
                };
                let row = innermost.iter().find_map(find).unwrap();
                let own = row
                    .first_caller
                    .iter()
                    .filter(|f| !f.starts_with("System."));
                let mut found = own.map(|frame| frame.trim_start_matches(CALLERS));
                // Where a name has spaces in it, it is in brackets.
                let mut wanted = expected.to_owned();
                while !wanted.is_empty() {
                    let end = if wanted.starts_with('[') {
                        wanted.find(']').unwrap() + 1
                    } else {
                        wanted.find(' ').unwrap_or(wanted.len())
                    };
                    let frame = found.next().unwrap_or_default();
                    assert!(
                        frame.starts_with(&wanted[..end]),
                        "{case} under {source} {variables:?}: {:#?}",
                        row.first_caller
                    );
                    wanted = wanted[end..].trim_start().to_owned();
                }
            }
        }
    }
}

/// The program's own stack traces have all frames that they have without soglia; they may have
/// more, where a compiler would have given up a frame.
#[test]
fn stack_traces_lose_nothing() {
    let mut wrong = Vec::new();
    for variables in COMPILERS {
        for case in cases("callers.dll") {
            let args = format!("{case} fails");
            let without = Space::new();
            let mut bare = without.bare("callers.dll", &args);
            let bare = bare.envs(variables.iter().copied()).output().unwrap();
            let bare = text(&bare.stdout);
            for source in ["transitions", "woven"] {
                let space = Space::new();
                let mut under = space.run(&format!("-q --source {source}"), "callers.dll", &args);
                let under = under.envs(variables.iter().copied()).output().unwrap();
                let under = text(&under.stdout);
                // How often a failing P/Invoke itself is listed depends on how it was compiled.
                let own = |line: &&str| !line.ends_with("Native.absent");
                let mut left = under.lines().filter(own);
                let lost = bare
                    .lines()
                    .filter(own)
                    .find(|line| !left.any(|l| l == *line));
                if let Some(lost) = lost {
                    wrong.push(format!(
                        "{case} {source} {variables:?}: {lost}\n{bare}\n{under}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Programs of other fixtures; those of `semantics` are compared with the rest of what they do.
#[test]
fn other_programs_are_called_alike() {
    let mut wrong = Vec::new();
    for program in [
        "pointers.dll",
        "delegates.dll",
        "modules.dll",
        "sixsteps.dll",
        "sqlitedemo.dll",
    ] {
        let one = || vec![String::new()];
        let cases = match program {
            "sixsteps.dll" | "sqlitedemo.dll" => one(),
            _ => cases(program),
        };
        for case in cases {
            let space = Space::new();
            let mut verify = space.soglia("verify -q --format json");
            verify.arg(fixture(program)).args(case.split_whitespace());
            let output = verify.output().unwrap();
            let verdict: serde_json::Value =
                serde_json::from_slice(&output.stderr).unwrap_or_else(|error| {
                    panic!("{program} {case}: {error}: {}", text(&output.stderr))
                });
            let differ = verdict["first_callers"].as_array().unwrap().iter();
            let differ: Vec<_> = differ.filter(|differ| differ["varies"] == false).collect();
            if !differ.is_empty() {
                wrong.push(format!("{program} {case}: {differ:#?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The program and its children do not see what the engine sets for the compiler, and they keep
/// what the user has set.
#[test]
fn the_environment_stays_the_programs_own() {
    for source in ["transitions", "woven"] {
        let options = format!("-q --source {source}");
        let space = Space::new();
        let mut output = space.run(&options, "semantics.dll", "child /usr/bin/env");
        let seen = text(&output.output().unwrap().stdout);
        assert!(
            seen.contains("TMPDIR") && !seen.contains("TailCallOpt"),
            "{seen}"
        );
        let mut said = space.run(&options, "semantics.dll", "environment");
        let said = said.env("DOTNET_TailCallOpt", "1").output().unwrap();
        let said = text(&said.stdout);
        assert!(said.contains("DOTNET_TailCallOpt=1"), "{said}");
    }
}
