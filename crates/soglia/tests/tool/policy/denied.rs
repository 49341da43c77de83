//! Calls that a policy denies.

use std::os::unix::process::ExitStatusExt;

use super::common::{bare, printed, under};
use crate::support::{Space, setup, text};

#[test]
fn a_denied_call_throws_what_programmers_expect() {
    let thrown = "plain: System.UnauthorizedAccessException 80070005: soglia policy: deny 'semantics!plain' denied semantics!plain\n";
    for glob in ["semantics!plain", "libsemantics.so!plain"] {
        let expected = thrown.replace("semantics!plain'", &format!("{glob}'"));
        assert_eq!(
            printed(&format!("--deny {glob}"), "try plain 2"),
            format!("{expected}{expected}and on it goes\n")
        );
    }
    // Whatever marshalling they would have had.
    for call in [
        "length",
        "suppressed",
        "half",
        "imported-length",
        "imported-plain",
    ] {
        let entry = call.trim_start_matches("imported-");
        assert_eq!(
            printed("--deny semantics!*", &format!("try {call} 1")),
            format!(
                "{call}: System.UnauthorizedAccessException 80070005: soglia policy: deny 'semantics!*' denied semantics!{entry}\nand on it goes\n"
            )
        );
    }
}

#[test]
fn a_call_can_be_denied_again_and_again() {
    let output = printed("--deny plain", "try plain 100");
    let refused = output
        .lines()
        .filter(|line| line.contains("UnauthorizedAccessException"));
    assert_eq!(refused.count(), 100);
    assert!(output.ends_with("and on it goes\n"));
}

#[test]
fn nothing_else_is_refused() {
    for args in ["try length", "try imported-length", "libraryimport"] {
        assert_eq!(printed("--deny semantics!f0*", args), bare(args), "{args}");
    }
}

#[test]
fn a_callback_may_catch() {
    let expected = |value: u32| {
        format!(
            "plain: System.UnauthorizedAccessException 80070005: soglia policy: deny 'plain' denied semantics!plain\ncall_back: {value}\n"
        )
    };
    assert_eq!(
        printed("--deny plain", "try-callback 2"),
        expected(1) + &expected(2)
    );
}

#[test]
fn a_callback_that_does_not_catch_ends_the_process() {
    let output = under(&Space::new(), "--deny plain", "nested 2");
    assert_eq!(output.status.signal(), Some(6), "{output:?}");
    // As of any exception there, .NET 9 does not tell which it was.
    let told = text(&output.stderr).contains("deny 'plain' denied semantics!plain");
    assert_eq!(told, setup().major != 9, "{output:?}");
}

#[test]
fn only_what_is_allowed() {
    assert_eq!(
        printed(
            "--allow-only semantics!call_back --allow-only nothing",
            "try-callback 1"
        ),
        "plain: System.UnauthorizedAccessException 80070005: soglia policy: allow-only 'semantics!call_back', 'nothing' denied semantics!plain\ncall_back: 1\n"
    );
    // The framework's own calls are not watched, so they are not refused.
    assert_eq!(
        printed("--allow-only semantics!*", "try-callback"),
        bare("try-callback")
    );
}

#[test]
fn so_many_calls_and_no_more() {
    assert_eq!(
        printed("--max-calls plain=1", "try plain 2"),
        "plain: 2\nplain: System.InvalidOperationException 80131022: soglia policy: max-calls 'plain=1' denied semantics!plain, after its one call\nand on it goes\n"
    );
    for (calls, returned) in [(0, 0), (1234, 1234), (8000, 8000), (9000, 8000)] {
        let space = Space::new();
        let policy = format!("--max-calls semantics!plain={calls}");
        let output = under(&space, &policy, "try-threads 8 1000");
        assert_eq!(
            text(&output.stdout),
            format!("{returned} returned, {} thrown\n", 8000 - returned)
        );
        assert_eq!(space.oracle_calls("plain"), returned);
    }
}

#[test]
fn a_fatal_refusal_cannot_be_caught() {
    for policy in ["--deny plain", "--max-calls plain=0"] {
        let space = Space::new();
        let output = under(&space, &format!("{policy} --deny-fatal"), "try plain 1");
        assert_eq!(
            output.status.signal(),
            Some(6),
            "as by Environment.FailFast"
        );
        assert_eq!(text(&output.stdout), "");
        let said = text(&output.stderr);
        assert!(said.contains("soglia policy: "), "{said}");
        assert!(said.contains("denied semantics!plain"), "{said}");
        assert_eq!(space.oracle_calls("plain"), 0);
    }
}

#[test]
fn an_audit_refuses_nothing() {
    for policy in [
        "--deny plain --audit",
        "--deny plain --audit --deny-fatal",
        "--allow-only nothing --audit",
        "--max-calls plain=1 --audit",
        "--redirect plain=semantics!f007 --audit",
    ] {
        let space = Space::new();
        let output = under(&space, policy, "try plain 3");
        assert_eq!(text(&output.stdout), bare("try plain 3"), "{policy}");
        assert_eq!(space.oracle_calls("plain"), 3, "{policy}");
        let report = space.recording("a.soglia").report();
        assert_eq!(report.calls("plain"), 3, "{policy}");
    }
}
