//! Where `soglia run` records: in memory, in a file that is kept, or in a temporary folder.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use soglia_core::trace::{
    beside,
    ending::Ended,
    reader::Reader,
    writer::{self, Options},
};
use tempfile::TempDir;

/// The recording of the first process, and where those of other processes go.
pub struct Place {
    /// The recording.
    pub file: File,
    /// The path by which the engine opens it.
    pub path: PathBuf,
    /// The file as the user named it. `None`: the recording is not kept.
    kept: Option<PathBuf>,
    /// Removed at the end, with all recordings in it.
    _folder: Option<TempDir>,
}

impl Place {
    /// Makes a recording: in the file `output`, or in memory. With `follow` and without `output`,
    /// it is in a folder, because each process makes a file beside the first one.
    pub fn make(output: Option<&Path>, follow: bool, with: &Options) -> anyhow::Result<Self> {
        if let Some(output) = output {
            let cannot = || {
                format!(
                    "cannot write the recording {}: give another -o FILE",
                    output.display()
                )
            };
            return Ok(Self {
                file: writer::create(output, with).with_context(cannot)?,
                // The program may change its directory before the engine starts in it.
                path: std::path::absolute(output).with_context(cannot)?,
                kept: Some(output.to_owned()),
                _folder: None,
            });
        }
        if !follow {
            let (file, path) =
                writer::create_unnamed(with).context("cannot make a recording in memory")?;
            return Ok(Self {
                file,
                path,
                kept: None,
                _folder: None,
            });
        }
        let cannot = "cannot make a temporary folder for the recordings: set TMPDIR to another one, \
                      or give -o FILE";
        let folder = tempfile::Builder::new()
            .prefix("soglia-")
            .tempdir()
            .context(cannot)?;
        let path = std::path::absolute(folder.path().join("recording")).context(cannot)?;
        Ok(Self {
            file: writer::create(&path, with).context(cannot)?,
            path,
            kept: None,
            _folder: Some(folder),
        })
    }

    /// The file as the user named it, if the recording is kept.
    pub fn kept(&self) -> Option<&Path> {
        self.kept.as_deref()
    }

    /// The path of the recording for this process, whatever lies at [`Place::path`] by now.
    pub fn own(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }

    /// Whether the recording still lies where it was made.
    pub fn is_there(&self) -> bool {
        let of = |about: fs::Metadata| (about.dev(), about.ino());
        let (there, own) = (
            fs::symlink_metadata(&self.path).map(of),
            self.file.metadata().map(of),
        );
        self.kept.is_none() || there.is_ok_and(|there| own.is_ok_and(|own| own == there))
    }

    /// Removes a recording that holds nothing.
    pub fn discard(&self) {
        if self.kept.is_some() {
            // A file that cannot be removed stays: it is empty, and `soglia report` says so.
            let _ = fs::remove_file(&self.path);
        }
    }

    /// The recordings of other processes of the run, in the order in which they were made.
    pub fn followed(&self) -> io::Result<Vec<PathBuf>> {
        beside::others(self.kept.as_deref().unwrap_or(&self.path))
    }
}

/// Cuts a recording behind what was written, unless its process still writes.
pub fn trim(file: &File, path: &Path) -> anyhow::Result<()> {
    if Reader::open_partial(path)?.ended() != Ended::Running {
        writer::trim(file)?;
    }
    Ok(())
}
