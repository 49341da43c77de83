//! `soglia doctor [PROGRAM]`: whether soglia works on this machine, and how to fix it if not.
//!
//! [`examine`] collects findings and [`print()`] shows them. Neither starts or changes anything.

mod coverage;
mod finding;
mod machine;
mod musl;
mod output;
mod program;
mod roots;

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

use crate::dotnet::{self, Lookup, Search};
use crate::program::Program;
pub use finding::{Finding, Level};
pub use output::{exit_code, print};

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
        }
    }
    findings
}

/// Runs the command: examines, prints on standard output, and returns the exit code.
///
/// # Errors
/// If standard output cannot be written.
pub fn run(program: Option<&OsStr>) -> io::Result<i32> {
    let findings = examine(program, &dotnet::process_env);
    let mut out = io::stdout().lock();
    let color = output::wants_color(out.is_terminal(), &dotnet::process_env);
    print(&findings, &mut out, color)?;
    out.flush()?;
    Ok(exit_code(&findings))
}
