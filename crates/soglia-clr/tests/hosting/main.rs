//! The hosting API as a host sees it: a library to load by the name of `libmscoree.so`, and pointers.
//!
//! A process has one runtime, so every case is a process: this file is its own `main`, and with a case as first argument it plays
//! that host. Cases run on every runtime, 8 or later, of the .NET root that the tests are given (`SOGLIA_TEST_DOTNET_ROOT`,
//! or what is found as hosts find it).

#![allow(unsafe_code, reason = "a host calls through vtables")]

mod acting;
mod api;
mod cases;
mod collections;
mod doors;
mod endings;
mod faults;
mod host;
mod lasting;
mod managers;
mod runs;
mod script;
mod watch;

use std::{
    env,
    ffi::OsStr,
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use libtest_mimic::{Arguments, Failed, Trial};
use soglia_dotnet::{CORE_FRAMEWORK, OLDEST_MAJOR, Root, Search, process_env};

/// Before the case and what it needs, as arguments of this very program.
const ROLE: &str = "__host";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().collect();
    if let [_, role, name, version, library] = &arguments[..]
        && role == ROLE
    {
        let case = cases::ALL.iter().find(|case| case.name == name).unwrap();
        (case.run)(&api::Library::load(library), version);
        return ExitCode::SUCCESS;
    }
    let root = root();
    let library = library();
    let versions = root.versions_of(CORE_FRAMEWORK).iter();
    let versions: Vec<String> = versions
        .filter(|version| version.major >= OLDEST_MAJOR)
        .map(ToString::to_string)
        .collect();
    let trials = cases::ALL
        .iter()
        .flat_map(|case| {
            let (root, library) = (root.path.clone(), library.clone());
            versions.clone().into_iter().map(move |version| {
                let (root, library) = (root.clone(), library.clone());
                let name = format!("{}::{version}", case.name);
                Trial::test(name, move || run(case, &version, &root, &library))
            })
        })
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn root() -> Root {
    match env::var_os("SOGLIA_TEST_DOTNET_ROOT") {
        Some(path) => Root::at(path.as_ref()).expect("SOGLIA_TEST_DOTNET_ROOT names a .NET root"),
        None => Search::run(&process_env).root().unwrap().clone(),
    }
}

/// The engine by its other name. Cargo does not build a library for its tests that they cannot link.
fn library() -> PathBuf {
    let tests = env::current_exe().unwrap();
    let built = tests.parent().unwrap().parent().unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    // PROFILE, or TRIPLE/PROFILE.
    let inside = built.strip_prefix(target).unwrap();
    let profile = match inside.file_name().and_then(OsStr::to_str).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--package", "soglia-clr"])
        .args(["--profile", profile, "--target-dir"])
        .arg(target);
    if let Some(triple) = inside.parent().filter(|triple| *triple != Path::new("")) {
        cargo.arg("--target").arg(triple);
    }
    let built_it = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(built_it.unwrap().success(), "the engine builds");
    let engine = built.join("libsoglia.so");
    assert!(engine.is_file(), "{} is built", engine.display());
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("hosting");
    fs::create_dir_all(&folder).unwrap();
    native(&folder);
    let library = folder.join("libmscoree.so");
    let _ = fs::remove_file(&library);
    std::os::unix::fs::symlink(engine, &library).unwrap();
    library
}

/// The fixtures' native libraries, beside the engine.
fn native(folder: &Path) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/build.sh");
    let built = Command::new(script).arg("native").arg(folder).status();
    assert!(built.unwrap().success(), "{script} native builds");
    let compiler = env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let built = Command::new(&compiler)
        .args([
            "-std=c++17",
            "-O1",
            "-fPIC",
            "-shared",
            "-pthread",
            "-fvisibility=hidden",
        ])
        .args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-I"])
        .arg(own.join("../../include"))
        .arg("-o")
        .arg(folder.join("libthrows.so"))
        .arg(own.join("tests/hosting/throws.cpp"))
        .status();
    assert!(built.unwrap().success(), "{compiler} compiles throws.cpp");
}

fn run(case: &cases::Case, version: &str, root: &Path, library: &Path) -> Result<(), Failed> {
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args([ROLE, case.name, version])
        .arg(library)
        .env("DOTNET_ROOT", root)
        .stdin(Stdio::null());
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        if [
            "CORECLR_",
            "COMPlus_",
            "SOGLIA_",
            "DOTNET_ROOT_",
            "DOTNET_ROLL",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        {
            command.env_remove(name.as_ref());
        }
    }
    command.envs(case.environment.iter().copied());
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
    Ok(())
}
