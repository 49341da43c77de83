//! What tests of hosts share: the engine by the name that hosts link.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A folder of the tests' own with the engine by its other name.
pub fn folder_with_engine(name: &str) -> PathBuf {
    let tmp = env!("CARGO_TARGET_TMPDIR");
    let folder = Path::new(tmp).join(name);
    fs::create_dir_all(&folder).unwrap();
    let library = folder.join("libmscoree.so");
    let _ = fs::remove_file(&library);
    std::os::unix::fs::symlink(soglia_testing::built::engine(tmp), &library).unwrap();
    folder
}
