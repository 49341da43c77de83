//! Programs whose end the tool does not see: it is killed together with them, or has not started
//! them.

use crate::support::{Live, Space, bare_command, fixture, signal, text, until};

/// As `docker kill` and the OOM killer do it.
#[test]
fn a_program_that_is_killed_together_with_its_soglia() {
    for level in ["summary", "events"] {
        let space = Space::new();
        let run = format!("-q --record {level} -o a.soglia");
        let mut live = Live::start(&mut space.run(&run, "semantics.dll", "hang"));
        live.expect("hanging");
        until("the call", || {
            (space.oracle_calls("hang") == 1).then_some(())
        });
        let recording = space.recording("a.soglia");
        // It hangs for a while, in which nothing is recorded any more.
        const WHILE: u64 = 1_200_000_000;
        let hangs = |report: &crate::support::Report| {
            let rows = report
                .open
                .iter()
                .filter(|row| row.target == "semantics!hang");
            rows.map(|row| (row.began, row.duration_ns, row.duration_at_least))
                .next()
                .unwrap()
        };
        let seen = until("a call that hangs", || {
            let report = recording.report();
            let (_, lasted, at_least) = hangs(&report);
            assert!(report.ended == "running" && !report.duration_at_least && !at_least);
            (lasted > WHILE).then_some(report.duration_ns)
        });
        let program = live.program().unwrap();
        signal(live.pid(), "STOP");
        signal(program, "KILL");
        signal(live.pid(), "KILL");
        live.wait_quietly();
        until("its end", || {
            (recording.report().ended == "killed").then_some(())
        });
        for options in ["", "--replay", "--partial"] {
            if options == "--replay" && level == "summary" {
                continue;
            }
            let json = recording.json(options);
            crate::schema::check_report(&json);
            let report: crate::support::Report = serde_json::from_value(json.clone()).unwrap();
            assert_eq!((report.exit_code, report.signal), (None, None));
            assert!(report.duration_at_least);
            // A sign of life is never older than the time between two, but its writer may have
            // waited for the processor.
            assert!(
                report.duration_ns > WHILE / 2,
                "{} of {seen}",
                report.duration_ns
            );
            let (began, lasted, at_least) = hangs(&report);
            assert!(at_least && lasted > WHILE / 2, "{lasted}");
            assert_eq!(began + lasted, report.duration_ns);
            let task = &json["tasks"][0];
            assert_eq!(task["until"], report.duration_ns);
            assert_eq!(
                (&task["ended"], &task["until_at_least"]),
                (&false.into(), &true.into())
            );
        }
        let told = |command: &str| text(&space.soglia(command).output().unwrap().stdout);
        let report = told("report a.soglia");
        assert!(report.contains(", killed, at least 1."), "{report}");
        assert!(
            report.contains("1 open call when the process was last seen alive"),
            "{report}"
        );
        assert!(
            report.contains("1 open for at least 1.") || report.contains("1 open for at least "),
            "{report}"
        );
        let csv = told("report --format csv a.soglia");
        let row = csv.lines().find(|line| line.contains(",hang,")).unwrap();
        assert!(row.contains(",true,"), "{row}");
        if level == "events" {
            let events = told("events a.soglia");
            assert!(
                events
                    .lines()
                    .last()
                    .unwrap()
                    .contains("open for at least "),
                "{events}"
            );
        }
    }
}

