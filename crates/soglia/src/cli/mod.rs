//! The command line. Clap's types stay in here.

mod advise;
mod arguments;
mod attach;
mod attaching;
mod complain;
mod completions;
mod deadline;
mod diff;
mod doctor;
mod events;
mod export;
mod finish;
mod formats;
mod interrupts;
mod manual;
mod metrics;
mod options;
mod output;
mod page;
mod partition;
mod pipes;
mod place;
mod policy;
mod progress;
mod recorded;
mod recording;
mod report;
mod run;
mod screen;
mod several;
mod shared;
mod stacks;
mod start;
mod stuck;
mod top;
mod usage;
mod verify;
mod watch;

use std::{env, ffi::OsString, io, path::Path};

use clap::{CommandFactory, Parser};
use complain::{CANNOT, complain};
use options::{Cli, Command};
use soglia::fxr;

/// Runs the command, and returns the exit code.
pub fn main() -> i32 {
    // Before clap, which would see options of its own in the program's arguments, and would list
    // these commands where it lists others.
    let first = env::args_os().nth(1).unwrap_or_default();
    if first == fxr::SUBCOMMAND {
        return assembly(env::args_os().skip(2).collect());
    }
    if first == manual::SUBCOMMAND {
        return manual::main(env::args_os().nth(2));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::explain(&error, &env::args_os().skip(1).collect::<Vec<_>>()),
    };
    let result = match cli.command {
        Command::Run(options) => run::run(&options),
        Command::Attach(options) => attach::run(&options),
        Command::Stacks(options) => stacks::run(&options).map(|()| 0),
        Command::Report(options) => report::report(&options).map(|()| 0),
        Command::Advise(options) => advise::advise(&options),
        Command::Events(options) => events::events(&options).map(|()| 0),
        Command::Top(options) => top::run(&options).map(|()| 0),
        Command::Export(options) => export::export(&options).map(|()| 0),
        Command::Diff(options) => diff::diff(&options),
        Command::Verify(options) => verify::verify(&options),
        Command::Completions(options) => completions::print(&options, Cli::command()).map(|()| 0),
        Command::Doctor(options) => {
            soglia::doctor::run(options.what(), options.is_json()).map_err(Into::into)
        }
    };
    match result {
        Ok(code) => code,
        Err(error) if is_broken_pipe(&error) => 0,
        Err(error) => {
            complain(&format!("{error:#}"));
            CANNOT
        }
    }
}

/// Runs an assembly with hostfxr in this process, for a root without a `dotnet` command.
fn assembly(args: Vec<OsString>) -> i32 {
    let [root, hostfxr, app, args @ ..] = &args[..] else {
        complain(&"that command is for soglia itself");
        return CANNOT;
    };
    fxr::run(Path::new(root), Path::new(hostfxr), Path::new(app), args).unwrap_or_else(|error| {
        complain(&error);
        error.exit_code()
    })
}

/// Whether the reader of the output has closed it.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        io.or_else(|| {
            cause
                .downcast_ref::<serde_json::Error>()
                .and_then(serde_json::Error::io_error_kind)
        })
    };
    error
        .chain()
        .any(|cause| kind(cause) == Some(io::ErrorKind::BrokenPipe))
}
