//! Opens files that other processes have named: never waits, and opens regular files only.
//!
//! Opening a FIFO waits for its other end, and opening a device may have effects. So these
//! functions look at the file before they open it, and again when it is open.

use std::{
    fs::{self, File, FileType, OpenOptions},
    io::{self, Read},
    os::unix::fs::{FileTypeExt, OpenOptionsExt},
    path::Path,
};

/// Opens a regular file for reading.
///
/// # Errors
/// Those of the operating system. [`io::ErrorKind::InvalidInput`] says what the path names instead.
pub fn open(path: &Path) -> io::Result<File> {
    expect_regular(fs::metadata(path)?.file_type())?;
    open_with(path, 0)
}

/// Like [`open`], but does not follow a symbolic link.
///
/// # Errors
/// Those of [`open`]. A symbolic link is not a regular file.
pub fn open_no_link(path: &Path) -> io::Result<File> {
    expect_regular(fs::symlink_metadata(path)?.file_type())?;
    open_with(path, libc::O_NOFOLLOW)
}

/// The text of a regular file of at most so many bytes.
///
/// # Errors
/// Those of [`open`]. [`io::ErrorKind::InvalidData`] if the file is longer or not UTF-8.
pub fn read_to_string(path: &Path, most: u64) -> io::Result<String> {
    String::from_utf8(read(path, most)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// The bytes of a regular file of at most so many bytes.
///
/// # Errors
/// Those of [`open`]. [`io::ErrorKind::InvalidData`] if the file is longer.
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let mut bytes = Vec::new();
    if file.metadata()?.len() <= most {
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= most {
            return Ok(bytes);
        }
    }
    let message = format!("it is longer than {most} bytes");
    Err(io::Error::new(io::ErrorKind::InvalidData, message))
}

fn open_with(path: &Path, flags: i32) -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | flags)
        .open(path)?;
    // Another process may have replaced it since the first look.
    expect_regular(file.metadata()?.file_type())?;
    Ok(file)
}

fn expect_regular(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    let message = match kind {
        _ if kind.is_dir() => "it is a directory",
        _ if kind.is_symlink() => "it is a symbolic link",
        _ if kind.is_fifo() => "it is a FIFO, not a regular file",
        _ if kind.is_socket() => "it is a socket, not a regular file",
        _ if kind.is_block_device() || kind.is_char_device() => {
            "it is a device, not a regular file"
        }
        _ => "it is not a regular file",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        os::unix::{fs::symlink, net::UnixListener},
        process::Command,
    };

    #[test]
    #[cfg_attr(miri, ignore = "starts a process")]
    fn what_is_no_file_is_named_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let made = Command::new("mkfifo").arg(path("fifo")).status().unwrap();
        assert!(made.success());
        let _listener = UnixListener::bind(path("socket")).unwrap();
        fs::write(path("file"), "text").unwrap();
        symlink("file", path("link")).unwrap();
        symlink("fifo", path("to-fifo")).unwrap();
        let error = |name: &str| open(&path(name)).unwrap_err().to_string();
        assert_eq!(error(""), "it is a directory");
        assert_eq!(error("fifo"), "it is a FIFO, not a regular file");
        assert_eq!(error("to-fifo"), "it is a FIFO, not a regular file");
        assert_eq!(error("socket"), "it is a socket, not a regular file");
        let device = open(Path::new("/dev/null")).unwrap_err().to_string();
        assert_eq!(device, "it is a device, not a regular file");
        assert_eq!(read_to_string(&path("link"), 4).unwrap(), "text");
        assert!(read_to_string(&path("link"), 3).is_err());
        let link = open_no_link(&path("link")).unwrap_err().to_string();
        assert_eq!(link, "it is a symbolic link");
        assert!(open_no_link(&path("file")).is_ok());
        let absent = open(&path("absent")).unwrap_err();
        assert_eq!(absent.kind(), io::ErrorKind::NotFound);
    }
}
