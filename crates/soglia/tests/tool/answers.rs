//! What a report says beside counts and times: who called, when by the clock on the wall, and how
//! much of its time a thread was in native code.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::Space;

fn report_of(case: &str) -> Value {
    let space = Space::new();
    let run = "-q --slow 100ms -o a.soglia";
    let output = space.run(run, "shop.dll", case).output().unwrap();
    assert!(output.status.success());
    let report = space.recording("a.soglia").json("");
    crate::schema::check_report(&report);
    report
}

fn time(value: &Value) -> Timestamp {
    value["time"].as_str().unwrap().parse().unwrap()
}

#[test]
fn threads_and_targets_have_their_shares_and_callers() {
    let before = Timestamp::now();
    let report = report_of("threads");
    let after = Timestamp::now();
    let target = &report["targets"][0];
    assert_eq!(target["entry"], "payments_charge");
    // 24 threads ran it at once.
    assert!(target["share_of_run"].as_f64() > Some(1.0), "{target}");
    assert_eq!(target["suppresses_gc_transition"], false);
    let callers = target["callers"].as_array().unwrap();
    assert_eq!(callers[0]["stack"], target["first_caller"]);
    let kept = callers
        .iter()
        .map(|caller| caller["calls"].as_u64().unwrap());
    // At least the 24 slow calls, of which the first one counts once.
    assert!((24..=24 + 8).contains(&kept.sum::<u64>()), "{callers:?}");
    let tasks = report["tasks"].as_array().unwrap();
    let charging = tasks.iter().filter(|task| task["kind"] == "thread");
    for task in charging {
        let share = task["native_share"].as_f64().unwrap();
        assert!((0.5..=1.0).contains(&share), "{task}");
    }

    let start = time(&report);
    assert!(before < start && start < after, "{start}");
    let slow = report["slow"].as_array().unwrap();
    assert_eq!(slow.len(), 24);
    for call in slow {
        let t = SignedDuration::from_nanos(call["t"].as_i64().unwrap());
        // The text has microseconds.
        let off = time(call).duration_since(start) - t;
        assert!(off.abs() <= SignedDuration::from_micros(1), "{off}");
    }
}

#[test]
fn a_method_without_a_gc_transition_is_marked() {
    let report = report_of("collect");
    let targets = report["targets"].as_array().unwrap();
    let marked = targets
        .iter()
        .filter(|row| row["suppresses_gc_transition"] == true);
    let marked: Vec<&Value> = marked.map(|row| &row["entry"]).collect();
    assert_eq!(marked, ["image_sharpen"]);
    let signature = |entry: &str| {
        let row = targets.iter().find(|row| row["entry"] == entry);
        row.unwrap()["signature"].clone()
    };
    assert_eq!(signature("image_open"), "IntPtr (string)");
}
