//! The events of a live task, in the recording.
//!
//! Room is made ahead of need, because a crossing in cooperative mode must not ask the operating
//! system for it:
//!
//! ```text
//!   |  records  |            ROLLS OVER            | one crossing | one crossing | 0 |
//!               words ->                         limit          last            end of the chunk
//! ```
//!
//! Up to `limit` any crossing is written as it comes. From there up to `last` one more has room, a
//! return. Then the engine goes on in a new chunk as soon as the collector does not wait for the
//! thread any more.
#![allow(unsafe_code, reason = "events lie in the mapped file")]

use std::{
    ptr::NonNull,
    sync::atomic::{
        AtomicU32,
        Ordering::{Relaxed, Release},
    },
};

use super::{
    events::{self, KIND_BITS, LATER, MOST_WORDS, RARE, TICK_BITS},
    format::{BLOCK, ChunkHeader, ChunkKind, TaskRecord},
    writer::Recording,
};
use crate::crossing::Crossing;

/// A place beyond every chunk: nothing has room from there on.
const NOWHERE: *mut u32 = std::ptr::without_provenance_mut(usize::MAX & !3);

/// The place of a task's events.
#[derive(Debug)]
pub(super) struct MappedEvents {
    /// The place of the next event.
    words: *mut u32,
    /// The last place from which on two crossings have room. Null: there is no room.
    limit: *mut u32,
    /// Ticks of the last event.
    last: u64,
    /// Whether there will be no more events.
    is_over: bool,
    record: &'static TaskRecord,
    chunk: Option<NonNull<ChunkHeader>>,
    /// Bytes of the chunk.
    bytes: usize,
    chunks: u32,
}

impl MappedEvents {
    /// No events yet, and no room for any.
    pub(super) const fn new(record: &'static TaskRecord, now: u64) -> Self {
        Self {
            words: NOWHERE,
            limit: std::ptr::null_mut(),
            last: now,
            is_over: false,
            record,
            chunk: None,
            bytes: 0,
            chunks: 0,
        }
    }

    /// Whether a crossing at that time can be written as it comes.
    #[inline(always)]
    pub(super) fn is_ready(&self, at: u64) -> bool {
        self.words <= self.limit && at.wrapping_sub(self.last) >> TICK_BITS == 0
    }

    /// Whether it is time for a new chunk.
    pub(super) fn is_short(&self) -> bool {
        self.words > self.limit && !self.is_over
    }

    /// Whether there will be no more events.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Gives the memory of the events back to the operating system. Their bytes are in the file.
    pub(super) fn let_go(&self, recording: &Recording) {
        if let Some(chunk) = self.chunk {
            recording.release(chunk.cast(), self.bytes);
        }
    }

    /// Writes no events from now on: one gap is enough.
    #[cold]
    fn end(&mut self) {
        (self.words, self.limit) = (NOWHERE, std::ptr::null_mut());
        self.is_over = true;
    }

    /// Goes on in a new chunk of events. The more events a task writes, the larger it is. Asks the
    /// operating system.
    #[cold]
    pub(super) fn next_chunk(&mut self, recording: &Recording) {
        if self.chunk.is_some() {
            self.let_go(recording);
            self.chunk = None;
            recording.keep_time();
        }
        // 4, 4, 8, 16, 32, 64, 64 ...: never more than the task has used so far, because all of the
        // chunk is resident until it is full.
        let blocks = 2 << self.chunks.clamp(1, 5);
        let task = self.record.number.load(Relaxed);
        let Some(chunk) = recording.chunk(ChunkKind::Events, task, self.chunks, blocks) else {
            return self.end();
        };
        // SAFETY: `chunk` returned it, so it lies in the mapping, and its fields are atomics.
        let head = unsafe { chunk.as_ref() };
        head.base_ticks.store(self.last, Relaxed);
        head.os_thread
            .store(self.record.os_thread.load(Relaxed), Relaxed);
        recording.publish(chunk);
        self.chunks += 1;
        self.chunk = Some(chunk);
        self.bytes = blocks as usize * BLOCK;
        // SAFETY: words follow the header, and the chunk is longer than the header and the rest
        // that `limit` leaves: room for two crossings and a zero.
        unsafe {
            self.words = chunk.add(1).cast::<u32>().as_ptr();
            let end = chunk.byte_add(self.bytes).cast::<u32>().as_ptr();
            self.limit = end.sub(2 * MOST_WORDS + 1);
        }
    }

