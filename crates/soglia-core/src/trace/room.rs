//! Room in the recording's file: how a live process takes it, and why there was none.
//!
//! The file has its full size from the start, as one hole. Room is taken by having the kernel make pages of it writable
//! (`MADV_POPULATE_WRITE`), which reserves their blocks: a full disk is an answer, not a signal at some store later on. That takes no
//! descriptor, which the program may have closed or put to another use, and no limit on the size of files stands in its way.
//!
//! Kernels before 5.14 cannot do that. There the descriptor is used, once it is known to be that of the recording still.
#![allow(
    unsafe_code,
    reason = "asks the operating system for room in a mapping"
)]

use std::{
    fs::File,
    io,
    mem::MaybeUninit,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    ptr::NonNull,
};

use super::format::NoRoom;

/// The recording's file as this process has it.
#[derive(Debug)]
pub(super) struct Room {
    pub(super) file: File,
    /// Device and inode: the program may close descriptors that it never opened, and the number may come to mean another file.
    pub(super) identity: (u64, u64),
}

impl Room {
    /// Takes the room for what is mapped at `at`, which lies in the file from `offset` on.
    ///
    /// # Safety
    /// So many bytes from `at` on are part of a mapping of the file, which nobody uses yet.
    pub(super) unsafe fn take(
        &self,
        at: NonNull<u8>,
        offset: u64,
        bytes: usize,
    ) -> Result<(), NoRoom> {
        loop {
            // SAFETY: by the contract.
            if unsafe { libc::madvise(at.as_ptr().cast(), bytes, libc::MADV_POPULATE_WRITE) } == 0 {
                return Ok(());
            }
            match io::Error::last_os_error().raw_os_error() {
                Some(libc::EINTR | libc::EAGAIN) => {}
                // A kernel that does not know it, or a filter of system calls.
                Some(libc::EINVAL | libc::ENOSYS | libc::EPERM | libc::EACCES) => {
                    return self.take_by_descriptor(offset, bytes as u64);
                }
                Some(libc::ENOMEM) => return Err(NoRoom::Memory),
                // What would be a signal at a store: no block, or no such page in the file any more.
                Some(libc::EFAULT) if self.size() < Some(offset + bytes as u64) => {
                    return Err(NoRoom::Cut);
                }
                Some(libc::EFAULT) => return Err(NoRoom::Disk),
                _ => return Err(NoRoom::Refused),
            }
        }
    }

    /// The size of the file, or more than any if the descriptor is not that of the file any more.
    fn size(&self) -> Option<u64> {
        let about = self.file.metadata().ok();
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
        match without_size_signal(|| allocate(&self.file, offset, bytes)) {
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

/// Takes room in a file, for good: later stores to it cannot fail for want of disk.
pub(super) fn allocate(file: &File, offset: u64, bytes: u64) -> io::Result<()> {
    let (offset, bytes) = (offset as libc::off_t, bytes as libc::off_t);
    loop {
        // SAFETY: plain system call on an open descriptor.
        match unsafe { libc::posix_fallocate(file.as_raw_fd(), offset, bytes) } {
            0 => return Ok(()),
            // Whatever signal it was, it has been dealt with.
            libc::EINTR => {}
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// Does something that may be against the limit on the size of files, which is told by a signal too: that one must not reach the
/// program.
fn without_size_signal<T>(body: impl FnOnce() -> T) -> T {
    let mut set = MaybeUninit::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    let mut pending = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: the first two calls make the set, the others read it and write the two that are for that. Only this thread's mask changes.
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
    // SAFETY: the sets were made above.
    unsafe {
        if !was_pending {
            libc::sigtimedwait(set.as_ptr(), std::ptr::null_mut(), &raw const at_once);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut());
    }
    result
}
