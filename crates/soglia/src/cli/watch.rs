//! Looks after the file that a program records into, while the program runs.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::complain::complain;

/// A recording's file, and the size that it has for as long as its program runs.
pub struct Watch<'a> {
    file: &'a File,
    path: PathBuf,
    bytes: u64,
    /// The size that somebody gave it.
    cut_at: Option<u64>,
}

impl<'a> Watch<'a> {
    /// A recording that was just made.
    pub fn of(file: &'a File, path: &Path) -> io::Result<Self> {
        Ok(Self {
            file,
            path: path.to_owned(),
            bytes: file.metadata()?.len(),
            cut_at: None,
        })
    }

    /// Looks whether somebody has cut it. Then it gets its size again: a program that has not written to it meanwhile lives on.
    pub fn look(&mut self) {
        let size = self.file.metadata().map(|about| about.len());
        let Some(cut_at) = size.ok().filter(|size| *size < self.bytes) else {
            return;
        };
        // If that fails, the program may end by a signal, as it may have already.
        let _ = self.file.set_len(self.bytes);
        if self.cut_at.replace(cut_at).is_none() {
            complain(&format!(
                "{} was cut while the program ran: what was recorded before is lost, and the program may have ended because of it",
                self.path.display()
            ));
        }
    }

    /// The program has ended. Whether its recording is whole; if not, what is left has the size that somebody gave it.
    pub fn end(&mut self) -> bool {
        self.look();
        if let Some(size) = self.cut_at {
            let _ = self.file.set_len(size);
        }
        self.cut_at.is_none()
    }
}
