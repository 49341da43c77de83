//! What all cases share: a .NET root, the engine, the examples, and a folder with the fixtures.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use soglia::dotnet::{Root, Search, process_env};

pub struct Setup {
    pub root: Root,
    pub fixtures: PathBuf,
    /// Where cargo puts what it builds.
    built: PathBuf,
    _folder: tempfile::TempDir,
}

pub fn prepare() -> Setup {
    let root = match env::var_os("SOGLIA_TEST_DOTNET_ROOT") {
        Some(path) => Root::at(path.as_ref()).expect("SOGLIA_TEST_DOTNET_ROOT names a .NET root"),
        None => Search::run(&process_env).root().unwrap().clone(),
    };
    let tests = env::current_exe().unwrap();
    let built = tests.parent().unwrap().parent().unwrap().to_owned();
    cargo(&built, &["--package", "soglia-clr"]);
    cargo(&built, &["--package", "soglia", "--examples"]);
    let folder = tempfile::tempdir().unwrap();
    let fixtures = lay_out_fixtures(folder.path());
    Setup {
        root,
        fixtures,
        built,
        _folder: folder,
    }
}

/// Cargo builds neither a library for tests that cannot link it, nor examples for a single test.
fn cargo(built: &Path, what: &[&str]) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    // PROFILE, or TRIPLE/PROFILE.
    let inside = built.strip_prefix(target).unwrap();
    let profile = match inside.file_name().and_then(OsStr::to_str).unwrap() {
        "debug" => "dev",
        other => other,
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--profile", profile])
        .args(what)
        .arg("--target-dir")
        .arg(target);
    if let Some(triple) = inside.parent().filter(|triple| *triple != Path::new("")) {
        cargo.arg("--target").arg(triple);
    }
    let done = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status();
    assert!(done.unwrap().success(), "{what:?} builds");
}

fn lay_out_fixtures(into: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures");
    let into = into.join("run");
    let native = Command::new(source.join("build.sh"))
        .arg("native")
        .arg(&into)
        .status();
    assert!(native.unwrap().success(), "the native libraries build");
    for program in ["guest", "hosted", "sixsteps"] {
        for file in fs::read_dir(source.join("managed").join(program)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), into.join(file.file_name())).unwrap();
        }
    }
    into
}

impl Setup {
    pub fn example(&self, name: &str) -> PathBuf {
        self.built.join("examples").join(name)
    }

    /// Whether it succeeds, and all that it writes. In an environment that is the same everywhere but for `more`.
    pub fn output(&self, command: &mut Command, more: &[(&str, &str)]) -> (bool, String) {
        for (name, _) in env::vars_os() {
            let bytes = name.as_encoded_bytes();
            let prefixes: [&[u8]; 4] = [b"CORECLR_", b"SOGLIA_", b"DOTNET_", b"COMPlus_"];
            let given = more.iter().any(|(given, _)| *given == name);
            if !given && prefixes.iter().any(|prefix| bytes.starts_with(prefix)) {
                command.env_remove(name);
            }
        }
        let output = command
            .env("DOTNET_ROOT", &self.root.path)
            .stdin(Stdio::null())
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
