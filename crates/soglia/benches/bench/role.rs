//! This program in the role of a host, in a process of its own.

use std::{path::Path, process::Command};

use anyhow::Context;
use soglia::host::{Host, HostTaskManager, Target};

use super::with::With;

/// The first argument of a process that plays a host. After it come what the host does, the engine,
/// the program and its arguments.
pub const ROLE: &str = "__host";

/// A task manager that returns at once.
struct Empty {
    wants: bool,
}

impl HostTaskManager for Empty {
    fn call_needs_host_hook(&self, _target: Target) -> bool {
        self.wants
    }
}

/// What a host may do here.
pub const KINDS: [(With, &str); 4] = [
    (With::Hosted, "plain"),
    (With::HostedQuiet, "quiet"),
    (With::HostedNotified, "notified"),
    (With::HostedWatched, "watched"),
];

/// The command that starts this program as such a host. Returns `None` if the configuration has
/// none.
pub fn command(with: With, engine: &Path) -> Option<Command> {
    let (_, kind) = KINDS.into_iter().find(|(of, _)| *of == with)?;
    let mut command = Command::new(std::env::current_exe().ok()?);
    command.arg(ROLE).arg(kind).arg(engine);
    Some(command)
}

/// Plays the host. Returns the exit code of the program.
pub fn play(arguments: &[String]) -> anyhow::Result<i32> {
    let [kind, engine, program, arguments @ ..] = arguments else {
        anyhow::bail!("{ROLE} KIND ENGINE PROGRAM ARGUMENTS");
    };
    let builder = Host::builder().engine(engine);
    let host = match kind.as_str() {
        "quiet" => builder.task_manager(Empty { wants: false }),
        "notified" => builder.task_manager(Empty { wants: true }),
        "watched" => builder.watch(),
        _ => builder,
    }
    .start()?;
    // Reads them, as a program would.
    let events = (kind == "watched").then(|| host.events());
    let reader = events.map(|events| std::thread::spawn(move || events.count()));
    let code = host.run(program, arguments)?;
    drop(host);
    if let Some(reader) = reader {
        reader.join().ok().context("the reader panicked")?;
    }
    Ok(code)
}
