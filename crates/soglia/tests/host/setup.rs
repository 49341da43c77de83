//! What all cases share: a .NET root, the engine, the examples, and a folder with the fixtures.

use std::path::PathBuf;
use std::process::Command;

use soglia::dotnet::Root;
use soglia_testing::{built, dotnet, process::isolate};

pub struct Setup {
    pub root: Root,
    pub fixtures: PathBuf,
}

pub fn prepare() -> Setup {
    let tmp = env!("CARGO_TARGET_TMPDIR");
    built::engine(tmp);
    // Cargo does not build examples for a single test.
    built::cargo_build(tmp, &["--workspace", "--examples"]);
    Setup {
        root: dotnet::root(),
        fixtures: built::fixtures(tmp),
    }
}

impl Setup {
    pub fn example(&self, name: &str) -> PathBuf {
        built::artifacts().join("examples").join(name)
    }

    /// Whether it succeeds, and all that it writes.
    pub fn output(&self, command: &mut Command, more: &[(&str, &str)]) -> (bool, String) {
        let output = isolate(command)
            .env("DOTNET_ROOT", &self.root.path)
            .envs(more.iter().copied())
            .output()
            .unwrap();
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        if output.status.success() {
            (true, told)
        } else {
            (false, format!("{}\n{told}", output.status))
        }
    }
}
