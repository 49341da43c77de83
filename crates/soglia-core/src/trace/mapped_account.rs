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
    account::Account,
    crossing::{Crossing, Side},
    fault::Fault,
    histogram::{BUCKETS, LONG, SHORT, bucket, bucket_of_usual},
    layer::{End, Layer},
    task::Who,
};

/// A return that somebody should look into.
#[derive(Clone, Copy, Debug)]
pub struct Noted {
    /// Where the call is accounted.
    pub slot: u32,
    /// Ticks when it returned.
    pub at: u64,
    /// Ticks that it took.
    pub took: u64,
}

/// When a counter of calls comes here, its target gets a new slot.
const FULL: u32 = u32::MAX / 2;

/// Slots and events in the mapping.
#[derive(Debug)]
pub(super) struct MappedAccount {
    base: *mut u8,
    wants_events: bool,
    /// Where the next event goes.
    words: *mut u32,
    /// The last place from which on every crossing has room. Before `words`: there is no room.
    limit: *mut u32,
    /// There is no room for events any more.
    is_over: bool,
    /// Ticks of the last event.
    last: u64,
    record: &'static TaskRecord,
    /// Returns are usual that come from [`SHORT`] ticks on, for this many ticks: nobody wants to know of such a call.
    usual: u64,
    /// A return that somebody should look into.
    noted: Option<Noted>,
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
            words: std::ptr::dangling_mut(),
            limit: std::ptr::null_mut(),
            is_over: false,
            last: now,
            record,
            usual: recording.noted_ticks().min(LONG).saturating_sub(SHORT),
            noted: None,
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

