//! The bytes of a recording that is read, as they are at the moment of reading.
#![allow(
    unsafe_code,
    reason = "reads a mapped file that another process may be writing"
)]

use std::{
    fs::File,
    io,
    os::{fd::AsRawFd, unix::fs::FileExt},
    sync::atomic::{
        AtomicU32, AtomicU64, AtomicUsize,
        Ordering::{Acquire, Relaxed},
        fence,
    },
};

use memmap2::{MmapOptions, MmapRaw, UncheckedAdvice};

use super::{format::ChunkHeader, guard::Guard};
use crate::time::Anchor;

/// A mapped file. Words beyond its end, or not aligned, are 0.
#[derive(Debug)]
pub(super) struct Bytes {
    // Dropped first, before the mapping.
    _guard: Guard,
    map: MmapRaw,
    file: File,
    file_len: u64,
    /// Bytes that were read since memory was given back.
    read: AtomicUsize,
    /// Steps of reading: words, and chunks that were passed on the way.
    #[cfg(test)]
    pub(super) steps: AtomicUsize,
}

/// About so many bytes that were read stay in memory.
const MOST_READ: usize = 64 << 20;
/// The kernel reads so much of a file for one byte.
const AROUND: usize = 64 << 10;

impl Bytes {
    /// Maps the first `bytes` bytes of a file that has `file_len` bytes.
    pub(super) fn map(file: File, file_len: u64, bytes: u64) -> io::Result<Self> {
        let bytes = usize::try_from(bytes).map_err(io::Error::other)?;
        let map = MmapOptions::new().len(bytes).map_raw_read_only(&file)?;
        Ok(Self {
            _guard: Guard::of(map.as_ptr(), map.len()),
            map,
            file,
            file_len,
            read: AtomicUsize::new(0),
            #[cfg(test)]
            steps: AtomicUsize::new(0),
        })
    }

    /// Counts a step of reading, for tests of how much work it is to read a recording.
    #[inline(always)]
    pub(super) fn step(&self) {
        #[cfg(test)]
        self.steps.fetch_add(1, Relaxed);
    }

    /// Bytes that are mapped.
    pub(super) fn len(&self) -> usize {
        self.map.len()
    }

    /// Bytes of the file when it was opened.
    pub(super) const fn file_len(&self) -> u64 {
        self.file_len
    }

    /// The open file.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Whether the file has lost some of its first `used` bytes since it was opened. Behind them it
    /// may be cut, because nothing lies there.
    pub(super) fn is_cut(&self, used: u64) -> bool {
        let about = self.file.metadata();
        about.is_ok_and(|about| about.len() < self.file_len.min(used))
    }

    /// Where the file next has data, holes left out. Returns `None` if it has none from here on.
    pub(super) fn next_data(&self, at: usize) -> Option<usize> {
        // SAFETY: lseek takes no pointers, and `file` keeps the descriptor open. The position of
        // the file is never used: all reads name their own.
        let found =
            unsafe { libc::lseek(self.file.as_raw_fd(), at as libc::off_t, libc::SEEK_DATA) };
        match usize::try_from(found) {
            Ok(found) => Some(found),
            // If the system cannot say, holes are read like the rest.
            Err(_) if io::Error::last_os_error().raw_os_error() != Some(libc::ENXIO) => Some(at),
            Err(_) => None,
        }
    }

    /// Notes that so many bytes were read in a row. Now and then it gives back the memory of all
    /// that was read, which can be read again.
    pub(super) fn has_read(&self, bytes: usize) {
        let read = self.read.load(Relaxed).saturating_add(bytes.max(AROUND));
        if read < MOST_READ {
            self.read.store(read, Relaxed);
            return;
        }
        self.read.store(0, Relaxed);
        // SAFETY: the mapping is shared and only read, so its pages come back from the file when
        // they are touched. If the call fails, the process only takes more memory.
        let _ = unsafe { self.map.unchecked_advise(UncheckedAdvice::DontNeed) };
    }

    /// The head of the chunk that may begin here.
    ///
    /// It is not read through the mapping: touching a hole of a file in memory takes room, and
    /// raises a signal if there is none.
    pub(super) fn head(&self, at: usize) -> impl Fn(usize) -> u32 {
        self.step();
        let mut head = [0; size_of::<ChunkHeader>()];
        // The first word is stored last. The kernel may copy the others earlier: then they are read
        // again.
        let times = if cfg!(target_arch = "x86_64") { 1 } else { 2 };
        for _ in 0..times {
            if self.file.read_exact_at(&mut head, at as u64).is_err() {
                head.fill(0);
            }
            fence(Acquire);
        }
        move |offset| {
            let word = head.get(offset..offset + 4).and_then(|w| w.try_into().ok());
            u32::from_le_bytes(word.unwrap_or_default())
        }
    }

    /// A word. What is read afterwards is at least as new, because the process that writes stores
    /// a count after what it counts.
    #[inline]
    pub(super) fn word(&self, at: usize) -> u32 {
        self.step();
        if at.is_multiple_of(4) && at.checked_add(4).is_some_and(|end| end <= self.map.len()) {
            // SAFETY: the condition says that the word lies within the mapping and is aligned.
            // Another process may store to it, hence atomic.
            let word = unsafe { AtomicU32::from_ptr(self.map.as_mut_ptr().add(at).cast()) };
            // Memory that is only readable lets relaxed loads through on every architecture.
            let word = word.load(Relaxed);
            fence(Acquire);
            u32::from_le(word)
        } else {
            0
        }
    }

    /// The same for eight bytes.
    #[inline]
    pub(super) fn long(&self, at: usize) -> u64 {
        self.step();
        if at.is_multiple_of(8) && at.checked_add(8).is_some_and(|end| end <= self.map.len()) {
            // SAFETY: the condition says that the 8 bytes lie within the mapping and are aligned.
            // Another process may store to them, hence atomic: of two halves, one could be from
            // before a carry.
            let word = unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(at).cast()) };
            let word = word.load(Relaxed);
            fence(Acquire);
            u64::from_le(word)
        } else {
            0
        }
    }

    pub(super) fn anchor(&self, at: usize) -> Anchor {
        Anchor {
            ticks: self.long(at),
            monotonic_ns: self.long(at + 8),
        }
    }

    /// The text of at most so many bytes, up to the first zero.
    pub(super) fn text(&self, at: usize, bytes: usize) -> String {
        let words = (at..at + bytes)
            .step_by(4)
            .flat_map(|at| self.word(at).to_le_bytes());
        let text: Vec<u8> = words.take(bytes).take_while(|byte| *byte != 0).collect();
        String::from_utf8_lossy(&text).into_owned()
    }
}
