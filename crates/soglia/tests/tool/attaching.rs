//! Commands that show what a process does attach to one that nothing records, if they are asked to.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Live, Space, refusal, text};

/// The service of the fixtures with one kind of work, without soglia.
fn served(space: &Space, work: &str) -> Live {
    let mut command = space.bare("served.dll", work);
    command.env("SERVED_FILE", space.path("served"));
    let mut served = Live::start(command.stdin(Stdio::piped()));
    served.expect("ready");
    served
}

/// The output of a command that attaches.
fn printed(space: &Space, args: &str, pid: u32) -> String {
    let output = space.soglia(args).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args}: {said}");
    let attached = format!("soglia: attached to {pid} (");
    assert!(said.starts_with(&attached), "{args}: {said}");
    assert!(said.ends_with(" for 1s; Ctrl-C ends it early\n"), "{said}");
    text(&output.stdout)
}

#[test]
fn a_report_attaches_if_it_is_asked_to() {
    let space = Space::new();
    let mut served = served(&space, "regular");
    let pid = served.pid();
    let said = refusal(&mut space.soglia(&format!("report {pid}")));
    let nothing = format!("nothing records process {pid} (");
    let ways = format!(
        "with --attach, soglia attaches to it for 10s; `soglia attach {pid}` records it until \
         Ctrl-C"
    );
    assert!(
        said.starts_with(&nothing) && said.ends_with(&ways),
        "{said}"
    );

    let report = format!("report {pid} --attach --for 1s --format json");
    // Twice: the second time, the engine is there already.
    for _ in 0..2 {
        let report: Value = serde_json::from_str(&printed(&space, &report, pid)).unwrap();
        crate::schema::check_report(&report);
        assert_eq!(
            (&report["pid"], &report["ended"]),
            (&json!(pid), &json!("detached"))
        );
        let attach = &report["attach"];
        assert_eq!(
            (&attach["ended_by"], &attach["kept"]),
            (&json!("tool"), &json!(false))
        );
        assert!(attach["callers"].as_u64() > Some(0), "{attach}");
        assert!(attach["process_age_ns"].as_u64() > Some(0), "{attach}");
        let duration = report["duration_ns"].as_u64();
        assert!(duration >= Some(1_000_000_000), "{duration:?}");
        let targets = report["targets"].as_array().unwrap();
        let regular = targets.iter().find(|row| row["entry"] == "regular");
        assert!(regular.unwrap()["calls"].as_u64() > Some(0), "{targets:?}");
        // The thread that waits for commands waited before.
        let before = report["before"].as_array().unwrap();
        let reads = |row: &Value| row["inside"] == true && row["os_thread"] == pid;
        let is_known = before.iter().any(reads);
        assert!(is_known, "{before:?}, {}", report["remarks"]);
    }
    // Nothing is left: the process is attached to anew, or not at all.
    let said = refusal(&mut space.soglia(&format!("top {pid}")));
    assert!(said.starts_with(&nothing), "{said}");
    drop(served.input());
    assert!(served.wait().0.success());
}

#[test]
fn events_exports_and_findings_come_of_an_attach_too() {
    let space = Space::new();
    let mut served = served(&space, "errors");
    let pid = served.pid();
    let lines = printed(
        &space,
        &format!("events {pid} --attach --for 1s --format jsonl"),
        pid,
    );
    let first: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(first["crossing"], "LeaveRuntime", "{first}");
    let rows = printed(
        &space,
        &format!("export {pid} --attach --for 1s --to csv -o -"),
        pid,
    );
    assert!(rows.lines().count() > 100, "{rows}");
    let findings = printed(
        &space,
        &format!("advise {pid} --attach --for 1s --format json"),
        pid,
    );
    let findings: Value = serde_json::from_str(&findings).unwrap();
    assert!(findings["findings"].is_array());
    drop(served.input());
    assert!(served.wait().0.success());
}

#[test]
fn a_file_cannot_be_attached_to() {
    let space = Space::new();
    let said = refusal(&mut space.soglia("report a.soglia --attach"));
    assert_eq!(
        said,
        "--attach needs the number of a process, and a.soglia is a file"
    );
}

#[test]
fn top_lists_programs_that_nothing_records() {
    let space = Space::new();
    let mut served = served(&space, "regular");
    let pid = served.pid().to_string();
    let recorded = || {
        let output = space.soglia("top").output().unwrap();
        let list = text(&output.stdout);
        let rows = list.lines().map(|line| line.split_whitespace());
        let mut rows = rows.map(|words| words.map(str::to_owned).collect::<Vec<_>>());
        let row = rows.find(|words| words.first() == Some(&pid));
        let row = row.unwrap_or_else(|| panic!("{pid} is not in {list}"));
        assert!(
            row.iter().any(|word| word.ends_with("served.dll")),
            "{list}"
        );
        // The time before it has a unit.
        row[3].clone()
    };
    assert_eq!(recorded(), "no");
    let keep = format!("attach {pid} --for 1ms --keep -o a.soglia --quiet");
    assert!(space.soglia(&keep).output().unwrap().status.success());
    assert_eq!(recorded(), "yes");
    drop(served.input());
    assert!(served.wait().0.success());
}
