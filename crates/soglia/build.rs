//! With the feature `embedded-engine`: builds the engine, for the host to carry. Otherwise does
//! nothing.
//!
//! The engine is built by a cargo of its own, with its own profile, lock file and target folder:
//! what it is made of does not depend on the program that carries it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, exit},
};

const FEATURE: &str = "CARGO_FEATURE_EMBEDDED_ENGINE";
/// Names an engine that is built already.
const BUILT: &str = "SOGLIA_EMBED";
/// The targets whose engine can be loaded from memory.
const TARGETS: [&str; 2] = ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"];

/// Variables of the outer cargo, or of its user, that would change what the inner one builds.
const REMOVED: [&str; 8] = [
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_BUILD_TARGET_DIR",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CARGO_TARGET_DIR",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTFLAGS",
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os(FEATURE).is_none() {
        return;
    }
    println!("cargo::rerun-if-env-changed={BUILT}");
    if let Err(why) = embed() {
        println!("cargo::error={why}");
        exit(1);
    }
}

fn embed() -> Result<(), String> {
    let target = env::var("TARGET").unwrap_or_default();
    if !TARGETS.contains(&&*target) {
        let ours = TARGETS.join(" and ");
        return Err(format!(
            "soglia's engine for hosts runs on {ours}, not on {target}"
        ));
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let engine = match env::var_os(BUILT).filter(|value| !value.is_empty()) {
        Some(named) => {
            let named = PathBuf::from(named);
            watch(&named)?;
            named
        }
        None => build(&out, &target)?,
    };
    let cannot =
        |why: &dyn std::fmt::Display| format!("cannot take the engine {}: {why}", engine.display());
    let bytes = fs::read(&engine).map_err(|why| cannot(&why))?;
    if !bytes.starts_with(b"\x7fELF") {
        return Err(cannot(&"it is no shared object"));
    }
    fs::write(out.join("libsoglia.so"), bytes).map_err(|why| cannot(&why))
}

/// Builds the engine, and returns its file.
fn build(out: &Path, target: &str) -> Result<PathBuf, String> {
    let this = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let root = this.join("../..");
    let manifest = this.join("../soglia-clr/Cargo.toml");
    if !manifest.is_file() {
        return Err(format!(
            "there are no sources of the engine beside {}: depend on soglia by the path of its checkout, or \
             set {BUILT} to a libsoglia.so of this version",
            this.display()
        ));
    }
    let folder = out.join("engine");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--release", "--locked", "--package", "soglia-clr"])
        .args(["--target", target, "--target-dir"])
        .arg(&folder)
        // It reads the configuration in soglia's checkout, and the user's.
        .current_dir(&root);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        let of_profiles = text.starts_with("CARGO_PROFILE_");
        let flags = text.starts_with("CARGO_TARGET_") && text.ends_with("_RUSTFLAGS");
        if of_profiles || flags || REMOVED.contains(&&*text) {
            cargo.env_remove(&name);
        }
    }
    // The program grows by what the engine has: no line numbers, no names of its own functions.
    cargo
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
    let status = cargo
        .status()
        .map_err(|why| format!("cargo, which builds soglia's engine, cannot be started: {why}"))?;
    if !status.success() {
        return Err(format!(
            "soglia's engine could not be built in {} ({status}); cargo's own messages say why",
            root.display()
        ));
    }
    let built = folder.join(target).join("release");
    for file in ["Cargo.toml", "Cargo.lock"] {
        watch(&root.join(file))?;
    }
    let listed = fs::read_to_string(built.join("libsoglia.d"))
        .map_err(|why| format!("cargo has not listed the engine's sources: {why}"))?;
    for source in sources(&listed) {
        watch(Path::new(&source))?;
    }
    Ok(built.join("libsoglia.so"))
}

/// The files that a `TARGET: FILE FILE` of cargo lists. A space in a name follows a backslash.
fn sources(listed: &str) -> Vec<String> {
    let files = listed.lines().next().and_then(|line| line.split_once(": "));
    let files = files.map_or("", |(_, files)| files).replace("\\ ", "\0");
    let names = files.split_whitespace();
    names.map(|name| name.replace('\0', " ")).collect()
}

/// Has cargo run this script again when the file changes.
fn watch(file: &Path) -> Result<(), String> {
    let file = file
        .to_str()
        .ok_or_else(|| format!("{} is not text, as cargo needs it", file.display()))?;
    println!("cargo::rerun-if-changed={file}");
    Ok(())
}
