//! The last calls of each thread before its end, without events.

use serde_json::Value;

use crate::support::{Live, Space, signal, text, until};

fn is_busy(task: &Value) -> bool {
    task["crossings"].as_u64() > Some(10_000)
}

const SOURCES: [&str; 2] = ["woven", "transitions"];

#[test]
fn a_process_that_was_killed_leaves_the_last_calls_of_each_thread() {
    for source in SOURCES {
        let space = Space::new();
        let options = format!("-q -o a.soglia --source {source}");
        let mut live = Live::start(&mut space.run(&options, "semantics.dll", "spin 60"));
        let recording = space.recording("a.soglia");
        until("a busy thread", || {
            let json = recording.try_json("").ok()?;
            let tasks = json["tasks"].as_array().unwrap();
            tasks.iter().any(is_busy).then_some(())
        });
        signal(live.program().unwrap(), "KILL");
        live.wait_quietly();
        let report = recording.json("");
        crate::schema::check_report(&report);
        let tasks = report["tasks"].as_array().unwrap();
        let busy = tasks
            .iter()
            .filter(|task| task["crossings"].as_u64() > Some(1000));
        let mut threads = 0;
        for task in busy {
            threads += 1;
            let last = task["last"].as_array().unwrap();
            assert_eq!(last.len(), 16, "{source}: {task}");
            let times: Vec<u64> = last.iter().map(|row| row["t"].as_u64().unwrap()).collect();
            assert!(times.is_sorted(), "{source}: {times:?}");
            let end = report["duration_ns"].as_u64().unwrap();
            assert!(*times.last().unwrap() <= end, "{source}: {times:?}, {end}");
            for row in last {
                let target = row["target"].as_str().unwrap();
                let clock = row["runtime_internal"] == true;
                assert!(clock || target == "semantics!plain", "{source}: {row}");
                assert_eq!(row["direction"], "forward", "{source}: {row}");
            }
        }
        assert!(threads >= 1, "{source}: {report}");
    }
}

#[test]
fn a_report_about_a_crash_shows_them() {
    let space = Space::new();
    let options = "--source transitions --all";
    let output = space.run(options, "semantics.dll", "sigkill").output();
    let said = text(&output.unwrap().stderr);
    let (_, section) = said
        .split_once("\nlast calls before the end (when they returned, the latest last)\n")
        .unwrap_or_else(|| panic!("{said}"));
    let lines: Vec<&str> = section
        .lines()
        .take_while(|line| !line.is_empty())
        .collect();
    assert!(lines[0].trim().starts_with("thread "), "{said}");
    assert!(lines.len() > 1 && lines[1].contains("  -> "), "{said}");

    // Of a program that ended by itself, they are not news.
    let output = space.run("--all", "semantics.dll", "plain 3").output();
    let said = text(&output.unwrap().stderr);
    assert!(!said.contains("last calls before"), "{said}");
}