    /// Whether there is no room for one more crossing, against what [`self`] promises.
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.words > self.limit.wrapping_add(MOST_WORDS)
    }

    /// Stores a word, after those that follow it.
    ///
    /// # Safety
    /// There is room for `ahead` + 1 words.
    #[inline]
    unsafe fn put(&mut self, ahead: usize, word: u32) {
        // SAFETY: the caller says that this word has room, and words are 4-byte aligned. Other
        // processes read it by whole words too.
        unsafe { AtomicU32::from_ptr(self.words.add(ahead)) }.store(word, Release);
    }

    /// Writes a crossing. `target` is the target's number if a layer is opened. Returns `false` if
    /// there is no room; then there will be none.
    pub(super) fn crossing(&mut self, crossing: Crossing, target: u32, at: u64) -> bool {
        if self.is_full() {
            self.end();
            return false;
        }
        self.crossing_with_room(crossing, target, at);
        true
    }

    /// The same, where there is room: after [`MappedEvents::is_ready`], or if it is not full.
    #[inline(always)]
    pub(super) fn crossing_with_room(&mut self, crossing: Crossing, target: u32, at: u64) {
        // A stamp from another core may lie a little before the last one. Then this crossing counts
        // as simultaneous.
        let at = at.max(self.last);
        let since = at - self.last;
        self.last = at;
        if target != 0
            && let Some(word) = events::short(crossing, target, since)
        {
            // SAFETY: the caller has checked that one crossing has room, which takes up to three
            // words.
            unsafe { self.put(0, word) };
            // SAFETY: the word that was just written was within the chunk, so the next place is
            // within or at its end.
            self.words = unsafe { self.words.add(1) };
            return;
        }
        // `later` has written the part that does not fit here.
        let word = crossing as u32 | (since as u32 & ((1 << TICK_BITS) - 1)) << KIND_BITS;
        // SAFETY: the caller has checked that one crossing has room, which takes two words here at
        // most.
        unsafe {
            if crossing.opens() {
                self.put(1, target);
                self.put(0, word);
                self.words = self.words.add(2);
            } else {
                self.put(0, word);
                self.words = self.words.add(1);
            }
        }
    }

    /// Writes so much of the time until then that the rest fits into a word.
    pub(super) fn later(&mut self, at: u64) {
        let high = at.saturating_sub(self.last) >> TICK_BITS;
        if high != 0 && self.rare(&[LATER | (high as u32) << KIND_BITS]) {
            self.last += high << TICK_BITS;
        }
    }

    /// Writes a record of one to three words. Returns `false` if there is no room; then there will
    /// be none.
    #[cold]
    pub(super) fn rare(&mut self, words: &[u32]) -> bool {
        if self.is_full() {
            self.end();
            return false;
        }
        // SAFETY: it is not full, so one crossing has room: three words, and callers pass no more.
        // The first word is stored last.
        unsafe {
            for (ahead, word) in words.iter().enumerate().rev() {
                self.put(ahead, *word);
            }
            self.words = self.words.add(words.len());
        }
        true
    }

    /// Writes a record of kind 7, with a time of its own. Returns `false` as [`MappedEvents::rare`]
    /// does.
    #[cold]
    pub(super) fn rare_at(&mut self, which: u32, at: u64, target: Option<u32>) -> bool {
        let since = at.saturating_sub(self.last);
        let high = (since >> 32) as u32;
        let head = RARE | which << KIND_BITS | high << (KIND_BITS + 3);
        let told = match target {
            Some(target) => self.rare(&[head, since as u32, target]),
            None => self.rare(&[head, since as u32]),
        };
        // Not earlier: a new chunk counts from the last time.
        self.last = self.last.max(at);
        told
    }
}
