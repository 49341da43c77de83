//! How a policy is given, and which programs have it.

use std::fs;

use super::common::{bare, printed, under};
use crate::support::{Space, bare_command, fixture, text};

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
                "plain: {namespace}{name} {hresult}: così no (soglia policy: deny 'semantics!plain' denied semantics!plain)\nand on it goes\n"
            ),
            "{}",
            text(&output.stderr)
        );
        let output = under(&space, "--policy policy.toml --deny length", "try length 1");
        assert!(text(&output.stdout).contains("denied semantics!length"));
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
    assert!(followed.contains("deny 'plain' denied"), "{followed}");
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
        text(&output.stdout).contains("deny 'plain' denied semantics!plain"),
        "{output:?}"
    );
    let report = space.recording("a.soglia").json("");
    assert_eq!(report["policy"]["rules"].as_array().unwrap().len(), 2501);
}
