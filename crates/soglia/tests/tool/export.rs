//! `soglia export`: every format says what the report says.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::support::{Space, text};

/// A space with `a.soglia`, a recording with events, callbacks and exceptions.
fn recorded(program: &str, args: &str) -> Space {
    let space = Space::new();
    let run = space.run("-q --record events -o a.soglia", program, args);
    let output = { run }.output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    space
}

/// What an export prints.
fn exported(space: &Space, args: &str) -> Vec<u8> {
    let args = format!("export a.soglia -o - --to {args}");
    let output = space.soglia(&args).output().unwrap();
    assert_eq!(text(&output.stderr), "");
    assert!(output.status.success());
    output.stdout
}

/// Calls, time and own time by direction and target.
type Sums = BTreeMap<(String, String), (u64, u64, u64)>;

fn sums(rows: impl Iterator<Item = Value>) -> Sums {
    let mut sums = Sums::new();
    for row in rows {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        let returned = row["outcome"] == "returned";
        let sum = sums.entry((text("direction"), text("target"))).or_default();
        sum.0 += 1;
        if returned {
            sum.1 += row["duration_ns"].as_u64().unwrap();
            sum.2 += row["self_ns"].as_u64().unwrap();
        }
    }
    sums
}

/// The same from the report with these options.
fn reported(space: &Space, options: &str) -> Sums {
    let report = space.recording("a.soglia").json(options);
    let mut sums = Sums::new();
    for row in report["targets"].as_array().unwrap() {
        let number = |key: &str| row[key].as_u64().unwrap();
        let part = |key: &str| row[key].as_str();
        let name = match (
            part("library"),
            part("entry"),
            part("method"),
            part("offset"),
        ) {
            (Some(library), Some(entry), ..) => format!("{library}!{entry}"),
            (_, _, Some(method), _) => method.to_owned(),
            (Some(library), _, _, Some(offset)) => format!("{library}+{offset}"),
            _ => "[function pointer]".to_owned(),
        };
        let key = (part("direction").unwrap().to_owned(), name);
        let sum = sums.entry(key).or_default();
        sum.0 += number("calls") + number("refused");
        sum.1 += number("total_ns");
        sum.2 += number("self_ns");
    }
    sums
}

/// Each call is rounded to nanoseconds for itself.
fn agree(found: &Sums, expected: &Sums) {
    let keys = |sums: &Sums| sums.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(found), keys(expected));
    for (key, (calls, total, own)) in found {
        let (all, reported_total, reported_own) = expected[key];
        assert_eq!(*calls, all, "{key:?}");
        for (ns, reported) in [(total, reported_total), (own, reported_own)] {
            assert!(
                ns.abs_diff(reported) <= 2 * all,
                "{key:?}: {ns}, {reported}"
            );
        }
    }
}

fn json_lines(space: &Space) -> Vec<Value> {
    let lines = text(&exported(space, "jsonl"));
    let parse = |line: &str| serde_json::from_str(line).unwrap();
    lines.lines().map(parse).collect()
}

