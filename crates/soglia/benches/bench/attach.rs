//! A program that runs already: what its calls cost before an attach, during it and after it, and
//! what the same calls cost under `soglia run`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use soglia_core::trace::reader::Reader;

use super::{
    lab::Lab,
    results::{Results, Samples, table},
    with::With,
};

/// Targets, against the same process before the attach.
mod target {
    pub const COUNTS_NS: f64 = 4.0;
    /// What is left after letting go; this is the precision of the measurement.
    pub const AFTER_NS: f64 = 0.5;
    /// How much more a call may cost than under `soglia run`.
    pub const OVER_RUN_NS: f64 = 3.0;
}

/// What `served.dll` measures: its word, what it is, and how many calls one iteration makes.
const LOOPS: [(&str, &str, f64); 4] = [
    ("plain", "P/Invoke, `int(int)`", 1.0),
    ("inlined", "the same in a small method", 1.0),
    ("suppressed", "the same with `SuppressGCTransition`", 1.0),
    ("back", "P/Invoke that calls back, two calls", 2.0),
];

const COLUMNS: [&str; 6] = [
    "nothing",
    "run",
    "attached",
    "run, counts",
    "attached, counts",
    "after letting go",
];

/// How long to wait for an attach before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Nanoseconds by what the program measures.
type Times = BTreeMap<String, f64>;

/// A `served.dll` that waits for commands.
struct Program {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(mut command: Command) -> anyhow::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start served.dll")?;
        let input = child.stdin.take().context("its input is a pipe")?;
        let output = child.stdout.take().context("its output is a pipe")?;
        let output = BufReader::new(output);
        let mut program = Self {
            child,
            input,
            output,
        };
        let line = program.line()?;
        ensure!(line == "ready", "served.dll printed {line:?}");
        Ok(program)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    /// Measures twice, and keeps the second: the first has the runtime compile what is new.
    fn measure(&mut self) -> anyhow::Result<Times> {
        let mut times = Times::new();
        for _ in 0..2 {
            writeln!(self.input, "bench")?;
            let line = self.line()?;
            let words = line.strip_prefix("bench ");
            let words = words.with_context(|| format!("served.dll printed {line:?}"))?;
            for word in words.split(' ') {
                let (name, value) = word.split_once('=').context("no NAME=VALUE")?;
                times.insert(name.to_owned(), value.parse()?);
            }
        }
        Ok(times)
    }

    fn end(mut self) -> anyhow::Result<()> {
        writeln!(self.input, "end")?;
        let status = self.child.wait()?;
        ensure!(status.success(), "served.dll: {status}");
        Ok(())
    }
}

/// Attaches, measures while hooks are there, and lets go. Returns times, and milliseconds until all
/// hooks were there.
fn attached(lab: &Lab, program: &mut Program, options: &[&str]) -> anyhow::Result<(Times, f64)> {
    let file = lab.temp().join("attached.soglia");
    let mut command = lab.tool();
    command
        .args(["attach", "--quiet"])
        .args(options)
        .arg("-o")
        .arg(&file)
        .arg(program.child.id().to_string());
    let mut tool = command.spawn().context("cannot start soglia")?;
    let live_ms = live_ms(&mut tool, &file)?;
    let times = program.measure()?;
    let pid = tool.id();
    let told = Command::new("/bin/sh")
        .args(["-c", &format!("kill -INT {pid}")])
        .status()?;
    ensure!(told.success(), "kill: {told}");
    let status = tool.wait()?;
    ensure!(status.success(), "soglia attach: {status}");
    std::fs::remove_file(&file)?;
    Ok((times, live_ms))
}

fn live_ms(tool: &mut Child, file: &Path) -> anyhow::Result<f64> {
    let began = Instant::now();
    loop {
        if let Some(status) = tool.try_wait()? {
            bail!("soglia attach: {status}");
        }
        if let Ok(reader) = Reader::open(file)
            && let Some(attach) = reader.names().attach
            && attach.live > 0
        {
            let (asked, live) = (
                reader.wall_ns_at(attach.asked),
                reader.wall_ns_at(attach.live),
            );
            #[allow(clippy::cast_precision_loss, reason = "for people")]
            return Ok(live.saturating_sub(asked) as f64 / 1e6);
        }
        ensure!(began.elapsed() < PATIENCE, "no hooks in a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A process under `soglia run`'s engine.
fn under_run(lab: &Lab, with: With) -> anyhow::Result<Times> {
    let recording = lab.recording(with)?.context("nothing is recorded")?;
    let command = lab.command(with, Some(&recording), "served", &["slow"]);
    let mut program = Program::start(command)?;
    let times = program.measure()?;
    program.end()?;
    std::fs::remove_file(&recording)?;
    Ok(times)
}

/// Nanoseconds per call.
pub fn measure(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    let rounds = results.rounds(9, 3);
    let mut ran: BTreeMap<(&str, String), Samples> = BTreeMap::new();
    let mut live = Samples::default();
    for _ in 0..rounds {
        let mut keep = |column: &'static str, times: Times| {
            for (name, value) in times {
                ran.entry((column, name)).or_default().0.push(value);
            }
        };
        let command = lab.command(With::Nothing, None, "served", &["slow"]);
        let mut program = Program::start(command)?;
        keep("nothing", program.measure()?);
        for (column, options) in [
            ("attached", &[][..]),
            ("attached, counts", &["--counts"][..]),
        ] {
            let (times, live_ms) = attached(lab, &mut program, options)?;
            keep(column, times);
            live.0.push(live_ms);
            keep("after letting go", program.measure()?);
        }
        program.end()?;
        keep("run", under_run(lab, With::Sampled)?);
        keep("run, counts", under_run(lab, With::Counts)?);
    }
    let mut rows = Vec::new();
    for (word, name, calls) in LOOPS {
        let of = |column| &ran[&(column, word.to_owned())];
        let least = |column| of(column).min();
        let mut cells = vec![name.to_owned()];
        for column in COLUMNS {
            let what = format!("{name}, attach, minima of processes");
            results.keep(&what, column, "ns per iteration", of(column));
            cells.push(of(column).cell(1));
        }
        let mut judge = |what: &str, more: f64, limit: f64| {
            let judged = results.target(&format!("{name}: {what}"), more, limit, "ns");
            cells.push(format!("{more:+.1} {judged}"));
        };
        judge(
            "attached over run",
            least("attached") - least("run"),
            target::OVER_RUN_NS * calls,
        );
        judge(
            "attached, counts over nothing",
            least("attached, counts") - least("nothing"),
            target::COUNTS_NS * calls,
        );
        judge(
            "after letting go over nothing",
            least("after letting go") - least("nothing"),
            target::AFTER_NS,
        );
        rows.push(cells);
    }
    results.keep("until all hooks are there", "attached", "ms", &live);
    println!(
        "\n## Attach\n\n{rounds} rounds of 60 x 100000 iterations. All hooks were there {} ms after soglia asked.",
        live.cell(1)
    );
    let head: Vec<&str> = ["loop"]
        .into_iter()
        .chain(COLUMNS)
        .chain(["attached over run", "by counting", "left after letting go"])
        .collect();
    table("Nanoseconds per iteration, 1 thread:", &head, &rows);
    Ok(())
}
