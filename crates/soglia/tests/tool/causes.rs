//! What soglia names as the cause where it has seen nothing, or something else than without it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{Space, bare_command, fixture, text};

/// The message of a run that recorded nothing, though the program ended well.
fn unrecorded(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(text(&output.stdout), "Hello\n");
    let (_, message) = said
        .split_once("nothing was recorded: ")
        .unwrap_or_else(|| panic!("{said}"));
    message.trim_end().to_owned()
}

/// A native program that sets a variable, and then becomes a process of .NET.
fn host(space: &Space, variable: &str) -> PathBuf {
    let source = space.path("host.c");
    let code = format!(
        "#include <stdlib.h>\n#include <unistd.h>\n\
         int main(int count, char **args) {{ (void)count; setenv(\"{variable}\", \"0\", 1); execv(args[1], args + 1); return 99; }}\n"
    );
    fs::write(&source, code).unwrap();
    let file = space.path("host");
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let built = Command::new(compiler)
        .arg("-o")
        .args([&file, &source])
        .status();
    assert!(built.unwrap().success());
    file
}

fn hello(command: &mut Command) -> &mut Command {
    let (file, before) = bare_command();
    command.arg(file).args(before).arg(fixture("hello.dll"))
}

#[test]
fn a_host_that_switches_diagnostics_off_itself() {
    for variable in [
        "DOTNET_EnableDiagnostics",
        "DOTNET_EnableDiagnostics_Profiler",
        "COMPlus_EnableDiagnostics",
        "CORECLR_ENABLE_PROFILING",
    ] {
        let space = Space::new();
        let file = host(&space, variable);
        let message = unrecorded(hello(space.soglia("run").arg(&file)));
        let named = format!("{} names {variable},", file.display());
        assert!(message.contains(&named), "{message}");
        let doctor = space.soglia("doctor").arg(&file).output().unwrap();
        assert!(text(&doctor.stdout).contains(&named.replace(',', "")));
    }
    // What only touches other diagnostics is not the cause of anything.
    let space = Space::new();
    let file = host(&space, "DOTNET_EnableDiagnostics_IPC");
    let output = hello(space.soglia("run").arg(&file)).output().unwrap();
    assert!(text(&output.stderr).contains("soglia: "));
    assert!(!text(&output.stderr).contains("nothing was recorded"));
}

#[test]
fn a_script_or_a_command_line_that_does() {
    let space = Space::new();
    let script = space.path("start.sh");
    fs::write(
        &script,
        "#!/bin/sh\nexport DOTNET_EnableDiagnostics=0\nexec \"$@\"\n",
    )
    .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let by_itself = unrecorded(hello(space.soglia("run").arg(&script)));
    let by_shell = unrecorded(hello(space.soglia("run").arg("/bin/sh").arg(&script)));
    for message in [by_itself, by_shell] {
        let named = format!("{} names DOTNET_EnableDiagnostics,", script.display());
        assert!(message.contains(&named), "{message}");
    }
    let mut command = space.soglia("run");
    command.args([
        Path::new("/usr/bin/env"),
        Path::new("DOTNET_EnableDiagnostics=0"),
    ]);
    let message = unrecorded(hello(&mut command));
    assert!(
        message.contains("its command line names DOTNET_EnableDiagnostics,"),
        "{message}"
    );
}

/// Without precompiled code more assemblies are loaded, which is not the wrappers' doing.
#[test]
fn output_that_depends_on_precompiled_code_varies_by_itself() {
    let space = Space::new();
    let bare = |compiled: &str| {
        let mut command = space.bare("assemblies.dll", "");
        let output = command.env("DOTNET_ReadyToRun", compiled).output().unwrap();
        text(&output.stdout)
    };
    let (precompiled, compiled) = (bare("1"), bare("0"));
    assert_ne!(precompiled, compiled, "the fixture shows nothing any more");
    for options in ["", "--framework", "--corelib"] {
        let woven = space
            .run(&format!("-q {options}"), "assemblies.dll", "")
            .output();
        assert_eq!(text(&woven.unwrap().stdout), precompiled, "{options}");
    }
    let mut command = space.soglia("verify -q");
    let output = command.arg(fixture("assemblies.dll")).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    for part in [
        "varies from run to run",
        "what the program writes depends on precompiled code",
        "both saw the same: 0 targets",
    ] {
        assert!(said.contains(part), "{said}");
    }
}

/// Only wrappers count a call that fails before it leaves. The text says so, as the JSON does.
#[test]
fn failed_calls_are_no_calls_that_both_saw() {
    let space = Space::new();
    let mut command = space.soglia("verify -q --format json");
    command.arg(fixture("semantics.dll")).arg("nolib");
    let output = command.output().unwrap();
    let verdict: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    let leave = |source: &str| verdict["crossings"][source]["leave"].as_u64().unwrap();
    let (told, seen) = (leave("transitions"), leave("woven"));
    assert!(told < seen, "{verdict:#}");
    let mut command = space.soglia("verify -q");
    command.arg(fixture("semantics.dll")).arg("nolib");
    let said = text(&command.output().unwrap().stderr);
    assert!(said.contains(&format!(" {told} native calls,")), "{said}");
    let more = seen - told;
    let calls = if more == 1 { "call" } else { "calls" };
    assert!(
        said.contains(&format!("{more} {calls} more failed before the crossing")),
        "{said}"
    );
}
