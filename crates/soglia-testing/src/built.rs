//! What tests need built: the engine, which cargo does not build for tests that cannot link it, and
//! the fixtures.
//!
//! `tmp` is `env!("CARGO_TARGET_TMPDIR")` of the calling test.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The checkout.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the checkout is where the tests were built")
}

/// Where cargo puts what it builds in the profile of the running test.
pub fn artifacts() -> PathBuf {
    let this = env::current_exe().expect("/proc is mounted");
    // PROFILE/deps/this
    this.ancestors()
        .nth(2)
        .expect("in a folder of cargo's")
        .into()
}

/// Runs `cargo build` with these arguments, in the profile of the running test.
pub fn cargo_build(tmp: &str, what: &[&str]) {
    let target = Path::new(tmp).parent().expect("in the target folder");
    let built = artifacts();
    // PROFILE, or TRIPLE/PROFILE.
    let inside = built
        .strip_prefix(target)
        .unwrap_or_else(|_| panic!("{} is not in {}", built.display(), target.display()));
    let profile = match inside.file_name().and_then(OsStr::to_str) {
        Some("debug") => "dev",
        Some(other) => other,
        None => panic!("{} has no profile", built.display()),
    };
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--locked", "--profile", profile])
        .args(what)
        .arg("--target-dir")
        .arg(target);
    if let Some(triple) = inside.parent().filter(|triple| *triple != Path::new("")) {
        cargo.arg("--target").arg(triple);
    }
    let output = cargo
        .current_dir(repository())
        .stdin(Stdio::null())
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "cargo build {what:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The engine, with the features that `make` builds it with, or the one that `SOGLIA_TEST_ENGINE`
/// names, to test the release build without building the tests for it.
pub fn engine(tmp: &str) -> PathBuf {
    if let Some(given) = env::var_os("SOGLIA_TEST_ENGINE") {
        let given = PathBuf::from(given);
        assert!(
            given.is_file(),
            "SOGLIA_TEST_ENGINE: {} is not a file",
            given.display()
        );
        return given;
    }
    cargo_build(tmp, &["--workspace"]);
    let engine = artifacts().join("libsoglia.so");
    assert!(engine.is_file(), "cargo has built {}", engine.display());
    engine
}

/// A folder with all managed fixtures and their native libraries.
///
/// It is named by a hash of the fixtures' sources and appears complete, so that test programs
/// that run at the same time share it.
pub fn fixtures(tmp: &str) -> PathBuf {
    let source = repository().join("fixtures");
    let mut files = Vec::new();
    list(&source, &mut files);
    files.sort();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for file in &files {
        for byte in fs::read(file).expect("a fixture can be read") {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    let folder = Path::new(tmp).join(format!("fixtures-{hash:016x}"));
    if folder.is_dir() {
        return folder;
    }
    let stage = tempfile::Builder::new()
        .prefix("fixtures.")
        .tempdir_in(tmp)
        .expect("the target folder can be written");
    native(stage.path());
    let managed = source.join("managed");
    for file in files.iter().filter(|file| file.starts_with(&managed)) {
        let name = file.file_name().expect("a file has a name");
        fs::copy(file, stage.path().join(name)).expect("a fixture can be copied");
    }
    let made = fs::rename(stage.path(), &folder);
    assert!(made.is_ok() || folder.is_dir(), "{made:?}");
    folder
}

/// Builds the fixtures' native libraries into this folder.
pub fn native(folder: &Path) {
    let built = Command::new(repository().join("fixtures/build.sh"))
        .arg("native")
        .arg(folder)
        .output()
        .expect("fixtures/build.sh starts");
    assert!(
        built.status.success(),
        "fixtures/build.sh: {}",
        String::from_utf8_lossy(&built.stderr)
    );
}

fn list(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of fixtures can be read") {
        let path = entry.expect("a folder of fixtures can be read").path();
        if path.is_dir() {
            list(&path, into);
        } else {
            into.push(path);
        }
    }
}
