//! What reports say of a process to which the engine was attached. The recordings are made here, as
//! the engine makes them.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};
use soglia_core::{
    crossing::{Crossing, Side},
    task::Who,
    time,
    trace::{
        attached::{Attach, Detach, Snapshot, Why},
        log::{Record, Scope, Source, TargetNames, Unwatched},
        task_writer::TaskWriter,
        writer::{Level, Options, Recording, create},
    },
};
use soglia_testing::process::isolate;

use crate::support::{SOGLIA, text};

const HOUR: u64 = 3_600_000_000_000;

/// Writes a recording with three threads that were inside calls, of which one has crossed since.
fn record(path: &Path, end: Option<Detach>) {
    let options = Options {
        level: Level::Events,
        max_bytes: 2 << 20,
        ..Options::default()
    };
    let _file = create(path, &options).unwrap();
    let recording: &'static Recording = Box::leak(Box::new(Recording::claim(path).unwrap()));
    let name = |name: &str| Some(name.to_owned());
    let asked = time::now();
    let mut records = vec![
        Record::Program {
            args: vec!["dotnet".into(), "/srv/shop.dll".into()],
        },
        Record::Runtime {
            name: ".NET".into(),
            version: "9.0.7".into(),
        },
        Record::Source {
            source: Source::Woven,
            scope: Scope::User,
            because: None,
        },
        Record::Target(TargetNames {
            target: 1,
            method: name("Shop.Native.Read"),
            library: name("libc"),
            entry: name("read"),
            ..TargetNames::default()
        }),
        Record::Attach(Attach {
            asked,
            live: asked + 3_000_000,
            modules: 5,
            targets: 41,
            callers: 159,
            age_ns: 5 * HOUR,
        }),
        Record::Unwatched(Unwatched {
            side: None,
            assembly: name("Plugin"),
            method: None,
            text: "calls of Plugin: it can be unloaded, and ran at the attach".into(),
        }),
    ];
    for (number, text) in [(1, "Shop.Reader.Next"), (2, "libc.so.6!__read")] {
        let text = text.to_owned();
        records.push(Record::Text { number, text });
        let frames = vec![number];
        records.push(Record::Stack { number, frames });
    }
    for (os_thread, target, thread) in [(70, 1, Some("reader")), (71, 0, None), (72, 1, None)] {
        records.push(Record::Snapshot(Snapshot {
            at: time::now(),
            os_thread,
            stack: 1,
            native: 2,
            target,
            inside: true,
            thread: thread.map(str::to_owned),
            callee: name("libc!poll"),
            ..Snapshot::default()
        }));
    }
    for record in &records {
        assert!(recording.log(record));
    }
    let mut task = TaskWriter::new(recording, 70, time::now()).unwrap();
    for _ in 0..300 {
        let function = 64;
        let slot = task.learn(function, Side::Unmanaged, 1, 0);
        let call = Who { function, slot };
        task.cross(Crossing::LeaveRuntime, call, time::now(), 0);
        let back = Who { function, slot: 0 };
        task.cross(Crossing::EnterRuntime, back, time::now(), 0);
    }
    if let Some(detach) = end {
        let at = time::now();
        recording.let_go(Detach { at, ..detach });
    }
}

fn soglia(args: &str, file: &Path) -> Output {
    let mut command = Command::new(SOGLIA);
    isolate(&mut command).env("TZ", "UTC");
    let args = args.split(' ');
    command.args(args).arg(file).output().unwrap()
}