    /// Whether there are to be events.
    #[inline(always)]
    pub(super) fn wants_events(&self) -> bool {
        self.wants_events
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

    /// A slot whose counter is about to overflow, once.
    pub(super) fn take_full(&mut self) -> Option<u32> {
        self.full.take()
    }

    /// Whether there is one.
    pub(super) fn has_noted(&self) -> bool {
        self.noted.is_some()
    }

    /// The return that was noted last, once.
    pub(super) fn take_noted(&mut self) -> Option<Noted> {
        self.noted.take()
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
            // For good: one gap is enough.
            self.limit = std::ptr::null_mut();
            self.is_over = true;
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
        if self.words > self.limit {
            add!(self.record.dropped, 1);
            return;
        }
        // A stamp from another core may lie a little before the last one: then this crossing counts as simultaneous.
        let at = at.max(self.last);
        let since = at - self.last;
        self.last = at;
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
        // What does not fit here was told by `later`.
        let word = crossing as u32 | (since as u32 & ((1 << TICK_BITS) - 1)) << KIND_BITS;
        // SAFETY: not beyond the limit, so there is room for two words.
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

    /// Tells so much of the time until then that what is left fits into a word.
    fn later(&mut self, at: u64) {
        let high = at.saturating_sub(self.last) >> TICK_BITS;
        if high != 0 && self.rare(&[LATER | (high as u32) << KIND_BITS]) {
            self.last += high << TICK_BITS;
        }
    }

    /// Goes on in a new chunk if this one has no room for a crossing.
    fn make_room(&mut self) {
        if self.words > self.limit && self.wants_events && !self.is_over {
            self.next_chunk();
        }
    }

    /// Writes a record of one to three words; `false`: there is no room, or nobody wants it.
    #[cold]
    fn rare(&mut self, words: &[u32]) -> bool {
        self.make_room();
        if self.words > self.limit {
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

    /// Counts a call that is not timed. `false`: its slot is full now.
    #[inline(always)]
    pub(super) fn count(&mut self, number: u32) -> bool {
        // SAFETY: the slot is one of this recording.
        let slot = unsafe { slot_at(self.base, number) };
        let untimed = slot.untimed.load(Relaxed).wrapping_add(1);
        slot.untimed.store(untimed, Relaxed);
        if untimed >= FULL {
            self.full = Some(number);
        }
        untimed < FULL
    }
}

/// The same, told of crossings. Without `EVENTS` they are not among the events, and so there must be none.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Told<const EVENTS: bool>(MappedAccount);

impl<const EVENTS: bool> Told<EVENTS> {
    /// The account in that role.
    #[inline(always)]
    pub(super) fn of(account: &mut MappedAccount) -> &mut Self {
        debug_assert!(EVENTS || !account.wants_events);
        // SAFETY: transparent, so one is laid out as the other.
        unsafe { &mut *std::ptr::from_mut(account).cast::<Self>() }
    }
}

impl<const EVENTS: bool> Account for Told<EVENTS> {
    #[inline(always)]
    fn is_ready(&self, at: u64) -> bool {
        let of = &self.0;
        !EVENTS
            || !of.wants_events
            || (of.words <= of.limit && at.wrapping_sub(of.last) >> TICK_BITS == 0)
    }

    #[cold]
    fn make_ready(&mut self, at: u64) {
        self.0.later(at);
        self.0.make_room();
    }

    #[inline(always)]
    fn crossed(&mut self, crossing: Crossing, who: Who, at: u64) {
        if EVENTS && self.0.wants_events {
            self.0.event(crossing, who.slot, at);
        }
    }

    /// Not for the first return of a slot, nor for one that is full, nor where the duration is unusual.
    #[inline(always)]
    fn closes_plainly(
        &mut self,
        crossing: Crossing,
        layer: &mut Layer,
        at: u64,
        took: u64,
    ) -> bool {
        // SAFETY: the layer's slot is one of this recording.
        let slot = unsafe { slot_at(self.0.base, layer.slot) };
        let ended = slot.ended.load(Relaxed);
        if ended.cast_signed() <= 0 || took.wrapping_sub(SHORT) >= self.0.usual {
            return false;
        }
        self.crossed(crossing, Who::default(), at);
        // SAFETY: from [`SHORT`] to [`LONG`], which is the most that `usual` reaches to.
        unsafe {
            returned(
                slot,
                layer,
                crossing.side(),
                ended,
                took,
                bucket_of_usual(took),
            )
        };
        true
    }

    #[cold]
    fn note(&mut self, layer: &Layer, at: u64, took: u64) -> bool {
        let number = layer.slot;
        // SAFETY: the layer's slot is one of this recording.
        let slot = unsafe { slot_at(self.0.base, number) };
        let ended = slot.ended.load(Relaxed);
        let slow = took >= self.0.recording.noted_ticks();
        let remarkable = layer.side() == Side::Unmanaged && (ended == 0 || slow);
        if remarkable {
            let slot = number;
            self.0.noted = Some(Noted { slot, at, took });
        }
        if ended >= FULL {
            self.0.full = Some(number);
        }
        remarkable || ended >= FULL
    }

    #[inline]
    fn closed(&mut self, layer: &mut Layer, total: u64, _own: u64) {
        // SAFETY: the layer's slot is one of this recording.
        let slot = unsafe { slot_at(self.0.base, layer.slot) };
        let ended = slot.ended.load(Relaxed);
        // SAFETY: the bucket of any duration.
        unsafe { returned(slot, layer, layer.side(), ended, total, bucket(total)) };
    }

    #[cold]
    fn unmatched(&mut self, crossing: Crossing, _function: u64, at: u64) {
        add!(self.0.record.unmatched[crossing as usize - 1], 1);
        self.0.rare_crossing(crossing as u32, at);
    }

    #[cold]
    fn unwound(&mut self, count: u32) {
        if count != 0 {
            self.0.rare(&[UNWOUND | count << KIND_BITS]);
        }
    }

    #[cold]
    fn abandoned(&mut self, layer: &mut Layer) {
        // SAFETY: the layer's slot is one of this recording.
        let slot = unsafe { slot_at(self.0.base, layer.slot) };
        let abandoned = slot.abandoned.load(Relaxed).wrapping_add(1);
        layer.mark_counted(layer.side(), End::Abandoned, abandoned);
        slot.abandoned.store(abandoned, Release);
    }

    #[cold]
    fn untimed(&mut self, slot: u32) {
        self.0.count(slot);
    }

    #[cold]
    fn untimed_return(&mut self, crossing: Crossing) {
        add!(self.0.record.untimed[crossing as usize - 1], 1);
    }

    #[cold]
    fn crossed_failing(&mut self, _crossing: Crossing, _who: Who, at: u64) {
        self.0.rare_crossing(FAILED, at);
    }

    #[cold]
    fn failed(&mut self, layer: &mut Layer) {
        // SAFETY: the layer's slot is one of this recording.
        let slot = unsafe { slot_at(self.0.base, layer.slot) };
        let failed = slot.failed.load(Relaxed).wrapping_add(1);
        layer.mark_counted(layer.side(), End::Failed, failed);
        slot.failed.store(failed, Release);
    }

    #[cold]
    fn refused(&mut self, slot: u32, at: u64) {
        // SAFETY: the slot is one of this recording.
        let of_target = unsafe { slot_at(self.0.base, slot) };
        let target = of_target.target.load(Relaxed);
        self.0.rare_at(REFUSED, at, Some(target));
        add!(of_target.refused, 1);
    }

    #[cold]
    fn fault(&mut self, fault: Fault) {
        add!(self.0.record.faults[fault as usize], 1);
    }
}

/// Says that the branch it stands in is seldom taken.
#[cold]
#[inline(always)]
const fn seldom() {}

/// Counts a return, the `ended` of its slot last.
///
/// # Safety
/// `bucket` is that of the ticks that the call took.
#[inline(always)]
unsafe fn returned(
    slot: &Slot,
    layer: &mut Layer,
    side: Side,
    ended: u32,
    took: u64,
    bucket: usize,
) {
    let ended = ended.wrapping_add(1);
    let inner = layer.inner;
    layer.mark_counted(side, End::Ended, ended);
    add!(slot.total, took);
    if inner != 0 {
        seldom();
        add!(slot.nested, inner.min(took));
    }
    // SAFETY: only this thread stores to them. The compiler makes a single instruction of a comparison that is not atomic.
    let (min, max) = unsafe { (slot.min.as_ptr().read(), slot.max.as_ptr().read()) };
    if took < min {
        seldom();
        slot.min.store(took, Relaxed);
    }
    if took > max {
        seldom();
        slot.max.store(took, Relaxed);
    }
    debug_assert!(bucket < BUCKETS);
    // SAFETY: by the contract.
    let counter = unsafe { slot.histogram.get_unchecked(bucket) };
    add!(counter, 1);
    slot.ended.store(ended, Release);
}
