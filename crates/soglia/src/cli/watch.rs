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
    /// The size to which it was cut, if it was.
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

    /// Checks whether the file was cut, and gives it its size again. A program that has not written
    /// to it meanwhile then lives on.
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

    /// To be called when the program has ended. Returns whether its recording is whole. If not, the
    /// file gets back the size to which it was cut.
    pub fn end(&mut self) -> bool {
        self.look();
        if let Some(size) = self.cut_at {
            let _ = self.file.set_len(size);
        }
        self.cut_at.is_none()
    }
}
