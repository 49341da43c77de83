//! Reports about a part of a run: between two looks, or the last part of the events.

use serde_json::Value;

use crate::support::{Live, Space, refusal, signal, until};

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value}"))
}

/// A field of the target with this entry point; 0 if it is not in the report.
fn of(report: &Value, entry: &str, field: &str) -> u64 {
    let targets = report["targets"].as_array().unwrap().iter();
    let own = targets.filter(|row| row["entry"] == entry);
    own.map(|row| number(&row[field])).sum()
}

#[test]
fn a_second_look_says_what_happened_since_the_first() {
    let space = Space::new();
    let run = "-q -o a.soglia";
    let mut live = Live::start(&mut space.run(run, "semantics.dll", "spin 600"));
    live.expect("spinning");
    let recording = space.recording("a.soglia");
    until("calls", || (space.oracle_calls("plain") > 0).then_some(()));
    let before = recording.json("");
    let between = recording.json("--since 100ms");
    let after = recording.json("");
    assert_eq!(before["window"], Value::Null);
    let window = &between["window"];
    let lasted = number(&window["duration_ns"]);
    assert!(lasted >= 100_000_000, "{lasted}");
    assert!(number(&window["from"]) >= number(&before["duration_ns"]));
    assert_eq!(
        number(&window["until"]),
        number(&between["duration_ns"]),
        "the window ends at the second look"
    );
    for field in ["calls", "returned", "total_ns"] {
        let [before, between, after] =
            [&before, &between, &after].map(|report| of(report, "plain", field));
        assert!(
            between > 0 && between <= after - before,
            "{field}: {between} between {before} and {after}"
        );
    }
    let [shortest, longest] = ["min_ns", "max_ns"].map(|field| of(&between, "plain", field));
    assert!(shortest <= longest && longest <= of(&after, "plain", "max_ns"));
}

#[test]
fn a_call_that_is_open_all_the_time_is_open_and_no_new_one() {
    let space = Space::new();
    let mut live = Live::start(&mut space.run("-q -o a.soglia", "semantics.dll", "hang"));
    live.expect("hanging");
    until("the call", || {
        (space.oracle_calls("hang") == 1).then_some(())
    });
    let report = space.recording("a.soglia").json("--since 1ms");
    assert_eq!(
        ["calls", "open", "returned"].map(|field| of(&report, "hang", field)),
        [0, 1, 0]
    );
    let open = report["open"].as_array().unwrap();
    let hangs = |row: &&Value| row["target"].as_str().unwrap().ends_with("!hang");
    let row = open.iter().find(hangs).unwrap();
    assert!(number(&row["duration_ns"]) > number(&report["window"]["duration_ns"]));
    signal(live.program().unwrap(), "KILL");
    live.wait_quietly();
    let ended = refusal(&mut space.soglia("report --since 1ms a.soglia"));
    assert!(
        ended.contains("is not of a program that runs here"),
        "{ended}"
    );
    let summary = refusal(&mut space.soglia("report --last 1s a.soglia"));
    assert!(
        summary.contains("holds no events, of which --last"),
        "{summary}"
    );
}

#[test]
fn the_last_part_has_the_crossings_of_that_time() {
    let space = Space::new();
    let run = "-q --record events -o a.soglia";
    let mut command = space.run(run, "bench.dll", "10 2");
    assert!(command.status().unwrap().success());
    let recording = space.recording("a.soglia");
    let (whole, mut events) = (recording.json("--replay"), recording.events());
    events.sort_by_key(|event| event.t);
    // A moment at which nothing happened, near the middle.
    let pairs = events.windows(2).enumerate().skip(events.len() / 2);
    let mut gaps = pairs.filter(|(_, pair)| pair[1].t - pair[0].t > 10_000);
    let (n, pair) = gaps.next().unwrap();
    let moment = pair[0].t.midpoint(pair[1].t);
    let last = number(&whole["duration_ns"]) - moment;
    let report = recording.json(&format!("--last {last}ns"));
    for (kind, name) in [
        ("LeaveRuntime", "leave"),
        ("EnterRuntime", "enter"),
        ("ReverseEnterRuntime", "reverse_enter"),
    ] {
        let later = events[n + 1..]
            .iter()
            .filter(|event| event.crossing == kind);
        assert_eq!(
            number(&report["crossings"][name]),
            later.count() as u64,
            "{name}"
        );
        assert!(number(&report["crossings"][name]) < number(&whole["crossings"][name]));
    }
    let calls = |report: &Value| {
        let rows = report["targets"].as_array().unwrap().iter();
        let forward = rows.filter(|row| row["direction"] == "forward");
        forward.map(|row| number(&row["calls"])).sum::<u64>()
    };
    assert_eq!(calls(&report), number(&report["crossings"]["leave"]));
    // What was called only before the window has no row.
    let rows = |report: &Value| report["targets"].as_array().unwrap().len();
    let nothing = recording.json("--last 1ns");
    assert!(rows(&nothing) < rows(&whole));
    // The last part may be all of it.
    let all = recording.json("--last 1h");
    assert_eq!(
        (&all["crossings"], &all["targets"]),
        (&whole["crossings"], &whole["targets"])
    );
    assert_eq!(number(&all["window"]["from"]), 0);
}
