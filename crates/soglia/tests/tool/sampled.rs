//! Times by sample: counts are those of `--times exact`, long calls are all there, and estimates
//! say how uncertain they are.

use std::process::Stdio;

use serde_json::Value;

use crate::support::{COUNTS, Live, Space, refusal, until};

fn recorded(space: &Space, options: &str, program: &str, args: &str) -> Value {
    let run = format!("-q -o a.soglia {options}");
    let out = space.run(&run, program, args).output().unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    space.recording("a.soglia").json("--top 0")
}

fn counts(report: &Value) -> Vec<(String, [u64; 7])> {
    let rows = report["targets"].as_array().unwrap().iter();
    let of = |row: &Value| {
        let name = format!("{} {}{}", row["direction"], row["method"], row["entry"]);
        (name, COUNTS.map(|field| row[field].as_u64().unwrap()))
    };
    let mut counts: Vec<_> = rows
        .filter(|row| row["runtime_internal"] == false)
        .map(of)
        .collect();
    counts.sort();
    counts
}

#[test]
fn counts_are_those_of_exact_times() {
    let space = Space::new();
    let of = |times: &str| {
        recorded(
            &space,
            &format!("--times {times}"),
            "sqlitedemo.dll",
            "20000",
        )
    };
    let (exact, sampled) = (of("exact"), of("sampled"));
    assert_eq!(
        (&exact["times"], &sampled["times"]),
        (&"exact".into(), &"sampled".into())
    );
    assert_eq!(
        (&exact["clock_ns"], &sampled["clock_ns"]),
        (&Value::Null, &1_000_000.into())
    );
    assert_eq!(counts(&exact), counts(&sampled));
    assert_eq!(exact["crossings"], sampled["crossings"]);
    for row in exact["targets"].as_array().unwrap() {
        assert_eq!(row["timed_calls"], row["returned"], "{row}");
        assert_eq!(
            (&row["total_ns_se"], &row["self_ns_se"]),
            (&Value::Null, &Value::Null)
        );
    }
    let mut estimated = 0;
    for row in sampled["targets"].as_array().unwrap() {
        let number = |field: &str| {
            row[field]
                .as_u64()
                .unwrap_or_else(|| panic!("{field}: {row}"))
        };
        let (timed, returned) = (number("timed_calls"), number("returned"));
        let buckets = row["histogram"].as_array().unwrap().iter();
        let calls: u64 = buckets.map(|bucket| bucket[2].as_u64().unwrap()).sum();
        assert_eq!(calls, returned, "the histogram has all calls: {row}");
        assert!(timed <= returned, "{row}");
        if row["total_ns_se"].is_null() {
            assert_eq!(timed, returned, "{row}");
        } else {
            estimated += 1;
            // The first ones are all timed, and then not all of the others.
            assert!((1024..returned).contains(&timed), "{row}");
            assert!(number("self_ns") <= number("total_ns"), "{row}");
            assert!(number("self_ns_se") >= number("total_ns_se"), "{row}");
        }
    }
    assert!(estimated >= 5, "{estimated} targets are estimated");
}

#[test]
fn estimates_are_marked() {
    let space = Space::new();
    let run = space
        .run("--times sampled", "sqlitedemo.dll", "20000")
        .output()
        .unwrap();
    let text = String::from_utf8(run.stderr).unwrap();
    let step = text
        .lines()
        .find(|line| line.contains("sqlite3_step"))
        .unwrap();
    assert!(step.contains('~'), "{text}");
    let open = text
        .lines()
        .find(|line| line.contains("sqlite3_open"))
        .unwrap();
    assert!(!open.contains('~'), "{text}");
    assert!(text.contains("--times exact times each call"), "{text}");
}

/// Each call of `sleep_ms` is found, however few are drawn, and its time is known to a tick.
#[test]
fn long_calls_are_all_timed() {
    let space = Space::new();
    let report = recorded(
        &space,
        "--times sampled --slow 20ms",
        "semantics.dll",
        "slow 60",
    );
    let slow = report["slow"].as_array().unwrap();
    let calls: Vec<u64> = slow
        .iter()
        .filter(|call| call["target"] == "semantics!sleep_ms")
        .map(|call| call["duration_ns"].as_u64().unwrap())
        .collect();
    assert_eq!(calls.len(), 1, "{slow:?}");
    // The clock can be late on a loaded machine, and the begin is known to half a tick.
    assert!(calls[0] >= 40_000_000, "{calls:?}");
}

/// A deadline is never reported too early: the begin of a call is known to a tick only.
#[test]
fn deadlines_are_watched() {
    let space = Space::new();
    let run = "-q -o a.soglia --times sampled --deadline semantics!wait_for_input=100ms";
    let mut command = space.run(run, "semantics.dll", "wait plain");
    let mut live = Live::start(command.stdin(Stdio::piped()));
    live.expect("waiting");
    let recording = space.recording("a.soglia");
    let report = until("a report", || {
        let report: crate::support::Report =
            serde_json::from_value(recording.try_json("").ok()?).unwrap();
        (!report.overdue.is_empty()).then_some(report)
    });
    let [row] = &report.overdue[..] else {
        panic!("{:?}", report.overdue)
    };
    assert_eq!(
        (&*row.target, &*row.outcome),
        ("semantics!wait_for_input", "open")
    );
    drop(live.input());
    let (status, said) = live.wait();
    assert!(status.success(), "{said}");
    let after = space.recording("a.soglia").report();
    assert_eq!(after.overdue[0].outcome, "returned", "{:?}", after.overdue);
}

#[test]
fn what_does_not_go_together_is_refused() {
    let space = Space::new();
    for (options, why) in [
        (
            "--times sampled --record events",
            "--record events needs each call timed",
        ),
        (
            "--times off --record events",
            "--record events needs each call timed",
        ),
        (
            "--times sampled --slow 150us",
            "--slow 150us is too short for --times sampled",
        ),
        (
            "--times sampled --source transitions",
            "--times sampled needs --source woven",
        ),
        ("--times exact --counts", "cannot be used with"),
        ("--times sampled --clock 1us", "from 100us up to 1s"),
        ("--times sampled --budget 0", "from 0.01% up to 100%"),
    ] {
        let said = refusal(&mut space.run(options, "hello.dll", ""));
        assert!(said.contains(why), "{options}: {said}");
    }
}
