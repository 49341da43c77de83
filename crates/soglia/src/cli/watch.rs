//! Looks after the file that a program records into, while the program runs.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::complain;

/// A recording's file, and the size that it has for as long as its program runs.
pub struct Watch<'a> {
    file: &'a File,
    path: PathBuf,
    bytes: u64,
    told: bool,
}

impl<'a> Watch<'a> {
    /// A recording that was just made.
    pub fn of(file: &'a File, path: &Path) -> io::Result<Self> {
        Ok(Self {
            file,
            path: path.to_owned(),
            bytes: file.metadata()?.len(),
            told: false,
        })
    }

    /// Looks whether somebody has cut it. Then it gets its size again: a program that has not written to it meanwhile lives on.
    pub fn look(&mut self) {
        let is_cut = |about: std::fs::Metadata| about.len() < self.bytes;
        if !self.file.metadata().is_ok_and(is_cut) {
            return;
        }
        // If that fails, the program may end by a signal, as it may have already.
        let _ = self.file.set_len(self.bytes);
        if !self.told {
            self.told = true;
            complain(&format!(
                "{} was cut while the program ran: what was recorded before is lost, and the program may have ended because of it",
                self.path.display()
            ));
        }
    }
}
