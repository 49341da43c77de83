//! One live task: the state machine over layers in the mapping, its account, and its events.
//!
//! [`TaskWriter::cross`] is the hot path: no lock, no allocation, no system call, unless a chunk is full.
#![allow(
    unsafe_code,
    reason = "layers, slots and events lie in the mapped file"
)]

use std::{
    ptr::NonNull,
    sync::atomic::{
        AtomicU32,
        Ordering::{Relaxed, Release},
    },
};

use super::{
    events::{KIND_BITS, LATER, MOST_WORDS, TICK_BITS, UNMATCHED, UNWOUND},
    format::{
        CHUNK_LAYERS, ChunkHeader, ChunkKind, FIRST_LAYERS, LAYER_BLOCKS, LAYERS_OFFSET,
        TASK_BLOCKS, TaskRecord,
    },
    slots::{Slots, slot_at},
    writer::Recording,
};
use crate::{
    account::Account,
    crossing::{Crossing, Side},
    fault::Fault,
    histogram::bucket,
    layer::{Layer, Layers, MAX_DEPTH},
    task::{Task, Who},
};

/// A task of this process, written by its own thread.
#[derive(Debug)]
pub struct TaskWriter {
    task: Task<MappedLayers>,
    account: MappedAccount,
    slots: Slots,
    /// The number of module unloads when `slots` last forgot its functions.
    generation: u32,
}

impl TaskWriter {
    /// A new task for the calling thread; `None`, if there is no room for it in the recording.
    pub fn new(recording: &'static Recording, os_thread: u32, now: u64) -> Option<Box<Self>> {
        let header = recording.header();
        let number = header.tasks.fetch_add(1, Relaxed) + 1;
        let chunk = recording.chunk(ChunkKind::Task, number, 0, TASK_BLOCKS)?;
        // SAFETY: a task chunk holds its record after the header.
        let record = unsafe { chunk.add(1) }.cast::<TaskRecord>();
        // SAFETY: in the mapping for the rest of the process, zeroed; all fields are atomics.
        let of_task: &'static TaskRecord = unsafe { record.as_ref() };
        of_task.number.store(number, Relaxed);
        of_task.os_thread.store(os_thread, Relaxed);
        of_task.threads.store(1, Relaxed);
        of_task.first.store(now, Relaxed);
        // SAFETY: a task chunk has its first layers at this offset.
        let first = unsafe { chunk.byte_add(LAYERS_OFFSET) }
            .cast::<Layer>()
            .as_ptr();
        let layers = MappedLayers {
            // SAFETY: one past the last layer of the chunk.
            end: unsafe { first.add(FIRST_LAYERS) },
            next: first,
            begin: first,
            depth: 0,
            max_depth: 0,
            record: of_task,
            segment: 0,
            segments: vec![(first, FIRST_LAYERS)],
            recording,
        };
        let account = MappedAccount {
            base: recording.base(),
            wants_events: recording.has_events(),
            words: std::ptr::null_mut(),
            limit: std::ptr::null_mut(),
            last: now,
            record: of_task,
            full: None,
            chunk: None,
            chunks: 0,
            recording,
        };
        let slots = Slots::new(recording, chunk, number);
        recording.publish(chunk);
        let mut writer = Box::new(Self {
            task: Task::new(layers),
            account,
            slots,
            generation: 0,
        });
        if writer.account.wants_events {
            writer.account.next_chunk();
        }
        Some(writer)
    }

