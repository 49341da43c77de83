//! Requirements: no managed code runs without the policy, the slots or the deadline that was asked
//! for.

use std::process::Output;

use crate::support::{Space, refusal, setup, text};

/// Everything that must hold.
const REQUIRED: [&str; 4] = [
    "--deny libc!system",
    "--deny libc!system --audit",
    "--slots 2",
    "--deadline plain=1m:kill",
];

fn run(space: &Space, options: &str) -> Output {
    let mut command = space.soglia(&format!("run --quiet {options} ./script"));
    command.output().unwrap()
}

/// Nothing of the program ran, and the tool or the engine says why.
fn stopped(output: &Output, code: i32, why: &str) {
    let said = text(&output.stderr);
    let found = (output.status.code(), text(&output.stdout));
    assert_eq!(found, (Some(code), String::new()), "{why}: {said}");
    assert!(said.contains(why), "{why}: {said}");
}

#[test]
fn a_runtime_without_the_engine_is_ended() {
    let root = setup().root.path.display().to_string();
    let cleared = "its environment has lost the variables";
    let cases = [
        (format!("env -i DOTNET_ROOT='{root}'"), cleared),
        (format!("exec env -i DOTNET_ROOT='{root}'"), cleared),
        ("CORECLR_ENABLE_PROFILING=0".into(), cleared),
        (
            "DOTNET_EnableDiagnostics=0".into(),
            "DOTNET_EnableDiagnostics=0 keeps a CLR from",
        ),
        (
            "DOTNET_EnableDiagnostics_Profiler=0".into(),
            "Diagnostics_Profiler=0 keeps a CLR from",
        ),
        (
            "CORECLR_PROFILER_PATH=/nonexistent".into(),
            "did not take the engine",
        ),
    ];
    for (before, why) in cases {
        let space = Space::new();
        space.script(&before, "");
        stopped(&run(&space, REQUIRED[0]), 2, why);
    }
    // The engine is loaded, is asked for another profiler, and ends the process by itself.
    let space = Space::new();
    space.script(
        "CORECLR_PROFILER={846F5F1C-F9AE-4B07-969E-05C26BC060D8}",
        "",
    );
    let why = "CORECLR_PROFILER is the id of another profiler";
    stopped(&run(&space, REQUIRED[0]), 125, why);
    for options in REQUIRED {
        let space = Space::new();
        space.script("DOTNET_EnableDiagnostics=0", "");
        stopped(
            &run(&space, options),
            2,
            "keeps a CLR from loading any profiler",
        );
        stopped(
            &run(&space, &format!("{options} -o kept")),
            2,
            "nothing that was asked for",
        );
        assert!(!space.path("kept").exists(), "there is nothing in it");
    }
}

#[test]
fn what_need_not_hold_runs_without_the_engine() {
    for options in ["", "--deadline plain=1m", "--counts"] {
        let space = Space::new();
        space.script("DOTNET_EnableDiagnostics=0", "");
        let output = run(&space, options);
        assert!(output.status.success(), "{options}: {output:?}");
        assert!(!output.stdout.is_empty(), "{options}: {output:?}");
    }
}

#[test]
fn an_engine_that_cannot_do_it_ends_its_process() {
    let cases = [
        (
            "SOGLIA_POLICY=x",
            "the policy does not hold here, so this process ends: its policy cannot be read",
        ),
        ("SOGLIA_SLOTS=many", "its number of slots cannot be read"),
        ("SOGLIA_DEADLINES=x", "its deadlines cannot be read"),
        (
            "SOGLIA_SOURCE=transitions",
            "a policy needs crossings to be woven",
        ),
        (
            "SOGLIA_RECORDING=/nonexistent/file",
            "its recording /nonexistent/file cannot be used: No such file",
        ),
        (
            "SOGLIA_RECORDING=/etc/hostname",
            "its recording /etc/hostname cannot be used",
        ),
        (
            "unset SOGLIA_RECORDING;",
            "there is no recording to write into",
        ),
        (
            "unset SOGLIA_RECORDING SOGLIA_POLICY;",
            "what was asked for does not hold here",
        ),
        // Benchmarks alone may ask for that.
        (
            "SOGLIA_FLOOR=1 SOGLIA_RECORDING=/nonexistent",
            "cannot be used",
        ),
    ];
    for (before, why) in cases {
        let space = Space::new();
        space.script(before, "");
        stopped(&run(&space, REQUIRED[0]), 125, why);
    }
}

/// The recording is the first one's. The second one must not run beside it.
#[test]
fn a_second_process_does_not_run_without_a_recording_of_its_own() {
    for options in REQUIRED {
        let space = Space::new();
        space.script("", "COMMAND");
        let output = run(&space, options);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(125), "{options}: {said}");
        assert!(
            said.contains("with --follow each has its own"),
            "{options}: {said}"
        );
        let once = text(
            &space
                .bare("semantics.dll", "plain")
                .output()
                .unwrap()
                .stdout,
        );
        assert_eq!(text(&output.stdout), once, "{options}");
        // With it, both do.
        let output = run(&space, &format!("{options} --follow -o a.soglia"));
        assert_eq!(text(&output.stdout), once.repeat(2), "{options}");
    }
}

/// The variables of another run are nothing to this one.
#[test]
fn variables_of_another_run_are_not_inherited() {
    let space = Space::new();
    let mut command = space.run("--quiet --deny nothing", "semantics.dll", "plain");
    let others = [
        "POLICY",
        "SLOTS",
        "DEADLINES",
        "FOLLOW",
        "FLOOR",
        "CALLERS",
        "REQUIRED",
        "STUCK",
        "OF_LATER_VERSIONS",
    ];
    for name in others {
        command.env(format!("SOGLIA_{name}"), "x");
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    space.script("env; exit;", "");
    let output = space
        .soglia("run --source transitions ./script")
        .envs(others.map(|name| (format!("SOGLIA_{name}"), "x")))
        .output()
        .unwrap();
    let seen = text(&output.stdout);
    let ours = seen.lines().filter(|line| line.starts_with("SOGLIA_"));
    let names: Vec<&str> = ours
        .filter_map(|line| Some(line.split_once('=')?.0))
        .collect();
    let mut expected = [
        "SOGLIA_RECORDING",
        "SOGLIA_RECORDING_ID",
        "SOGLIA_SCOPE",
        "SOGLIA_SOURCE",
        "SOGLIA_STUCK",
    ]
    .to_vec();
    expected.retain(|name| names.contains(name));
    assert_eq!((names.len(), expected.len()), (5, 5), "{seen}");
    assert!(!seen.contains("SOGLIA_STUCK=x"), "{seen}");
}

#[test]
fn what_the_engine_would_not_read_is_not_handed_over() {
    let space = Space::new();
    let ages = u64::MAX.to_string();
    let message = refusal(&mut space.run(
        &format!("--slots 1 --slot-timeout {ages}s"),
        "semantics.dll",
        "plain",
    ));
    assert!(message.contains("--slot-timeout"), "{message}");
}
