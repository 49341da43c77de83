//! The engine that the program carries.

#![allow(unsafe_code, reason = "fcntl, which std has no means for")]

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use super::error::Error;
use crate::memory;

/// The build script has built it.
static ENGINE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/libsoglia.so"));

/// The engine in memory, once it is there, and its inode. It stays until the process ends: the
/// runtime loads it by the same path later, and the loader then finds that it is loaded.
static LOADED: OnceLock<(File, u64)> = OnceLock::new();

/// Puts the engine into memory, once, and returns a path that leads this process there.
///
/// # Errors
/// [`Error::EngineNotInMemory`] with the operating system's reason.
pub(super) fn file() -> Result<PathBuf, Error> {
    loaded().map_err(Error::EngineNotInMemory)
}

fn loaded() -> io::Result<PathBuf> {
    let (file, inode) = match LOADED.get() {
        Some(loaded) => loaded,
        None => {
            let file = in_memory()?;
            let inode = file.metadata()?.ino();
            // If another thread was faster, this one's file is closed again.
            LOADED.get_or_init(|| (file, inode))
        }
    };
    // With another file there, a second engine would be loaded.
    if !file.metadata().is_ok_and(|about| about.ino() == *inode) {
        return Err(io::Error::other("the program has closed its descriptor"));
    }
    Ok(PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd())))
}

fn in_memory() -> io::Result<File> {
    let mut file = memory::for_code(c"libsoglia.so")?;
    file.write_all(ENGINE)?;
    // What is loaded stays what it is.
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE | libc::F_SEAL_SEAL;
    // SAFETY: `file` keeps its descriptor open, and this request takes a number, no pointer.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(file),
    }
}
