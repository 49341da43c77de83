//! What tests of hosts share: a .NET root, the engine by the name that hosts link, the fixtures' native libraries.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use soglia_dotnet::{CORE_FRAMEWORK, OLDEST_MAJOR, Root, Search, process_env};

/// The root that the tests are given (`SOGLIA_TEST_DOTNET_ROOT`), or what is found as hosts find it.
pub fn root() -> Root {
    match env::var_os("SOGLIA_TEST_DOTNET_ROOT") {
        Some(path) => Root::at(path.as_ref()).expect("SOGLIA_TEST_DOTNET_ROOT names a .NET root"),
        None => Search::run(&process_env).root().unwrap().clone(),
    }
}

/// The root's runtimes that can be hosted.
pub fn versions(root: &Root) -> Vec<String> {
    root.versions_of(CORE_FRAMEWORK)
        .iter()
        .filter(|version| version.major >= OLDEST_MAJOR)
        .map(ToString::to_string)
        .collect()
}

/// Builds the engine. Cargo does not build a library for its tests that they cannot link.
pub fn engine() -> PathBuf {
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
    engine
}

/// A folder of the tests' own with the engine by its other name.
pub fn folder_with(engine: &Path, name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    let library = folder.join("libmscoree.so");
    let _ = fs::remove_file(&library);
    std::os::unix::fs::symlink(engine, &library).unwrap();
    folder
}

/// Builds the fixtures' native libraries.
pub fn native(folder: &Path) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/build.sh");
    let built = Command::new(script).arg("native").arg(folder).status();
    assert!(built.unwrap().success(), "{script} native builds");
}

/// Takes out of a host's environment what would lead it elsewhere.
pub fn clean(command: &mut Command) {
    let prefixes = [
        "CORECLR_",
        "COMPlus_",
        "SOGLIA_",
        "DOTNET_ROOT_",
        "DOTNET_ROLL",
    ];
    for (name, _) in env::vars_os() {
        if prefixes
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
}
