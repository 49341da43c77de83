//! One live task: the state machine over layers in the mapping, its account, and its events.
//!
//! [`TaskWriter::cross`] is the hot path: no lock, no allocation, no system call, unless a chunk is full.
#![allow(
    unsafe_code,
    reason = "layers, slots and events lie in the mapped file"
)]

use std::{
    ptr::NonNull,
    sync::atomic::Ordering::{Relaxed, Release},
};

use super::{
    format::{BLOCK, ChunkHeader, ChunkKind, TASK_BLOCKS, TaskRecord},
    mapped_account::MappedAccount,
    mapped_layers::MappedLayers,
    slots::{Slots, slot_at},
    writer::Recording,
};
use crate::{
    account::Account,
    crossing::{Crossing, Side},
    fault::Fault,
    layer::{Layer, Layers},
    task::{Task, Who},
};

/// A task of this process, written by its own thread.
#[derive(Debug)]
pub struct TaskWriter {
    task: Task<MappedLayers>,
    account: MappedAccount,
    slots: Slots,
    /// A return that somebody will look into: slot, ticks when it came, ticks that it took.
    remembered: Option<(u32, u64, u64)>,
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
        let layers = MappedLayers::new(recording, chunk, of_task);
        let account = MappedAccount::new(recording, of_task, now);
        let slots = Slots::new(recording, chunk, number);
        recording.publish(chunk);
        let mut writer = Box::new(Self {
            task: Task::new(layers),
            account,
            slots,
            remembered: None,
            generation: 0,
        });
        writer.account.begin();
        Some(writer)
    }

    /// What is written about the task itself.
    pub fn record(&self) -> &'static TaskRecord {
        self.account.record()
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
        unsafe { slot_at(self.account.base(), slot) }
            .target
            .load(Relaxed)
    }

    /// How often calls of this slot have returned so far.
    #[inline]
    pub fn ended(&self, slot: u32) -> u32 {
        // SAFETY: as in `target`.
        unsafe { slot_at(self.account.base(), slot) }
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
            .learn(self.account.recording(), function, side, target)
    }

    /// Takes one crossing: see [`Task::cross`]. `who.slot` is from [`TaskWriter::slot`] or [`TaskWriter::learn`].
    /// Inlined where the crossing is a constant, half of the state machine falls away.
    #[inline(always)]
    pub fn cross(&mut self, crossing: Crossing, who: Who, at: u64, mark: u64) {
        self.task.cross(crossing, who, at, mark, &mut self.account);
        if self.account.is_full() {
            self.replace_full();
        }
    }

    /// Takes the return, by an exception, of the innermost open call of this function: see [`Task::fail`].
    #[cold]
    pub fn fail(&mut self, function: u64, at: u64) {
        self.task.fail(function, at, &mut self.account);
    }

    /// Counts a call that a policy did not let happen. `slot` as for [`TaskWriter::cross`].
    #[cold]
    pub fn refuse(&mut self, slot: u32, at: u64) {
        self.account.refused(slot, at);
    }

    /// Counts a call that is not timed, where only counting was asked for. `slot` as for [`TaskWriter::cross`].
    #[inline(always)]
    pub fn count(&mut self, slot: u32) {
        self.account.count(slot);
        if self.account.is_full() {
            self.replace_full();
        }
    }

    #[cold]
    #[inline(never)]
    fn replace_full(&mut self) {
        if let Some(slot) = self.account.take_full() {
            self.slots.replace(slot);
        }
    }

    /// Keeps a return for [`TaskWriter::recall`].
    #[cold]
    pub fn remember(&mut self, slot: u32, at: u64, took: u64) {
        self.remembered = Some((slot, at, took));
    }

    /// The return that was kept last, once.
    pub fn recall(&mut self) -> Option<(u32, u64, u64)> {
        self.remembered.take()
    }

    /// Counts a fault that the state machine cannot see.
    pub fn fault(&mut self, fault: Fault) {
        self.account.fault(fault);
    }

    /// The task's thread ends. Its memory goes back to the operating system; its bytes are in the file.
    pub fn end(&mut self, now: u64) {
        self.record().ended.store(now, Release);
        self.account.let_go();
        let record = NonNull::from(self.record());
        // SAFETY: the record lies right after the header of its chunk.
        let chunk = unsafe { record.byte_sub(size_of::<ChunkHeader>()) };
        let bytes = TASK_BLOCKS as usize * BLOCK;
        self.account.recording().release(chunk.cast(), bytes);
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
