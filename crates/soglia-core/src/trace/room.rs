//! Room in the recording's file: how a live process takes it, and why there was none.
//!
//! The file has its full size from the start, as one hole. A process takes room by asking the
//! kernel to make pages of the hole writable (`MADV_POPULATE_WRITE`), which reserves their blocks.
//! So a full disk is an error there, instead of a signal at some later store. This needs no
//! descriptor, which the program may have closed or reused, and no limit on the size of files
//! applies.
//!
//! Kernels before 5.14 cannot do that. There the process uses the descriptor, after it has checked
//! that this is still the recording's.
#![allow(
    unsafe_code,
    reason = "asks the operating system for room in a mapping"
)]

use std::{
    fs::File,
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::fs::MetadataExt,
    },
    ptr::NonNull,
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::format::NoRoom;

/// The recording's file in the process that records.
#[derive(Debug)]
pub(super) struct Room {
    /// `None`: it has no descriptor that all threads can use, or the recording is retired.
    file: Mutex<Option<File>>,
    /// Device and inode. The program may close descriptors that it never opened, and the number may
    /// come to mean another file.
    identity: (u64, u64),
}

impl Room {
    /// The room in a file with this device and inode.
    pub(super) const fn of(identity: (u64, u64)) -> Self {
        Self {
            file: Mutex::new(None),
            identity,
        }
    }

    fn file(&self) -> MutexGuard<'_, Option<File>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the file, whose descriptor all threads can use.
    pub(super) fn keep(&self, file: File) {
        *self.file() = Some(file);
    }

    /// Closes the file, unless the number means another file by now.
    pub(super) fn close(&self) {
        if let Some(file) = self.file().take() {
            match self.size_of(&file) {
                Some(u64::MAX) | None => std::mem::forget(file),
                Some(_) => drop(file),
            }
        }
    }

    /// Takes the room for the bytes that are mapped at `at`, which lie in the file at `offset`.
    ///
    /// # Safety
    /// `bytes` bytes from `at` on are part of a mapping of the file, and no reference leads to them
    /// yet.
    pub(super) unsafe fn take(
        &self,
        at: NonNull<u8>,
        offset: u64,
        bytes: usize,
    ) -> Result<(), NoRoom> {
        loop {
            // SAFETY: the caller says that these bytes are part of a mapping without references.
            // The call changes none of them.
            if unsafe { libc::madvise(at.as_ptr().cast(), bytes, libc::MADV_POPULATE_WRITE) } == 0 {
                return Ok(());
            }
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR | libc::EAGAIN) => {}
                // The kernel does not know it, or a filter of system calls forbids it.
                Some(libc::EINVAL | libc::ENOSYS | libc::EPERM | libc::EACCES) => {
                    return self.take_by_descriptor(offset, bytes as u64);
                }
                Some(libc::ENOMEM) => return Err(NoRoom::Memory),
                // This would be a signal at a store: there is no block, or the file is too short
                // now.
                Some(libc::EFAULT) if self.size() < Some(offset + bytes as u64) => {
                    return Err(NoRoom::Cut);
                }
                Some(libc::EFAULT) => return Err(NoRoom::Disk),
                _ => return Err(NoRoom::Refused),
            }
        }
    }

    /// The size of the file, or `u64::MAX` if the descriptor is no longer that of the file.
    fn size(&self) -> Option<u64> {
        self.file()
            .as_ref()
            .map_or(Some(u64::MAX), |file| self.size_of(file))
    }

    fn size_of(&self, file: &File) -> Option<u64> {
        let about = file.metadata().ok();
        let about = about.filter(|about| (about.dev(), about.ino()) == self.identity);
        Some(about.map_or(u64::MAX, |about| about.len()))
    }

    #[cold]
    fn take_by_descriptor(&self, offset: u64, bytes: u64) -> Result<(), NoRoom> {
        match self.size() {
            Some(u64::MAX) | None => return Err(NoRoom::Closed),
            Some(size) if size < offset + bytes => return Err(NoRoom::Cut),
            Some(_) => {}
        }
        let file = self.file();
        let Some(file) = file.as_ref() else {
            return Err(NoRoom::Closed);
        };
        match without_size_signal(|| allocate(file, offset, bytes)) {
            Ok(()) => Ok(()),
            Err(error) => Err(match error.raw_os_error() {
                Some(libc::ENOSPC | libc::EDQUOT | libc::EIO) => NoRoom::Disk,
                Some(libc::EFBIG) => NoRoom::Small,
                Some(libc::ENOMEM) => NoRoom::Memory,
                Some(libc::EBADF) => NoRoom::Closed,
                _ => NoRoom::Refused,
            }),
        }
    }
}

/// Moves the descriptor out of the low numbers, on which programs may count, but not beyond the 64
/// that the kernel's table of descriptors has room for from the start. Enlarging that table in a
/// process with threads takes 10 ms and more.
pub(super) fn out_of_the_way(file: File) -> File {
    // SAFETY: `file` keeps its descriptor open during the call. A result that is not negative is a
    // new descriptor, which has no other owner.
    unsafe {
        match libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 48) {
            high if high >= 0 => File::from(OwnedFd::from_raw_fd(high)),
            _ => file,
        }
    }
}

/// Takes room in a file, for good: later stores into it cannot fail for lack of disk.
pub(super) fn allocate(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let (offset, bytes) = (offset as libc::off_t, bytes as libc::off_t);
    loop {
        // SAFETY: `file` keeps its descriptor open, and the call takes no pointers.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), offset, bytes) } {
            0 => return Ok(()),
            // The signal that came has been handled.
            libc::EINTR => {}
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// Runs `body`, which may exceed the limit on the size of files. The kernel also raises a signal
/// then, which must not reach the program.
fn without_size_signal<T>(body: impl FnOnce() -> T) -> T {
    let mut set = MaybeUninit::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first two calls make the set, before the others read it. `before` and `pending`
    // are valid for writing. Only this thread's mask changes.
    let was_pending = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), libc::SIGXFSZ);
        libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), before.as_mut_ptr());
        libc::sigpending(pending.as_mut_ptr());
        libc::sigismember(pending.as_ptr(), libc::SIGXFSZ) == 1
    };
    let result = body();
    let at_once = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the calls above made `set` and wrote `before`. `at_once` is a whole timespec.
    unsafe {
        if !was_pending {
            libc::sigtimedwait(set.as_ptr(), std::ptr::null_mut(), &raw const at_once);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
    }
    result
}
