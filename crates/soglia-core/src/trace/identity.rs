//! The identity of a recording's file: its starter tells it to the process that is to record into
//! it, which opens the file by a path.
//!
//! Before the process opens that path, another process may have put something else there. So the
//! process follows no link, takes only the file that was made, and writes into no other.

use std::{
    fmt,
    fs::{File, OpenOptions},
    io,
    mem::offset_of,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
    str::FromStr,
};

use super::format::{Header, MAGIC, SESSION_BYTES, VERSION};

/// Why a recording could not be claimed.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another process records into it.
    #[error("another process records into it")]
    Taken,
    /// It is not a recording, or has another version.
    #[error(
        "it is not a recording of format {VERSION}: use a tool and an engine of the same version"
    )]
    Foreign,
    /// Another file lies in its place.
    #[error("another file has been put in its place: start the program again")]
    Replaced,
    /// The operating system gave an error.
    #[error(transparent)]
    Os(#[from] io::Error),
}

/// What tells a recording's file from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub(super) device: u64,
    pub(super) inode: u64,
    session: [u8; SESSION_BYTES],
}

impl Identity {
    /// The identity of a recording that was made.
    ///
    /// # Errors
    /// Those of reading the file.
    pub fn of(file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        let mut session = [0; SESSION_BYTES];
        file.read_exact_at(&mut session, offset_of!(Header, session) as u64)?;
        Ok(Self {
            device: about.dev(),
            inode: about.ino(),
            session,
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let session = u128::from_le_bytes(self.session);
        write!(f, "{:x}.{:x}.{session:x}", self.device, self.inode)
    }
}

impl FromStr for Identity {
    type Err = ClaimError;

    fn from_str(text: &str) -> Result<Self, ClaimError> {
        let mut parts = text.split('.');
        let mut part = || u128::from_str_radix(parts.next()?, 16).ok();
        let mut identity = || {
            Some(Self {
                device: part()?.try_into().ok()?,
                inode: part()?.try_into().ok()?,
                session: part()?.to_le_bytes(),
            })
        };
        identity().ok_or(ClaimError::Replaced)
    }
}

/// Opens a recording of this version to write into it. If one is expected, opens no other.
///
/// # Errors
/// See [`ClaimError`].
pub(super) fn open(path: &Path, expected: Option<&Identity>) -> Result<File, ClaimError> {
    let (file, version) = open_any(path, expected)?;
    of_this_version(&file, version, expected)?;
    Ok(file)
}

/// Checks that a file is a recording of this version, and the expected one.
///
/// # Errors
/// See [`ClaimError`].
pub(super) fn check(file: &File, expected: Option<&Identity>) -> Result<(), ClaimError> {
    of_this_version(file, version_of(file, expected)?, expected)
}

fn of_this_version(
    file: &File,
    version: u32,
    expected: Option<&Identity>,
) -> Result<(), ClaimError> {
    if version != VERSION {
        return Err(ClaimError::Foreign);
    }
    match expected {
        Some(expected) if Identity::of(file)? != *expected => Err(ClaimError::Replaced),
        _ => Ok(()),
    }
}

/// The same for a recording of any version, which it returns too. Of `expected` it compares only
/// the file.
///
/// # Errors
/// See [`ClaimError`].
pub(super) fn open_any(
    path: &Path,
    expected: Option<&Identity>,
) -> Result<(File, u32), ClaimError> {
    // Opening anything but a file may wait, or have effects.
    let mut flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    if !is_descriptor(path) {
        flags |= libc::O_NOFOLLOW;
    }
    let mut options = OpenOptions::new();
    let options = options.read(true).write(true).custom_flags(flags);
    let file = options
        .open(path)
        .map_err(|error| match error.raw_os_error() {
            Some(libc::ELOOP) => ClaimError::Replaced,
            _ => ClaimError::Os(error),
        })?;
    let version = version_of(&file, expected)?;
    Ok((file, version))
}

/// The version of the recording in a file. Of `expected` it compares only the file.
fn version_of(file: &File, expected: Option<&Identity>) -> Result<u32, ClaimError> {
    let about = file.metadata()?;
    let is_other =
        |expected: &Identity| (about.dev(), about.ino()) != (expected.device, expected.inode);
    if expected.is_some_and(is_other) {
        return Err(ClaimError::Replaced);
    }
    let mut head = [0; 12];
    if !about.is_file() || file.read_exact_at(&mut head, 0).is_err() || head[..8] != MAGIC {
        return Err(ClaimError::Foreign);
    }
    Ok(u32::from_le_bytes([head[8], head[9], head[10], head[11]]))
}

/// Whether a path is `/proc/PID/fd/N`: a link by nature, which only the kernel makes.
fn is_descriptor(path: &Path) -> bool {
    let path = path.to_string_lossy();
    let mut parts = path.split('/');
    let number = |part: Option<&str>| part.is_some_and(|part| part.parse::<u32>().is_ok());
    parts.next() == Some("")
        && parts.next() == Some("proc")
        && number(parts.next())
        && parts.next() == Some("fd")
        && number(parts.next())
        && parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_brings_an_identity_over() {
        let identity = Identity {
            device: 0xfd01,
            inode: u64::MAX,
            session: [7; SESSION_BYTES],
        };
        let parsed: Identity = identity.to_string().parse().unwrap();
        assert_eq!(parsed, identity);
        for bad in [
            "",
            "1.2",
            "1.2.x",
            "1.2.",
            "-1.2.3",
            "10000000000000000.1.1",
        ] {
            assert!(bad.parse::<Identity>().is_err(), "{bad}");
        }
    }

    #[test]
    fn descriptors_are_told_from_files() {
        for (path, is) in [
            ("/proc/12/fd/3", true),
            ("/proc/self/fd/3", false),
            ("/proc/12/fd/../../x", false),
            ("/proc/12/fd/3/x", false),
            ("proc/12/fd/3", false),
            ("/tmp/a", false),
        ] {
            assert_eq!(is_descriptor(Path::new(path)), is, "{path}");
        }
    }
}
