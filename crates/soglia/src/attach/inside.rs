//! The file system as the process that is attached to sees it.
//!
//! `/proc/PID/root` leads there, but a symbolic link below it would lead back into the file system
//! of the tool: links are followed by the one who follows them. `openat2` follows them inside.

#![allow(unsafe_code, reason = "openat2 and statvfs of an open folder")]

use std::{
    ffi::{CStr, CString, OsStr, OsString},
    fs::{self, File},
    io,
    mem::{size_of, zeroed},
    os::{
        fd::{AsRawFd, FromRawFd, RawFd},
        unix::{ffi::OsStrExt, fs::OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

/// The root of a process.
#[derive(Debug)]
pub(super) struct Root(File);

/// A folder that a process sees.
#[derive(Debug)]
pub(super) struct Folder {
    /// As that process names it.
    pub(super) path: PathBuf,
    folder: File,
}

impl Root {
    /// The root of this process.
    ///
    /// # Errors
    /// If there is no such process, or this user may not look into it.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        open_path(Path::new(&format!("/proc/{pid}/root"))).map(Self)
    }

    /// A folder by the path that the process has for it.
    pub(super) fn folder(&self, path: &Path) -> io::Result<Folder> {
        Ok(Folder {
            path: path.to_owned(),
            folder: self.open(path, libc::O_PATH | libc::O_DIRECTORY)?,
        })
    }

    /// Anything by the path that the process has for it, without opening what it is.
    pub(super) fn look(&self, path: &Path) -> io::Result<File> {
        self.open(path, libc::O_PATH)
    }

    fn open(&self, path: &Path, flags: i32) -> io::Result<File> {
        let inside = path.strip_prefix("/").unwrap_or(path);
        let inside = if inside.as_os_str().is_empty() {
            Path::new(".")
        } else {
            inside
        };
        let name = c_string(inside.as_os_str())?;
        let opened = open_in(self.0.as_raw_fd(), &name, flags)?;
        // SAFETY: a new descriptor without another owner.
        Ok(unsafe { File::from_raw_fd(opened) })
    }

    pub(super) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Opens what a path leads to if a folder is the root. The path has no slash in front. The file is
/// closed on exec; if it is made, all may read it and map code from it. Makes system calls only, so
/// it may follow a `fork`.
pub(super) fn open_in(folder: RawFd, path: &CStr, flags: i32) -> io::Result<RawFd> {
    let flags = flags | libc::O_CLOEXEC;
    let mode = if flags & libc::O_CREAT == 0 { 0 } else { 0o755 };
    // SAFETY: an open_how of zeros is valid. The kernel reads `size` bytes of it, and a path
    // that ends with a zero.
    let opened = unsafe {
        let mut how: libc::open_how = zeroed();
        how.flags = u64::from(flags.cast_unsigned());
        how.mode = mode;
        how.resolve = libc::RESOLVE_IN_ROOT;
        let size = size_of::<libc::open_how>();
        libc::syscall(
            libc::SYS_openat2,
            folder,
            path.as_ptr(),
            &raw const how,
            size,
        )
    };
    if let Ok(file) = RawFd::try_from(opened)
        && file >= 0
    {
        return Ok(file);
    }
    let error = io::Error::last_os_error();
    // Before Linux 5.6, and where a filter does not know the call.
    if !matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM)) {
        return Err(error);
    }
    // SAFETY: as above.
    match unsafe { libc::openat(folder, path.as_ptr(), flags, mode as libc::mode_t) } {
        -1 => Err(io::Error::last_os_error()),
        file => Ok(file),
    }
}

impl Folder {
    /// A path of a file in it that is good in this process, as long as this value lives.
    pub(super) fn join(&self, name: &OsStr) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd())).join(name)
    }

    /// The names of the files in it.
    pub(super) fn names(&self) -> Vec<OsString> {
        let entries = fs::read_dir(self.join(OsStr::new("")));
        let entries = entries.into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name()).collect()
    }

    /// Opens a file in it without opening what it is, and without following it.
    pub(super) fn look(&self, name: &OsStr) -> io::Result<File> {
        let mut options = File::options();
        let options = options.read(true);
        options
            .custom_flags(libc::O_PATH | libc::O_NOFOLLOW)
            .open(self.join(name))
    }

    /// Whether code may be mapped from files that are made in it.
    pub(super) fn takes_code(&self) -> bool {
        // SAFETY: a statvfs of zeros is valid; the kernel's answer goes into it, and `folder` keeps
        // the descriptor open.
        let about = unsafe {
            let mut about: libc::statvfs = zeroed();
            let answer = libc::fstatvfs(self.folder.as_raw_fd(), &raw mut about);
            (answer == 0).then_some(about)
        };
        about.is_some_and(|about| lets_code(about.f_flag))
    }

    pub(super) fn number(&self) -> RawFd {
        self.folder.as_raw_fd()
    }
}

/// Whether files with code can be made in a file system with these flags.
const fn lets_code(flags: libc::c_ulong) -> bool {
    flags & (libc::ST_NOEXEC | libc::ST_RDONLY) == 0
}

/// Opens a path without opening what it is.
pub(super) fn open_path(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).custom_flags(libc::O_PATH).open(path)
}

pub(super) fn c_string(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn links_are_followed_inside() {
        let temp = tempfile::tempdir().unwrap();
        let root = Root(open_path(temp.path()).unwrap());
        let make = |path: &str| fs::create_dir(temp.path().join(path)).unwrap();
        make("data");
        make("data/tmp");
        symlink("/data/tmp", temp.path().join("tmp")).unwrap();
        symlink("/etc", temp.path().join("etc")).unwrap();
        symlink("../../../../..", temp.path().join("up")).unwrap();
        fs::write(temp.path().join("data/tmp/file"), "").unwrap();
        let folder = root.folder(Path::new("/tmp")).unwrap();
        assert_eq!(folder.names(), ["file"]);
        assert!(folder.look(OsStr::new("file")).is_ok());
        assert!(root.folder(Path::new("/etc")).is_err());
        assert!(root.folder(Path::new("/up/data")).is_ok());
        assert!(
            root.folder(Path::new("/"))
                .unwrap()
                .names()
                .contains(&"data".into())
        );
    }

    #[test]
    fn code_is_taken_unless_the_file_system_forbids_it() {
        assert!(lets_code(0) && lets_code(libc::ST_NOSUID));
        assert!(!lets_code(libc::ST_NOEXEC) && !lets_code(libc::ST_RDONLY | libc::ST_NOSUID));
        // The folder of the built tests has code in it.
        let own = std::env::current_exe().unwrap();
        let here = Root::of(std::process::id()).unwrap();
        assert!(here.folder(own.parent().unwrap()).unwrap().takes_code());
        assert!(Root::of(u32::MAX).is_err());
    }
}
