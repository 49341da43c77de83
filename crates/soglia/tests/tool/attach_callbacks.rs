//! `soglia attach` and delegates that native code has got before: calls by native code are
//! recorded, and calls of the same methods by managed code are not.

use std::{io::Write, process::Stdio};

use crate::support::{Live, Space, signal};

/// How often the program has each delegate called by native code for each line that it reads.
const TIMES: u64 = 1000;

/// Attaches with these options, and has the program make its calls. Returns how often it saw native
/// code call each of the delegates.
fn callbacks(options: &str, delegates: &[&str]) -> Vec<u64> {
    let space = Space::new();
    let mut program = Live::start(space.bare("holding.dll", "").stdin(Stdio::piped()));
    let mut input = program.input().unwrap();
    program.expect("ready");
    // Code that has run already.
    writeln!(input, "go").unwrap();
    program.expect("done, 0 wrong");
    let pid = program.pid();
    let attach = format!("attach {pid} -q -o a.soglia {options}");
    let mut tool = Live::start(&mut space.soglia(&attach));
    tool.attached(&space.path("a.soglia"));
    writeln!(input, "go").unwrap();
    program.expect("done, 0 wrong");
    signal(tool.pid(), "INT");
    let (status, said) = tool.wait();
    assert!(status.success(), "{status}: {said}");
    // The code of the methods is as it was.
    writeln!(input, "go").unwrap();
    program.expect("done, 0 wrong");
    writeln!(input, "end").unwrap();
    let (status, said) = program.wait();
    assert!(status.success() && said.is_empty(), "{status}: {said}");
    let report = space.recording("a.soglia").report();
    let of = |name: &&str| {
        let method = format!("Holding.{name}.Invoke");
        let targets = report.targets.iter();
        let of = targets.filter(|target| target.method.as_ref() == Some(&method));
        of.map(|target| target.calls).sum()
    };
    delegates.iter().map(of).collect()
}

const ALL: [&str; 10] = [
    "Static",
    "Instance",
    "Branching",
    "Generic",
    "Nested",
    "Given",
    "First",
    "Second",
    "New",
    "Traced",
];

fn expected() -> Vec<u64> {
    let mut expected = vec![TIMES; ALL.len()];
    expected[ALL.len() - 1] = 10;
    expected
}

#[test]
fn delegates_that_native_code_holds_are_recorded_from_the_attach_on() {
    assert_eq!(callbacks("", &ALL), expected());
}

#[test]
fn delegates_that_native_code_holds_are_counted_without_times() {
    assert_eq!(callbacks("--counts", &ALL), expected());
}

#[test]
fn delegates_that_native_code_holds_are_recorded_with_events() {
    assert_eq!(callbacks("--record events", &ALL), expected());
}