    /// What is written about the task itself.
    pub fn record(&self) -> &'static TaskRecord {
        self.account.record
    }

    /// Calls open now.
    #[inline]
    pub fn depth(&self) -> u32 {
        self.task.depth()
    }

    /// The innermost open layer.
    pub fn top(&self) -> Option<&Layer> {
        self.task.layers().below_top(0)
    }

    /// The target of a layer or of an opening crossing.
    pub fn target(&self, slot: u32) -> u32 {
        // SAFETY: slots in layers and in `Who` come from this task's `Slots`; the recording is never unmapped.
        unsafe { slot_at(self.account.base, slot) }
            .target
            .load(Relaxed)
    }

    /// How often calls of this slot have returned so far.
    #[inline]
    pub fn ended(&self, slot: u32) -> u32 {
        // SAFETY: as in `target`.
        unsafe { slot_at(self.account.base, slot) }
            .ended
            .load(Relaxed)
    }

    /// The slot of a function that was called lately. `generation`: how many modules were unloaded so far.
    #[inline]
    pub fn slot(&self, function: u64, side: Side, generation: u32) -> Option<u32> {
        if generation != self.generation {
            return None;
        }
        self.slots.cached(function, side)
    }

    /// The slot of a function whose target was just found.
    #[cold]
    pub fn learn(&mut self, function: u64, side: Side, target: u32, generation: u32) -> u32 {
        if generation != self.generation {
            self.slots.forget();
            self.generation = generation;
        }
        self.slots
            .learn(self.account.recording, function, side, target)
    }

    /// Takes one crossing: see [`Task::cross`]. `who.slot` is from [`TaskWriter::slot`] or [`TaskWriter::learn`].
    #[inline]
    pub fn cross(&mut self, crossing: Crossing, who: Who, at: u64, mark: u64) {
        self.task.cross(crossing, who, at, mark, &mut self.account);
        if let Some(slot) = self.account.full {
            self.account.full = None;
            self.slots.replace(slot);
        }
    }

    /// Counts a fault that the state machine cannot see.
    pub fn fault(&mut self, fault: Fault) {
        self.account.fault(fault);
    }

    /// The task's thread ends. Its memory goes back to the operating system; its bytes are in the file.
    pub fn end(&mut self, now: u64) {
        self.record().ended.store(now, Release);
        let record = NonNull::from(self.record());
        // SAFETY: the record lies right after the header of its chunk.
        self.account
            .recording
            .retire(unsafe { record.byte_sub(size_of::<ChunkHeader>()) }.cast());
    }

    /// The task goes on after all (a crossing in a thread's last moments), or as another thread.
    pub fn go_on(&mut self, os_thread: u32) {
        let record = self.record();
        record.ended.store(0, Relaxed);
        if record.os_thread.swap(os_thread, Relaxed) != os_thread {
            record.threads.fetch_add(1, Relaxed);
            // What the former thread left open will not come back.
            self.task.unwind(u32::MAX, &mut self.account);
        }
    }
}

/// Layers in the mapping: the first few in the task's chunk, more in chunks of their own.
#[derive(Debug)]
struct MappedLayers {
    /// Where the next layer goes, and the bounds of the segment that it is in.
    next: *mut Layer,
    begin: *mut Layer,
    end: *mut Layer,
    depth: u32,
    max_depth: u32,
    record: &'static TaskRecord,
    segment: usize,
    segments: Vec<(*mut Layer, usize)>,
    recording: &'static Recording,
}

impl MappedLayers {
    #[cold]
    fn grow(&mut self) -> bool {
        if self.depth >= MAX_DEPTH {
            return false;
        }
        if self.segment + 1 == self.segments.len() {
            let task = self.record.number.load(Relaxed);
            let sequence = self.segment as u32;
            let Some(chunk) = self
                .recording
                .chunk(ChunkKind::Layers, task, sequence, LAYER_BLOCKS)
            else {
                return false;
            };
            self.recording.publish(chunk);
            // SAFETY: layers follow the header of their chunk.
            let first = unsafe { chunk.add(1) }.cast::<Layer>().as_ptr();
            let left = (MAX_DEPTH - self.depth) as usize;
            self.segments.push((first, CHUNK_LAYERS.min(left)));
        }
        self.enter(self.segment + 1, 0);
        true
    }

    fn enter(&mut self, segment: usize, used: usize) {
        let (begin, capacity) = self.segments[segment];
        self.segment = segment;
        self.begin = begin;
        // SAFETY: within, or one past, the layers of the segment.
        unsafe {
            self.next = begin.add(used);
            self.end = begin.add(capacity);
        }
    }

    #[cold]
    fn shrink(&mut self) {
        let (_, capacity) = self.segments[self.segment - 1];
        self.enter(self.segment - 1, capacity);
    }

    #[cold]
    fn far_below_top(&self, below: u32) -> Option<&Layer> {
        let mut index = self.depth.checked_sub(below + 1)? as usize;
        for &(begin, capacity) in &self.segments {
            if index < capacity {
                // SAFETY: below the depth, so it was written, in this segment.
                return Some(unsafe { &*begin.add(index) });
            }
            index -= capacity;
        }
        None
    }
}

impl Layers for MappedLayers {
    #[inline]
    fn depth(&self) -> u32 {
        self.depth
    }

    #[inline]
    fn top(&mut self) -> Option<&mut Layer> {
        if self.depth == 0 {
            return None;
        }
        // SAFETY: with layers open, `next` is at least one beyond `begin` (see `pop`), and only this thread writes them.
        Some(unsafe { &mut *self.next.sub(1) })
    }

    #[inline]
    fn below_top(&self, below: u32) -> Option<&Layer> {
        if below >= self.depth {
            return None;
        }
        // SAFETY: both are pointers into the same segment.
        let here = unsafe { self.next.offset_from(self.begin) } as usize;
        if (below as usize) < here {
            // SAFETY: in this segment, and below the depth.
            return Some(unsafe { &*self.next.sub(below as usize + 1) });
        }
        self.far_below_top(below)
    }

