//! `soglia doctor [PROGRAM|PID]`: whether soglia works on this machine, and how to fix it if not.
//!
//! [`examine`] and [`examine_process`] collect findings, [`print()`] and [`print_json`] show them.
//! None of them starts or changes anything.

mod coverage;
mod finding;
mod libraries;
mod machine;
mod output;
mod program;
mod roots;
mod running;

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::dotnet::platform::CLibrary;
use crate::dotnet::{self, Lookup, Search};
use crate::launch;
use crate::program::Program;
pub use finding::{Finding, Level};
pub use output::{exit_code, print, print_json};

/// Looks at everything that a recording depends on, and at `program` if there is one.
pub fn examine(program: Option<&OsStr>, env: Lookup<'_>) -> Vec<Finding> {
    let mut findings = vec![machine::system(), machine::clock(Path::new("/"))];
    let tool = std::env::current_exe().unwrap_or_default();
    findings.push(machine::engine(&tool, env));
    findings.extend(machine::conflicts(env));
    findings.push(machine::temporary_directory(env));
    findings.push(coverage::general(env));
    let search = Search::run(env).and_beside(&tool);
    // A program that brings its own runtime needs no root. So a missing root is a failure only for
    // a PROGRAM that needs one.
    let program = program.map(|given| Program::inspect(given, env));
    let needs_root = matches!(&program, Some(Ok(program)) if program.needs_root());
    findings.extend(roots::findings(&search, needs_root));
    match program {
        None => {}
        Some(Err(error)) => findings.push(Finding::error("program", &error)),
        Some(Ok(program)) => {
            findings.push(program::finding(&program, &search, env));
            findings.extend(coverage::of_program(&program));
            findings.extend(libraries::findings(&program, &search, env));
        }
    }
    findings
}

/// Looks at everything that an attach to this process depends on.
pub fn examine_process(pid: u32, env: Lookup<'_>) -> Vec<Finding> {
    let tool = std::env::current_exe().unwrap_or_default();
    let engine = launch::find_engine(&tool, env, CLibrary::of_system()).ok();
    let mut findings = vec![
        machine::system(),
        machine::clock(Path::new("/")),
        machine::engine(&tool, env),
    ];
    findings.extend(running::findings(pid, engine.as_deref()));
    if exit_code(&findings) == 0 {
        findings.push(running::verdict(pid));
    }
    findings
}

/// What to examine.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// This machine.
    Machine,
    /// A program too.
    Program(&'a OsStr),
    /// Whether a process can be attached to.
    Process(u32),
}

/// Runs the command: examines, prints on standard output, and returns the exit code.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(what: What<'_>, json: bool) -> io::Result<i32> {
    let env = &dotnet::process_env;
    let findings = match what {
        What::Machine => examine(None, env),
        What::Program(program) => examine(Some(program), env),
        What::Process(pid) => examine_process(pid, env),
    };
    let mut out = io::stdout().lock();
    if json {
        print_json(&findings, &mut out)?;
    } else {
        let color = output::wants_color(out.is_terminal(), env);
        print(&findings, &mut out, color)?;
    }
    out.flush()?;
    Ok(exit_code(&findings))
}
