//! The hosting API as a host sees it: pointers, and a library with the name `libmscoree.so`.
//!
//! A process has one runtime, so every case is a process. This file is its own `main`: with a case
//! as first argument it plays that host. Cases run on every runtime, 8 or later, of the .NET root
//! that `SOGLIA_TEST_DOTNET_ROOT` names or that hosts find.

#![allow(unsafe_code, reason = "a host calls through vtables")]

mod aborts;
mod acting;
mod api;
mod assemblies;
mod attaching;
mod cases;
mod collections;
#[path = "../common/mod.rs"]
mod common;
mod detector;
mod domain_code;
mod domain_ends;
mod domains;
mod doors;
mod endings;
mod faults;
mod handles;
mod host;
mod lasting;
mod latecomers;
mod locked;
mod managers;
mod memory;
mod new_threads;
mod occasions;
mod places;
mod polls;
mod pool;
mod programs;
mod refs;
mod role;
mod runs;
mod scarcity;
mod scheduler;
mod script;
mod slots;
mod sync;
mod task_manager;
mod texts;
mod watch;

use std::{
    env,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, ExitCode},
};

use libtest_mimic::{Arguments, Failed};
use soglia_testing::{
    built, dotnet,
    needs::{self, Outcome, Unmet},
    process::isolate,
};

use role::{ROLE, UNMET};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let [_, role, name, version, library] = &arguments[..]
        && role == ROLE
    {
        let mut all = cases().chain(cases::HELPERS);
        let case = all.find(|case| case.name == name).unwrap();
        (case.run)(&api::Library::load(library), version);
        return ExitCode::SUCCESS;
    }
    let root = dotnet::root();
    let folder = common::folder_with_engine("hosting");
    built::native(&folder);
    compile(&folder, "CXX", "c++", &["-std=c++17"], "throws.cpp");
    compile(&folder, "CC", "cc", &["-std=gnu11"], "scarce.c");
    let library = folder.join("libmscoree.so");
    let versions = dotnet::versions(&root);
    let trials = cases()
        .flat_map(|case| {
            let (root, library) = (root.path.clone(), library.clone());
            versions.clone().into_iter().map(move |version| {
                let (root, library) = (root.clone(), library.clone());
                let name = format!("{}::{version}", case.name);
                needs::fallible(name, move || run(case, &version, &root, &library))
            })
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// What there is to test.
fn cases() -> impl Iterator<Item = &'static cases::Case> {
    let later = attaching::CASES
        .iter()
        .chain(latecomers::CASES)
        .chain(assemblies::CASES)
        .chain(memory::CASES)
        .chain(pool::CASES)
        .chain(domains::CASES)
        .chain(domain_code::CASES)
        .chain(domain_ends::CASES)
        .chain(sync::CASES)
        .chain(handles::CASES)
        .chain(polls::CASES);
    cases::ALL.iter().chain(later)
}

/// A native library of these tests: `libNAME.so` of `NAME.EXTENSION`.
fn compile(folder: &Path, variable: &str, default: &str, options: &[&str], source: &str) {
    let compiler = env::var(variable).unwrap_or_else(|_| default.to_owned());
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (name, _) = source.split_once('.').unwrap();
    let built = Command::new(&compiler)
        .args(options)
        .args(["-O1", "-fPIC", "-shared", "-pthread", "-fvisibility=hidden"])
        .args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-I"])
        .arg(own.join("../../include"))
        .arg("-o")
        .arg(folder.join(format!("lib{name}.so")))
        .arg(own.join("tests/hosting").join(source))
        .status();
    assert!(built.unwrap().success(), "{compiler} compiles {source}");
}

fn run(case: &cases::Case, version: &str, root: &Path, library: &Path) -> Result<Outcome, Failed> {
    let mut command = Command::new(env::current_exe().unwrap());
    isolate(&mut command)
        .args([ROLE, case.name, version])
        .arg(library)
        .env("DOTNET_ROOT", root);
    command.envs(case.environment.iter().copied());
    if let Some(name) = case.preloads {
        command.env("LD_PRELOAD", library.with_file_name(name));
    }
    let output = command.output().unwrap();
    let told = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    // As shells have it.
    let by_signal = output.status.signal().map(|signal| 128 + signal);
    if output.status.code().or(by_signal) != Some(case.exit_code) {
        return Err(format!("{}\n{told}", output.status).into());
    }
    if let Some(reason) = told.lines().find_map(|line| line.strip_prefix(UNMET)) {
        return Ok(Err(Unmet::new(reason)));
    }
    let mut lines = told.lines();
    for line in case.tells {
        if !lines.any(|there| there == *line) {
            return Err(format!("it does not say {line:?}, or not then:\n{told}").into());
        }
    }
    for word in case.never_tells {
        if told.lines().any(|there| there.starts_with(word)) {
            return Err(format!("it says {word:?}:\n{told}").into());
        }
    }
    Ok(Ok(()))
}
