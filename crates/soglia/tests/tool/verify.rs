//! `soglia verify` on fixtures: what it runs, what it passes on, and what it concludes.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::{Space, bare_command, fixture, setup, text};

/// `soglia verify OPTIONS FIXTURE ARGS`
fn verify(space: &Space, options: &str, program: &str, args: &str) -> Command {
    let mut command = space.soglia(&format!("verify {options}"));
    command.arg(fixture(program)).args(args.split_whitespace());
    command
}

fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stderr)
        .unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)))
}

/// Exit code and verdict of a fixture, without its output.
fn verdict(program: &str, args: &str) -> (i32, Value) {
    let space = Space::new();
    let output = verify(&space, "-q --format json", program, args)
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "", "{program} {args}");
    (output.status.code().unwrap(), json_of(&output))
}

/// The targets of an outcome, by entry point or method.
fn names(verdict: &Value, outcome: &str) -> Vec<String> {
    let targets = verdict["targets"].as_array().unwrap();
    let of = targets.iter().filter(|t| t["outcome"] == outcome);
    of.map(|target| {
        let name = target["entry"].as_str().or(target["method"].as_str());
        name.unwrap_or("[function pointer]").to_owned()
    })
    .collect()
}

#[test]
fn programs_that_are_watched_agree() {
    for (program, args, calls) in [
        ("semantics.dll", "plain", 1),
        ("semantics.dll", "inlined", 20_000),
        ("semantics.dll", "uco", 1),
        ("semantics.dll", "threads 8 50", 800),
        ("hello.dll", "", 0),
    ] {
        let (code, verdict) = verdict(program, args);
        assert_eq!((code, &verdict["agree"]), (0, &json!(true)), "{verdict:#}");
        for source in ["transitions", "woven"] {
            assert_eq!(verdict["crossings"][source]["leave"], calls, "{args}");
        }
        assert_eq!(names(&verdict, "differs"), [""; 0]);
        assert_eq!(verdict["output"], "same");
        // Twice is enough if they agree.
        assert_eq!(verdict["runs"].as_array().unwrap().len(), 2);
        let version = verdict["runtime"]["version"].as_str().unwrap();
        assert_eq!(version.split('.').next(), Some(&*setup().major.to_string()));
    }
}

/// Cases of `semantics` that have something of which `woven` says that it does not see it.
const NOT_ALL_WATCHED: &[&str] = &["dynamicmethod", "emit"];

/// These never end, need something from outside, end differently each time, fall as deep as
/// wrappers leave stack, or print what is woven around.
const NOT_HERE: &[&str] = &[
    "hang",
    "spin",
    "signals",
    "child",
    "tlsdestructor",
    "stackoverflow",
    "pinvokes",
];

