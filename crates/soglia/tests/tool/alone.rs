//! Programs that record themselves: variables in their environment bring the engine, no tool does.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use soglia::launch::PROFILER_GUID;

use crate::support::{Live, SOGLIA, Space, text};

const PATTERN: &str = "SOGLIA_RECORDING";

/// Has the runtime load the engine.
pub fn alone<'a>(command: &'a mut Command, pattern: &Path) -> &'a mut Command {
    command
        .env("CORECLR_ENABLE_PROFILING", "1")
        .env("CORECLR_PROFILER", PROFILER_GUID)
        .env(
            "CORECLR_PROFILER_PATH",
            Path::new(SOGLIA).with_file_name("libsoglia.so"),
        )
        .env(PATTERN, pattern)
}

/// The recordings in the space.
fn recordings(space: &Space) -> Vec<PathBuf> {
    let entries = fs::read_dir(space.path("")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths
        .filter(|path| path.to_string_lossy().contains(".soglia"))
        .collect();
    found.sort();
    found
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn output(space: &Space, pattern: &str, more: &[(&str, &str)]) -> Output {
    let mut command = space.bare("semantics.dll", "plain");
    alone(&mut command, &space.path(pattern)).envs(more.iter().copied());
    command.output().unwrap()
}

#[test]
fn a_program_records_itself_as_under_the_tool() {
    let space = Space::new();
    let bare = Space::new()
        .bare("semantics.dll", "plain")
        .output()
        .unwrap();
    let own = output(&space, "%p.soglia", &[]);
    assert_eq!(own.status, bare.status);
    assert_eq!(text(&own.stdout), text(&bare.stdout));
    assert_eq!(
        text(&own.stderr),
        text(&bare.stderr),
        "the engine says nothing"
    );

    let [recording] = &recordings(&space)[..] else {
        panic!("{:?}", recordings(&space));
    };
    let recording = space.recording(name(recording));
    let report = recording.report();
    for (entry, (calls, _)) in space.oracle() {
        assert_eq!(report.calls(&entry), calls, "{entry}");
    }
    let json = recording.json("");
    assert_eq!(json["exit_code"], bare.status.code().unwrap(), "{json}");
}

#[test]
fn a_pattern_names_the_process_the_machine_and_the_time() {
    let space = Space::new();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let mut command = space.bare("served.dll", "regular");
    alone(&mut command, &space.path("%h-%t-%p-%%.soglia")).stdin(Stdio::piped());
    let mut live = Live::start(&mut command);
    live.expect("ready");
    let found = recordings(&space);
    let [recording] = &found[..] else {
        panic!("{found:?}");
    };
    let rest = name(recording).strip_prefix(host.trim()).unwrap();
    let words: Vec<&str> = rest.trim_start_matches('-').split('-').collect();
    let [time, pid, percent] = words[..] else {
        panic!("{rest}");
    };
    assert!(time.parse::<u64>().unwrap() > 1_700_000_000, "{time}");
    assert_eq!((pid, percent), (&*live.pid().to_string(), "%.soglia"));

    // It is read while the program runs, by its file and by its process.
    let by_pid = space.soglia(&format!("report {pid}")).output().unwrap();
    assert!(
        text(&by_pid.stdout).contains("regular"),
        "{}",
        text(&by_pid.stderr)
    );
    drop(live.input());
    assert!(live.wait().0.success());
}

#[test]
fn a_bad_value_is_said_in_one_line_and_the_program_runs_on() {
    let bare = Space::new()
        .bare("semantics.dll", "plain")
        .output()
        .unwrap();
    for (name, value, said) in [
        (
            "SOGLIA_SLOW",
            "5 parsecs",
            "SOGLIA_SLOW is 5 parsecs: expected a duration",
        ),
        (
            "SOGLIA_STUCK",
            "soon",
            "SOGLIA_STUCK is soon: expected a duration",
        ),
        (
            "SOGLIA_MAX_SIZE",
            "1KiB",
            "SOGLIA_MAX_SIZE is 1KiB: expected a size",
        ),
        (
            "SOGLIA_RECORD",
            "all",
            "SOGLIA_RECORD is all: expected summary or events",
        ),
        (
            "SOGLIA_TIMES",
            "x",
            "SOGLIA_TIMES is x: expected sampled, exact or off",
        ),
        (
            "SOGLIA_SCOPE",
            "x",
            "SOGLIA_SCOPE is x: expected user, framework or corelib",
        ),
        (
            "SOGLIA_SOURCE",
            "x",
            "SOGLIA_SOURCE is x: expected auto, woven or transitions",
        ),
        (
            PATTERN,
            "%x.soglia",
            "SOGLIA_RECORDING is %x.soglia: after % expected",
        ),
        (
            PATTERN,
            "a.soglia",
            "SOGLIA_RECORDING is a.soglia: expected an absolute path",
        ),
        (
            PATTERN,
            "/absent/a.soglia",
            "cannot make the recording /absent/a.soglia: No such file",
        ),
        (
            PATTERN,
            "/etc/hostname",
            "cannot make the recording /etc/hostname: ",
        ),
    ] {
        let space = Space::new();
        let own = output(&space, "%p.soglia", &[(name, value)]);
        assert_eq!(own.status, bare.status, "{name}={value}");
        assert_eq!(text(&own.stdout), text(&bare.stdout), "{name}={value}");
        let told = text(&own.stderr);
        let line = told.strip_prefix("soglia: this process is not recorded: ");
        assert!(line.is_some_and(|line| line.starts_with(said)), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert_eq!(
            recordings(&space),
            [""; 0].map(PathBuf::from),
            "{name}={value}"
        );
    }
}

#[test]
fn variables_have_the_meaning_of_options() {
    let space = Space::new();
    let more = [
        ("SOGLIA_RECORD", "events"),
        ("SOGLIA_MAX_SIZE", "8MiB"),
        ("SOGLIA_SLOW", ""),
    ];
    assert!(output(&space, "a.soglia", &more).status.success());
    assert_eq!(fs::metadata(space.path("a.soglia")).unwrap().len(), 8 << 20);
    let listed = space.soglia("events a.soglia").output().unwrap();
    assert!(listed.status.success(), "{}", text(&listed.stderr));

    let more = [("SOGLIA_TIMES", "off"), ("SOGLIA_SCOPE", "framework")];
    assert!(output(&space, "b.soglia", &more).status.success());
    let json = space.recording("b.soglia").json("");
    assert_eq!(json["scope"], "framework", "{json}");
    assert_eq!(json["level"], "counts", "{json}");
}

#[test]
fn a_recording_is_replaced_when_its_process_has_ended() {
    let space = Space::new();
    let mut command = space.bare("served.dll", "regular");
    alone(&mut command, &space.path("a.soglia")).stdin(Stdio::piped());
    let mut live = Live::start(&mut command);
    live.expect("ready");
    let first = fs::read(space.path("a.soglia")).unwrap()[..64].to_vec();

    let other = output(&space, "a.soglia", &[]);
    let told = text(&other.stderr);
    assert!(other.status.success(), "{told}");
    assert!(
        told.contains("is that of another process: put %p into SOGLIA_RECORDING"),
        "{told}"
    );
    // A process that others start too has its own.
    let other = output(&space, "a.soglia", &[("SOGLIA_FOLLOW", "1")]);
    assert_eq!(text(&other.stderr), "");
    assert_eq!(recordings(&space).len(), 2, "{:?}", recordings(&space));
    assert_eq!(fs::read(space.path("a.soglia")).unwrap()[..64], first);

    drop(live.input());
    assert!(live.wait().0.success());
    let other = output(&space, "a.soglia", &[]);
    assert_eq!(text(&other.stderr), "");
    assert!(space.recording("a.soglia").report().calls("regular") == 0);
}
