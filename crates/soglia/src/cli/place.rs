//! Where `soglia run` records: in memory, in a file that is kept, or in a temporary folder.

use std::{
    fs::{self, File},
    io, iter,
    num::NonZeroUsize,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
};

use anyhow::Context;
use jiff::{Zoned, civil::DateTime};
use soglia_core::trace::{
    beside,
    ending::Ended,
    folder::{self, EXTENSION},
    reader::Reader,
    writer::{self, Options},
};
use tempfile::TempDir;

use super::complain::complain;

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
    /// it is in a temporary folder, because each process makes a file beside the first one.
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

/// The file that `output` stands for. If that is a folder, makes it, and returns a new file of this
/// program in it; with `keep`, removes its oldest recordings, so that there are so many with a new
/// one.
///
/// # Errors
/// If it is no folder and `keep` is given, or if it cannot be made.
pub fn file_for(
    output: Option<&Path>,
    program: &str,
    keep: Option<NonZeroUsize>,
) -> anyhow::Result<Option<PathBuf>> {
    let Some(folder) = output.filter(|output| is_folder(output)) else {
        anyhow::ensure!(keep.is_none(), "--keep needs a folder: give -o FOLDER/");
        return Ok(output.map(Path::to_owned));
    };
    fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    // The program runs all the same: one recording too many does less harm than none.
    if let Some(keep) = keep
        && let Err(error) = folder::keep(folder, keep.get() - 1)
    {
        complain(&error.to_string());
    }
    Ok(Some(new_name(folder, program, Zoned::now().datetime())))
}

/// Whether it names a folder: there is one, or the name ends with `/`.
fn is_folder(output: &Path) -> bool {
    output.as_os_str().as_encoded_bytes().ends_with(b"/") || output.is_dir()
}

/// A name in the folder that no file has: that of the program, and the time.
fn new_name(folder: &Path, program: &str, now: DateTime) -> PathBuf {
    let first = format!(
        "{}-{}",
        program.replace('/', "_"),
        now.strftime("%Y%m%dT%H%M%S")
    );
    let again = (2..).map(|n| format!("{first}-{n}"));
    let names = iter::once(first.clone()).chain(again);
    let mut paths = names.map(|name| folder.join(format!("{name}.{EXTENSION}")));
    paths
        .find(|path| fs::symlink_metadata(path).is_err())
        .unwrap_or_else(|| folder.join(first))
}

/// Cuts a recording behind what was written, unless its process still writes.
pub fn trim(file: &File, path: &Path) -> anyhow::Result<()> {
    if Reader::open_partial(path)?.ended() != Ended::Running {
        writer::trim(file)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_in_a_folder_has_the_program_and_the_time() {
        let space = tempfile::tempdir().unwrap();
        let now = jiff::civil::date(2026, 11, 29).at(17, 6, 51, 0);
        let made = |expected: &str| {
            let path = new_name(space.path(), "app", now);
            assert_eq!(path, space.path().join(expected));
            fs::write(path, "").unwrap();
        };
        made("app-20261129T170651.soglia");
        made("app-20261129T170651-2.soglia");
        made("app-20261129T170651-3.soglia");
        assert!(is_folder(space.path()));
        assert!(is_folder(Path::new("absent/")));
        assert!(!is_folder(Path::new("absent")));
    }
}