#[test]
fn every_case_agrees_on_what_is_watched() {
    let list = Space::new().bare("semantics.dll", "list").output().unwrap();
    let list = text(&list.stdout);
    let mut wrong = Vec::new();
    for case in list.lines().filter(|case| !NOT_HERE.contains(case)) {
        let (code, verdict) = verdict("semantics.dll", case);
        let is_known = NOT_ALL_WATCHED.contains(&case);
        let callers = verdict["first_callers"].as_array().unwrap();
        let elsewhere = callers.iter().any(|differ| differ["varies"] == false);
        if code != 0 || elsewhere || is_known == names(&verdict, "not-watched").is_empty() {
            wrong.push(format!("{case}: {code} {verdict:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The output of a program appears once, as without soglia. Its exit code is in the verdict, and is
/// not that of the tool.
#[test]
fn the_output_of_one_run_is_passed_on() {
    for (args, exit) in [("seterror", 0), ("exitcode 3", 3)] {
        let bare = Space::new().bare("semantics.dll", args).output().unwrap();
        let space = Space::new();
        let output = verify(&space, "--format json", "semantics.dll", args)
            .output()
            .unwrap();
        assert_eq!(text(&output.stdout), text(&bare.stdout));
        let verdict = json_of(&output);
        assert_eq!(output.status.code(), Some(0), "{verdict:#}");
        for run in verdict["runs"].as_array().unwrap() {
            assert_eq!(run["exit_code"], exit);
            assert_eq!(run["output_bytes"], bare.stdout.len());
        }
    }
}

#[test]
fn every_run_gets_the_same_input() {
    let lines = "one\ntwo\n".repeat(20_000);
    let verdict_of = |command: &mut Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        assert_eq!(output.stdout.len(), lines.len());
        assert!(output.stdout == lines.as_bytes());
    };
    // A file, from where it stands.
    let space = Space::new();
    std::fs::write(space.path("input"), format!("skipped\n{lines}")).unwrap();
    let mut from_file = verify(&space, "", "semantics.dll", "stdio");
    from_file.stdin(std::fs::File::open(space.path("input")).unwrap());
    let mut shell = space.command("/bin/sh");
    shell
        .args(["-c", "{ read skipped; exec \"$@\"; } < input", "sh"])
        .arg(from_file.get_program())
        .args(from_file.get_args())
        .current_dir(space.path(""));
    verdict_of(&mut shell);
    // A pipe, which can be read only once.
    let mut from_pipe = verify(&space, "", "semantics.dll", "stdio");
    let mut child = from_pipe
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let given = lines.clone();
    let writer = std::thread::spawn(move || input.write_all(given.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(output.stdout == lines.as_bytes());
}

/// An input that stays open does not hold up a program that does not read it.
#[test]
fn an_input_that_is_not_read_is_not_waited_for() {
    let space = Space::new();
    let mut child = verify(&space, "-q", "semantics.dll", "plain")
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let input = child.stdin.take();
    assert!(child.wait().unwrap().success());
    drop(input);
}

/// A script that starts another fixture with `woven` than with `transitions`: the difference is
/// found.
#[test]
fn differences_are_found() {
    let space = Space::new();
    let script = |choose: &str| {
        let (file, before) = bare_command();
        let mut start: Vec<String> = vec![file.display().to_string()];
        start.extend(before.iter().map(|arg| arg.display().to_string()));
        start.push(fixture("semantics.dll").display().to_string());
        let body = format!("#!/bin/sh\n{choose}\nexec {} $args\n", start.join(" "));
        let path = space.path("choose.sh");
        std::fs::write(&path, body).unwrap();
        let mut permissions = std::fs::metadata(&path).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
        std::fs::set_permissions(&path, permissions).unwrap();
        path
    };
    let run = |options: &str| {
        let mut command = space.soglia(&format!("verify {options}"));
        command.arg(space.path("choose.sh")).output().unwrap()
    };

    script("args=plain; [ \"$SOGLIA_SOURCE\" = woven ] && args='churn 4'");
    let output = run("-q --format json");
    let verdict = json_of(&output);
    assert_eq!(output.status.code(), Some(1), "{verdict:#}");
    assert_eq!(
        (&verdict["agree"], &verdict["output"]),
        (&json!(false), &json!("differs"))
    );
    assert_eq!(names(&verdict, "differs"), ["plain"]);
    let plain = &verdict["targets"][0];
    assert_eq!(plain["transitions"]["calls"], 1);
    assert_eq!(plain["woven"]["calls"], 4);
    assert_eq!(verdict["output_difference"]["line"], 1);
    let sources = verdict["runs"].as_array().unwrap().iter();
    let sources: Vec<&str> = sources.map(|run| run["source"].as_str().unwrap()).collect();
    assert_eq!(sources, ["transitions", "woven", "transitions"]);
    let told = text(&run("-q").stderr);
    for part in [
        "the two differ",
        "semantics!plain",
        "line 1 of the output",
        "did not write the same",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }

    // Another number of calls each time: nothing to hold against anybody.
    script("echo >> count; args=\"churn $(wc -l < count)\"");
    let output = run("-q --format json");
    let verdict = json_of(&output);
    assert_eq!(output.status.code(), Some(0), "{verdict:#}");
    assert_eq!(names(&verdict, "varies"), ["plain"]);
    // If that may not be looked into, it is.
    assert_eq!(run("-q --runs 1").status.code(), Some(1));

    // Other exit codes, the same crossings.
    script("args='exitcode 3'; [ \"$SOGLIA_SOURCE\" = woven ] && args='exitcode 4'");
    let output = run("-q --format json");
    assert_eq!(output.status.code(), Some(1));
    let codes: Vec<Value> = json_of(&output)["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["exit_code"].clone())
        .collect();
    assert_eq!(codes, [3, 4, 3]);
}

/// A program that crashes does so under both, and what it left behind is compared.
#[test]
fn programs_that_fail_are_compared_too() {
    for args in ["sigkill", "abort", "nativeexit"] {
        let (code, verdict) = verdict("semantics.dll", args);
        assert_eq!(code, 0, "{args}: {verdict:#}");
        let runs = verdict["runs"].as_array().unwrap();
        assert_eq!(runs[0]["signal"], runs[1]["signal"]);
        assert_eq!(runs[0]["exit_code"], runs[1]["exit_code"]);
    }
}

#[test]
fn the_runtimes_own_are_left_out() {
    let (code, verdict) = verdict("semantics.dll", "plain");
    assert_eq!((code, &verdict["scope"]), (0, &json!("user")));
    assert!(!names(&verdict, "runtime-internal").is_empty());
    assert_eq!(names(&verdict, "same"), ["plain"]);
}

/// What cannot be compared is neither agreement nor difference.
#[test]
fn without_a_program_there_is_no_verdict() {
    let space = Space::new();
    for (args, complaint) in [
        ("verify absent.dll", "absent.dll does not exist"),
        ("verify /bin/true", "nothing was recorded"),
        ("verify", "PROGRAM"),
        ("verify --runs 0 /bin/true", "--runs"),
        ("verify --format csv /bin/true", "--format"),
    ] {
        let output = space.soglia(args).output().unwrap();
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args}: {told}");
        assert!(told.contains(complaint), "{args}: {told}");
        assert_eq!(told.lines().count(), 1, "{args}: {told}");
    }
}

/// Who interrupts it wants no second run.
#[test]
fn an_interrupted_run_is_the_last() {
    let space = Space::new();
    let mut live = crate::support::Live::start(&mut verify(&space, "", "semantics.dll", "hang"));
    live.expect("hanging");
    crate::support::signal(live.pid(), "TERM");
    let (status, told) = live.wait();
    assert_eq!(status.code(), Some(2), "{told}");
    assert!(told.contains("interrupted by SIGTERM"), "{told}");
}
