//! Estimates of times by sample, on native functions that measure their own times.

use crate::support::{Space, text};

/// What a function measured of its own calls.
struct Truth {
    function: String,
    calls: u64,
    total_ns: u64,
    /// Calls of 1 ms and more, and of 3 ms and more.
    longish: usize,
    certainly_long: usize,
}

fn truths(printed: &str) -> Vec<Truth> {
    let of_line = |line: &str| {
        let mut words = line.split(' ');
        let function = words.next().unwrap().to_owned();
        let mut number = || words.next().unwrap().parse::<u64>().unwrap();
        Truth {
            function,
            calls: number(),
            total_ns: number(),
            longish: number() as usize,
            certainly_long: number() as usize,
        }
    };
    let all = printed.lines().map(of_line);
    all.filter(|truth| truth.calls > 0).collect()
}

/// Runs a program. Its calls are all counted and its long ones are all there. Says what is outside
/// of its error bars.
fn run(kind: &str, calls: u32, seed: u32) -> Vec<String> {
    let space = Space::new();
    let options = "-q -o a.soglia --times sampled --slow 2ms --top 0";
    let args = format!("{kind} {calls} {seed}");
    let output = space.run(options, "times.dll", &args).output().unwrap();
    assert!(output.status.success(), "{kind}: {output:?}");
    let report = space.recording("a.soglia").json("--top 0");
    let mut outside = Vec::new();
    for truth in truths(&text(&output.stdout)) {
        let rows = report["targets"].as_array().unwrap();
        let row = rows.iter().find(|row| row["entry"] == truth.function);
        let row = row.unwrap_or_else(|| panic!("{}: {report}", truth.function));
        let number = |field: &str| row[field].as_u64();
        assert_eq!(number("calls"), Some(truth.calls), "{kind}: {row}");
        let target = format!("times!{}", truth.function);
        let slow = report["slow"].as_array().unwrap().iter();
        let slow = slow.filter(|row| row["target"] == *target);
        let slow = slow.count();
        assert!(
            (truth.certainly_long..=truth.longish).contains(&slow),
            "{kind} {target}: {slow} slow calls, and there are {} to {}",
            truth.certainly_long,
            truth.longish
        );
        // The hooks and the transition are part of a call, and not of what the function measures.
        // On a loaded machine, the thread loses its core there now and then.
        let found = number("total_ns").unwrap();
        let error = 3 * number("total_ns_se").unwrap_or(0) + truth.total_ns / 20;
        let around = truth.calls * 100 + 50_000_000;
        let exact = truth.total_ns;
        if found + error < exact || found > exact + error + around {
            outside.push(format!("{kind} {target}: {found} for {exact} ± {error}"));
        }
    }
    outside
}

/// One run in 100 may be outside. Two in three may not.
fn within(kind: &str, calls: u32) {
    let first = run(kind, calls, 1);
    if first.is_empty() {
        return;
    }
    let others = [run(kind, calls, 2), run(kind, calls, 3)];
    assert!(
        others.iter().all(Vec::is_empty),
        "{first:#?} and {others:#?}"
    );
}

#[test]
fn calls_that_are_alike() {
    within("constant", 40_000);
    within("pairs", 40_000);
    within("period", 40_000);
}

#[test]
fn calls_that_are_rarely_slow() {
    within("modes", 60_000);
    within("tail", 40_000);
}

#[test]
fn calls_in_callbacks() {
    within("nested", 10_000);
}

#[test]
fn calls_of_many_threads() {
    within("threads", 5_000);
}
