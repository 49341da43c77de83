//! What passes between the program and its environment is as without soglia: variables, children,
//! input, output, signals.

use std::io::{Read, Write};
use std::process::Stdio;

use crate::support::{Live, Report, SOGLIA, Space, bare_command, fixture, signal, text};

#[test]
fn the_program_does_not_see_soglia_in_its_environment() {
    let space = Space::new();
    let bare = space.bare("semantics.dll", "environment").output().unwrap();
    assert!(text(&bare.stdout).contains("DOTNET_ROOT="), "{bare:?}");
    for level in ["summary", "events"] {
        let run = format!("-q --record {level} -o a.soglia");
        let under = space
            .run(&run, "semantics.dll", "environment")
            .output()
            .unwrap();
        assert_eq!(text(&under.stdout), text(&bare.stdout));
    }
}

/// `semantics child` with a second program: the arguments, and what both print.
fn with_child(space: &Space, options: &str) -> std::process::Command {
    let (file, before) = bare_command();
    let mut command = space.run(options, "semantics.dll", "child");
    command
        .arg(file)
        .args(before)
        .arg(fixture("semantics.dll"))
        .arg("plain");
    command
}

const BOTH: &str = "plain(1) = 2\nthe child ended with 0\n";

fn recordings(space: &Space) -> Vec<String> {
    let names = std::fs::read_dir(space.path(""))
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.retain(|name| name.contains(".soglia"));
    names.sort();
    names
}

#[test]
fn a_child_is_not_recorded_unless_asked_for() {
    let space = Space::new();
    let output = with_child(&space, "-q --record events -o a.soglia")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), BOTH.into()),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(recordings(&space), ["a.soglia"]);
    assert_eq!(space.recording("a.soglia").report().calls("plain"), 0);
    assert_eq!(space.oracle_calls("plain"), 1);
}

#[test]
fn a_child_does_not_see_soglia_either() {
    let space = Space::new();
    let (file, before) = bare_command();
    let output = |command: &mut std::process::Command| {
        let command = command.arg(&file).args(&before);
        let output = command.arg(fixture("semantics.dll")).arg("environment");
        text(&output.output().unwrap().stdout)
    };
    let bare = output(&mut space.bare("semantics.dll", "child"));
    let under = output(&mut space.run("-q -o a.soglia", "semantics.dll", "child"));
    assert!(bare.contains("DOTNET_ROOT="), "{bare}");
    assert_eq!(under, bare);
}

#[test]
fn with_follow_each_child_has_a_recording() {
    let space = Space::new();
    let output = with_child(&space, "--follow --record events -o a.soglia")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), BOTH.into()),
        "{}",
        text(&output.stderr)
    );
    let names = recordings(&space);
    assert_eq!(
        (names.len(), names[0].as_str()),
        (2, "a.soglia"),
        "{names:?}"
    );
    let (parent, child) = (space.recording(&names[0]), space.recording(&names[1]));
    let (first, second) = (parent.report(), child.report());
    assert_eq!(names[1], format!("a.soglia.{}", second.pid));
    assert_eq!((first.calls("plain"), second.calls("plain")), (0, 1));
    assert_eq!((first.ended.as_str(), first.exit_code), ("exit", Some(0)));
    // The tool did not see its end, so the program has recorded it itself.
    assert_eq!((second.ended.as_str(), second.exit_code), ("exit", Some(0)));
    assert!(!second.duration_at_least);
    crate::check::agree(&second, &child.events());
    let account = text(&output.stderr);
    assert!(names.iter().all(|name| account.contains(name)), "{account}");
}

#[test]
fn a_script_can_be_the_program() {
    let space = Space::new();
    let (file, before) = bare_command();
    let words: Vec<String> = std::iter::once(&file)
        .chain(&before)
        .map(|word| format!("'{}'", word.display()))
        .collect();
    let line = format!(
        "#!/bin/sh\necho before\n{} '{}' plain\nexit 9\n",
        words.join(" "),
        fixture("semantics.dll").display()
    );
    let script = space.path("script");
    std::fs::write(&script, line).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let output = space
        .soglia("run -q -o a.soglia ./script")
        .output()
        .unwrap();
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(9), "before\nplain(1) = 2\n".into())
    );
    let report = space.recording("a.soglia").report();
    assert_eq!(
        (
            report.calls("plain"),
            report.ended.as_str(),
            report.exit_code
        ),
        (1, "exit", Some(0))
    );
}

#[test]
fn two_runs_at_once_do_not_mix() {
    let space = Space::new();
    let cases = ["threads 4 2000", "threads 4 3000"];
    let names = ["a.soglia", "b.soglia"];
    let start = |n: usize| {
        Live::start(&mut space.run(&format!("-q -o {}", names[n]), "semantics.dll", cases[n]))
    };
    let mut both = [start(0), start(1)];
    for (live, (name, calls)) in both.iter_mut().zip(names.into_iter().zip([8000, 12000])) {
        live.rest();
        assert_eq!(live.wait().0.code(), Some(0));
        let report = space.recording(name).report();
        assert_eq!(
            (report.calls("plain"), report.callbacks("CrossOnce")),
            (calls, calls)
        );
    }
    // Both counted into one file.
    assert_eq!(space.oracle_calls("plain"), 20_000);
}

