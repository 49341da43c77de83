//! What is measured with real programs under the runtime callbacks.

use std::collections::BTreeMap;

use anyhow::Context;
use serde_json::Value;

use super::{
    child::Ran,
    lab::Lab,
    results::{Results, Samples, table},
    with::With,
};

/// Targets, all against the floor.
mod target {
    /// Nothing can be saved of two time stamps. So many nanoseconds may come on top per call.
    pub const SUMMARY_NS: f64 = 15.0;
    pub const EVENTS_NS: f64 = 20.0;
    pub const START_MS: f64 = 15.0;
    pub const SQLITE_RATIO: f64 = 1.15;
    pub const MEMORY_MIB: f64 = 16.0;
    pub const THREAD_KIB: f64 = 64.0;
}

/// The loops of `bench.dll`, and how many calls over the boundary, there and back, one iteration
/// makes.
const LOOPS: [(&str, f64); 5] = [
    ("plain", 1.0),
    ("suppressgc", 1.0),
    ("string", 1.0),
    ("callback", 2.0),
    ("nested", 3.0),
];

/// Nanoseconds per crossing, from `bench.dll`.
pub fn crossings(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    let (rounds, iterations) = (results.rounds(9, 3), "200000");
    let threads = [1, 2];
    let ran = lab.in_turn(
        rounds,
        &With::ENGINE,
        ("bench", &[iterations, "2"]),
        |ran| serde_json::from_str::<Value>(&ran.output).context("bench.dll printed no JSON"),
    )?;
    let stamps = ran.values().flatten().map(|json| number(&json["rdtsc_ns"]));
    let stamp = Samples(stamps.collect::<anyhow::Result<_>>()?);
    results.keep("time stamp", "", "ns", &stamp);
    let stamp_ns = stamp.median();
    println!(
        "\n## Crossings\n\nOne time stamp (rdtsc) takes {} ns. {rounds} rounds of 7 x {iterations} iterations.",
        stamp.cell(2)
    );
    for threads in threads {
        let (mut times, mut added) = (Vec::new(), Vec::new());
        for (name, calls) in LOOPS {
            let what = format!("{name}, {threads} at a time");
            let mut of = BTreeMap::new();
            for (with, all) in &ran {
                let (least, middle) = of_processes(all, name, threads)?;
                let (of_least, of_middle) = ("minima of processes", "medians of processes");
                results.keep(&format!("{what}, {of_least}"), with.name(), UNIT, &least);
                results.keep(&format!("{what}, {of_middle}"), with.name(), UNIT, &middle);
                of.insert(*with, (least, middle));
            }
            let mut cells = vec![name.to_owned()];
            let cell = |least: &Samples, middle: &Samples| {
                format!("{:.1} / {:.1}", least.min(), middle.median())
            };
            cells.extend(of.values().map(|(least, middle)| cell(least, middle)));
            times.push(cells);
            let mut cells = vec![name.to_owned(), format!("{calls:.0}")];
            for (with, on_top) in [
                (With::Summary, target::SUMMARY_NS),
                (With::Events, target::EVENTS_NS),
            ] {
                let ((least, middle), (floor_least, floor_middle)) =
                    (&of[&with], &of[&With::Floor]);
                let more = middle.over(floor_middle).times(1.0 / calls);
                let what = format!("{what}: {} over the floor, per call", with.name());
                results.keep(&what, with.name(), "ns", &more);
                let median = more.median();
                let least = (least.min() - floor_least.min()) / calls;
                cells.push(format!("{least:.1} / {median:.1}"));
                cells.push(format!("{:.2}", median / stamp_ns));
                cells.push(results.target(&what, median, 2.0 * stamp_ns + on_top, "ns"));
            }
            added.push(cells);
        }
        let s = if threads == 1 { "" } else { "s" };
        table(
            &format!("Nanoseconds per iteration, {threads} thread{s}:"),
            &["loop", "nothing", "floor", "summary", "events"],
            &times,
        );
        table(
            &format!(
                "Added over the floor per call, that is per two crossings, {threads} thread{s}; targets are for the median:"
            ),
            &[
                "loop",
                "calls",
                "summary, ns",
                "in stamps",
                "target",
                "events, ns",
                "in stamps",
                "target",
            ],
            &added,
        );
    }
    Ok(())
}

const UNIT: &str = "ns per iteration";

/// The shortest and the middle time of one loop, as each process measured it.
pub fn of_processes(all: &[Value], name: &str, threads: u64) -> anyhow::Result<(Samples, Samples)> {
    let (mut least, mut middle) = (Samples::default(), Samples::default());
    for json in all {
        let rows = json["rows"].as_array().into_iter().flatten();
        let row = rows
            .into_iter()
            .find(|row| row["name"] == name && row["threads"] == threads)
            .with_context(|| format!("bench.dll has no row {name} with {threads} threads"))?;
        least.0.push(number(&row["min_ns"])?);
        middle.0.push(number(&row["median_ns"])?);
    }
    Ok((least, middle))
}

/// A number that `bench.dll` has printed.
pub fn number(json: &Value) -> anyhow::Result<f64> {
    json.as_f64()
        .context("a number is missing in what bench.dll printed")
}