/// The tool is not the parent of a followed child and of a script's child: they record their own
/// exit.
#[test]
fn exit_codes_that_nobody_waits_for() {
    let space = Space::new();
    let (file, before) = bare_command();
    let mut command = space.run("-q --follow -o a.soglia", "semantics.dll", "child");
    command.arg(&file).args(&before);
    command
        .arg(fixture("semantics.dll"))
        .args(["exitcode", "3"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let names = std::fs::read_dir(space.path("")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names = names.filter(|name| name.starts_with("a.soglia."));
    let of_child = names.next().unwrap();
    let report = space.recording(&of_child).report();
    assert_eq!((&*report.ended, report.exit_code), ("exit", Some(3)));
    assert!(!report.duration_at_least);
    // No tool signs for it, so it signs itself.
    let header = std::fs::read(space.path(&of_child)).unwrap();
    assert_ne!(header[200..216], [0; 16]);

    let mut command = space.soglia("run -q -o b.soglia /bin/sh -c");
    let script = "\"$@\"; exit 0";
    command.args([script, "sh"]).arg(&file).args(&before);
    command
        .arg(fixture("semantics.dll"))
        .args(["exitcode", "4"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = space.recording("b.soglia").report();
    assert_eq!((&*report.ended, report.exit_code), ("exit", Some(4)));
}

#[test]
fn calls_say_when_they_began_and_returned_and_on_which_task() {
    let space = Space::new();
    let run = "--slow 10ms --record events -o a.soglia";
    let output = space.run(run, "semantics.dll", "slow 30").output().unwrap();
    let account = text(&output.stderr);
    let report = space.recording("a.soglia").report();
    let [slow] = &report.slow[..] else {
        panic!("{:?}", report.slow)
    };
    assert!(slow.returned - slow.began >= 30_000_000);
    assert!((slow.returned - slow.began).abs_diff(slow.duration_ns) <= 2);
    let events = space.recording("a.soglia").events();
    let near = |t: u64, crossing: &str| {
        events
            .iter()
            .any(|line| line.crossing == crossing && line.t.abs_diff(t) <= 2)
    };
    assert!(near(slow.began, "LeaveRuntime") && near(slow.returned, "EnterRuntime"));
    let line = account
        .lines()
        .find(|line| line.contains(", returned at "))
        .unwrap();
    let begin = format!("thread {}, began at ", slow.task);
    assert!(line.trim_start().starts_with(&begin), "{line}");
    // The table of threads has that number, and is there for it even if there is just one.
    let mut lines = account
        .lines()
        .skip_while(|line| !line.trim_start().starts_with("thread "));
    assert!(
        lines
            .next()
            .unwrap()
            .trim_start()
            .starts_with("thread    share   native  crossings"),
        "{account}"
    );
    let first = lines.next().unwrap().split_whitespace().next();
    assert_eq!(first, Some(&*slow.task.to_string()), "{account}");
}

/// Of what is only counted, nothing is said that was not measured.
#[test]
fn counts_say_no_more_than_they_know() {
    let space = Space::new();
    let run = "--counts -o a.soglia";
    let output = space
        .run(run, "semantics.dll", "threads 2 50")
        .output()
        .unwrap();
    let account = text(&output.stderr);
    assert!(account.contains("counted: 200 native calls"), "{account}");
    for word in ["deep", "native  ", " ns", "crossing"] {
        assert!(!account.contains(word), "{word:?}: {account}");
    }
    let json = space.recording("a.soglia").json("");
    crate::schema::check_report(&json);
    assert!(json["crossings"]["enter"].is_null() && json["crossings"]["leave"] == 200);
    let tasks = json["tasks"].as_array().unwrap();
    assert!(
        tasks
            .iter()
            .all(|task| task["max_depth"].is_null() && task["unmanaged_ns"].is_null())
    );
}

/// What is complete is said once, and is so.
#[test]
fn a_full_recording_says_what_is_complete() {
    let space = Space::new();
    let run = "--record events --max-size 1MiB -o a.soglia";
    let output = space
        .run(run, "semantics.dll", "threads 2 60000")
        .output()
        .unwrap();
    let account = text(&output.stderr);
    let notes = |text: &str| -> Vec<String> {
        let notes = text.lines().filter(|line| line.starts_with("note: "));
        notes.map(str::to_owned).collect()
    };
    let report = space.recording("a.soglia").json("");
    assert!(report["dropped_events"].as_u64() > Some(0));
    let full = "note: the recording was full (--max-size makes it larger): ";
    let all = notes(&account);
    let about: Vec<_> = all.iter().filter(|note| note.starts_with(full)).collect();
    assert_eq!(about.len(), 1, "{account}");
    let complete = report["dropped_crossings"] == 0;
    assert_eq!(
        about[0].ends_with("but in this report, which is complete"),
        complete,
        "{account}"
    );
    let replayed = text(
        &space
            .soglia("report --replay a.soglia")
            .output()
            .unwrap()
            .stdout,
    );
    let all = notes(&replayed);
    assert!(
        all.iter().any(|note| note.contains("without --replay")),
        "{replayed}"
    );
    assert!(!replayed.contains("complete"), "{replayed}");
}

/// A folder may have recordings of earlier runs, which this one does not call its own.
#[test]
fn recordings_of_earlier_runs_are_not_listed() {
    let space = Space::new();
    let run = |name: &str| {
        let options = format!("--follow -o {name}");
        let output = space
            .run(&options, "semantics.dll", "plain")
            .output()
            .unwrap();
        text(&output.stderr)
    };
    run("a.soglia.1");
    let account = run("a.soglia");
    assert!(
        account.ends_with("recording: a.soglia (soglia report, soglia events)\n"),
        "{account}"
    );
}
