//! Wrappers, compared with no profiler, and with the best other tool.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;

use super::{
    lab::Lab,
    parts::{number, of_processes, wall},
    results::{Results, Samples, table},
    with::With,
};

/// Targets, all against nothing. Times per iteration are on top of two time stamps per call.
mod target {
    pub const PLAIN_NS: f64 = 6.0;
    pub const CALLBACK_NS: f64 = 10.0;
    pub const COUNTS_NS: f64 = 4.0;
    /// Of a call that is timed by sample, in all: without time stamps.
    pub const SAMPLED_NS: f64 = 5.0;
    /// The same of a callback, which are two calls.
    pub const SAMPLED_CALLBACK_NS: f64 = 8.0;
    /// What is not wrapped costs nothing; this is the precision of the measurement.
    pub const SKIPPED_NS: f64 = 0.5;
    pub const START_MS: f64 = 10.0;
    pub const SQLITE_RATIO: f64 = 1.10;
    pub const SAMPLED_RATIO: f64 = 1.05;
    /// How much less a second thread may gain than without soglia.
    pub const SCALING: f64 = 1.10;
    /// How many times as much the other tool adds per call.
    pub const PEER: f64 = 5.0;
    pub const SAMPLED_PEER: f64 = 15.0;
}

const ALL: [With; 6] = [
    With::Nothing,
    With::Woven,
    With::WovenEvents,
    With::Sampled,
    With::Counts,
    With::Skipped,
];

/// The loops of `bench.dll`: how many calls one iteration makes, and how much each configuration
/// may add to two time stamps for each.
pub const LOOPS: [(&str, f64, Option<f64>); 5] = [
    ("plain", 1.0, Some(target::PLAIN_NS)),
    ("suppressgc", 1.0, None),
    ("string", 1.0, None),
    ("callback", 2.0, Some(target::CALLBACK_NS)),
    ("nested", 3.0, None),
];

pub type Times = BTreeMap<With, Vec<Value>>;

/// Nanoseconds per crossing. Compares minima: on a machine that does something else, the medians
/// show that.
pub fn crossings(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    let rounds = results.rounds(15, 5);
    let ran = run(lab, rounds, &ALL)?;
    let stamps = ran.values().flatten().map(|json| number(&json["rdtsc_ns"]));
    let stamp = Samples(stamps.collect::<anyhow::Result<_>>()?).min();
    println!(
        "\n## Woven\n\nOne time stamp takes {stamp:.2} ns. {rounds} rounds of 7 x 100000 iterations."
    );
    for threads in [1, 2] {
        let mut rows = Vec::new();
        for (name, calls, on_top) in LOOPS {
            let mut cells = vec![name.to_owned(), format!("{calls:.0}")];
            let of = |with| of_processes(&ran[&with], name, threads);
            let (nothing, _) = of(With::Nothing)?;
            for with in ALL {
                let (least, middle) = of(with)?;
                let what = format!("{name}, {threads} at a time, minima of processes");
                results.keep(&what, with.name(), "ns per iteration", &least);
                cells.push(format!("{:.1} / {:.1}", least.min(), middle.median()));
            }
            let added = |least: &Samples| least.min() - nothing.min();
            for (with, limit) in [
                (With::Woven, on_top.map(|ns| 2.0 * calls * stamp + ns)),
                (With::Sampled, sampled_limit(name)),
                (With::Counts, Some(target::COUNTS_NS * calls)),
                // Callbacks are watched in any case.
                (With::Skipped, (calls == 1.0).then_some(target::SKIPPED_NS)),
            ] {
                let (least, _) = of(with)?;
                let more = added(&least);
                // With two threads on one core everything takes longer, time stamps too. The
                // scaling is judged below.
                let judged = match limit {
                    Some(limit) if threads == 1 => {
                        let what = format!("{name}: {} over nothing", with.name());
                        results.target(&what, more, limit, "ns")
                    }
                    _ => String::new(),
                };
                cells.push(format!("{more:+.1} {judged}").trim_end().to_owned());
            }
            rows.push(cells);
        }
        let s = if threads == 1 { "" } else { "s" };
        table(
            &format!(
                "Nanoseconds per iteration, {threads} thread{s}; what is added is the difference of the minima:"
            ),
            &[
                "loop",
                "calls",
                With::Nothing.name(),
                With::Woven.name(),
                With::WovenEvents.name(),
                With::Sampled.name(),
                With::Counts.name(),
                With::Skipped.name(),
                "added by woven",
                "sampled",
                "by counting",
                "where skipped",
            ],
            &rows,
        );
    }
    let slower = |with| -> anyhow::Result<f64> {
        let of = |threads| of_processes(&ran[&with], "plain", threads);
        Ok(of(2)?.0.min() / of(1)?.0.min())
    };
    let without = slower(With::Nothing)?;
    println!("\nWith a second thread an iteration of `plain` takes {without:.2} times as long.");
    for with in [With::Woven, With::Sampled] {
        let (scales, name) = (slower(with)?, with.name());
        let judged = results.target(
            &format!("plain: {name}, how two threads scale, to nothing"),
            scales / without,
            target::SCALING,
            "times",
        );
        println!("{name}: {scales:.2} times: {judged}.");
    }
    peer(lab, results)
}

/// What a loop may cost where calls are timed by sample.
fn sampled_limit(name: &str) -> Option<f64> {
    match name {
        "plain" => Some(target::SAMPLED_NS),
        "callback" => Some(target::SAMPLED_CALLBACK_NS),
        _ => None,
    }
}

