//! `soglia stacks`.

use std::{
    env,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use soglia::{
    attach::{Target, Wanted, session},
    dotnet::process_env,
    launch,
    model::Stacks,
    text::{self, Frames, Screen, ShownStacks},
};
use soglia_core::trace::{reader::Reader, writer::Options};

use super::{interrupts::Interrupts, place::Place, screen::screen};

#[derive(Debug, Args)]
#[command(
    override_usage = "soglia stacks [OPTIONS] PID",
    after_help = "PID is a process that runs .NET 8 or later. It needs no preparation. soglia reads the stacks of all \
    threads once, prints them, and lets go; no recording is left. The runtime stops managed code for that \
    moment, which takes some milliseconds; threads in native code go on. Threads with equal stacks are shown \
    together, those inside native calls first.\n\n\
    If the runtime cannot be stopped, because a thread is in a call without a GC transition, soglia says so \
    and shows the native stacks.\n\n\
    Examples:\n  \
        soglia stacks 4711                  what is process 4711 doing now?\n  \
        soglia stacks 4711 --all            also the runtime's own threads\n  \
        soglia stacks 4711 --managed        without native frames\n  \
        soglia stacks 4711 --format json | jq '.threads[] | select(.state == \"native\") | .inside'\n\n\
    Exit codes:\n  \
        0  the stacks were printed\n  \
        2  soglia could not attach"
)]
pub struct StacksOptions {
    /// The process.
    #[arg(value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pid: u32,
    /// How to print the stacks.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Show native frames only.
    #[arg(long, conflicts_with = "managed")]
    pub native: bool,
    /// Show managed frames only.
    #[arg(long)]
    pub managed: bool,
    /// Also show threads that have no frames of the program: those of the runtime, for instance.
    #[arg(long)]
    pub all: bool,
    /// Don't shorten names to the width of the terminal.
    #[arg(long)]
    pub wide: bool,
    /// Write into this file instead of standard output.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One object, with all threads and frames (docs/stacks.schema.json).
    Json,
}

/// The size of a recording of stacks. It is a hole in memory as long as nothing is written.
const ROOM: u64 = 256 << 20;

/// Prints what every thread of a process is doing.
///
/// # Errors
/// If the process cannot be attached to.
pub fn run(options: &StacksOptions) -> anyhow::Result<()> {
    let stacks = taken(options.pid)?;
    let shown = |screen| ShownStacks {
        all: options.all,
        frames: match (options.native, options.managed) {
            (true, _) => Frames::Native,
            (_, true) => Frames::Managed,
            _ => Frames::Both,
        },
        screen,
    };
    let write = |out: &mut dyn Write, screen| -> anyhow::Result<()> {
        let mut out = BufWriter::new(out);
        match options.format {
            Format::Text => text::stacks(&stacks, shown(screen), &mut out)?,
            Format::Json => {
                serde_json::to_writer_pretty(&mut out, &stacks)?;
                writeln!(out)?;
            }
        }
        Ok(out.flush()?)
    };
    match &options.output {
        None if options.format == Format::Json => {
            write(&mut io::stdout().lock(), Screen::default())
        }
        None => {
            let screen = screen(options.wide, io::stdout());
            write(&mut anstream::stdout().lock(), screen)
        }
        Some(path) => {
            let cannot = || format!("cannot write {}", text::plain_path(path));
            let file = std::fs::File::create(path).with_context(cannot)?;
            write(&mut anstream::StripStream::new(file), Screen::default())
        }
    }
}

/// The stacks of a process.
fn taken(pid: u32) -> anyhow::Result<Stacks> {
    let target = Target::of(pid)?;
    let tool = env::current_exe().context("cannot find the file of this tool")?;
    let engine = launch::engine_for(&tool, &process_env, target.c_library())?;
    let interrupts = Interrupts::catch().context("cannot catch Ctrl-C")?;
    let with = Options {
        max_bytes: ROOM,
        ..Options::default()
    };
    let place = Place::make(None, false, &with)?;
    let wanted = Wanted {
        engine: &engine,
        file: &place.file,
        recording: &place.path,
        settings: &[],
    };
    session::snapshot(&target, &wanted, &mut || !interrupts.came())?;
    let reader = Reader::open_partial(&place.own())?;
    if !reader.is_claimed() {
        let note = reader.note().unwrap_or("the engine did not begin".into());
        anyhow::bail!("no stacks were read: {note}");
    }
    Ok(Stacks::of(&reader))
}
