//! How a process maps the file of its recording.
//!
//! A recording that is retired leaves its first pages behind, as zeros. A process with thousands of
//! sessions must not have thousands of mappings for that. So once a recording has been retired,
//! each next one lies right behind the zeros of the one before, and the kernel joins all zeros into
//! one mapping. The addresses for that are reserved ahead.
#![allow(
    unsafe_code,
    reason = "maps a file, and decides what lies at which addresses"
)]

use std::{
    fs::File,
    io,
    ops::Range,
    os::fd::AsRawFd,
    ptr::{NonNull, with_exposed_provenance_mut},
    sync::{Mutex, MutexGuard, PoisonError},
};

use super::{format::BLOCK, starter::MIN_BYTES};

/// How many bytes are reserved behind a recording, at most.
const BEHIND: usize = 1 << 30;

/// The mapped file, which may be written.
#[derive(Debug)]
pub(super) struct Mapping {
    at: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to no thread. Code that follows the address ensures that threads use
// the memory in turn, or by atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps the file, or less of it under a limit of address space.
    pub(super) fn of_as_much_as_possible(file: &File, bytes: u64) -> io::Result<Self> {
        let mut bytes = bytes as usize;
        loop {
            match Self::of(file, bytes) {
                Err(_) if bytes as u64 / 2 >= MIN_BYTES => bytes = bytes / 2 / BLOCK * BLOCK,
                result => return result,
            }
        }
    }

    fn of(file: &File, len: usize) -> io::Result<Self> {
        let place = reserved().take(len);
        // SAFETY: addresses that were reserved are this recording's from now on.
        let at = unsafe { map(place, len, OPEN, libc::MAP_SHARED, file.as_raw_fd()) }?;
        Ok(Self { at, len })
    }

    pub(super) const fn at(&self) -> *mut u8 {
        self.at.as_ptr()
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Puts zeros in the place of the first `open` bytes, which may still be written, and gives the
    /// others up.
    ///
    /// # Safety
    /// Any bytes are valid for what lies in the first `open` bytes, and nothing leads to the
    /// others.
    pub(super) unsafe fn retire(&'static self, open: usize) {
        let start = self.at.as_ptr().expose_provenance();
        // SAFETY: these are our own pages, and the caller says that zeros are valid there. If the
        // call fails, what is written goes on to lie in the file, where no reader looks any more.
        let _ = unsafe { map(Some(start), open, OPEN, NOWHERE, -1) };
        // SAFETY: the caller says that nothing leads there.
        unsafe { reserved().give_back(start + open..start + self.len) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is the whole of our own mapping, and its owner is gone.
        unsafe { libc::munmap(self.at.as_ptr().cast(), self.len) };
    }
}

/// Addresses for the recordings to come. Nothing leads there, and nothing can be read there.
#[derive(Debug)]
struct Reserved {
    range: Range<usize>,
    /// A recording has been retired, so more may be.
    is_wanted: bool,
}

static RESERVED: Mutex<Reserved> = Mutex::new(Reserved {
    range: 0..0,
    is_wanted: false,
});

fn reserved() -> MutexGuard<'static, Reserved> {
    RESERVED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reserved {
    /// Takes the first addresses out. Returns `None` if there are too few.
    fn take(&mut self, len: usize) -> Option<usize> {
        if !self.is_wanted {
            return None;
        }
        if self.range.len() < len {
            // SAFETY: nothing uses what is reserved.
            unsafe { unmap(self.range.clone()) };
            self.range = reserve(len + len.min(BEHIND)).unwrap_or_default();
        }
        let at = self.range.start;
        self.range.start += len.min(self.range.len());
        (self.range.start == at + len).then_some(at)
    }

    /// Takes addresses back, if they lie right before those that are left. Others become free.
    ///
    /// # Safety
    /// They are those of a mapping, and nothing leads there any more.
    unsafe fn give_back(&mut self, given: Range<usize>) {
        self.is_wanted = true;
        if given.is_empty() {
            return;
        }
        // SAFETY: the caller says that what is there may go.
        let keep = || unsafe { map(Some(given.start), given.len(), CLOSED, NOWHERE, -1) };
        if given.end == self.range.start && keep().is_ok() {
            self.range.start = given.start;
        } else {
            // SAFETY: as above.
            unsafe { unmap(given) };
        }
    }
}

const OPEN: i32 = libc::PROT_READ | libc::PROT_WRITE;
const CLOSED: i32 = libc::PROT_NONE;

/// A mapping without a file, whose pages are zeros until they are written.
const NOWHERE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;

fn reserve(len: usize) -> Option<Range<usize>> {
    // SAFETY: the kernel takes free addresses.
    let at = unsafe { map(None, len, CLOSED, NOWHERE, -1) }.ok()?;
    let start = at.as_ptr().expose_provenance();
    Some(start..start + len)
}

/// Maps at this address, in the place of what is there, or at a free one.
///
/// # Safety
/// If there is an address, `len` bytes from it on are the caller's mapping, and what is there may
/// be replaced.
unsafe fn map(
    at: Option<usize>,
    len: usize,
    access: i32,
    kind: i32,
    file: i32,
) -> io::Result<NonNull<u8>> {
    let (address, kind) = match at {
        Some(at) => (with_exposed_provenance_mut(at), kind | libc::MAP_FIXED),
        None => (std::ptr::null_mut(), kind),
    };
    // SAFETY: the caller says that the addresses are its own. Otherwise the kernel takes free ones.
    let made = unsafe { libc::mmap(address, len, access, kind, file, 0) };
    match NonNull::new(made.cast()) {
        Some(at) if made != libc::MAP_FAILED => Ok(at),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Makes these addresses free.
///
/// # Safety
/// They are the caller's, and nothing leads there.
unsafe fn unmap(range: Range<usize>) {
    if !range.is_empty() {
        // SAFETY: as the caller says.
        unsafe { libc::munmap(with_exposed_provenance_mut(range.start), range.len()) };
    }
}