/// `bench.dll` in each configuration, in turn.
pub fn run(lab: &Lab, rounds: usize, all: &[With]) -> anyhow::Result<Times> {
    let threads = if all.contains(&With::Peer) { "1" } else { "2" };
    lab.in_turn(rounds, all, ("bench", &["100000", threads]), |ran| {
        // Others may print beside the program.
        let line = ran.output.lines().find(|line| line.starts_with('{'));
        serde_json::from_str(line.unwrap_or_default()).context("bench.dll printed no JSON")
    })
}

/// `uftrace record -P` patches functions of native libraries as they are loaded. It has no room for
/// its jump in those that are shorter than five bytes, which leaves the one that calls back; and it
/// does not see the callback.
fn peer(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    println!("\n### Beside uftrace\n");
    let seen = match lab.peer_sees("bench_call_back") {
        Ok(seen) => seen,
        Err(why) => {
            println!("Not compared: {why:#}.");
            return Ok(());
        }
    };
    if !seen {
        println!("Not compared: uftrace record -P patches nothing of libbench.so here.");
        return Ok(());
    }
    let all = [With::Nothing, With::Woven, With::Sampled, With::Peer];
    let ran = run(lab, results.rounds(9, 3), &all)?;
    let least =
        |with| -> anyhow::Result<f64> { Ok(of_processes(&ran[&with], "callback", 1)?.0.min()) };
    let nothing = least(With::Nothing)?;
    let theirs = least(With::Peer)? - nothing;
    println!("Added per call that is seen, in loop `callback`: uftrace record -P {theirs:.1} ns.");
    // The target is that the peer adds that many times as much.
    for (with, times) in [
        (With::Woven, target::PEER),
        (With::Sampled, target::SAMPLED_PEER),
    ] {
        // The peer sees one of the two calls of an iteration.
        let (ours, name) = ((least(with)? - nothing) / 2.0, with.name());
        let judged = results.target(
            &format!("callback: {name} to uftrace, added per call"),
            ours / theirs,
            1.0 / times,
            "times",
        );
        println!(
            "{name}: {ours:.1} ns, {:.1} times less; {judged}.",
            theirs / ours
        );
    }
    Ok(())
}

/// Start of a small program, and all of a larger one.
pub fn programs(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    let rounds = results.rounds(31, 7);
    let all = [
        With::Nothing,
        With::Woven,
        With::Sampled,
        With::Counts,
        With::NoneChosen,
    ];
    let hello = wall(lab, rounds, &all, ("hello", &[]))?;
    let sqlite = wall(lab, rounds.div_ceil(2), &all, ("sqlitedemo", &["100000"]))?;
    let median = |of: &BTreeMap<With, Samples>, with: With| of[&with].median();
    let mut rows = Vec::new();
    for with in all {
        let more = hello[&with].over(&hello[&With::Nothing]).median();
        // Start-up is not part of how much slower a program runs.
        let working = |with| median(&sqlite, with) - median(&hello, with);
        let ratio = working(with) / working(With::Nothing);
        let (mut start, mut in_all) = (String::new(), String::new());
        if with != With::Nothing {
            let what = format!("start: {} over nothing", with.name());
            start = results.target(&what, more, target::START_MS, "ms");
            let what = format!("sqlite without start: {} to nothing", with.name());
            let limit = match with {
                With::Sampled | With::NoneChosen => target::SAMPLED_RATIO,
                _ => target::SQLITE_RATIO,
            };
            in_all = results.target(&what, ratio, limit, "times");
        }
        results.keep("start of hello.dll", with.name(), "ms", &hello[&with]);
        results.keep("sqlitedemo.dll 100000", with.name(), "ms", &sqlite[&with]);
        rows.push(vec![
            with.name().to_owned(),
            hello[&with].cell(1),
            format!("{more:+.1}"),
            start,
            sqlite[&with].cell(1),
            format!("{ratio:.2}"),
            in_all,
        ]);
    }
    println!("\n## Programs under wrappers");
    table(
        &format!("Milliseconds from start to end, {rounds} rounds:"),
        &[
            "with",
            "hello.dll",
            "added",
            "target",
            "sqlitedemo.dll 100000",
            "times, start apart",
            "target",
        ],
        &rows,
    );
    first_rounds(lab, results)
}

/// The same work again and again in one process: how soon the runtime has optimised everything.
fn first_rounds(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    const ROUNDS: usize = 6;
    let all = [With::Nothing, With::Woven, With::Sampled, With::Counts];
    let program: (_, &[&str]) = ("sqlitedemo", &["100000", "6"]);
    let ran = lab.in_turn(results.rounds(9, 5), &all, program, |ran| {
        let line = ran.output.lines().find(|line| line.starts_with('{'));
        let json: Value = serde_json::from_str(line.unwrap_or_default())?;
        let times = json["rounds_ms"].as_array().context("no rounds")?;
        times.iter().map(number).collect::<anyhow::Result<Vec<_>>>()
    })?;
    let best = |with: With, round: usize| {
        Samples(ran[&with].iter().map(|times| times[round]).collect()).min()
    };
    let mut rows = Vec::new();
    for with in all {
        let mut cells = vec![with.name().to_owned()];
        for round in 0..ROUNDS {
            let ratio = best(with, round) / best(With::Nothing, round);
            let mut cell = format!("{:.1}", best(with, round));
            if with != With::Nothing {
                let what = format!("sqlite, round {}: {} to nothing", round + 1, with.name());
                let limit = if with == With::Woven {
                    target::SQLITE_RATIO
                } else {
                    target::SAMPLED_RATIO
                };
                let judged = results.target(&what, ratio, limit, "times");
                cell = format!("{cell} ({ratio:.2}, {judged})");
            }
            cells.push(cell);
        }
        rows.push(cells);
    }
    table(
        "Milliseconds of each round of sqlitedemo.dll 100000 6, the least of all processes:",
        &["with", "1", "2", "3", "4", "5", "6"],
        &rows,
    );
    Ok(())
}
