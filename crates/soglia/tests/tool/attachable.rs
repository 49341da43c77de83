//! `soglia doctor PID`: whether a process can be attached to.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{
    schema::{check, schema},
    support::{Live, Space, signal, text},
};

const DOCTOR: &str = include_str!("../../../../docs/doctor.schema.json");

/// What the doctor finds, and its exit code.
fn examined(space: &Space, pid: u32) -> (Value, Option<i32>) {
    let mut command = space.soglia(&format!("doctor {pid} --format json"));
    let output = command.output().unwrap();
    let all: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    check(&schema(DOCTOR), &all);
    assert_eq!(all["works"], output.status.code() == Some(0), "{all:#}");
    (all, output.status.code())
}

/// The level of a finding, and what was found.
fn finding<'a>(all: &'a Value, title: &str) -> (&'a str, &'a str) {
    let findings = all["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["title"] == title);
    let found = found.unwrap_or_else(|| panic!("nothing about {title}: {all:#}"));
    let text = |name: &str| found[name].as_str().unwrap();
    (text("level"), text("detail"))
}

/// The files that a process has mapped, and those in its folder for temporary files.
fn files(space: &Space, pid: u32) -> BTreeSet<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mapped = maps.lines().filter_map(|line| line.get(line.find('/')?..));
    let there = fs::read_dir(space.path("")).unwrap();
    let there = there.map(|entry| text(entry.unwrap().file_name().as_encoded_bytes()));
    mapped.map(str::to_owned).chain(there).collect()
}

#[test]
fn it_says_whether_an_attach_can_begin_and_changes_nothing() {
    let space = Space::new();
    let mut command = space.bare("served.dll", "regular");
    command.env("SERVED_FILE", space.path("served"));
    let mut served = Live::start(command.stdin(Stdio::piped()));
    served.expect("ready");
    let pid = served.pid();
    let before = files(&space, pid);
    let (all, code) = examined(&space, pid);
    assert_eq!(code, Some(0), "{all:#}");
    let (level, attach) = finding(&all, "attach");
    assert_eq!(
        (level, attach),
        ("ok", &*format!("`soglia attach {pid}` can record it"))
    );
    let (level, runtime) = finding(&all, "runtime");
    assert!(
        level == "ok" && runtime.contains(" runs served; diagnostics socket "),
        "{runtime}"
    );
    let (level, way) = finding(&all, "way in");
    assert!(level == "ok" && way.contains("/libsoglia.so"), "{way}");
    assert_eq!(finding(&all, "profiler").0, "ok", "{all:#}");
    assert_eq!(files(&space, pid), before, "it must change nothing");

    let attach = format!("attach {pid} --for 1ms --quiet");
    let output = space.soglia(&attach).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (all, code) = examined(&space, pid);
    let (_, recording) = finding(&all, "recording");
    assert_eq!(code, Some(0), "{all:#}");
    assert!(
        recording.contains("an earlier attach has left the engine"),
        "{recording}"
    );

    let keep = format!("attach {pid} --for 1ms --keep -o a.soglia --quiet");
    let output = space.soglia(&keep).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    let (all, code) = examined(&space, pid);
    let (level, recording) = finding(&all, "recording");
    assert_eq!((level, code), ("fail", Some(2)), "{all:#}");
    assert!(recording.contains("--end` ends it"), "{recording}");

    signal(pid, "STOP");
    let (all, code) = examined(&space, pid);
    assert_eq!(code, Some(2), "{all:#}");
    assert!(
        all.to_string().contains(&format!("kill -CONT {pid}")),
        "{all:#}"
    );
    signal(pid, "CONT");
    drop(served.input());
    assert!(served.wait().0.success());
}

#[test]
fn it_says_why_an_attach_cannot_begin() {
    let space = Space::new();
    let mut sleeps = Command::new("sleep").arg("100").spawn().unwrap();
    let (all, code) = examined(&space, sleeps.id());
    sleeps.kill().unwrap();
    sleeps.wait().unwrap();
    let (level, runtime) = finding(&all, "runtime");
    assert_eq!((level, code), ("fail", Some(2)), "{all:#}");
    assert!(runtime.contains("(sleep) runs no .NET"), "{runtime}");
    let (all, _) = examined(&space, 2_000_000_000);
    assert!(
        finding(&all, "process").1.contains("there is no process"),
        "{all:#}"
    );
    // As text, with a file of such a name told from a process.
    let output = space.soglia("doctor ./2000000000").output().unwrap();
    let said = text(&output.stdout);
    assert!(
        said.contains("FAIL  program") && !said.contains("no process"),
        "{said}"
    );
}
