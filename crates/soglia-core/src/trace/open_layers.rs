//! The open layers of live tasks, as another thread of the same process sees them.
//!
//! It reads the layers in the mapping, as readers of the file do, without help from their tasks. So
//! a layer may be gone, or be another one, when it is looked at. What a function returns here was
//! open at some moment between its call and its return.
#![allow(
    unsafe_code,
    reason = "layers lie in the mapped file, and their tasks write them meanwhile"
)]

use std::{
    mem::{align_of, offset_of, size_of},
    ptr::NonNull,
    sync::atomic::{
        AtomicU32, AtomicU64,
        Ordering::{Acquire, Relaxed},
        fence,
    },
};

use super::{
    format::{
        CHUNK_LAYERS, ChunkHeader, FIRST_LAYERS, LAST_RETURNS, LAST_RETURNS_OFFSET, LAYERS_OFFSET,
        LastReturn, Slot, TaskRecord,
    },
    more_layers::First,
    writer::Recording,
};
use crate::{
    coarse,
    crossing::Side,
    layer::{Layer, MAX_DEPTH},
    time,
};

/// An open call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenCall {
    /// Layers below it.
    pub depth: u32,
    /// Ticks when it began.
    pub since: u64,
    /// It may have begun so many ticks later: calls are timed by sample, and it was not drawn.
    pub slack: u64,
    /// The target's number.
    pub target: u32,
    /// The side on which it runs.
    pub side: Side,
    /// Ticks in layers that were nested directly in it and have closed. Where calls are timed by
    /// sample: another number each time such a layer has closed; 0: none has.
    pub inner: u64,
}

impl OpenCall {
    /// Whether it is the same call, which may have called back meanwhile.
    fn is(&self, other: &Self) -> bool {
        (self.depth, self.since, self.target, self.side)
            == (other.depth, other.since, other.target, other.side)
    }
}

impl Recording {
    /// The open calls of a task of this recording, outermost first. Any thread may ask.
    pub fn open_calls(&self, task: &'static TaskRecord) -> Vec<OpenCall> {
        let depth = task.depth.load(Acquire).min(MAX_DEPTH) as usize;
        let more = if depth > FIRST_LAYERS {
            self.more_layers().of(task.number.load(Relaxed))
        } else {
            Vec::new()
        };
        let at = |index: usize| place(task, &more, index);
        let layers = (0..depth).filter_map(|index| self.open_call(index as u32, at(index)?));
        let mut calls: Vec<OpenCall> = layers.collect();
        fence(Acquire);
        // A layer that was closed meanwhile may have been read half.
        let still = task.depth.load(Acquire);
        calls.retain(|call| call.depth < still);
        if let Some(plan) = self.plan() {
            let last = last_return(task);
            for call in &mut calls {
                // A call may have begun up to a period later than `since`, and others returned
                // before that.
                let nested = last.saturating_sub(call.since) > plan.period;
                call.inner = if nested { last } else { 0 };
            }
        }
        calls
    }

    /// Whether a call is still open. Any thread may ask.
    pub fn is_open(&self, task: &'static TaskRecord, call: &OpenCall) -> bool {
        let more = if call.depth as usize >= FIRST_LAYERS {
            self.more_layers().of(task.number.load(Relaxed))
        } else {
            Vec::new()
        };
        task.depth.load(Acquire) > call.depth
            && place(task, &more, call.depth as usize)
                .and_then(|layer| self.open_call(call.depth, layer))
                .is_some_and(|found| found.is(call))
            && task.depth.load(Acquire) > call.depth
    }

    fn open_call(&self, depth: u32, layer: NonNull<Layer>) -> Option<OpenCall> {
        let layer = layer.as_ptr();
        // SAFETY: the pointer is from `place`, so a layer lies there, in the mapping and aligned.
        // Its task may store to it, hence atomic, and stores whole words.
        let (since, slot, inner, after) = unsafe {
            let since = AtomicU64::from_ptr(&raw mut (*layer).since).load(Acquire);
            let slot = AtomicU32::from_ptr(&raw mut (*layer).slot).load(Acquire);
            let inner = AtomicU64::from_ptr(&raw mut (*layer).inner).load(Acquire);
            let after = AtomicU64::from_ptr(&raw mut (*layer).since).load(Acquire);
            (since, slot, inner, after)
        };
        let slot = self.slot(slot).filter(|_| since == after)?;
        Some(OpenCall {
            depth,
            since,
            slack: self.slack(since, inner),
            target: slot.target.load(Relaxed),
            side: Side::from_number(slot.side.load(Relaxed) & 1),
            inner,
        })
    }

    /// See [`OpenCall::slack`]. `inner`: of the layer.
    fn slack(&self, since: u64, inner: u64) -> u64 {
        match self.plan() {
            Some(plan) if inner == 0 => {
                let ticked = coarse::between(since, time::now());
                ticked.map_or(plan.period, |seen| seen.first.saturating_sub(since))
            }
            _ => 0,
        }
    }

    /// The slot to which a layer refers, if that is possible.
    fn slot(&self, slot: u32) -> Option<&Slot> {
        let at = slot as usize * align_of::<Slot>();
        if slot == 0 || at + size_of::<Slot>() > self.bytes() {
            return None;
        }
        // SAFETY: the check says that the slot lies within the open part of the mapping, and
        // multiples of its alignment are aligned. All its fields are atomics, so any bytes make a
        // slot.
        Some(unsafe { &*self.base().add(at).cast::<Slot>() })
    }
}

/// When a call of this task returned last; 0: none has.
fn last_return(task: &'static TaskRecord) -> u64 {
    let record = NonNull::from(task).cast::<u8>();
    // SAFETY: a task's record lies behind the header of its chunk, and its last returns lie at this
    // offset of that chunk.
    let first = unsafe { record.add(LAST_RETURNS_OFFSET - size_of::<ChunkHeader>()) };
    let of = |n: usize| {
        // SAFETY: there are so many, they are aligned, and all their fields are atomics.
        unsafe { first.cast::<LastReturn>().add(n).as_ref() }
    };
    let at = (0..LAST_RETURNS).map(|n| of(n).at.load(Relaxed));
    at.max().unwrap_or(0)
}

/// The place of the layer that has so many below it.
fn place(task: &'static TaskRecord, more: &[First], index: usize) -> Option<NonNull<Layer>> {
    const _: () = assert!(offset_of!(Layer, since) == 0 && align_of::<Layer>() == 8);
    if let Some(index) = index.checked_sub(FIRST_LAYERS) {
        let First(first) = more.get(index / CHUNK_LAYERS)?;
        // SAFETY: the remainder is below the number of layers that the chunk holds.
        return Some(unsafe { first.add(index % CHUNK_LAYERS) });
    }
    let record = NonNull::from(task);
    // SAFETY: a task's record lies behind the header of its chunk, and the layers of that chunk lie
    // at this offset. All of it is in the mapping, which lives as long as the record.
    let first = unsafe {
        record
            .byte_sub(size_of::<ChunkHeader>())
            .byte_add(LAYERS_OFFSET)
    };
    // SAFETY: `index` is below `FIRST_LAYERS`, the number of layers in a task's own chunk.
    Some(unsafe { first.cast::<Layer>().add(index) })
}
