//! Policies: what a refused call throws, what is called instead, what is only counted, and that all else stays as it was.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Space, bare_command, fixture, setup, text};

/// `semantics.dll ARGS` under a policy.
fn under(space: &Space, policy: &str, args: &str) -> Output {
    let options = format!("--quiet --source woven -o a.soglia {policy}");
    space.run(&options, "semantics.dll", args).output().unwrap()
}

/// What it prints, if it ends well.
fn printed(policy: &str, args: &str) -> String {
    let output = under(&Space::new(), policy, args);
    assert!(
        output.status.success(),
        "{policy}, {args}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// What the case prints without soglia.
fn bare(args: &str) -> String {
    let output = Space::new().bare("semantics.dll", args).output().unwrap();
    text(&output.stdout)
}

#[test]
fn a_denied_call_throws_what_programmers_expect() {
    let thrown = "plain: System.UnauthorizedAccessException 80070005: soglia policy: deny 'semantics!plain' refused semantics!plain\n";
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
                "{call}: System.UnauthorizedAccessException 80070005: soglia policy: deny 'semantics!*' refused semantics!{entry}\nand on it goes\n"
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
            "plain: System.UnauthorizedAccessException 80070005: soglia policy: deny 'plain' refused semantics!plain\ncall_back: {value}\n"
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
    let told = text(&output.stderr).contains("deny 'plain' refused semantics!plain");
    assert_eq!(told, setup().major != 9, "{output:?}");
}

#[test]
fn only_what_is_allowed() {
    assert_eq!(
        printed(
            "--allow-only semantics!call_back --allow-only nothing",
            "try-callback 1"
        ),
        "plain: System.UnauthorizedAccessException 80070005: soglia policy: allow-only 'semantics!call_back', 'nothing' refused semantics!plain\ncall_back: 1\n"
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
        "plain: 2\nplain: System.InvalidOperationException 80131022: soglia policy: max-calls 'plain=1' refused semantics!plain, after its one call\nand on it goes\n"
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
    let policy = format!("--redirect semantics!*={}", other.display());
    for args in [
        "try plain",
        "try length",
        "try half",
        "try imported-length",
        "try-callback",
    ] {
        let output = under(&space, &policy, args);
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
        assert!(said.contains("refused semantics!plain"), "{said}");
        assert_eq!(space.oracle_calls("plain"), 0);
    }
}

#[test]
fn a_file_says_more() {
    let space = Space::new();
    let file = space.path("policy.toml");
    let exceptions = [
        ("UnauthorizedAccessException", "System.", "80070005"),
        ("EntryPointNotFoundException", "System.", "80131523"),
        ("DllNotFoundException", "System.", "80131524"),
        ("NotSupportedException", "System.", "80131515"),
        ("InvalidOperationException", "System.", "80131022"),
        (
            "COMException",
            "System.Runtime.InteropServices.",
            "80070005",
        ),
    ];
    for (name, namespace, hresult) in exceptions {
        fs::write(
            &file,
            format!(
                "[[deny]]\ntarget = \"semantics!plain\"\nexception = \"{name}\"\nmessage = \"così no\"\n"
            ),
        )
        .unwrap();
        // The options come first, and add to the file.
        let output = under(&space, "--policy policy.toml --deny length", "try plain 1");
        assert_eq!(
            text(&output.stdout),
            format!(
                "plain: {namespace}{name} {hresult}: così no (soglia policy: deny 'semantics!plain' refused semantics!plain)\nand on it goes\n"
            ),
            "{}",
            text(&output.stderr)
        );
        let output = under(&space, "--policy policy.toml --deny length", "try length 1");
        assert!(text(&output.stdout).contains("refused semantics!length"));
    }
    fs::write(
        &file,
        "audit = true\n[[max-calls]]\ntarget = \"plain\"\ncalls = 1\n",
    )
    .unwrap();
    let output = under(&space, "--policy policy.toml", "try plain 3");
    assert_eq!(text(&output.stdout), bare("try plain 3"));
}

#[test]
fn children_have_the_policy_only_with_follow() {
    let (dotnet, before) = bare_command();
    let child = |space: &Space, options: &str| {
        let mut command = space.run(
            &format!("--quiet --source woven -o a.soglia --deny plain {options}"),
            "semantics.dll",
            "child",
        );
        command.arg(&dotnet).args(&before);
        let output = command
            .arg(fixture("semantics.dll"))
            .args(["try", "plain", "1"])
            .output()
            .unwrap();
        text(&output.stdout)
    };
    let followed = child(&Space::new(), "--follow");
    assert!(followed.contains("deny 'plain' refused"), "{followed}");
    let left = child(&Space::new(), "");
    assert!(left.contains("plain: 2"), "{left}");
}

#[test]
fn the_program_does_not_see_its_policy() {
    let output = printed("--deny plain", "environment");
    assert_eq!(output, bare("environment"));
}

#[test]
fn a_policy_that_cannot_be_is_told_before_anything_starts() {
    let space = Space::new();
    fs::write(
        space.path("bad.toml"),
        "audit = true\n\n[[deny]]\ntraget = \"a\"\n",
    )
    .unwrap();
    let mut huge = String::new();
    for n in 0..5000 {
        huge += &format!("[[deny]]\ntarget = \"libc!some_function_{n}\"\n");
    }
    fs::write(space.path("huge.toml"), huge).unwrap();
    let cases = [
        (
            "--source transitions --deny plain",
            "soglia: --deny cannot go with --source transitions: ",
        ),
        (
            "--source transitions --skip plain",
            "soglia: --skip cannot go with --source transitions: ",
        ),
        (
            "--source woven --audit",
            "soglia: --audit without a rule does nothing: ",
        ),
        (
            "--source woven --deny-fatal",
            "soglia: --deny-fatal without a rule does nothing: ",
        ),
        (
            "--source woven --deny semantics!",
            "soglia: invalid value 'semantics!' for '--deny <GLOB>': expected LIBRARY!ENTRY or ENTRY",
        ),
        (
            "--source woven --redirect plain",
            "soglia: invalid value 'plain' for '--redirect <GLOB=LIBRARY[!ENTRY]>': expected GLOB=LIBRARY",
        ),
        (
            "--source woven --max-calls plain=-1",
            "soglia: invalid value 'plain=-1' for '--max-calls <GLOB=N>': expected GLOB=N with N from 0 on",
        ),
        (
            "--source woven --max-calls plain=1 --max-calls plain=2",
            "soglia: --max-calls 'plain' is given twice: ",
        ),
        (
            "--source woven --policy none.toml",
            "soglia: cannot read the policy none.toml: No such file",
        ),
        (
            "--source woven --policy bad.toml",
            "soglia: bad.toml:4: deny.traget: there is no such key here; there are target, exception, message\n",
        ),
        (
            "--source woven --policy huge.toml",
            "soglia: the policy has 5000 rules in ",
        ),
    ];
    for (options, expected) in cases {
        let output = space
            .run(options, "semantics.dll", "plain")
            .output()
            .unwrap();
        let said = text(&output.stderr);
        assert!(said.starts_with(expected), "{options}: {said}");
        assert_eq!(
            (
                output.status.code(),
                text(&output.stdout),
                said.lines().count()
            ),
            (Some(2), String::new(), 1),
            "{options}: {said}"
        );
    }
}

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
        // Whoever made the first call is known, also if it never happened.
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
    let refused = "refused libSystem.Native!SystemNative_Write";
    for watched in ["--framework", "--corelib"] {
        let policy = format!("--deny SystemNative_Write --allow-only *!* {watched}");
        let output = under(&space, &policy, "plain");
        assert_eq!(output.status.signal(), Some(6), "{output:?}");
        assert!(text(&output.stderr).contains(refused), "{output:?}");
        let policy = format!("--deny semantics!* {watched}");
        let output = under(&space, &policy, "try plain 1");
        assert!(text(&output.stdout).contains("refused semantics!plain"));
    }
    assert_eq!(printed("--deny SystemNative_Write", "plain"), bare("plain"));
}

#[test]
fn many_rules_are_few_compared_with_what_fits() {
    let space = Space::new();
    let rules: String = (0..2500)
        .map(|n| format!("[[deny]]\ntarget = \"libc!function_{n}\"\n"))
        .chain(["[[deny]]\ntarget = \"plain\"\n".into()])
        .collect();
    fs::write(space.path("many.toml"), rules).unwrap();
    let output = under(&space, "--policy many.toml", "try plain 1");
    assert!(
        text(&output.stdout).contains("deny 'plain' refused semantics!plain"),
        "{output:?}"
    );
    let report = space.recording("a.soglia").json("");
    assert_eq!(report["policy"]["rules"].as_array().unwrap().len(), 2501);
}
