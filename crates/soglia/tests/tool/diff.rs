//! `soglia diff`: two runs of one program, and runs that differ.

use std::process::Output;

use jsonschema::Validator;
use serde_json::Value;

use crate::schema::{DIFF, check, schema};
use crate::support::{Space, fixture, refusal, text};

/// Records `program` with these arguments.
fn record(space: &Space, options: &str, program: &str, args: &str) {
    let output = space.run(&format!("-q {options}"), program, args).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

fn diff(space: &Space, args: &str) -> Output {
    space.soglia(&format!("diff {args}")).output().unwrap()
}

fn json(space: &Space, args: &str) -> Value {
    let output = diff(space, &format!("{args} --format json"));
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{}",
        text(&output.stderr)
    );
    let value = serde_json::from_slice(&output.stdout).unwrap();
    let validator: Validator = schema(DIFF);
    check(&validator, &value);
    value
}

/// The targets whose first verdict this is.
fn of<'a>(diff: &'a Value, verdict: &str) -> Vec<&'a str> {
    let targets = diff["targets"].as_array().unwrap().iter();
    let of = targets.filter(|target| target["verdicts"][0] == verdict);
    of.map(|target| target["target"].as_str().unwrap())
        .collect()
}

/// The targets of which this is one verdict. On a machine with much to do, calls may be slower too.
fn among<'a>(diff: &'a Value, verdict: &str) -> Vec<&'a str> {
    let targets = diff["targets"].as_array().unwrap().iter();
    let has = |target: &&Value| {
        let verdicts = target["verdicts"].as_array().unwrap();
        verdicts.iter().any(|one| one == verdict)
    };
    targets
        .filter(has)
        .map(|target| target["target"].as_str().unwrap())
        .collect()
}

#[test]
fn two_runs_of_one_program_are_the_same() {
    for (program, args) in [
        ("sqlitedemo.dll", "300"),
        ("sixsteps.dll", ""),
        ("routes.dll", ""),
        ("shop.dll", ""),
    ] {
        let space = Space::new();
        record(&space, "-o a", program, args);
        record(&space, "-o b", program, args);
        let found = json(&space, "a b");
        let targets = found["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{program}");
        let changed: Vec<&Value> = targets
            .iter()
            // A single call says nothing, and is said to.
            .filter(|target| {
                !["same", "unclear"].contains(&target["verdicts"][0].as_str().unwrap())
            })
            .collect();
        assert_eq!(changed, [&Value::Null; 0], "{program}");
        // A recording is the same as its report.
        let report = serde_json::to_vec(&space.recording("b").json("")).unwrap();
        std::fs::write(space.path("b.json"), report).unwrap();
        let mixed = json(&space, "a b.json");
        assert_eq!(mixed["targets"], found["targets"], "{program}");
    }
}

/// A library with a function `plain` that takes a millisecond.
fn slow_library(space: &Space) -> String {
    let source = "#include <unistd.h>\nint plain(int x) { usleep(1000); return x + 1; }\n";
    std::fs::write(space.path("slow.c"), source).unwrap();
    let library = space.path("libslow.so");
    let cc = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = std::process::Command::new(cc);
    command
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(space.path("slow.c"));
    assert!(command.status().unwrap().success());
    library.display().to_string()
}

#[test]
fn what_became_slower_is_named_first() {
    let space = Space::new();
    record(&space, "-o a", "semantics.dll", "try-threads 2 50");
    let mut slow = space.soglia("run -q -o b --redirect");
    let slow = slow
        .arg(format!("plain={}", slow_library(&space)))
        .arg(fixture("semantics.dll"))
        .args(["try-threads", "2", "50"]);
    assert!(slow.status().unwrap().success());
    let found = json(&space, "a b");
    let name = "semantics!plain";
    assert_eq!(of(&found, "slower"), [name], "{found:#}");
    assert_eq!(found["targets"][0]["target"], name);
    assert_eq!(of(&json(&space, "b a"), "faster"), [name]);
    let said = text(&diff(&space, "a b").stdout);
    assert!(said.contains(&format!("slower: -> {name}")), "{said}");
    let table = text(&diff(&space, "a b --format markdown").stdout);
    assert!(table.contains(&format!("| slower | `{name}` |")), "{table}");
    // A condition that holds is an exit code and a line. Those that do not are neither.
    for (condition, code) in [
        ("p99>+20%", 1),
        ("plain:p50>+500us", 1),
        ("semantics!*:total>+50ms", 1),
        ("other!*:p99>+20%", 0),
        ("failed>0", 0),
        ("calls>+10%", 0),
    ] {
        let output = diff(&space, &format!("a b --fail-on {condition}"));
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{condition}: {said}");
        let says = said.starts_with(&format!("soglia: {condition}: {name} "));
        assert_eq!(says, code == 1, "{said}");
    }
}

#[test]
fn other_calls_and_failures_are_named() {
    let space = Space::new();
    record(&space, "-o a", "semantics.dll", "try-threads 2 50");
    record(&space, "-o b", "semantics.dll", "try-threads 2 200");
    record(
        &space,
        "-o c --deny plain",
        "semantics.dll",
        "try-threads 2 50",
    );
    record(&space, "-o d", "semantics.dll", "nested");
    let name = ["semantics!plain"];
    assert_eq!(among(&json(&space, "a b"), "chattier"), name);
    assert_eq!(among(&json(&space, "b a"), "quieter"), name);
    assert_eq!(among(&json(&space, "a c"), "denied"), name);
    let other = json(&space, "a d");
    assert!(
        of(&other, "new").contains(&"semantics!call_back"),
        "{other:#}"
    );
    let failing = diff(&space, "a c --fail-on denied>0");
    assert_eq!(failing.status.code(), Some(1));
}

#[test]
fn what_is_no_report_is_refused() {
    let space = Space::new();
    record(&space, "-o a", "semantics.dll", "plain");
    std::fs::write(space.path("list.json"), "{\"a\": 1}").unwrap();
    std::fs::write(space.path("cut.json"), "{\"program\": \"a\", ").unwrap();
    for (args, part) in [
        ("diff a absent", "absent"),
        (
            "diff a list.json",
            "its JSON is not a report: it has no `program`",
        ),
        ("diff cut.json a", "cut.json: it is not a report"),
        ("diff a a --fail-on p98>1", "there is no measure"),
        ("diff a a --noise x", "expected a percentage"),
    ] {
        let said = refusal(&mut space.soglia(args));
        assert!(said.contains(part), "{args}: {said}");
    }
}
