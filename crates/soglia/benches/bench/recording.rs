//! A very long recording: what writing and reading it costs.

use std::{
    fs, io,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use soglia_core::{
    crossing::{Crossing, Side},
    task::Who,
    time,
    trace::{
        log::{Record, TargetNames},
        task_writer::TaskWriter,
        writer::{self, Level, Options, Recording},
    },
};

use super::{
    lab::Lab,
    results::{Results, Samples, table},
};

const TASKS: u32 = 4;
/// Native functions that call nothing back, and after them one that does, and its callback.
const LEAVES: u32 = 20;
const OUTER: u32 = LEAVES + 1;
const CALLBACK: u32 = LEAVES + 2;
/// Crossings of one [`Writer::turn`].
const CROSSINGS_PER_TURN: u64 = 16;
/// Turns that a task takes in a row: some milliseconds, as a thread does.
const TURNS_IN_A_ROW: u64 = 10_000;

const TARGET_SECONDS: f64 = 3.0;
const EXPORT_MIB: f64 = 256.0;

/// Writes the recording, then has the tool report it.
pub fn measure(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    let millions = results.rounds(100, 10) as u64;
    let path = lab.temp().join("long.soglia");
    let written = write(&path, millions * 1_000_000)?;
    println!(
        "\n## A long recording\n\n{:.1} million crossings of {TASKS} tasks, one after the other.",
        written.crossings as f64 / 1e6
    );
    let per = |whole: f64| Samples(vec![whole / written.crossings as f64]);
    let (ns, bytes) = (per(written.seconds * 1e9), per(written.bytes as f64));
    results.keep("writing events, per crossing", "", "ns", &ns);
    results.keep("bytes per crossing", "", "bytes", &bytes);
    let mut rows = vec![
        vec![
            "to write, time stamp included, ns per crossing".to_owned(),
            format!("{:.2}", ns.median()),
            String::new(),
        ],
        vec![
            "room, bytes per crossing".to_owned(),
            format!("{:.2}", bytes.median()),
            String::new(),
        ],
    ];
    for (what, option) in [
        ("soglia report", None),
        ("soglia report --replay", Some("--replay")),
    ] {
        let mut seconds = Samples::default();
        for _ in 0..3 {
            let mut command = lab.tool();
            command.arg("report").args(option).arg(&path);
            // No `child::run`: the size of a report does not matter, and may be smaller than this
            // process.
            let began = Instant::now();
            let output = command.output().context("cannot start the tool")?;
            seconds.0.push(began.elapsed().as_secs_f64());
            ensure!(
                output.status.success(),
                "{what}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        results.keep(
            &format!("{what}, {millions} million"),
            "",
            "seconds",
            &seconds,
        );
        // The target is for 100 million; the time of a replay is proportional.
        let limit = TARGET_SECONDS * millions as f64 / 100.0;
        let judged = results.target(what, seconds.median(), limit, "s");
        rows.push(vec![format!("{what}, seconds"), seconds.cell(2), judged]);
    }
    table(
        "Written once, reported three times:",
        &["", "", "target"],
        &rows,
    );
    let exported = exports(lab, &path, millions, results);
    fs::remove_file(&path)?;
    exported
}

/// Has the tool export the recording in every format.
fn exports(lab: &Lab, path: &Path, millions: u64, results: &mut Results) -> anyhow::Result<()> {
    let formats = [
        "perfetto",
        "firefox",
        "speedscope",
        "chrome",
        "flamegraph",
        "folded",
        "pprof",
        "parquet",
        "csv",
        "jsonl",
    ];
    let mut rows = Vec::new();
    for format in formats {
        let exported =
            export(lab, path, format).with_context(|| format!("export --to {format}"))?;
        let what = format!("export --to {format}, {millions} million");
        let one = |value: f64| Samples(vec![value]);
        let peak = exported.peak_kib as f64 / 1024.0;
        results.keep(&what, "", "seconds", &one(exported.seconds));
        results.keep(&format!("{what}, peak"), "", "MiB", &one(peak));
        results.keep(
            &format!("{what}, size"),
            "",
            "bytes",
            &one(exported.bytes as f64),
        );
        rows.push(vec![
            format.to_owned(),
            format!("{:.1}", exported.seconds),
            format!("{peak:.0}"),
            results.target(&format!("{what}, peak"), peak, EXPORT_MIB, "MiB"),
            format!("{:.1}", exported.bytes as f64 / 1e6),
        ]);
    }
    table(
        "Exported once to a pipe:",
        &["`--to`", "seconds", "peak, MiB", "target", "size, MB"],
        &rows,
    );
    Ok(())
}

struct Exported {
    seconds: f64,
    peak_kib: u64,
    bytes: u64,
}

fn export(lab: &Lab, path: &Path, format: &str) -> anyhow::Result<Exported> {
    let mut command = lab.tool();
    command
        .args(["export", "--to", format, "-o", "-"])
        .arg(path);
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut out = child.stdout.take().context("it is piped")?;
    let counted = thread::spawn(move || io::copy(&mut out, &mut io::sink()));
    // The peak of a child that `wait4` knows includes this process, which has the recording mapped.
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0;
    let ended = loop {
        let read = fs::read_to_string(&status).unwrap_or_default();
        let line = read.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak_kib = number.unwrap_or(0).max(peak_kib);
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let bytes = counted
        .join()
        .map_err(|_| anyhow::anyhow!("the pipe was not read"))??;
    ensure!(ended.success(), "it ended with {ended}");
    Ok(Exported {
        seconds: began.elapsed().as_secs_f64(),
        peak_kib,
        bytes,
    })
}

struct Written {
    crossings: u64,
    seconds: f64,
    bytes: u64,
}

fn write(path: &Path, at_least: u64) -> anyhow::Result<Written> {
    let options = Options {
        level: Level::Events,
        // At most 6 bytes per crossing, what is not for events, and a margin.
        max_bytes: at_least * 10 + (8 << 20),
        ..Options::default()
    };
    let file = writer::create(path, &options).context("cannot make a recording")?;
    // Tasks refer to their recording for ever.
    let recording: &'static Recording = Box::leak(Box::new(Recording::claim(path)?));
    name_targets(recording);
    let mut writers = (0..TASKS)
        .map(|task| Writer::new(recording, task))
        .collect::<Option<Vec<_>>>()
        .context("no room for the tasks")?;
    let mut crossings = 0;
    let began = Instant::now();
    while crossings < at_least {
        for writer in &mut writers {
            for turn in 0..TURNS_IN_A_ROW {
                writer.turn(turn);
            }
            crossings += TURNS_IN_A_ROW * CROSSINGS_PER_TURN;
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    for writer in &mut writers {
        writer.task.end(time::now());
    }
    recording.shut_down();
    writer::conclude(&file, Ok(0))?;
    let dropped = |writer: &Writer| {
        let dropped = &writer.task.record().dropped;
        dropped.load(std::sync::atomic::Ordering::Relaxed)
    };
    ensure!(
        writers.iter().map(dropped).sum::<u64>() == 0,
        "the recording has no room for everything"
    );
    Ok(Written {
        crossings,
        seconds,
        bytes: file.metadata()?.len(),
    })
}

fn name_targets(recording: &Recording) {
    recording.log(&Record::Program {
        args: vec!["synthetic".into()],
    });
    for target in 1..=CALLBACK {
        let side = side_of(target);
        let native = side == Side::Unmanaged;
        recording.log(&Record::Target(TargetNames {
            target,
            side: side as u32,
            method: Some(format!("Synthetic.Method{target}")),
            assembly: Some("synthetic".into()),
            library: native.then(|| "synthetic".into()),
            entry: native.then(|| format!("function_{target}")),
            ..TargetNames::default()
        }));
    }
}

const fn side_of(target: u32) -> Side {
    if target == CALLBACK {
        Side::Managed
    } else {
        Side::Unmanaged
    }
}

/// One task, which does what the engine does for the CLR's callbacks.
struct Writer {
    task: Box<TaskWriter>,
}

impl Writer {
    fn new(recording: &'static Recording, task: u32) -> Option<Self> {
        let mut task = TaskWriter::new(recording, 1000 + task, time::now())?;
        for target in 1..=CALLBACK {
            task.learn(function(target), side_of(target), target, 0);
        }
        Some(Self { task })
    }

    /// Five calls, one that calls back, and a call in the callback: as SQLite with a function of
    /// the program.
    fn turn(&mut self, number: u64) {
        let first = (number * 6) as u32;
        for n in 0..5 {
            self.call(1 + (first + n) % LEAVES);
        }
        self.open(Crossing::LeaveRuntime, OUTER);
        self.open(Crossing::ReverseEnterRuntime, CALLBACK);
        self.call(1 + (first + 5) % LEAVES);
        self.close(Crossing::ReverseLeaveRuntime, CALLBACK);
        self.close(Crossing::EnterRuntime, OUTER);
    }

    fn call(&mut self, target: u32) {
        self.open(Crossing::LeaveRuntime, target);
        self.close(Crossing::EnterRuntime, target);
    }

    fn open(&mut self, crossing: Crossing, target: u32) {
        let (function, side) = (function(target), crossing.side());
        let slot = self.task.slot(function, side, 0);
        // Two functions can share a place in the task's table. Then the engine finds the target
        // anew.
        let slot = slot.unwrap_or_else(|| self.task.learn(function, side, target, 0));
        self.task
            .cross(crossing, Who { function, slot }, time::now(), 0);
    }

    fn close(&mut self, crossing: Crossing, target: u32) {
        let who = Who {
            function: function(target),
            slot: 0,
        };
        self.task.cross(crossing, who, time::now(), 0);
    }
}

/// Addresses, as far apart as the CLR's.
const fn function(target: u32) -> u64 {
    0x7f00_0000_0000 + target as u64 * 0x90
}
