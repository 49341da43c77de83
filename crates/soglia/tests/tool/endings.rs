//! Recordings of programs that are killed, that still run, and whose soglia is killed.

use std::time::Duration;

use crate::support::{Live, Report, Space, random, signal, until};

/// Native code counts a call when it begins, and soglia when managed code is about to make it. So
/// at any moment each thread may have recorded one call more than was counted, and never one less.
fn nothing_is_lost(report: &Report, space: &Space, threads: u64, when: &str) {
    for (entry, (calls, callbacks)) in space.oracle() {
        let told = report.calls(&entry);
        assert!(
            calls <= told && told <= calls + threads,
            "{entry}: {told} told, {calls} counted, {when}"
        );
        if entry == "call_back" {
            let told = report.callbacks("CrossOnce");
            assert!(
                told <= callbacks && callbacks <= told + threads,
                "{told} told, {callbacks} counted, {when}"
            );
        }
    }
}

fn killed_at_random_moments(args: &str, threads: u64, busy: &str) {
    for level in ["summary", "events"] {
        for round in 0..4 {
            let space = Space::new();
            let run = format!("--record {level} -o a.soglia");
            let mut live = Live::start(&mut space.run(&run, "semantics.dll", args));
            let program = until("the program", || live.program());
            // Half of them while they are at it, and half while they may still be starting.
            if round % 2 == 0 {
                until("calls", || (space.oracle_calls(busy) > 0).then_some(()));
            }
            let delay =
                Duration::from_micros(random(if round % 2 == 0 { 150_000 } else { 400_000 }));
            std::thread::sleep(delay);
            signal(program, "KILL");
            let (status, errors) = live.wait();
            let when = format!("with {level}, killed after {delay:?}");
            assert_eq!(
                std::os::unix::process::ExitStatusExt::signal(&status),
                Some(9),
                "{when}: {errors}"
            );
            let recording = space.recording("a.soglia");
            if !recording.path.exists() {
                assert!(
                    errors.starts_with("soglia: nothing was recorded"),
                    "{when}: {errors}"
                );
                assert_eq!(space.oracle_calls(busy), 0, "{when}");
                continue;
            }
            let report = recording.report();
            assert_eq!(
                (report.ended.as_str(), report.exit_code, report.signal),
                ("killed", None, Some(9)),
                "{when}"
            );
            assert_eq!(report.pid, program);
            nothing_is_lost(&report, &space, threads, &when);
            if level == "events" {
                assert_eq!(report.dropped, 0);
                nothing_is_lost(
                    &recording.replayed(),
                    &space,
                    threads,
                    &format!("replayed, {when}"),
                );
            }
        }
    }
}

#[test]
fn a_busy_program_that_is_killed_loses_nothing() {
    killed_at_random_moments("spin 600", 1, "plain");
}

#[test]
fn busy_threads_that_are_killed_lose_nothing() {
    killed_at_random_moments("threads 8 1000000000", 8, "plain");
}

#[test]
fn a_program_that_is_killed_in_native_code_has_an_open_call() {
    killed_at_random_moments("hang", 1, "hang");
    for level in ["summary", "events"] {
        let space = Space::new();
        let run = format!("-q --record {level} -o a.soglia");
        let mut live = Live::start(&mut space.run(&run, "semantics.dll", "hang"));
        live.expect("hanging");
        until("the call", || {
            (space.oracle_calls("hang") == 1).then_some(())
        });
        let recording = space.recording("a.soglia");
        for ended in ["running", "killed"] {
            if ended == "killed" {
                signal(live.program().unwrap(), "KILL");
                assert_eq!(live.wait().1, "");
            }
            let report = recording.report();
            assert_eq!(report.ended, ended);
            let open: Vec<&str> = report
                .open
                .iter()
                .filter(|row| !row.runtime_internal)
                .map(|row| row.target.as_str())
                .collect();
            assert_eq!(open, ["semantics!hang"], "{ended}");
            // A call that never returns has its caller too. Its place is found when it has
            // returned.
            let row = report
                .targets
                .iter()
                .find(|row| row.entry.as_deref() == Some("hang"))
                .unwrap();
            assert_eq!(row.first_caller[0], "Soglia.Semantics.Load.Hang");
            assert_eq!(
                (row.min_ns, row.mean_ns, row.p50_ns, row.max_ns),
                (None, None, None, None)
            );
        }
    }
}