fn printed(args: &str, file: &Path) -> String {
    let output = soglia(args, file);
    let errors = text(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{args}");
    text(&output.stdout)
}

fn json(file: &Path) -> Value {
    let report = serde_json::from_str(&printed("report --format json", file)).unwrap();
    crate::schema::check_report(&report);
    report
}

fn let_go() -> Detach {
    Detach {
        not_entered: 12,
        ..Detach::default()
    }
}

#[test]
fn a_report_says_from_when_to_when_and_what_it_has_not_seen() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.soglia");
    record(&file, Some(let_go()));
    let report = json(&file);
    assert_eq!(report["ended"], "detached");
    let attach = &report["attach"];
    for (field, expected) in [
        ("modules", json!(5)),
        ("targets", json!(41)),
        ("callers", json!(159)),
        ("not_entered", json!(12)),
        ("kept", json!(false)),
        ("ended_by", json!("tool")),
        ("process_age_ns", json!(5 * HOUR)),
    ] {
        assert_eq!(attach[field], expected, "{field}");
    }
    let moment = |field: &str| attach[field].as_str().unwrap().parse::<jiff::Timestamp>();
    let lived = moment("time").unwrap() - moment("process_time").unwrap();
    assert_eq!(lived.total(jiff::Unit::Hour).unwrap().round(), 5.0);
    assert!(attach["ended"].as_u64() > attach["began"].as_u64());
    let before = report["before"].as_array().unwrap();
    let told = |row: &Value| (row["callee"].clone(), row["os_thread"].clone());
    let told: Vec<_> = before.iter().map(told).collect();
    let expected = [("libc!read", 70), ("libc!poll", 71), ("libc!read", 72)];
    assert_eq!(
        told,
        expected.map(|(callee, tid)| (json!(callee), json!(tid)))
    );
    assert_eq!(before[0]["name"], "reader");
    assert_eq!(before[0]["stack"], json!(["Shop.Reader.Next"]));
    assert_eq!(before[0]["native_stack"], json!(["libc.so.6!__read"]));
    let crossed = before.iter().map(|row| row["crossed"] == true);
    assert_eq!(crossed.collect::<Vec<_>>(), [true, false, false]);

    let said = printed("report", &file);
    for part in [
        "which runs on, attached 20",
        " of a process that has run since ",
        "\n159 methods that call 41 native functions were hooked in ",
        "; 5 modules looked through\n",
        "\n300 native calls (",
        "\n3 threads inside native calls since before the attach (not counted)\n",
        "     before  libc!read\n             thread tid 70 \"reader\", has made recorded calls since\n",
        "\n               libc.so.6!__read\n               Shop.Reader.Next\n",
        "\nnot seen\n          -  12 of 159 methods that call native code were not entered since the attach",
        "          -  3 native calls that had begun before the attach, listed above\n",
        "          -  calls of Plugin: it can be unloaded, and ran at the attach\n",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    // Reading an attached recording anew counts the same.
    assert!(printed("report --replay", &file).contains("300 native calls"));
}

#[test]
fn a_report_during_an_attach_says_what_is_not_known_yet() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.soglia");
    record(&file, None);
    let report = json(&file);
    assert_eq!(report["ended"], "running");
    let attach = &report["attach"];
    for field in ["ended", "ended_time", "ended_by", "not_entered"] {
        assert_eq!(attach[field], Value::Null, "{field}");
    }
    let said = printed("report", &file);
    for part in [
        "still running, attached since 20",
        "no recorded call yet",
        "their calls are seen from the next time that a thread enters them",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn a_report_says_who_ended_an_attach_and_whether_the_hooks_stay() {
    let folder = tempfile::tempdir().unwrap();
    for (why, kept, ended, said) in [
        (
            Why::ToolGone,
            false,
            "detached",
            "; soglia was killed, so the engine let go by itself\n",
        ),
        (
            Why::GaveUp,
            false,
            "detached",
            "; the engine gave up and let go\n",
        ),
        (Why::Asked, true, "running", "; the hooks stay (--keep)\n"),
    ] {
        let file = folder.path().join(format!("{}.soglia", why as u32));
        record(
            &file,
            Some(Detach {
                why,
                kept,
                ..let_go()
            }),
        );
        let report = json(&file);
        assert_eq!(
            (&report["ended"], &report["attach"]["kept"]),
            (&json!(ended), &json!(kept))
        );
        let text = printed("report", &file);
        assert!(text.contains(said), "{said}\n{text}");
    }
}

/// A window of a process is compared with another one by rates.
#[test]
fn differences_between_attaches_are_those_of_rates() {
    let folder = tempfile::tempdir().unwrap();
    let report = |name: &str, seconds: u64, calls: u64, attach: Value| {
        let report = json!({
            "program": "shop.dll",
            "ended": "detached",
            "duration_ns": seconds * 1_000_000_000,
            "attach": attach,
            "targets": [{
                "direction": "forward", "library": "libc", "entry": "read", "calls": calls, "returned": calls,
            }],
        });
        let file = folder.path().join(name);
        std::fs::write(&file, report.to_string()).unwrap();
        file
    };
    let diff = |a: &Path, b: &Path| -> Value {
        let mut command = Command::new(SOGLIA);
        isolate(&mut command).args(["diff", "--format", "json"]);
        let output = command.args([a, b]).output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        let diff = serde_json::from_slice(&output.stdout).unwrap();
        crate::schema::check(&crate::schema::schema(crate::schema::DIFF), &diff);
        diff
    };
    // As many calls a second, in a third of the time.
    let long = report("long", 30, 30_000, json!({}));
    let short = report("short", 10, 10_000, json!({}));
    let same = diff(&long, &short);
    assert_eq!(same["targets"][0]["verdicts"], json!(["same"]), "{same}");
    let calls = same["totals"].as_array().unwrap();
    let calls = calls.iter().find(|row| row["measure"] == "calls").unwrap();
    assert_eq!(
        (&calls["b"], &calls["percent"]),
        (&json!(10_000), &json!(0.0))
    );
    assert_eq!(same["a"]["is_part"], true);
    let said = same["remarks"][0].as_str().unwrap();
    assert!(
        said.starts_with("A covers 30.0 s of the life of its process and B 10.0 s"),
        "{said}"
    );
    // As many calls in a third of the time.
    let busy = report("busy", 10, 30_000, json!({}));
    let more = diff(&long, &busy);
    assert_eq!(
        more["targets"][0]["verdicts"],
        json!(["chattier"]),
        "{more}"
    );
    // Two whole runs are compared by what they did.
    let (long, short) = (
        report("whole", 30, 30_000, Value::Null),
        report("half", 10, 10_000, Value::Null),
    );
    assert_eq!(
        diff(&long, &short)["targets"][0]["verdicts"],
        json!(["quieter"])
    );
}
