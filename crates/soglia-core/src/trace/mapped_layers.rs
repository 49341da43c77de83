//! The layers of a live task, where they lie in the recording.
#![allow(unsafe_code, reason = "layers lie in the mapped file")]

use std::{
    ptr::NonNull,
    sync::atomic::{
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
use crate::layer::{Layer, Layers, MAX_DEPTH};

/// Layers in the mapping: the first few in the task's chunk, more in chunks of their own.
#[derive(Debug)]
pub(super) struct MappedLayers {
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
    /// None open, in the chunk of a new task.
    pub(super) fn new(
        recording: &'static Recording,
        chunk: NonNull<ChunkHeader>,
        record: &'static TaskRecord,
    ) -> Self {
        // SAFETY: a task chunk has its first layers at this offset.
        let first = unsafe { chunk.byte_add(LAYERS_OFFSET) }
            .cast::<Layer>()
            .as_ptr();
        Self {
            // SAFETY: one past the last layer of the chunk.
            end: unsafe { first.add(FIRST_LAYERS) },
            next: first,
            begin: first,
            depth: 0,
            max_depth: 0,
            record,
            segment: 0,
            segments: vec![(first, FIRST_LAYERS)],
            recording,
        }
    }

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

    #[inline(always)]
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

    #[inline(always)]
    fn pop(&mut self) {
        if self.depth == 0 {
            return;
        }
        // SAFETY: with layers open, `next` is beyond `begin`.
        self.next = unsafe { self.next.sub(1) };
        self.depth -= 1;
        self.record.depth.store(self.depth, Release);
        // The next layer is written over this one by plain stores: not before it is out of sight.
        compiler_fence(SeqCst);
        if self.next == self.begin && self.depth != 0 {
            self.shrink();
        }
    }
}
