//! The account and the events of a live task, where they lie in the recording.
#![allow(unsafe_code, reason = "slots and events lie in the mapped file")]

use std::{
    ptr::NonNull,
    sync::atomic::{
        AtomicU32,
        Ordering::{Relaxed, Release},
    },
};

use super::{
    events::{self, FAILED, KIND_BITS, LATER, MOST_WORDS, RARE, REFUSED, TICK_BITS, UNWOUND},
    format::{BLOCK, ChunkHeader, ChunkKind, Slot, TaskRecord},
    slots::slot_at,
    writer::{Level, Recording},
};
use crate::{
    account::Account, crossing::Crossing, fault::Fault, histogram::bucket, layer::Layer, task::Who,
};

/// Slots and events in the mapping.
#[derive(Debug)]
pub(super) struct MappedAccount {
    base: *mut u8,
    wants_events: bool,
    /// Where the next event goes; null: there is no room any more.
    words: *mut u32,
    /// The first place where not every crossing has room.
    limit: *mut u32,
    /// Ticks of the last event.
    last: u64,
    record: &'static TaskRecord,
    /// A slot whose counter is about to overflow.
    full: Option<u32>,
    chunk: Option<NonNull<ChunkHeader>>,
    /// Of the chunk.
    bytes: usize,
    chunks: u32,
    recording: &'static Recording,
}

/// Adds to a field that this thread alone writes: cheaper than an atomic addition.
macro_rules! add {
    ($field:expr, $amount:expr) => {
        $field.store($field.load(Relaxed).wrapping_add($amount), Relaxed)
    };
}

impl MappedAccount {
    /// Nothing accounted yet.
    pub(super) fn new(
        recording: &'static Recording,
        record: &'static TaskRecord,
        now: u64,
    ) -> Self {
        Self {
            base: recording.base(),
            wants_events: recording.level() == Level::Events,
            words: std::ptr::null_mut(),
            limit: std::ptr::null_mut(),
            last: now,
            record,
            full: None,
            chunk: None,
            bytes: 0,
            chunks: 0,
            recording,
        }
    }

    /// Makes room for events, if they are wanted.
    pub(super) fn begin(&mut self) {
        if self.wants_events {
            self.next_chunk();
        }
    }

    /// Where the recording is mapped.
    #[inline]
    pub(super) fn base(&self) -> *mut u8 {
        self.base
    }