/// From nothing to the end of `hello.dll`.
pub fn start(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    let rounds = results.rounds(31, 7);
    let all = [
        With::Nothing,
        With::Floor,
        With::Summary,
        With::Events,
        With::Tool,
    ];
    let of = wall(lab, rounds, &all, ("hello", &[]))?;
    let mut rows = Vec::new();
    for (with, samples) in &of {
        results.keep("start of hello.dll", with.name(), "ms", samples);
        let more = samples.over(&of[&With::Floor]).median();
        let judged = match with {
            With::Summary | With::Events => {
                let what = format!("start: {} over the floor", with.name());
                results.target(&what, more, target::START_MS, "ms")
            }
            _ => String::new(),
        };
        rows.push(vec![
            with.name().to_owned(),
            samples.cell(1),
            format!("{more:+.1}"),
            judged,
        ]);
    }
    println!("\n## Start");
    table(
        &format!("Milliseconds from start to end of hello.dll, {rounds} rounds:"),
        &["with", "ms", "over the floor", "target"],
        &rows,
    );
    let tool = of[&With::Tool].over(&of[&With::Summary]);
    results.keep(
        "start: added by soglia run itself",
        With::Tool.name(),
        "ms",
        &tool,
    );
    println!(
        "\n`soglia run` itself adds {:.1} ms to what the engine adds (median).",
        tool.median()
    );
    Ok(())
}

/// `sqlitedemo.dll`: 1.6 million crossings, and work between them.
pub fn sqlite(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    let rounds = results.rounds(15, 5);
    let of = wall(lab, rounds, &With::ENGINE, ("sqlitedemo", &["100000"]))?;
    let mut rows = Vec::new();
    for (with, samples) in &of {
        results.keep("sqlitedemo.dll 100000", with.name(), "ms", samples);
        let (to_floor, to_nothing) = (
            samples.ratio(&of[&With::Floor]).median(),
            samples.ratio(&of[&With::Nothing]).median(),
        );
        let judged = match with {
            With::Summary | With::Events => {
                let what = format!("sqlite: {} to the floor", with.name());
                results.target(&what, to_floor, target::SQLITE_RATIO, "times")
            }
            _ => String::new(),
        };
        rows.push(vec![
            with.name().to_owned(),
            samples.cell(1),
            format!("{to_floor:.2}"),
            format!("{to_nothing:.2}"),
            judged,
        ]);
    }
    println!("\n## SQLite");
    table(
        &format!("Milliseconds of sqlitedemo.dll 100000, start included, {rounds} rounds:"),
        &["with", "ms", "to the floor", "to nothing", "target"],
        &rows,
    );
    Ok(())
}

/// How long a program took, in milliseconds.
pub fn wall(
    lab: &Lab,
    rounds: usize,
    all: &[With],
    program: (&str, &[&str]),
) -> anyhow::Result<BTreeMap<With, Samples>> {
    samples(lab, rounds, all, program, |ran| ran.wall_ms)
}

fn samples(
    lab: &Lab,
    rounds: usize,
    all: &[With],
    program: (&str, &[&str]),
    of: impl Fn(&Ran) -> f64,
) -> anyhow::Result<BTreeMap<With, Samples>> {
    let ran = lab.in_turn(rounds, all, program, |ran| Ok(of(&ran)))?;
    Ok(ran
        .into_iter()
        .map(|(with, samples)| (with, Samples(samples)))
        .collect())
}

/// Peak memory. The mapped recording counts: it is resident while it is written.
pub fn memory(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    let rounds = results.rounds(9, 3);
    let programs: [(&str, &[&str], f64); 4] = [
        ("hello", &[], 0.0),
        ("sqlitedemo", &["100000"], 0.0),
        ("semantics", &["threads", "1", "2000"], 1.0),
        ("semantics", &["threads", "64", "2000"], 64.0),
    ];
    let mut rows = Vec::new();
    let mut added = BTreeMap::new();
    for (program, args, threads) in programs {
        let what = format!("{program}.dll {}", args.join(" "));
        let what = what.trim_end();
        let mib = |ran: &Ran| ran.peak_kib as f64 / 1024.0;
        let of = samples(lab, rounds, &With::ENGINE, (program, args), mib)?;
        let mut cells = vec![what.to_owned()];
        for (with, samples) in &of {
            results.keep(&format!("peak of {what}"), with.name(), "MiB", samples);
            cells.push(samples.cell(1));
        }
        for with in [With::Summary, With::Events] {
            // Not round by round: one garbage collection more in a process says nothing about
            // another process.
            let more = of[&with].median() - of[&With::Floor].median();
            added.insert((with, threads as u32), more);
            let limit = target::MEMORY_MIB + threads * target::THREAD_KIB / 1024.0;
            let target = format!("peak of {what}: {} over the floor", with.name());
            cells.push(format!("{more:+.1}"));
            cells.push(results.target(&target, more, limit, "MiB"));
        }
        rows.push(cells);
    }
    println!("\n## Memory");
    table(
        &format!("Peak resident memory in MiB, {rounds} rounds:"),
        &[
            "program",
            "nothing",
            "floor",
            "summary",
            "events",
            "summary over the floor",
            "target",
            "events over the floor",
            "target",
        ],
        &rows,
    );
    for with in [With::Summary, With::Events] {
        let kib = (added[&(with, 64)] - added[&(with, 1)]) / 63.0 * 1024.0;
        let what = format!("memory per thread: {}", with.name());
        let judged = results.target(&what, kib, target::THREAD_KIB, "KiB");
        println!(
            "\nOver the floor per thread, from the last two rows, {}: {kib:.0} KiB, {judged}.",
            with.name()
        );
    }
    Ok(())
}
