//! A recording that is read again and again while its program writes into it.

use std::{
    fs::File,
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use soglia_core::{
    regular,
    trace::reader::{ReadError, Reader},
};

/// An open file of a recording. It can be read after its name is gone, and after the process is
/// gone by which it was found.
#[derive(Debug)]
pub struct Opened {
    file: File,
    path: PathBuf,
}

impl Opened {
    /// Opens this file.
    ///
    /// # Errors
    /// If it cannot be opened, or is not a regular file.
    pub fn new(path: &Path) -> io::Result<Self> {
        let file = regular::open(path)?;
        let path = format!("/proc/self/fd/{}", file.as_raw_fd()).into();
        Ok(Self { file, path })
    }

    /// The recording as it is now.
    ///
    /// # Errors
    /// Those of [`Reader::open_partial`].
    pub fn read(&self) -> Result<Reader, ReadError> {
        debug_assert!(self.path.ends_with(self.file.as_raw_fd().to_string()));
        Reader::open_partial(&self.path)
    }
}
