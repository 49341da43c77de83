//! `soglia top`.

use std::{
    env,
    io::{self, BufWriter, IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use soglia::{
    attach::Target,
    running::programs,
    top::{self, Settings},
};
use soglia_core::trace::writer::Level;

use super::{
    attaching::Attaching,
    recording::{HELP, open, opened},
};

#[derive(Debug, Args)]
#[command(
    after_help = "Without FILE or PID, it lists the .NET programs that you may look at, those that soglia records \
    first. Enter watches one; if nothing records it, soglia asks whether to attach to it. If standard output is no \
    terminal, it prints that list and ends. Keys: `?` shows them.\n\n\
    The numbers are those of the time since the last look; `w` switches to the whole run. If nothing \
    records process PID, soglia asks whether to attach to it. A program that is recorded already is only read, \
    never changed or delayed. NO_COLOR turns colours off.\n\n\
    Examples:\n  \
        soglia top                   choose a program\n  \
        soglia top 4711              watch process 4711, or the program of that `soglia run`\n  \
        soglia top 4711 --attach     attach to it first, and let go when you quit\n  \
        soglia top a.soglia          look around in a recording\n  \
        soglia top | cat             list the .NET programs\n\n\
    Exit codes:\n  \
        0  you quit, or the list was printed\n  \
        2  there is no such recording or process, or no terminal"
)]
pub struct Top {
    #[arg(value_name = "FILE|PID", help = HELP)]
    pub file: Option<PathBuf>,
    /// The time between two looks, from 250ms to 1m.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = humantime::parse_duration)]
    pub every: Duration,
    #[command(flatten)]
    pub attaching: Attaching,
}

/// Watches a program.
pub fn run(options: &Top) -> anyhow::Result<()> {
    let settings = Settings {
        every: options.every,
        // https://no-color.org
        colours: env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    let is_shown = io::stdout().is_terminal();
    let cannot_move = env::var_os("TERM").is_none_or(|terminal| terminal == "dumb");
    let Some(file) = &options.file else {
        if !is_shown || cannot_move {
            return list();
        }
        let Some(program) = top::choose(settings, options.attaching.is_agreed())? else {
            return Ok(());
        };
        if program.is_recorded {
            return watch(Path::new(&program.pid.to_string()), settings);
        }
        return attach_and_watch(options, Target::of(program.pid)?, settings);
    };
    let target = options.attaching.wanted(file, "")?;
    if target.is_none() {
        // Says what is wrong with it, if anything is.
        open(file, true)?;
    }
    if !is_shown || cannot_move {
        let why = if is_shown {
            "TERM names no terminal that can show it"
        } else {
            "standard output is no terminal"
        };
        anyhow::bail!(
            "{why}: `soglia report {0} --since 1s` prints the same once",
            file.display()
        );
    }
    let Some(target) = target else {
        return watch(file, settings);
    };
    attach_and_watch(options, target, settings)
}

/// Watches a program that nothing records, and lets go of it.
fn attach_and_watch(options: &Top, target: Target, settings: Settings) -> anyhow::Result<()> {
    let live = options
        .attaching
        .begin(target, Level::Summary, &mut || true)?;
    let watched = watch(&live.path(), settings);
    live.end()?;
    watched
}

fn watch(file: &Path, settings: Settings) -> anyhow::Result<()> {
    Ok(top::run(opened(file)?, settings)?)
}

/// Prints the programs.
fn list() -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "{}", top::heading())?;
    for program in programs() {
        writeln!(out, "{}", top::program_line(&program))?;
    }
    Ok(out.flush()?)
}
