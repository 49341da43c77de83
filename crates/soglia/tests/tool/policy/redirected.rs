//! Calls that a policy redirects or leaves out.

use std::fs;

use super::common::{bare, printed, under};
use crate::support::{Space, fixture, text};

#[test]
fn another_function_is_called_instead() {
    // f007 adds 7.
    let space = Space::new();
    let output = under(
        &space,
        "--redirect semantics!plain=libsemantics.so!f007",
        "try plain 3",
    );
    assert_eq!(
        text(&output.stdout),
        "plain: 8\nplain: 8\nplain: 8\nand on it goes\n"
    );
    assert_eq!(
        (space.oracle_calls("f007"), space.oracle_calls("plain")),
        (3, 0)
    );
    assert_eq!(
        printed("--redirect plain=semantics!f007", "try imported-plain 1"),
        "imported-plain: 8\nand on it goes\n"
    );
}

#[test]
fn a_whole_library_is_exchanged() {
    let space = Space::new();
    let other = space.path("libother.so");
    fs::copy(fixture("libsemantics.so"), &other).unwrap();
    for args in [
        "try plain",
        "try length",
        "try half",
        "try imported-length",
        "try-callback",
    ] {
        let mut command = space.soglia("run --quiet --source woven -o a.soglia --redirect");
        let output = command
            .arg(format!("semantics!*={}", other.display()))
            .arg(fixture("semantics.dll"))
            .args(args.split_whitespace())
            .output()
            .unwrap();
        assert_eq!(text(&output.stdout), bare(args), "{args}");
    }
    // What is not there is not found, as anywhere.
    assert_eq!(
        printed("--redirect plain=semantics!no_such_entry", "try plain 1")
            .split(" in ")
            .next()
            .unwrap()
            .split(':')
            .nth(1),
        Some(" System.EntryPointNotFoundException 80131523")
    );
    let missing = printed("--redirect semantics!*=no-such-library", "try plain 1");
    assert!(
        missing.starts_with("plain: System.DllNotFoundException 80131524"),
        "{missing}"
    );
}

#[test]
fn what_is_skipped_is_as_it_was() {
    let shown = |policy: &str| printed(policy, "pinvokes");
    let all = bare("pinvokes");
    assert_eq!(
        all,
        "length: P/Invoke, length: 4\nsuppressed: P/Invoke, suppressed: 2\nhalf: P/Invoke, half: 4\n"
    );
    assert_eq!(
        shown("--skip length --skip semantics!h*"),
        all.replace("suppressed: P/Invoke", "suppressed: method")
    );
    assert_eq!(
        shown("--only length"),
        all.replace("length: P/Invoke", "length: method")
    );
    assert_eq!(shown("--skip *!*"), all);
    // Refusals are not lost to it.
    assert!(shown("--skip *!* --deny length").starts_with("length: method, length: System.Unauth"));

    let space = Space::new();
    under(&space, "--skip length", "pinvokes");
    let report = space.recording("a.soglia").report();
    let calls = ["length", "suppressed", "half"].map(|entry| report.calls(entry));
    assert_eq!(calls, [0, 1, 1]);
    // It is declared four times.
    let told = space.recording("a.soglia").json("")["not_watched"].to_string();
    let left_out = "4 native functions that semantics calls are left out by --only or --skip";
    assert!(told.contains(left_out), "{told}");
}

#[test]
fn a_redirected_target_is_where_it_went() {
    let space = Space::new();
    let policy = "--redirect plain=libsemantics.so!f007";
    under(&space, policy, "try plain 1");
    let report = space.recording("a.soglia").json("");
    let rows = report["targets"].as_array().unwrap();
    let row = rows.iter().find(|row| row["entry"] == "plain").unwrap();
    assert_eq!(row["symbol"], "f007", "{row:#}");
    assert_eq!(row["library"], "semantics");
}