#[test]
fn a_mebibyte_passes_through_unchanged() {
    let mut bytes = vec![0; 1 << 20];
    std::fs::File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    let space = Space::new();
    std::fs::write(space.path("input"), &bytes).unwrap();
    let mut command = space.run("--quiet -o a.soglia", "semantics.dll", "stdio");
    command.args(["two words", "--option", "", "città"]);
    let output = command
        .stdin(std::fs::File::open(space.path("input")).unwrap())
        .output()
        .unwrap();
    let mut expected = Vec::new();
    for (n, argument) in ["two words", "--option", "", "città"].iter().enumerate() {
        writeln!(expected, "argument {n}: {argument}").unwrap();
    }
    expected.extend_from_slice(&bytes);
    assert!(
        output.stdout == expected,
        "{} of {} bytes",
        output.stdout.len(),
        expected.len()
    );
    assert_eq!(text(&output.stderr), "stdio: end of input\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn input_may_come_in_pieces() {
    let space = Space::new();
    let mut command = space.run("-q", "semantics.dll", "stdio");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    for piece in [b"one", b"two"] {
        input.write_all(piece).unwrap();
        let mut back = [0; 3];
        output.read_exact(&mut back).unwrap();
        assert_eq!(&back, piece);
    }
    drop(input);
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    assert_eq!((rest, child.wait().unwrap().code()), (Vec::new(), Some(0)));
}

#[test]
fn quiet_is_quiet_and_the_account_goes_to_standard_error() {
    let space = Space::new();
    for (options, code) in [
        ("-q", 0),
        ("--quiet -o a.soglia", 0),
        ("-q --record events", 3),
    ] {
        let output = space
            .run(options, "semantics.dll", &format!("exitcode {code}"))
            .output()
            .unwrap();
        assert_eq!(
            (
                output.status.code(),
                text(&output.stdout),
                text(&output.stderr)
            ),
            (Some(code), "".into(), "".into())
        );
    }
    let output = space
        .run("-o a.soglia", "semantics.dll", "plain")
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), "plain(1) = 2\n");
    let account = text(&output.stderr);
    for part in ["semantics!plain", "exit code 0", "a.soglia"] {
        assert!(account.contains(part), "{account}");
    }
    assert!(!account.contains('\x1b'), "colours for a pipe: {account}");
    // Without a file there is an account too.
    let output = space
        .run("--format json", "semantics.dll", "plain")
        .output()
        .unwrap();
    let report: Report = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((report.calls("plain"), report.exit_code), (1, Some(0)));
    assert_eq!(recordings(&space), ["a.soglia"]);
}

#[test]
fn exit_codes_are_the_programs() {
    let space = Space::new();
    for code in [0, 1, 2, 64, 101, 255] {
        let output = space
            .run(
                "-q -o a.soglia",
                "semantics.dll",
                &format!("exitcode {code}"),
            )
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert_eq!(space.recording("a.soglia").report().exit_code, Some(code));
    }
}

#[test]
fn signals_to_soglia_reach_the_program() {
    for name in ["TERM", "INT"] {
        let space = Space::new();
        let mut live = Live::start(&mut space.run("-q -o a.soglia", "semantics.dll", "signals"));
        live.expect("waiting");
        signal(live.pid(), name);
        live.expect(&format!("received SIG{name}"));
        assert_eq!(live.wait().0.code(), Some(5));
        let report = space.recording("a.soglia").report();
        assert_eq!((report.ended.as_str(), report.exit_code), ("exit", Some(5)));
    }
}

/// The text of the report that `soglia run` prints is what a report of the same file says.
#[test]
fn the_account_after_a_run_is_the_report() {
    let space = Space::new();
    let output = space
        .run("--all -o a.soglia", "semantics.dll", "nested")
        .output()
        .unwrap();
    let printed = text(&output.stderr);
    let report = space.soglia("report --all a.soglia").output().unwrap();
    let report = text(&report.stdout);
    assert!(
        report.lines().count() > 8 && printed.contains(report.trim()),
        "{printed}\n---\n{report}"
    );
}

#[test]
fn an_account_of_a_program_that_ends_at_once_is_complete() {
    let space = Space::new();
    let output = space
        .command(SOGLIA)
        .args(["run", "-q", "--source", "transitions", "-o"])
        .arg(space.path("a.soglia"))
        .arg(fixture("hello.dll"))
        .output();
    assert_eq!(text(&output.unwrap().stdout), "Hello\n");
    let report = space.recording("a.soglia").report();
    let forward = report
        .targets
        .iter()
        .filter(|row| row.direction == "forward");
    let calls: u64 = forward.map(|row| row.calls).sum();
    assert!(calls > 0 && report.crossings["leave"] == calls);
    assert!(
        report.targets.iter().all(|row| row.runtime_internal),
        "{:?}",
        report.targets
    );
}
