//! What reports say of a policy.

use std::os::unix::process::ExitStatusExt;

use serde_json::{Value, json};

use super::common::{bare, printed, under};
use crate::support::{Space, text};

/// Calls, refused calls, and where they went instead.
fn of_target(report: &Value, entry: &str) -> (u64, u64, Option<String>) {
    let mut rows = report["targets"].as_array().unwrap().iter();
    let row = rows
        .find(|row| row["entry"] == entry)
        .unwrap_or_else(|| panic!("no {entry}: {report:#}"));
    let number = |name: &str| row[name].as_u64().unwrap();
    let to = row["redirected_to"].as_str().map(str::to_owned);
    (number("calls"), number("refused"), to)
}

#[test]
fn refused_calls_are_counted_and_told() {
    let instead = Some("libsemantics.so!f007".to_owned());
    let cases = [
        ("--deny plain", "try plain 100", (0, 100, None), 100),
        (
            "--allow-only nothing",
            "try imported-plain 3",
            (0, 3, None),
            3,
        ),
        (
            "--max-calls plain=150",
            "try-threads 4 100",
            (150, 250, None),
            250,
        ),
        (
            "--redirect plain=libsemantics.so!f007",
            "try plain 3",
            (3, 0, instead.clone()),
            0,
        ),
        (
            "--redirect plain=libsemantics.so!f007 --max-calls plain=1",
            "try plain 3",
            (1, 2, instead),
            2,
        ),
        ("--deny plain --audit", "try plain 3", (3, 3, None), 3),
        (
            "--max-calls plain=10 --audit",
            "try-threads 4 100",
            (400, 390, None),
            390,
        ),
        (
            "--redirect plain=libsemantics.so!f007 --audit",
            "try plain 3",
            (3, 0, None),
            0,
        ),
        (
            "--deny plain --record events",
            "try-callback 5",
            (0, 5, None),
            5,
        ),
        (
            "--max-calls plain=3 --audit --record events",
            "try-callback 5",
            (5, 2, None),
            2,
        ),
    ];
    for (policy, args, expected, refused) in cases {
        let space = Space::new();
        let output = under(&space, policy, args);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let recording = space.recording("a.soglia");
        let report = recording.json("");
        assert_eq!(of_target(&report, "plain"), expected, "{policy}, {args}");
        assert_eq!(report["policy"]["audit"], policy.contains("--audit"));
        assert_eq!(report["faults"], json!([]), "{policy}, {args}");
        // The first caller is known even where the call was never made.
        let rows = report["targets"].as_array().unwrap();
        let row = rows.iter().find(|row| row["entry"] == "plain").unwrap();
        let callers = row["first_caller"].to_string();
        assert!(
            callers.contains("Semantics.Refusals"),
            "{policy}: {callers}"
        );
        if policy.contains("events") {
            let replayed = recording.json("--replay");
            assert_eq!(of_target(&replayed, "plain"), expected, "{policy}, {args}");
            let lines = recording.event_lines();
            let told = lines.matches("\"outcome\":\"refused\"").count();
            assert_eq!(told, refused, "{policy}: {lines}");
        }
    }
}

#[test]
fn a_report_tells_of_its_policy() {
    let space = Space::new();
    let policy = "--deny plain --skip lenght --redirect f*=other --max-calls half=7 --deny-fatal";
    under(&space, policy, "try suppressed 1");
    let recording = space.recording("a.soglia");
    assert_eq!(
        recording.json("")["policy"],
        json!({
            "audit": false,
            "deny_fatal": true,
            "rules": ["deny 'plain'", "redirect 'f*=other'", "max-calls 'half=7'", "skip 'lenght'"],
            "idle_rules": ["skip 'lenght'"],
        })
    );
    under(&space, "", "try suppressed 1");
    assert_eq!(recording.json("")["policy"], Value::Null);

    let said = |policy: &str| {
        under(&space, policy, "try plain 3");
        let mut report = space.soglia("report a.soglia");
        text(&report.output().unwrap().stdout)
    };
    let report = said("--deny plain");
    assert!(report.contains(", 3 calls denied, on 1 thread"), "{report}");
    assert!(report.contains("3 denied\n"), "{report}");
    let report = said("--deny plain --audit");
    assert!(
        report.contains(", 3 calls would have been denied,"),
        "{report}"
    );
    assert!(
        report.contains("note: audit: no call was denied or redirected\n"),
        "{report}"
    );
    let report = said("--deny plian --deny plain --skip other!* --only SystemNative_Write");
    let idle = "note: no watched module declares a function that matches deny 'plian', only 'SystemNative_Write', skip 'other!*'\n";
    assert!(report.contains(idle), "{report}");
    let report = said("--redirect plain=semantics!f007");
    assert!(report.contains("redirected to semantics!f007"), "{report}");
}

/// What the framework's precompiled code calls is refused like anything else.
#[test]
fn the_framework_is_under_the_policy_if_it_is_watched() {
    let space = Space::new();
    let refused = "denied libSystem.Native!SystemNative_Write";
    for watched in ["--framework", "--corelib"] {
        let policy = format!("--deny SystemNative_Write --allow-only *!* {watched}");
        let output = under(&space, &policy, "plain");
        assert_eq!(output.status.signal(), Some(6), "{output:?}");
        assert!(text(&output.stderr).contains(refused), "{output:?}");
        let policy = format!("--deny semantics!* {watched}");
        let output = under(&space, &policy, "try plain 1");
        assert!(text(&output.stdout).contains("denied semantics!plain"));
    }
    assert_eq!(printed("--deny SystemNative_Write", "plain"), bare("plain"));
}
