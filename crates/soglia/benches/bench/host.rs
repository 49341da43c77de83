//! A host that is told of crossings, against one that is not: this program itself, in a process of its own.

use std::{collections::BTreeMap, path::Path, process::Command};

use anyhow::Context;
use soglia::host::{Host, HostTaskManager, Target};

use super::{
    lab::{Lab, With},
    parts::of_processes,
    results::{Results, table},
    woven,
};

/// The first argument of a process that plays a host; then what it does, the engine, the program and its arguments.
pub const ROLE: &str = "__host";

/// Answers as soon as it is called.
struct Empty {
    wants: bool,
}

impl HostTaskManager for Empty {
    fn call_needs_host_hook(&self, _target: Target) -> bool {
        self.wants
    }
}

/// What a host may do here.
const KINDS: [(With, &str); 4] = [
    (With::Hosted, "plain"),
    (With::HostedQuiet, "quiet"),
    (With::HostedTold, "told"),
    (With::HostedWatched, "watched"),
];

/// Starts as the host that runs this program.
pub fn command(with: With, engine: &Path) -> Option<Command> {
    let (_, kind) = KINDS.into_iter().find(|(of, _)| *of == with)?;
    let mut command = Command::new(std::env::current_exe().ok()?);
    command.arg(ROLE).arg(kind).arg(engine);
    Some(command)
}

/// Plays the host.
pub fn play(arguments: &[String]) -> anyhow::Result<i32> {
    let [kind, engine, program, arguments @ ..] = arguments else {
        anyhow::bail!("{ROLE} KIND ENGINE PROGRAM ARGUMENTS");
    };
    let builder = Host::builder().engine(engine);
    let host = match kind.as_str() {
        "quiet" => builder.task_manager(Empty { wants: false }),
        "told" => builder.task_manager(Empty { wants: true }),
        "watched" => builder.watch(),
        _ => builder,
    }
    .start()?;
    // Somebody reads them, as somebody would.
    let events = (kind == "watched").then(|| host.events());
    let reader = events.map(|events| std::thread::spawn(move || events.count()));
    let code = host.run(program, arguments)?;
    drop(host);
    if let Some(reader) = reader {
        reader.join().ok().context("the reader panicked")?;
    }
    Ok(code)
}

/// Nanoseconds per crossing.
pub fn measure(lab: &Lab, results: &mut Results) -> anyhow::Result<()> {
    let all = KINDS.map(|(with, _)| with);
    let rounds = results.rounds(9, 3);
    let ran = woven::run(lab, rounds, &all)?;
    let mut rows = Vec::new();
    for (name, ..) in woven::LOOPS {
        let mut cells = vec![name.to_owned()];
        let mut least = BTreeMap::new();
        for with in all {
            let (minima, middle) = of_processes(&ran[&with], name, 1)?;
            let what = format!("{name}, hosted, minima of processes");
            results.keep(&what, with.name(), "ns per iteration", &minima);
            cells.push(format!("{:.1} / {:.1}", minima.min(), middle.median()));
            least.insert(with, minima.min());
        }
        let added = least[&With::HostedTold] - least[&With::Hosted];
        cells.push(format!("{added:+.1}"));
        rows.push(cells);
    }
    println!("\n## Hosts\n\n{rounds} rounds of 7 x 100000 iterations, one thread.");
    let names = all.map(With::name);
    let head: Vec<&str> = ["loop"]
        .into_iter()
        .chain(names)
        .chain(["added by telling"])
        .collect();
    table("Nanoseconds per iteration:", &head, &rows);
    Ok(())
}
