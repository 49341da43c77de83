//! The layers of a live task, in the recording.
#![allow(unsafe_code, reason = "layers lie in the mapped file")]

use std::{
    mem::offset_of,
    ptr::NonNull,
    sync::atomic::{
        AtomicU64,
        Ordering::{Relaxed, Release, SeqCst},
        compiler_fence,
    },
};

use super::{
    format::{
        CHUNK_LAYERS, ChunkHeader, ChunkKind, FIRST_LAYERS, LAYER_BLOCKS, LAYERS_OFFSET, TaskRecord,
    },
    writer::Recording,
};
use crate::{
    layer::{Close, Layer, Layers, MAX_DEPTH},
    order::keep_stores_in_order,
};

/// Layers in the mapping. The first few are in the task's chunk, others in chunks of their own. The
/// layers of one chunk are a *segment*.
#[derive(Debug)]
pub(super) struct MappedLayers {
    /// The place of the next layer, and the begin of its segment.
    next: *mut Layer,
    begin: *mut Layer,
    /// A layer that lies here or below closes by the slow path: it is the first of a segment that
    /// is not the first one.
    floor: *mut Layer,
    /// A layer that would lie here opens by the slow path: it is the end of the segment, or deeper
    /// than the task ever was.
    limit: *mut Layer,
    /// The record's own numbers are for readers: the process believes nothing that lies in the
    /// file.
    depth: u32,
    max_depth: u32,
    record: &'static TaskRecord,
    segment: usize,
    segments: Vec<(*mut Layer, usize)>,
    recording: &'static Recording,
}

impl MappedLayers {
    /// No layers yet, in the chunk of a new task.
    pub(super) fn new(
        recording: &'static Recording,
        chunk: NonNull<ChunkHeader>,
        record: &'static TaskRecord,
    ) -> Self {
        // SAFETY: a task chunk is longer than this offset, at which its first layers lie.
        let first = unsafe { chunk.byte_add(LAYERS_OFFSET) }
            .cast::<Layer>()
            .as_ptr();
        Self {
            next: first,
            begin: first,
            floor: first.wrapping_sub(1),
            limit: first,
            depth: 0,
            max_depth: 0,
            record,
            segment: 0,
            segments: vec![(first, FIRST_LAYERS)],
            recording,
        }
    }

    /// Makes a segment behind the last one, and enters none. Returns `false` if there is no room.
    #[cold]
    fn add_segment(&mut self) -> bool {
        let task = self.record.number.load(Relaxed);
        let sequence = self.segment as u32;
        let Some(chunk) = self
            .recording
            .chunk(ChunkKind::Layers, task, sequence, LAYER_BLOCKS)
        else {
            return false;
        };
        self.recording.publish(chunk);
        // SAFETY: the chunk is longer than its header, and the layers follow the header.
        let first = unsafe { chunk.add(1) }.cast::<Layer>();
        self.recording.more_layers().add(task, first);
        let left = (MAX_DEPTH - self.depth()) as usize;
        self.segments.push((first.as_ptr(), CHUNK_LAYERS.min(left)));
        true
    }

    /// The begin of a segment, and how many layers it has.
    fn of_segment(&self, segment: usize) -> (*mut Layer, usize) {
        // SAFETY: callers pass `self.segment` or a segment before it, and all these were made. The
        // access cannot panic, because hooks of quick crossings come here.
        unsafe { *self.segments.get_unchecked(segment) }
    }

    /// The end of the segment.
    fn end(&self) -> *mut Layer {
        let (begin, capacity) = self.of_segment(self.segment);
        begin.wrapping_add(capacity)
    }

    /// Lets layers go as deep as they ever were, or up to the end of the segment.
    fn set_limit(&mut self) {
        let known = (self.max_depth - self.depth()) as usize;
        self.limit = self.end().min(self.next.wrapping_add(known));
    }

    fn enter(&mut self, segment: usize, used: usize) {
        let (begin, capacity) = self.of_segment(segment);
        self.segment = segment;
        self.begin = begin;
        self.set_sealed(false);
        // Within the layers of the segment, or at its end.
        self.next = begin.wrapping_add(used.min(capacity));
        self.set_limit();
    }

    /// The place of the innermost layer, if closing it takes a few stores only.
    #[inline(always)]
    pub(super) fn near_top(&mut self) -> Option<&mut Layer> {
        let next = self.next.wrapping_sub(1);
        if next <= self.floor {
            return None;
        }
        // SAFETY: above the floor lies an open layer of this task, which only this thread writes.
        Some(unsafe { &mut *next })
    }

    /// Removes the innermost layer, which [`MappedLayers::near_top`] has returned.
    #[inline(always)]
    pub(super) fn pop(&mut self) {
        self.set_next(self.next.wrapping_sub(1));
    }

    /// The innermost layer.
    pub(super) fn top(&mut self) -> Option<&mut Layer> {
        let next = self.next.wrapping_sub(1);
        // SAFETY: the task has layers, and the last one lies in this segment, in which `next` is
        // not the first place. Only this thread writes it.
        (self.depth() > 0 && next >= self.begin).then(|| unsafe { &mut *next })
    }

