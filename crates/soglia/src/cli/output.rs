//! Where an export goes: to standard output, or to a file that is there only once it is complete.
//!
//! Until then the file has no name, where the file system can do that: whatever ends the tool, no
//! part of an export is left.

#![allow(
    unsafe_code,
    reason = "linkat: std does not name a file that has no name"
)]

use std::{
    ffi::CString,
    fs::{self, File, Permissions},
    io::{self, Write},
    os::{
        fd::AsRawFd,
        unix::{
            ffi::OsStrExt,
            fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
        },
    },
    path::{Path, PathBuf},
};

use anyhow::Context;
use tempfile::NamedTempFile;

/// An export being written.
pub enum Output {
    /// Standard output.
    Standard(io::Stdout),
    /// A pipe or a device, which cannot be replaced.
    Stream(File),
    /// A file that is to get a name.
    File {
        file: Unnamed,
        path: PathBuf,
        replace: bool,
    },
}

/// A file beside the one that it becomes.
pub enum Unnamed {
    /// It has no name.
    Without(File),
    /// Of a file system in which all files have names.
    With(NamedTempFile),
}

impl Output {
    /// Standard output.
    pub fn standard() -> Self {
        Self::Standard(io::stdout())
    }

    /// A file. Without `replace`, none may be there.
    ///
    /// # Errors
    /// If it cannot be written, is there already, or is the recording itself.
    pub fn file(path: &Path, replace: bool, recording: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        if let Ok(there) = fs::metadata(path) {
            let same = fs::metadata(recording)
                .is_ok_and(|of| (of.dev(), of.ino()) == (there.dev(), there.ino()));
            if same {
                anyhow::bail!("{shown} is the recording: name another file with -o");
            }
            if there.is_dir() {
                anyhow::bail!("{shown} is a directory: name a file with -o");
            }
            if !there.is_file() {
                let file = File::options().write(true).open(path);
                let file = file.with_context(|| format!("cannot write {shown}"))?;
                return Ok(Self::Stream(file));
            }
            if !replace {
                anyhow::bail!(
                    "{shown} is there already: --force replaces it, -o FILE names another"
                );
            }
        }
        // A link stays a link: what it leads to is replaced.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let file = Unnamed::beside(&path).with_context(|| format!("cannot write {shown}"))?;
        Ok(Self::File {
            file,
            path,
            replace,
        })
    }

    /// The export is complete.
    ///
    /// # Errors
    /// If it cannot be put in its place.
    pub fn keep(self) -> anyhow::Result<()> {
        let Self::File {
            file,
            path,
            replace,
        } = self
        else {
            return Ok(());
        };
        file.keep(&path, replace)
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Unnamed {
    fn beside(path: &Path) -> io::Result<Self> {
        let folder = folder(path);
        let mut options = File::options();
        options
            .write(true)
            .mode(0o666)
            .custom_flags(libc::O_TMPFILE);
        match options.open(folder) {
            Ok(file) => Ok(Self::Without(file)),
            // Errors that have another reason come again.
            Err(_) => builder()
                // As far as the mask of file modes allows.
                .permissions(Permissions::from_mode(0o666))
                .tempfile_in(folder)
                .map(Self::With),
        }
    }

    fn keep(self, path: &Path, replace: bool) -> io::Result<()> {
        // A name cannot be taken from another file in one step. So the file has a name of its own
        // for a moment.
        match (self, replace) {
            (Self::Without(file), true) => {
                let named = builder().make_in(folder(path), |own| link(&file, own))?;
                named.persist(path).map_err(|error| error.error)
            }
            (Self::Without(file), false) => link(&file, path),
            (Self::With(file), replace) => match replace {
                true => file.persist(path),
                false => file.persist_noclobber(path),
            }
            .map(drop)
            .map_err(|error| error.error),
        }
    }
}

fn builder() -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".soglia-");
    builder
}

/// The folder of a file.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Names a file that has no name.
fn link(file: &File, path: &Path) -> io::Result<()> {
    let from = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let to = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: both are strings that end in a zero, and they live during the call.
    let failed = unsafe {
        libc::linkat(
            libc::AT_FDCWD,
            from.as_ptr(),
            libc::AT_FDCWD,
            to.as_ptr(),
            libc::AT_SYMLINK_FOLLOW,
        )
    };
    match failed {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Standard(out) => out.write(bytes),
            Self::Stream(file) => file.write(bytes),
            Self::File { file, .. } => match file {
                Unnamed::Without(file) => file.write(bytes),
                Unnamed::With(file) => file.write(bytes),
            },
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Standard(out) => out.flush(),
            Self::Stream(file) => file.flush(),
            Self::File { file, .. } => match file {
                Unnamed::Without(file) => file.flush(),
                Unnamed::With(file) => file.flush(),
            },
        }
    }
}