#[test]
fn rows_sum_up_to_the_report() {
    for (program, args) in [
        ("sixsteps.dll", ""),
        ("sqlitedemo.dll", "20"),
        ("semantics.dll", "nested"),
        ("semantics.dll", "exceptions"),
        ("outcomes.dll", ""),
    ] {
        let space = recorded(program, args);
        let rows = json_lines(&space);
        let counted = rows.iter().filter(|row| row["outcome"] != "unmatched");
        agree(&sums(counted.cloned()), &reported(&space, "--replay"));
        // CSV has the same cells.
        let csv = exported(&space, "csv");
        let mut csv = csv::Reader::from_reader(&csv[..]);
        let heading = csv.headers().unwrap().clone();
        for (row, cells) in rows.iter().zip(csv.records().map(Result::unwrap)) {
            for (name, cell) in heading.iter().zip(&cells) {
                let value = match &row[name] {
                    Value::String(text) => text.clone(),
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                assert_eq!(cell, value, "{name} of {row}");
            }
        }
        assert_eq!(
            text(&exported(&space, "csv")).lines().count(),
            rows.len() + 1
        );
    }
}

#[test]
fn chrome_has_every_call_and_names_of_threads() {
    let space = recorded("sixsteps.dll", "");
    let trace: Value = serde_json::from_slice(&exported(&space, "chrome")).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let of = |phase: &str| {
        events
            .iter()
            .filter(|e| e["ph"] == phase)
            .collect::<Vec<_>>()
    };
    let rows = json_lines(&space);
    let calls = of("X");
    assert_eq!(
        calls.len(),
        rows.iter().filter(|r| r["outcome"] != "unmatched").count()
    );
    let named = of("M")
        .iter()
        .any(|e| e["args"]["name"] == json!("sixsteps.dll"));
    assert!(named);
    let threads = of("M")
        .iter()
        .filter(|e| e["name"] == "thread_name")
        .count();
    assert_eq!(threads, space.recording("a.soglia").report().tasks.len());
    for (call, row) in calls.iter().zip(&rows) {
        assert_eq!(call["name"], row["target"]);
        let ns = (call["dur"].as_f64().unwrap() * 1000.0).round() as u64;
        assert_eq!(row["duration_ns"].as_u64(), Some(ns));
    }
}

#[test]
fn files_are_whole_or_not_there() {
    let space = recorded("sixsteps.dll", "");
    let run = |args: &str| {
        let output = space.soglia(&format!("export {args}")).output().unwrap();
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!(run("a.soglia --to csv"), (Some(0), String::new()));
    let whole = fs::read(space.path("a.csv")).unwrap();
    assert_eq!(whole, exported(&space, "csv"));
    // The name that soglia chooses may be that of a file of the user's.
    let (code, said) = run("a.soglia --to csv");
    assert_eq!(code, Some(2));
    assert!(said.contains("a.csv is there already"), "{said}");
    fs::write(space.path("a.csv"), "mine").unwrap();
    assert_eq!(run("a.soglia --to csv --force").0, Some(0));
    assert_eq!(fs::read(space.path("a.csv")).unwrap(), whole);
    fs::write(space.path("b"), "mine").unwrap();
    assert_eq!(run("a.soglia --to csv -o b").0, Some(0));
    assert_eq!(fs::read(space.path("b")).unwrap(), whole);
    let recording = fs::read(space.path("a.soglia")).unwrap();
    for (args, expected) in [
        ("a.soglia --to csv -o a.soglia", "is the recording"),
        ("a.soglia --to csv -o .", "is a directory"),
        (
            "a.soglia --to csv -o no/such/folder",
            "cannot write no/such/folder",
        ),
        ("a.soglia --to csv -o /dev/full", "No space left"),
        (
            "a.soglia --to chrome --table targets",
            "--table is for formats that have rows",
        ),
        ("b --to csv", "is not a recording"),
    ] {
        let (code, said) = run(args);
        assert_eq!(code, Some(2), "{args}: {said}");
        assert!(said.contains(expected), "{args}: {said}");
    }
    assert_eq!(fs::read(space.path("a.soglia")).unwrap(), recording);
    let mut left: Vec<_> = fs::read_dir(space.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "oracle" && !name.starts_with("clr-") && !name.starts_with("dotnet"))
        .collect();
    left.sort();
    assert_eq!(left, ["a.csv", "a.soglia", "b"]);
}

/// A file that cannot become as long as the export does not stay as a part of it.
#[test]
fn a_broken_disk_leaves_no_part() {
    let space = recorded("sqlitedemo.dll", "200");
    let mut shell = space.command("/bin/sh");
    let limited = "trap '' XFSZ; ulimit -f 1; exec \"$@\"";
    let output = shell
        .args([
            "-c",
            limited,
            "sh",
            crate::support::SOGLIA,
            "export",
            "a.soglia",
            "--to",
            "jsonl",
        ])
        .current_dir(space.path("."))
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("File too large"), "{said}");
    let names = fs::read_dir(space.path(".")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    let is_part = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy();
        name.contains("jsonl") || name.contains(".soglia-")
    };
    assert!(!names.iter().any(is_part), "{names:?}");
}

#[test]
fn a_summary_has_targets_and_says_what_it_lacks() {
    let space = Space::new();
    let output = space
        .run("-q -o a.soglia", "sixsteps.dll", "")
        .output()
        .unwrap();
    assert!(output.status.success());
    let output = space.soglia("export a.soglia --to jsonl").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(
        said.contains("holds no events: `soglia run --record events`"),
        "{said}"
    );
    assert!(said.contains("--table targets"), "{said}");
    let lines = text(&exported(&space, "jsonl --table targets"));
    let rows: Vec<Value> = lines
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(
        Value::from(rows),
        space.recording("a.soglia").json("")["targets"]
    );
    let csv = text(&exported(&space, "csv --table targets"));
    let report = space
        .soglia("report a.soglia --format csv")
        .output()
        .unwrap();
    assert_eq!(csv, text(&report.stdout));
}

/// Own time by the last frame of each line.
fn leaves(folded: &str) -> BTreeMap<String, u64> {
    let mut leaves = BTreeMap::new();
    for line in folded.lines() {
        let (path, own) = line.rsplit_once(' ').unwrap();
        let leaf = path.rsplit(';').next().unwrap().to_owned();
        *leaves.entry(leaf).or_default() += own.parse::<u64>().unwrap();
    }
    leaves
}

/// The tree has all own time of the report, with events and without.
#[test]
fn flame_graphs_have_all_own_time_below_its_callers() {
    for level in ["events", "summary"] {
        let space = Space::new();
        let options = format!("-q --record {level} -o a.soglia");
        let run = space.run(&options, "sqlitedemo.dll", "50");
        assert!({ run }.output().unwrap().status.success());
        let folded = text(&exported(&space, "folded"));
        let mut expected = BTreeMap::<String, (u64, u64)>::new();
        for ((direction, name), (calls, _, own)) in reported(&space, "") {
            let name = match direction == "reverse" {
                true => soglia::text::method(&name),
                false => name,
            };
            let sum = expected.entry(name).or_default();
            *sum = (sum.0 + calls, sum.1 + own);
        }
        for (leaf, own) in leaves(&folded) {
            let (calls, reported) = expected.remove(&leaf).unwrap();
            assert!(
                own.abs_diff(reported) <= calls + 1,
                "{level}, {leaf}: {own}, {reported}"
            );
        }
        assert!(expected.values().all(|(_, own)| *own == 0), "{expected:?}");
        let step = "Program.Main;Demo.Run;Demo.Insert;libsqlite3.so.0!sqlite3_step ";
        assert!(folded.contains(step), "{level}: {folded}");
        let nested = "!sqlite3_step;Demo.WithTax;libsqlite3.so.0!sqlite3_value_int64 ";
        assert_eq!(folded.contains(nested), level == "events", "{folded}");
        // The picture is of the same lines.
        let picture = text(&exported(&space, "flamegraph"));
        for leaf in leaves(&folded).keys() {
            assert!(picture.contains(&leaf.replace('>', "&gt;")), "{leaf}");
        }
    }
}

/// Samples at equal intervals have about the own time of the targets, and markers are exact.
#[test]
fn a_firefox_profile_has_samples_and_the_longest_calls() {
    let space = recorded("semantics.dll", "slow 30");
    let profile: Value = serde_json::from_slice(&exported(&space, "firefox")).unwrap();
    let interval = profile["meta"]["interval"].as_f64().unwrap();
    let rows = json_lines(&space);
    let mut sampled = BTreeMap::<String, f64>::new();
    let mut marked = Vec::new();
    for thread in profile["threads"].as_array().unwrap() {
        let list = |table: &str, column: &str| thread[table][column].as_array().unwrap();
        let text = |number: &Value| {
            let number = number.as_u64().unwrap() as usize;
            thread["stringArray"][number].as_str().unwrap().to_owned()
        };
        let at = |list: &[Value], number: &Value| list[number.as_u64().unwrap() as usize].clone();
        for stack in list("samples", "stack").iter().filter(|s| !s.is_null()) {
            let frame = at(list("stackTable", "frame"), stack);
            let function = at(list("frameTable", "func"), &frame);
            let name = text(&at(list("funcTable", "name"), &function));
            *sampled.entry(name).or_default() += interval;
        }
        let times = list("markers", "startTime")
            .iter()
            .zip(list("markers", "endTime"));
        for (name, (began, ended)) in list("markers", "name").iter().zip(times) {
            let ns = |ms: &Value| (ms.as_f64().unwrap() * 1e6).round() as u64;
            marked.push((text(name), ns(began), ns(ended)));
        }
    }
    let mut expected = Vec::new();
    let mut own = BTreeMap::<String, f64>::new();
    for row in &rows {
        let name = row["target"].as_str().unwrap().to_owned();
        let number = |key: &str| row[key].as_u64().unwrap();
        *own.entry(name.clone()).or_default() += number("self_ns") as f64 / 1e6;
        expected.push((
            name,
            number("began"),
            number("began") + number("duration_ns"),
        ));
    }
    marked.sort();
    expected.sort();
    assert_eq!(marked, expected);
    let longest = own.iter().max_by(|a, b| a.1.total_cmp(b.1)).unwrap();
    let found = sampled[longest.0];
    assert!(
        (found / longest.1 - 1.0).abs() < 0.05,
        "{found} of {longest:?}"
    );
    assert!(*longest.1 > 29.0, "{longest:?}");
}