#[test]
fn a_running_program_is_read_again_and_again() {
    let space = Space::new();
    let mut live = Live::start(&mut space.run("-q -o a.soglia", "semantics.dll", "spin 600"));
    live.expect("spinning");
    let recording = space.recording("a.soglia");
    let mut before = 0;
    for _ in 0..15 {
        let report = recording.report();
        assert_eq!(
            (report.ended.as_str(), report.exit_code, report.signal),
            ("running", None, None)
        );
        let calls = report.calls("plain");
        assert!(calls >= before, "{calls} after {before}");
        before = calls;
    }
    until("more calls", || {
        (recording.report().calls("plain") > before).then_some(())
    });
    signal(live.program().unwrap(), "KILL");
    live.wait();
}

/// Threads begin and end all the time, and so do their tasks in the recording.
#[test]
fn events_are_read_while_tasks_come_and_go() {
    let space = Space::new();
    let mut live = Live::start(&mut space.run(
        "-q --record events -o a.soglia",
        "semantics.dll",
        "churn 100000000",
    ));
    let recording = space.recording("a.soglia");
    until("a recording", || recording.try_json("").ok());
    until("calls", || (space.oracle_calls("plain") > 0).then_some(()));
    let (mut calls, mut listed) = (0, 0);
    for _ in 0..8 {
        let counted = space.oracle_calls("plain");
        let lines = recording.events();
        let sums = crate::check::add_up(&lines);
        assert_eq!(sums.abandoned, 0);
        let told = lines
            .iter()
            .filter(|line| line.entry.as_deref() == Some("plain"))
            .count();
        assert!(
            told >= listed && (told as u64).div_ceil(2) >= counted,
            "{told} after {listed} and {counted} calls"
        );
        listed = told;
        let report = recording.report();
        assert_eq!(report.ended, "running");
        assert!(report.calls("plain") >= calls.max(counted));
        calls = report.calls("plain");
    }
    signal(live.program().unwrap(), "KILL");
    live.wait();
    nothing_is_lost(&recording.report(), &space, 1, "at the end");
}

#[test]
fn a_program_outlives_its_soglia() {
    let space = Space::new();
    let mut live = Live::start(&mut space.run("-o a.soglia", "semantics.dll", "spin 1"));
    live.expect("spinning");
    signal(live.pid(), "KILL");
    // Ends when the program does, which has standard output open too.
    assert_eq!(live.rest(), "done\n");
    assert_eq!(live.wait().1, "");
    let recording = space.recording("a.soglia");
    let report = until("the end of the program", || {
        Some(recording.report()).filter(|r| r.ended != "running")
    });
    // The tool did not see the exit code. The program itself has recorded it.
    assert_eq!(
        (report.ended.as_str(), report.exit_code, report.signal),
        ("exit", Some(0), None)
    );
    assert_eq!(report.calls("plain"), space.oracle_calls("plain"));
}

#[test]
fn a_program_without_its_soglia_can_be_killed_too() {
    let space = Space::new();
    let mut live = Live::start(&mut space.run("-o a.soglia", "semantics.dll", "hang"));
    live.expect("hanging");
    let program = live.program().unwrap();
    signal(live.pid(), "KILL");
    live.wait_quietly();
    let recording = space.recording("a.soglia");
    assert_eq!(recording.report().ended, "running");
    signal(program, "KILL");
    let report = until("the end of the program", || {
        Some(recording.report()).filter(|r| r.ended != "running")
    });
    assert_eq!(
        (report.ended.as_str(), report.exit_code, report.signal),
        ("killed", None, None)
    );
    assert_eq!(report.pid, program);
}