    /// Removes the innermost layer, which lies here.
    #[inline(always)]
    fn set_next(&mut self, next: *mut Layer) {
        self.next = next;
        self.depth = self.depth.wrapping_sub(1);
        self.record.depth.store(self.depth, Release);
        // Plain stores write the next layer over this one: not before readers no longer see it.
        compiler_fence(SeqCst);
        keep_stores_in_order();
    }

    #[cold]
    fn far_below_top(&self, below: u32) -> Option<&Layer> {
        let mut index = self.depth().checked_sub(below + 1)? as usize;
        for &(begin, capacity) in &self.segments {
            if index < capacity {
                // SAFETY: the index is below the depth, so a layer was written there, in this
                // segment. Only this thread writes it.
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
    fn below_top(&self, below: u32) -> Option<&Layer> {
        if below >= self.depth() {
            return None;
        }
        // SAFETY: both pointers lead into the current segment, or to its end.
        let here = unsafe { self.next.offset_from(self.begin) } as usize;
        if (below as usize) < here {
            // SAFETY: so many layers below `next` are in this segment, and were written.
            return Some(unsafe { &*self.next.sub(below as usize + 1) });
        }
        self.far_below_top(below)
    }

    #[inline(always)]
    fn has_room(&self) -> bool {
        self.next != self.limit
    }

    #[inline(always)]
    fn push(&mut self, layer: Layer) -> bool {
        let next = self.next;
        if next == self.limit {
            return false;
        }
        const _: () = {
            assert!(size_of::<Layer>() == 40 && offset_of!(Layer, slot) == 32);
            assert!(offset_of!(Layer, since) == 0 && offset_of!(Layer, inner) == 8);
            assert!(offset_of!(Layer, mark) == 16 && offset_of!(Layer, function) == 24);
            assert!(offset_of!(Layer, bits) == 36);
        };
        let last = u64::from(layer.slot) | u64::from(layer.bits) << 32;
        let words = [
            layer.since,
            layer.inner,
            layer.mark,
            layer.function,
            last.to_le(),
        ];
        for (n, word) in words.into_iter().enumerate() {
            // SAFETY: `next` is not the limit, which is never behind the end of the segment, so a
            // layer has room. A layer is five of these words. Atomic stores stay as they are: of
            // others, the compiler would make one store of a vector register (see
            // `bucket_of_usual`).
            unsafe { AtomicU64::from_ptr(next.cast::<u64>().add(n)) }.store(word, Relaxed);
            if n == 0 {
                // Readers look at the time before and after the rest.
                keep_stores_in_order();
            }
        }
        // SAFETY: one layer had room, so the place behind it is within the segment or its end.
        self.next = unsafe { next.add(1) };
        self.depth = self.depth.wrapping_add(1);
        self.record.depth.store(self.depth, Release);
        true
    }

    #[cold]
    fn reserve(&mut self) -> bool {
        let is_last = self.segment + 1 == self.segments.len();
        self.depth() < MAX_DEPTH && (self.next != self.end() || !is_last || self.add_segment())
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self) -> bool {
        if !self.reserve() {
            return false;
        }
        if self.next == self.end() {
            self.enter(self.segment + 1, 0);
        }
        if self.depth() == self.max_depth {
            self.max_depth += 1;
            // Before the depth, so a reader may find it greater by the crossing in progress.
            self.record.max_depth.store(self.max_depth, Relaxed);
        }
        self.set_limit();
        true
    }

    #[inline(always)]
    fn close_if(&mut self, close: impl Close) -> bool {
        let next = self.next.wrapping_sub(1);
        if next <= self.floor {
            return false;
        }
        // SAFETY: above the floor lies an open layer of this task, which only this thread writes.
        let Some(took) = close.close(unsafe { &mut *next }) else {
            return false;
        };
        self.set_next(next);
        if next != self.begin {
            // SAFETY: the layer is not the first of its segment, so there is one before it.
            let outer = unsafe { &mut *next.sub(1) };
            outer.inner = outer.inner.wrapping_add(took);
        }
        true
    }

    #[cold]
    fn set_sealed(&mut self, sealed: bool) {
        self.floor = match (sealed, self.segment) {
            (true, _) => self.end(),
            (false, 0) => self.begin.wrapping_sub(1),
            (false, _) => self.begin,
        };
    }

    #[cold]
    fn close_any(&mut self, close: impl Close) -> bool {
        let next = self.next.wrapping_sub(1);
        if next != self.begin || self.depth() <= 1 {
            return self.close_if(close);
        }
        // SAFETY: the depth is above 1, so the innermost layer is there: the first of its segment,
        // which only this thread writes.
        let Some(took) = close.close(unsafe { &mut *next }) else {
            return false;
        };
        self.set_next(next);
        // All segments before this one are full.
        self.enter(self.segment.saturating_sub(1), usize::MAX);
        // SAFETY: the closed layer was not the outermost, so there is a segment before its own, and
        // that is full.
        let outer = unsafe { &mut *self.next.sub(1) };
        outer.inner = outer.inner.wrapping_add(took);
        true
    }
}
