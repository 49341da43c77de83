//! What threads were working on when they made slow, failed and denied calls.

use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::schema::check_report;
use crate::support::{Live, Recording, Space, signal, text};

fn run<'a>(space: &'a Space, options: &str, case: &str) -> (Recording<'a>, String) {
    run_with(space, &format!("--slow 20ms {options}"), case)
}

fn run_with<'a>(space: &'a Space, options: &str, case: &str) -> (Recording<'a>, String) {
    let options = format!("-q -o a.soglia --source woven {options}");
    let output = space.run(&options, "passed.dll", case).output().unwrap();
    assert!(output.status.success(), "{case}: {output:?}");
    (space.recording("a.soglia"), text(&output.stdout))
}

const FIELDS: [&str; 5] = ["trace_id", "span_id", "activity", "route", "thread_name"];

/// What a row says of the request. An absent field is an error, and null is "-".
fn request(row: &Value) -> [&str; 5] {
    FIELDS.map(|field| match &row[field] {
        Value::Null if row.get(field).is_some() => "-",
        value => value.as_str().unwrap(),
    })
}

fn slow(report: &Value) -> &[Value] {
    report["slow"].as_array().unwrap()
}

#[test]
fn slow_calls_have_their_activity_and_its_route() {
    let space = Space::new();
    let (recording, said) = run(&space, "", "requests");
    let report = recording.json("");
    check_report(&report);
    let (trace, span) = said.trim_end().split_once(' ').unwrap();
    let route = "/orders/{id}";
    let [before, query, get, after] = slow(&report) else {
        panic!("{}", report["slow"])
    };
    for (row, note) in [(before, "before"), (after, "after")] {
        assert_eq!(request(row), ["-", "-", "-", "-", "worker"], "{note}");
    }
    assert_eq!(request(query), [trace, span, "query", route, "worker"]);
    let outer = get["span_id"].as_str().unwrap();
    assert_eq!(request(get), [trace, outer, "GET", route, "worker"]);
    assert!(outer.len() == 16 && outer != span, "{outer} and {span}");

    let of = |row: &Value| row["duration_ns"].as_u64().unwrap();
    let rows = report["activities"].as_array().unwrap();
    let sums = rows.iter().map(|row| {
        let sums = ["calls", "traces", "total_ns"].map(|sum| row[sum].as_u64().unwrap());
        (row["route"].as_str(), row["activity"].as_str(), sums)
    });
    let mut sums: Vec<_> = sums.collect();
    sums.sort_unstable();
    let none = (None, None, [2, 0, of(before) + of(after)]);
    let of_route = (Some(route), None, [2, 1, of(query) + of(get)]);
    assert_eq!(sums, [none, of_route]);
}

#[test]
fn reports_name_the_request_and_add_up_by_it() {
    let space = Space::new();
    let (recording, said) = run(&space, "", "requests");
    let trace = said.split(' ').next().unwrap();
    let by_activity = |options: &str| {
        let mut report = space.soglia("report");
        report.arg(&recording.path);
        let output = report.args(options.split_whitespace()).output().unwrap();
        assert!(output.status.success(), "{options}: {output:?}");
        text(&output.stdout)
    };
    let report = by_activity("--by activity");
    let of_route = report.lines().find(|line| line.ends_with("  /orders/{id}"));
    let cells = of_route.unwrap_or_else(|| panic!("{report}"));
    assert_eq!(cells.split_whitespace().next(), Some("2"), "{report}");
    assert!(report.contains("[no activity]"), "{report}");
    let longest = format!("in passed!passed_plain; the longest in trace {trace}");
    assert!(report.contains(&longest), "{report}");
    let one = by_activity("--by activity --top 1");
    assert!(one.contains("1 more (--format json has all)"), "{one}");

    by_activity("--format html -o a.html");
    let page = std::fs::read_to_string(space.path("a.html")).unwrap();
    assert!(page.contains("writeActivities()"), "the page has the table");
}

