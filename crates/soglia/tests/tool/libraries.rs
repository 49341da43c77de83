//! Native libraries that a program lacks: what `soglia doctor` says beforehand, and what the report
//! says of calls that failed.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::schema::check_report;
use crate::support::{Space, fixture, text};

/// A copy of the program `shop` in a folder of its own. It uses `payments` and `imaging`, and tries
/// `heif`, which is absent.
fn shop(space: &Space) -> PathBuf {
    let folder = space.path("app");
    fs::create_dir_all(&folder).unwrap();
    for name in [
        "shop.dll",
        "shop.runtimeconfig.json",
        "libpayments.so",
        "libimaging.so",
    ] {
        fs::copy(fixture(name), folder.join(name)).unwrap();
    }
    folder
}

/// Compiles a library from this source, with these options.
fn compile(space: &Space, library: &PathBuf, source: &str, options: &[&str]) {
    let file = space.path("source.c");
    fs::write(&file, source).unwrap();
    let cc = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let mut command = Command::new(cc);
    command
        .args(["-shared", "-fPIC", "-o"])
        .arg(library)
        .arg(file);
    assert!(command.args(options).status().unwrap().success());
}

fn doctor(space: &Space) -> String {
    let mut command = space.soglia("doctor");
    text(
        &command
            .arg(space.path("app/shop.dll"))
            .output()
            .unwrap()
            .stdout,
    )
}

/// The row of failed calls that a run of the program leaves.
fn failure(space: &Space) -> Value {
    let mut command = space.soglia("run -q -o a.soglia");
    command.arg(space.path("app/shop.dll")).output().unwrap();
    let report = space.recording("a.soglia").json("");
    check_report(&report);
    let failures = report["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{failures:#?}");
    failures[0].clone()
}

#[test]
fn an_absent_library_is_named() {
    let space = Space::new();
    let folder = shop(&space);
    let said = doctor(&space);
    assert!(said.contains("2 native libraries are found"), "{said}");
    let payments = folder.join("libpayments.so").display().to_string();
    assert!(said.contains(&format!("payments: {payments}, ")), "{said}");
    assert!(
        said.contains("heif: there is no file heif.so, libheif.so, heif, libheif"),
        "{said}"
    );
    let failure = failure(&space);
    assert_eq!(failure["reason"], "library-not-found");
    assert_eq!(failure["missing"], "heif");
    let probed = failure["probed"].as_array().unwrap();
    let wanted = folder.join("libheif.so").display().to_string();
    assert!(probed.contains(&wanted.into()), "{probed:?}");
}

#[test]
fn a_missing_dependency_is_named() {
    let space = Space::new();
    let folder = shop(&space);
    let needed = space.path("libsogliaabsent.so");
    compile(
        &space,
        &needed,
        "int decode(void) { return 1; }",
        &["-Wl,-soname,libsogliaabsent.so.0"],
    );
    let library = folder.join("libheif.so");
    let source = "int decode(void); int heif_version(void) { return decode(); }";
    compile(&space, &library, source, &[needed.to_str().unwrap()]);
    let name = library.display();
    let said = doctor(&space);
    let expected =
        format!("heif: {name} needs libsogliaabsent.so.0, which the loader does not find");
    assert!(said.contains(&expected), "{said}");
    let failure = failure(&space);
    assert_eq!(failure["reason"], "dependency-missing");
    assert_eq!(failure["missing"], "libsogliaabsent.so.0");
    let explanation =
        format!("{name} is there, and needs libsogliaabsent.so.0, which the loader did not find");
    assert_eq!(failure["explanation"], explanation.as_str());
}

#[test]
fn a_file_that_is_no_library_is_named() {
    let space = Space::new();
    let library = shop(&space).join("libheif.so");
    fs::write(&library, b"MZ\x90\0").unwrap();
    let expected = format!("{} is no ELF file but one for Windows", library.display());
    let said = doctor(&space);
    assert!(said.contains(&format!("heif: {expected}")), "{said}");
    let failure = failure(&space);
    assert_eq!(failure["reason"], "bad-image");
    assert_eq!(failure["explanation"], expected.as_str());
}

#[test]
fn a_missing_function_is_named() {
    let space = Space::new();
    let library = shop(&space).join("libheif.so");
    compile(
        &space,
        &library,
        "int heif_decoder(void) { return 1; }",
        &[],
    );
    let said = doctor(&space);
    let name = library.display();
    assert!(
        said.contains(&format!("heif: {name} lacks 1 of 1 function: heif_decode")),
        "{said}"
    );
    let failure = failure(&space);
    assert_eq!(failure["reason"], "entry-not-found");
    assert_eq!(failure["missing"], "heif_decode");
    let explanation =
        format!("{name} exports no heif_decode; it has heif_decoder, which is like it");
    assert_eq!(failure["explanation"], explanation.as_str());
}