    /// The task's own record.
    #[inline]
    pub(super) fn record(&self) -> &'static TaskRecord {
        self.record
    }

    /// Where it all goes.
    pub(super) fn recording(&self) -> &'static Recording {
        self.recording
    }

    /// Whether some slot's counter is about to overflow.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.full.is_some()
    }

    /// A slot whose counter is about to overflow, once.
    pub(super) fn take_full(&mut self) -> Option<u32> {
        self.full.take()
    }

    /// Gives the memory of the events back to the operating system; their bytes are in the file.
    pub(super) fn let_go(&self) {
        if let Some(chunk) = self.chunk {
            self.recording.release(chunk.cast(), self.bytes);
        }
    }

    /// Goes on in a new chunk of events; the more a task writes, the larger.
    #[cold]
    fn next_chunk(&mut self) {
        if self.chunk.is_some() {
            self.let_go();
            self.chunk = None;
            self.recording.keep_time();
        }
        // 4, 4, 8, 16, 32, 64, 64 ...: never more than was needed so far, for all of it is resident until it is full.
        let blocks = 2 << self.chunks.clamp(1, 5);
        let task = self.record.number.load(Relaxed);
        let Some(chunk) = self
            .recording
            .chunk(ChunkKind::Events, task, self.chunks, blocks)
        else {
            self.words = std::ptr::null_mut();
            return;
        };
        // SAFETY: in the mapping; its fields are atomics.
        let head = unsafe { chunk.as_ref() };
        head.base_ticks.store(self.last, Relaxed);
        head.os_thread
            .store(self.record.os_thread.load(Relaxed), Relaxed);
        self.recording.publish(chunk);
        self.chunks += 1;
        self.chunk = Some(chunk);
        self.bytes = blocks as usize * BLOCK;
        self.recording.populate(chunk.cast(), self.bytes);
        // SAFETY: words follow the header; the limit leaves room for one crossing and a zero.
        unsafe {
            self.words = chunk.add(1).cast::<u32>().as_ptr();
            let end = chunk.byte_add(self.bytes).cast::<u32>().as_ptr();
            self.limit = end.sub(MOST_WORDS + 1);
        }
    }

    /// Stores a word, after those that follow it.
    ///
    /// # Safety
    /// `self.words` is not null and there is room for `ahead` + 1 words.
    #[inline]
    unsafe fn put(&mut self, ahead: usize, word: u32) {
        // SAFETY: by the contract; 4-byte aligned; other processes read it atomically too.
        unsafe { AtomicU32::from_ptr(self.words.add(ahead)) }.store(word, Release);
    }

    #[inline(always)]
    fn event(&mut self, crossing: Crossing, slot: u32, at: u64) {
        if self.words.is_null() || self.words > self.limit {
            if !self.words.is_null() {
                self.next_chunk();
            }
            if self.words.is_null() {
                add!(self.record.dropped, 1);
                return;
            }
        }
        let since = at.saturating_sub(self.last);
        // A stamp from another core may lie a little before the last one: then this crossing counts as simultaneous.
        self.last = self.last.max(at);
        let target = if crossing.opens() {
            // SAFETY: an opening crossing carries a slot of this recording.
            unsafe { slot_at(self.base, slot) }.target.load(Relaxed)
        } else {
            0
        };
        if target != 0
            && let Some(word) = events::short(crossing, target, since)
        {
            // SAFETY: not beyond the limit.
            unsafe { self.put(0, word) };
            // SAFETY: as above.
            self.words = unsafe { self.words.add(1) };
            return;
        }
        if since >> TICK_BITS != 0 {
            self.later(since >> TICK_BITS);
        }
        let word = crossing as u32 | (since as u32 & ((1 << TICK_BITS) - 1)) << KIND_BITS;
        // SAFETY: not beyond the limit, so there is room for `later` and two words.
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

    #[cold]
    fn later(&mut self, high: u64) {
        // SAFETY: called with room for it.
        unsafe {
            self.put(0, LATER | (high as u32) << 3);
            self.words = self.words.add(1);
        }
    }

    /// Writes a record of one to three words; `false`: there is no room, or nobody wants it.
    #[cold]
    fn rare(&mut self, words: &[u32]) -> bool {
        if !self.words.is_null() && self.words > self.limit {
            self.next_chunk();
        }
        if self.words.is_null() {
            return false;
        }
        // SAFETY: not beyond the limit. The first word is stored last.
        unsafe {
            for (ahead, word) in words.iter().enumerate().rev() {
                self.put(ahead, *word);
            }
            self.words = self.words.add(words.len());
        }
        true
    }

    /// Writes a record of kind 7, with a time of its own. `false`: as [`MappedAccount::rare`].
    #[cold]
    fn rare_at(&mut self, which: u32, at: u64, target: Option<u32>) -> bool {
        let since = at.saturating_sub(self.last);
        let high = (since >> 32) as u32;
        let words = [
            RARE | which << KIND_BITS | high << (KIND_BITS + 3),
            since as u32,
            target.unwrap_or_default(),
        ];
        let told = self.rare(&words[..2 + usize::from(target.is_some())]);
        // Not before: a new chunk counts from the last one.
        self.last = self.last.max(at);
        told
    }

    /// The same, for a crossing.
    fn rare_crossing(&mut self, which: u32, at: u64) {
        if !self.rare_at(which, at, None) {
            add!(self.record.dropped, u64::from(self.wants_events));
        }
    }

    /// How many calls of a slot are no longer open, but for those that were never layers.
    #[inline(always)]
    fn gone(slot: &Slot) -> u32 {
        let others = slot.abandoned.load(Relaxed);
        let others = others.wrapping_add(slot.failed.load(Relaxed));
        others.wrapping_add(slot.ended.load(Relaxed))
    }

    /// Counts a call that is not timed.
    #[inline(always)]
    pub(super) fn count(&mut self, number: u32) {
        // SAFETY: the slot is one of this recording.
        let slot = unsafe { slot_at(self.base, number) };
        let untimed = slot.untimed.load(Relaxed).wrapping_add(1);
        slot.untimed.store(untimed, Relaxed);
        if untimed >= u32::MAX / 2 {
            self.full = Some(number);
        }
    }
}

