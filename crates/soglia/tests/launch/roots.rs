//! .NET with and without its `dotnet` command.

use std::fs;
use std::path::{Path, PathBuf};

use soglia::dotnet::Root;
use soglia_testing::dotnet;
use soglia_testing::needs::{Outcome, require};

use crate::processes::{self_command, text};

fn hello() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/managed/hello/hello.dll")
}

/// A root like `root`, but without the `dotnet` command.
fn without_muxer(root: &Root) -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    for directory in ["host", "shared"] {
        std::os::unix::fs::symlink(root.path.join(directory), temp.path().join(directory)).unwrap();
    }
    temp
}

pub fn an_assembly_runs_with_the_dotnet_of_its_root() -> Outcome {
    let root = dotnet::root();
    require(
        root.muxer.is_some(),
        "the .NET root has no `dotnet` command",
    )?;
    let output = self_command("launch")
        .env("TEST_ROOT", &root.path)
        .env("DOTNET_ROLL_FORWARD", "Major")
        .arg(hello())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output).to_lowercase().contains("hello"), "{output:?}");
    Ok(())
}

pub fn an_assembly_runs_on_a_root_without_dotnet() {
    let temp = without_muxer(&dotnet::root());
    assert_eq!(Root::at(temp.path()).unwrap().muxer, None);
    let output = self_command("launch")
        .env("TEST_ROOT", temp.path())
        .env("DOTNET_ROLL_FORWARD", "Major")
        .arg(hello())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output).to_lowercase().contains("hello"), "{output:?}");
}

pub fn native_libraries_find_what_dotnet_is_linked_with() {
    let temp = without_muxer(&dotnet::root());
    let mut command = self_command("launch");
    command
        .env("TEST_ROOT", temp.path())
        .env("LD_DEBUG", "scopes")
        .arg(hello());
    let output = command.output().unwrap();
    let trace = String::from_utf8_lossy(&output.stderr).into_owned();
    // libe_sqlite3.so, for one, calls libm without naming it.
    let found = trace
        .lines()
        .any(|line| line.contains("libm.so.6") && line.contains("to global scope"));
    assert!(output.status.success() && found, "{trace}");
}

pub fn hostfxr_reports_what_it_does_not_like() {
    let temp = without_muxer(&dotnet::root());
    let app = temp.path().join("app.dll");
    fs::copy(hello(), &app).unwrap();
    // Without a version only hostfxr can judge.
    let config = r#"{"runtimeOptions": {"framework": {"name": "No.Such.App", "version": "1"}}}"#;
    fs::write(temp.path().join("app.runtimeconfig.json"), config).unwrap();
    let output = self_command("launch")
        .env("TEST_ROOT", temp.path())
        .arg(&app)
        .output()
        .unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        message.contains("No.Such.App") && message.contains("hostfxr did not start"),
        "{message}"
    );
}
