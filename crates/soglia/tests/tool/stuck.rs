//! Calls that stay open for long are reported once, without a deadline of their own.

use std::process::Stdio;

use crate::support::{Live, Report, Space, fixture, refusal, text, until};

const SOURCES: [&str; 2] = ["woven", "transitions"];

/// `semantics.dll wait CASE`, which is in native code until its standard input ends.
fn waiting(space: &Space, options: &str, case: &str) -> Live {
    let options = format!("-o a.soglia {options}");
    let mut command = space.run(&options, "semantics.dll", &format!("wait {case}"));
    let mut live = Live::start(command.stdin(Stdio::piped()));
    live.expect("waiting");
    live
}

/// The report of the running program, once a call is found to be stuck.
fn seen(space: &Space) -> Report {
    let recording = space.recording("a.soglia");
    until("a report", || {
        let json = recording.try_json("").ok()?;
        let report: Report = serde_json::from_value(json).unwrap();
        (!report.overdue.is_empty()).then_some(report)
    })
}

fn end(space: &Space, mut live: Live) -> (String, Report) {
    drop(live.input());
    let (status, said) = live.wait();
    assert!(status.success(), "{said}");
    (said, space.recording("a.soglia").report())
}

#[test]
fn a_call_that_is_stuck_is_reported_once_with_its_stacks() {
    for source in SOURCES {
        let space = Space::new();
        let options = format!("-q --stuck 200ms --source {source}");
        let live = waiting(&space, &options, "plain");
        let report = seen(&space);
        let [row] = &report.overdue[..] else {
            panic!("{:?}", report.overdue)
        };
        assert_eq!(
            (&*row.target, &*row.outcome),
            ("semantics!wait_for_input", "open")
        );
        // Later it would be due again, if it had a deadline.
        std::thread::sleep(std::time::Duration::from_secs(2));
        let (said, report) = end(&space, live);
        let [row] = &report.overdue[..] else {
            panic!("{:?}", report.overdue)
        };
        let [found] = &row.reports[..] else {
            panic!("{:?}", row.reports)
        };
        assert_eq!(found.deadline, "--stuck 200ms");
        assert!(found.duration_ns >= 200_000_000);
        assert_eq!((&*row.outcome, found.nested), ("returned", 0));
        assert_eq!(found.stack[0], "Soglia.Semantics.Load.WaitInNative");
        let lines: Vec<&str> = said.lines().collect();
        let (first, last) = (lines[0], lines[lines.len() - 1]);
        assert!(
            first.starts_with("soglia: semantics!wait_for_input has not returned for ")
                && first.contains(" (--stuck 200ms): thread ")
                && first.ends_with("called by Soglia.Semantics.Load.WaitInNative"),
            "{said}"
        );
        assert!(
            last.starts_with("soglia: semantics!wait_for_input returned after "),
            "{said}"
        );
        let between = lines[1..lines.len() - 1].join("\n");
        assert!(
            between.contains("libsemantics.so!wait_for_input+")
                && between.contains("Soglia.Semantics.Load.WaitInNative"),
            "{said}"
        );
        assert!(
            lines[1..lines.len() - 1]
                .iter()
                .all(|l| l.starts_with("          "))
        );
        let report = space.soglia("report a.soglia").output().unwrap();
        let report = text(&report.stdout);
        assert!(
            report.contains("1 call open for long (arguments are not recorded)\n")
                && report.contains(", --stuck 200ms, reported once\n"),
            "{report}"
        );
        assert_eq!(
            space.recording("a.soglia").json("")["deadlines"],
            serde_json::Value::Null
        );
    }
}

#[test]
fn only_what_a_thread_is_in_is_stuck() {
    let space = Space::new();
    let live = waiting(&space, "-q --stuck 100ms", "callback");
    let report = seen(&space);
    let (_, last) = end(&space, live);
    for report in [report, last] {
        let targets: Vec<&str> = report.overdue.iter().map(|row| &*row.target).collect();
        assert_eq!(targets, ["semantics!wait_for_input"]);
    }
}

#[test]
fn a_deadline_takes_the_place_of_it() {
    let space = Space::new();
    let options = "-q --stuck 50ms --deadline semantics!wait_for_input=300ms";
    let live = waiting(&space, options, "plain");
    seen(&space);
    let (said, report) = end(&space, live);
    assert!(!said.contains("--stuck"), "{said}");
    for found in &report.overdue[0].reports {
        assert_eq!(found.deadline, "semantics!wait_for_input=300ms");
    }
}

/// Each thread by itself, since each may wait for something else.
#[test]
fn threads_are_reported_by_themselves() {
    let space = Space::new();
    let live = waiting(&space, "-q --stuck 100ms", "plain 3");
    let recording = space.recording("a.soglia");
    until("three calls", || {
        (recording.try_json("").ok()?["overdue"].as_array()?.len() == 3).then_some(())
    });
    let (_, report) = end(&space, live);
    let once = |row: &crate::support::Overdue| row.reports.len() == 1;
    assert!(report.overdue.iter().all(once));
}

#[test]
fn it_can_be_turned_off_and_is_quiet_unless_asked_for() {
    let space = Space::new();
    for options in ["-q --stuck off", "--counts"] {
        let output = space.run(options, "semantics.dll", "slow 300").output();
        let said = text(&output.unwrap().stderr);
        assert!(!said.contains("has not returned"), "{options}: {said}");
    }
    // The default is there, and a program that is quick never hears of it.
    let output = space
        .run("-o a.soglia", "semantics.dll", "slow 50")
        .output();
    let said = text(&output.unwrap().stderr);
    assert!(
        !said.contains("stuck") && !said.contains("open for long"),
        "{said}"
    );
    let said = |options: &str| {
        let mut command = space.soglia("run");
        command.args(options.split('|')).arg(fixture("hello.dll"));
        refusal(&mut command)
    };
    for (options, expected) in [
        (
            "--stuck|soon",
            "expected a duration such as 10s or 1m, or off",
        ),
        ("--stuck|0s", "expected a duration of at least 1ms, or off"),
        ("--stuck|10s|--counts", "--counts"),
    ] {
        let said = said(options);
        assert!(said.contains(expected), "{options}: {said}");
    }
}