#[test]
fn an_activity_of_a_source_is_seen_and_calls_without_arguments_have_one() {
    let space = Space::new();
    let options = "-q -o a.soglia --source woven --slow 20ms";
    let mut program = Live::start(
        space
            .run(options, "passed.dll", "asked")
            .stdin(Stdio::piped()),
    );
    let mut input = program.input().unwrap();
    writeln!(input, "one").unwrap();
    let first = program.line();
    writeln!(input, "two").unwrap();
    let second = program.line();
    drop(input);
    program.wait_quietly();
    assert_asked(
        &space.recording("a.soglia").json(""),
        [(&first, "/one"), (&second, "/two")],
    );
}

/// Each line has two slow calls.
fn assert_asked(report: &Value, lines: [(&str, &str); 2]) {
    let rows = slow(report);
    let found: Vec<_> = rows.iter().map(request).collect();
    let mut wanted = Vec::new();
    for (ids, path) in lines {
        let (trace, span) = ids.split_once(' ').unwrap();
        wanted.extend([[trace, span, "asked", path, "asked"]; 2]);
    }
    assert_eq!(found, wanted);
    let empty = &rows[1];
    assert_eq!(empty["target"], "passed!passed_empty");
    assert_eq!(empty["args"], Value::Array(Vec::new()));
}

#[test]
fn activities_are_seen_after_an_attach() {
    let space = Space::new();
    let mut program = Live::start(space.bare("passed.dll", "asked").stdin(Stdio::piped()));
    let mut input = program.input().unwrap();
    writeln!(input, "before").unwrap();
    program.line();
    let attach = format!("attach {} -q -o a.soglia --slow 20ms", program.pid());
    let mut tool = Live::start(&mut space.soglia(&attach));
    tool.attached(&space.path("a.soglia"));
    writeln!(input, "one").unwrap();
    let first = program.line();
    writeln!(input, "two").unwrap();
    let second = program.line();
    signal(tool.pid(), "INT");
    let (status, said) = tool.wait();
    assert!(status.success(), "{status}: {said}");
    drop(input);
    program.wait_quietly();
    assert_asked(
        &space.recording("a.soglia").json(""),
        [(&first, "/one"), (&second, "/two")],
    );
}

#[test]
fn a_program_without_activities_loads_nothing_for_them() {
    let space = Space::new();
    let (recording, _) = run(&space, "", "unasked");
    let report = recording.json("");
    let [row] = slow(&report) else {
        panic!("{}", report["slow"])
    };
    assert_eq!(request(row), ["-"; 5]);
    assert!(row["args"].is_array(), "{row}");
    assert_eq!(report["activities"], Value::Array(Vec::new()));
    let mut by = space.soglia("report --by activity");
    let output = by.arg(&recording.path).output().unwrap();
    let said = text(&output.stdout);
    assert!(
        said.contains("no slow call was made in an activity"),
        "{said}"
    );
}

#[test]
fn tags_of_the_program_run_no_code() {
    let space = Space::new();
    let (recording, _) = run(&space, "", "broken");
    let report = recording.json("");
    let [row] = slow(&report) else {
        panic!("{}", report["slow"])
    };
    let [trace, span, of @ ..] = request(row);
    assert_eq!((trace.len(), span.len()), (32, 16));
    assert_eq!(of, ["broken", "-", "-"]);
}

#[test]
fn without_arguments_there_is_no_request() {
    let space = Space::new();
    let (recording, _) = run(&space, "--no-args", "requests");
    let report = recording.json("");
    for row in slow(&report) {
        assert_eq!(request(row), ["-"; 5]);
    }
    assert_eq!(report["activities"], Value::Array(Vec::new()));
}

/// What a wrapper calls to find the request is watched itself here, and slow.
#[test]
fn calls_that_finding_the_request_makes_do_no_harm() {
    let space = Space::new();
    let (recording, said) = run_with(&space, "--corelib --args * --slow 1ns", "requests");
    let report = recording.json("");
    let trace = said.split(' ').next().unwrap();
    let of_program = slow(&report)
        .iter()
        .filter(|row| row["target"] == "passed!passed_plain");
    let traces: Vec<_> = of_program.map(|row| request(row)[0]).collect();
    assert_eq!(traces, ["-", trace, trace, "-"]);
}
