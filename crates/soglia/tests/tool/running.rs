//! Programs that run are asked by the numbers of their processes.

use std::{
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{Live, Space, refusal, signal, text, until};

/// The number of a process that no machine has.
const NO_PROCESS: u32 = 2_000_000_000;

/// The report of a process, if it has one yet.
fn report_of(space: &Space, pid: u32) -> Result<Value, String> {
    let mut command = space.soglia(&format!("report --format json {pid}"));
    let output = command.output().unwrap();
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(text(&output.stderr)),
    }
}

#[test]
fn a_program_is_asked_by_its_process_or_by_that_of_the_tool() {
    for options in ["-q", "-q -o a.soglia", "-q --follow"] {
        let space = Space::new();
        let mut live = Live::start(&mut space.run(options, "semantics.dll", "hang"));
        live.expect("hanging");
        until("the call", || {
            (space.oracle_calls("hang") == 1).then_some(())
        });
        let program = live.program().unwrap();
        for pid in [program, live.pid()] {
            let report = report_of(&space, pid).unwrap_or_else(|e| panic!("{options}: {e}"));
            assert_eq!(
                (&report["pid"], &report["ended"]),
                (&program.into(), &"running".into()),
                "{options}"
            );
            let open = report["open"].as_array().unwrap();
            let names = |row: &Value| row["target"].as_str().unwrap().contains("!hang");
            assert!(open.iter().any(names), "{options}: {open:?}");
        }
        signal(program, "KILL");
        live.wait_quietly();
        let gone = report_of(&space, program).unwrap_err();
        assert!(gone.contains("there is no process"), "{gone}");
    }
}

#[test]
fn processes_without_a_recording_are_named() {
    let space = Space::new();
    let message = |args: &str| refusal(&mut space.soglia(args));
    assert_eq!(
        message(&format!("report {NO_PROCESS}")),
        format!("there is no process {NO_PROCESS}")
    );
    // Other tests record in this process.
    let mut other = Command::new("cat");
    let mut other = other.stdin(Stdio::piped()).spawn().unwrap();
    let pid = other.id();
    for command in ["report", "events"] {
        assert_eq!(
            message(&format!("{command} {pid}")),
            format!(
                "process {pid} does not run under soglia: `soglia run` starts programs that do"
            )
        );
    }
    drop(other.stdin.take());
    other.wait().unwrap();
    // A file of that name is a file if it is written as one.
    fs::write(space.path(&NO_PROCESS.to_string()), "no recording").unwrap();
    assert_eq!(
        message(&format!("report {NO_PROCESS}")),
        format!("there is no process {NO_PROCESS} (the file of that name is ./{NO_PROCESS})")
    );
    let as_file = message(&format!("report ./{NO_PROCESS}"));
    assert!(as_file.contains("is not a recording"), "{as_file}");
}