impl Account for MappedAccount {
    #[inline]
    fn crossed(&mut self, crossing: Crossing, who: Who, at: u64) {
        if self.wants_events {
            self.event(crossing, who.slot, at);
        }
    }

    #[cold]
    fn unmatched(&mut self, crossing: Crossing, _function: u64, at: u64) {
        add!(self.record.unmatched[crossing as usize - 1], 1);
        self.rare_crossing(crossing as u32, at);
    }

    #[cold]
    fn unwound(&mut self, count: u32) {
        if count != 0 {
            self.rare(&[UNWOUND | count << KIND_BITS]);
        }
    }

    #[cold]
    fn abandoned(&mut self, layer: &mut Layer) {
        // SAFETY: the layer's slot is one of this recording.
        let slot = unsafe { slot_at(self.base, layer.slot) };
        layer.mark_counted(Self::gone(slot).wrapping_add(1));
        let abandoned = slot.abandoned.load(Relaxed).wrapping_add(1);
        slot.abandoned.store(abandoned, Release);
    }

    #[inline(always)]
    fn closed(&mut self, layer: &mut Layer, total: u64, own: u64) {
        // SAFETY: the layer's slot is one of this recording.
        let slot = unsafe { slot_at(self.base, layer.slot) };
        layer.mark_counted(Self::gone(slot).wrapping_add(1));
        let ended = slot.ended.load(Relaxed).wrapping_add(1);
        add!(slot.total, total);
        add!(slot.own, own);
        if total < slot.min.load(Relaxed) {
            slot.min.store(total, Relaxed);
        }
        if total > slot.max.load(Relaxed) {
            slot.max.store(total, Relaxed);
        }
        add!(slot.histogram[bucket(total)], 1);
        slot.ended.store(ended, Release);
        if ended >= u32::MAX / 2 {
            self.full = Some(layer.slot);
        }
    }

    #[cold]
    fn untimed(&mut self, slot: u32) {
        self.count(slot);
    }

    #[cold]
    fn untimed_return(&mut self, crossing: Crossing) {
        add!(self.record.untimed[crossing as usize - 1], 1);
    }

    #[cold]
    fn crossed_failing(&mut self, _crossing: Crossing, _who: Who, at: u64) {
        self.rare_crossing(FAILED, at);
    }

    #[cold]
    fn failed(&mut self, layer: &mut Layer) {
        // SAFETY: the layer's slot is one of this recording.
        let slot = unsafe { slot_at(self.base, layer.slot) };
        layer.mark_counted(Self::gone(slot).wrapping_add(1));
        let failed = slot.failed.load(Relaxed).wrapping_add(1);
        slot.failed.store(failed, Release);
    }

    #[cold]
    fn refused(&mut self, slot: u32, at: u64) {
        // SAFETY: the slot is one of this recording.
        let of_target = unsafe { slot_at(self.base, slot) };
        let target = of_target.target.load(Relaxed);
        self.rare_at(REFUSED, at, Some(target));
        add!(of_target.refused, 1);
    }

    #[cold]
    fn fault(&mut self, fault: Fault) {
        add!(self.record.faults[fault as usize], 1);
    }
}