    #[inline]
    fn push(&mut self, layer: Layer) -> bool {
        if self.next == self.end && !self.grow() {
            return false;
        }
        // SAFETY: not at the end of the segment.
        unsafe {
            self.next.write(layer);
            self.next = self.next.add(1);
        }
        self.depth += 1;
        self.record.depth.store(self.depth, Release);
        if self.depth > self.max_depth {
            self.max_depth = self.depth;
            self.record.max_depth.store(self.depth, Relaxed);
        }
        true
    }

    #[inline]
    fn pop(&mut self) {
        if self.depth == 0 {
            return;
        }
        // SAFETY: with layers open, `next` is beyond `begin`.
        self.next = unsafe { self.next.sub(1) };
        self.depth -= 1;
        self.record.depth.store(self.depth, Release);
        if self.next == self.begin && self.depth != 0 {
            self.shrink();
        }
    }
}

/// Slots and events in the mapping.
#[derive(Debug)]
struct MappedAccount {
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
    /// Goes on in a new chunk of events; the more a task writes, the larger.
    #[cold]
    fn next_chunk(&mut self) {
        if let Some(done) = self.chunk.take() {
            self.recording.retire(done);
            self.recording.keep_time();
        }
        let blocks = match self.chunks {
            0 => 4,
            1..=3 => 16,
            _ => 64,
        };
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
        // SAFETY: words follow the header; the limit leaves room for one crossing and a zero.
        unsafe {
            self.words = chunk.add(1).cast::<u32>().as_ptr();
            let end = chunk
                .byte_add(blocks as usize * super::format::BLOCK)
                .cast::<u32>()
                .as_ptr();
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

    #[inline]
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
        if since >> TICK_BITS != 0 {
            self.later(since >> TICK_BITS);
        }
        let word = crossing as u32 | (since as u32 & ((1 << TICK_BITS) - 1)) << 3;
        // SAFETY: not beyond the limit, so there is room for `later` and two words.
        unsafe {
            if crossing.opens() {
                let target = slot_at(self.base, slot).target.load(Relaxed);
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

    /// Writes a rare record of up to two words.
    #[cold]
    fn rare(&mut self, first: u32, second: Option<u32>) {
        if !self.words.is_null() && self.words > self.limit {
            self.next_chunk();
        }
        if self.words.is_null() {
            // Of the two rare records this one alone is a crossing.
            let crossing = first & ((1 << KIND_BITS) - 1) == UNMATCHED;
            add!(
                self.record.dropped,
                u64::from(self.wants_events && crossing)
            );
            return;
        }
        // SAFETY: not beyond the limit.
        unsafe {
            if let Some(second) = second {
                self.put(1, second);
            }
            self.put(0, first);
            self.words = self.words.add(1 + usize::from(second.is_some()));
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
        let since = at.saturating_sub(self.last);
        let high = (since >> 32) as u32;
        self.rare(
            UNMATCHED | (crossing as u32) << 3 | high << 6,
            Some(since as u32),
        );
        // Not before: a new chunk counts from the last one.
        self.last = self.last.max(at);
    }

    #[cold]
    fn unwound(&mut self, count: u32) {
        if count != 0 {
            self.rare(UNWOUND | count << 3, None);
        }
    }

    #[cold]
    fn abandoned(&mut self, layer: &mut Layer) {
        // SAFETY: the layer's slot is one of this recording.
        let slot = unsafe { slot_at(self.base, layer.slot) };
        let abandoned = slot.abandoned.load(Relaxed).wrapping_add(1);
        layer.mark_counted(slot.ended.load(Relaxed).wrapping_add(abandoned));
        slot.abandoned.store(abandoned, Release);
    }

    #[inline]
    fn closed(&mut self, layer: &mut Layer, total: u64, own: u64) {
        // SAFETY: the layer's slot is one of this recording.
        let slot = unsafe { slot_at(self.base, layer.slot) };
        let ended = slot.ended.load(Relaxed).wrapping_add(1);
        layer.mark_counted(ended.wrapping_add(slot.abandoned.load(Relaxed)));
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
        // SAFETY: the slot is one of this recording.
        let slot = unsafe { slot_at(self.base, slot) };
        add!(slot.untimed, 1);
    }

    #[cold]
    fn untimed_return(&mut self, crossing: Crossing) {
        add!(self.record.untimed[crossing as usize - 1], 1);
    }

    #[cold]
    fn fault(&mut self, fault: Fault) {
        add!(self.record.faults[fault as usize], 1);
    }
}
