//! One live task: the state machine over layers in the mapping, its account and its events.
//!
//! There are two ways to record a crossing:
//!
//! - [`TaskWriter::cross`] takes any crossing, and asks the operating system for room if there is
//!   none.
//! - [`TaskWriter::cross_at_once`] is for hooks for which the collector waits: it takes no lock,
//!   allocates nothing and makes no system call, whatever the crossing. It leaves the rest to a
//!   twin of the hook, which is called when the collector does not wait any more and makes room
//!   ahead of need.
#![allow(
    unsafe_code,
    reason = "layers, slots and events lie in the mapped file"
)]

use std::{
    ptr::NonNull,
    sync::atomic::Ordering::{Relaxed, Release},
};

pub use super::mapped_account::Noted;
use super::{
    format::{BLOCK, ChunkHeader, ChunkKind, TASK_BLOCKS, TaskRecord},
    mapped_account::{MappedAccount, Told},
    mapped_layers::MappedLayers,
    slot_table::SlotTable,
    writer::Recording,
};
use crate::{
    account::Account,
    crossing::{Crossing, Side},
    fault::Fault,
    layer::{Layer, Layers},
    off_core::Flag,
    task::{Task, Who},
    time::{self, TickSource},
};

/// What is left to do after a crossing.
///
/// It has the size of a register, so that it can be passed on as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Then {
    /// Nothing.
    GoOn = 0,
    /// More than a few stores. An opening crossing that was tried at once was not taken: the caller
    /// repeats it by [`TaskWriter::cross`]. Any other crossing was taken: the caller calls
    /// [`TaskWriter::settle`] next. It should look into the return ([`TaskWriter::recall`]) if it
    /// is the first of a native call of its target on this task, or was slow.
    More = 1,
}

/// A task of this process. Its own thread writes it.
#[derive(Debug)]
pub struct TaskWriter {
    pub(super) task: Task<MappedLayers>,
    pub(super) account: MappedAccount,
    slots: SlotTable,
    /// Whether the CPU's counter gives the time, and there are no events.
    is_quick: bool,
    /// Whether calls are timed by sample.
    is_sampled: bool,
    /// The era for which `slots` knows functions.
    era: u64,
    /// How many objects had been loaded and unloaded when `slots` last knew the ids of wrappers.
    loads: u64,
    unloads: u64,
    /// The operating system's number of the thread. The record's number is for readers.
    os_thread: u32,
}

impl TaskWriter {
    /// A new task for the calling thread. Returns `None` if the recording has no room for it.
    pub fn new(recording: &'static Recording, os_thread: u32, now: u64) -> Option<Box<Self>> {
        let header = recording.header();
        let number = header.tasks.fetch_add(1, Relaxed) + 1;
        let chunk = recording.chunk(ChunkKind::Task, number, 0, TASK_BLOCKS)?;
        // SAFETY: a task chunk is longer than its header, and its record follows the header.
        let record = unsafe { chunk.add(1) }.cast::<TaskRecord>();
        // SAFETY: the record lies in the mapping, which stands as long as the process. It is
        // zeroed, and all its fields are atomics.
        let of_task: &'static TaskRecord = unsafe { record.as_ref() };
        of_task.number.store(number, Relaxed);
        of_task.os_thread.store(os_thread, Relaxed);
        of_task.threads.store(1, Relaxed);
        of_task.first.store(now, Relaxed);
        let layers = MappedLayers::new(recording, chunk, of_task);
        let mut account = MappedAccount::new(recording, of_task, now);
        let slots = SlotTable::new(recording, chunk, number);
        for side in [Side::Unmanaged, Side::Managed] {
            account.has_slot(slots.rest(side));
        }
        recording.publish(chunk);
        let is_sampled = recording.plan().is_some();
        let has_counter = TickSource::selected() == TickSource::Counter;
        let is_quick = has_counter && !account.wants_events();
        let mut writer = Box::new(Self {
            task: Task::new(layers),
            account,
            slots,
            is_quick,
            is_sampled,
            era: 0,
            loads: 0,
            unloads: 0,
            os_thread,
        });
        writer.prepare();
        Some(writer)
    }

    /// Makes a new task, in another recording, in the place of this one, whose recording is retired
    /// ([`Recording::retire`]). For its own thread, or when that has ended. Returns `false` and
    /// changes nothing if the new recording has no room.
    pub fn renew(&mut self, recording: &'static Recording, os_thread: u32, now: u64) -> bool {
        let Some(new) = Self::new(recording, os_thread, now) else {
            return false;
        };
        let before = self.account.recording();
        self.slots.free(before);
        *self = *new;
        true
    }

    /// The recording that it writes.
    pub fn recording(&self) -> &'static Recording {
        self.account.recording()
    }

    /// The task's own record.
    pub fn record(&self) -> &'static TaskRecord {
        self.account.record()
    }

    /// The operating system's number of the (latest) thread.
    pub const fn os_thread(&self) -> u32 {
        self.os_thread
    }

    /// Open calls.
    #[inline]
    pub fn depth(&self) -> u32 {
        self.task.depth()
    }

    /// The innermost open layer.
    pub fn top(&self) -> Option<&Layer> {
        self.task.layers().below_top(0)
    }

    /// The target of an open layer or of an opening crossing.
    pub fn target(&self, slot: u32) -> u32 {
        self.account.slot(slot).target.load(Relaxed)
    }

    /// Whether calls are timed by sample. Then the caller may call [`TaskWriter::cross_by_sample`].
    #[inline(always)]
    pub const fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// The time now. Returns `None` if crossings of this task need a call, to know the time or to
    /// write events. Then [`time::now`] has the time, and the caller calls
    /// [`TaskWriter::cross_at_once`]. Otherwise it may call [`TaskWriter::cross_quietly`].
    #[inline(always)]
    pub fn stamp(&self) -> Option<u64> {
        self.is_quick.then(time::counter)
    }

    /// [`TaskWriter::cross_at_once`] without events, for callers that have the time from
    /// [`TaskWriter::stamp`]. It is inlined where the crossing is a constant, and half of the state
    /// machine falls away. What it calls, it calls last and as a C function, which does not unwind.
    /// So a caller that is itself called from C, and calls this last, needs no frame.
    #[inline(always)]
    pub fn cross_quietly(&mut self, crossing: Crossing, who: Who, at: u64) -> Then {
        let account = Told::<false, false>::of(&mut self.account);
        if self.task.crosses_plainly(crossing, who, at, 0, account) {
            return Then::GoOn;
        }
        if crossing.opens() {
            return Then::More;
        }
        self.close_otherwise(crossing, who.function, at)
    }

    /// Takes one crossing without asking the operating system for anything: see [`Then`]. `who` as
    /// for [`TaskWriter::cross`].
    #[inline(always)]
    pub fn cross_at_once(&mut self, crossing: Crossing, who: Who, at: u64) -> Then {
        if self.account.wants_events() {
            return match crossing {
                Crossing::LeaveRuntime => self.tell_at_once::<1>(who.function, who.slot, at),
                Crossing::EnterRuntime => self.tell_at_once::<2>(who.function, 0, at),
                Crossing::ReverseEnterRuntime => self.tell_at_once::<3>(who.function, who.slot, at),
                Crossing::ReverseLeaveRuntime => self.tell_at_once::<4>(who.function, 0, at),
            };
        }
        if self.is_sampled {
            return self.cross_by_sample(crossing, who);
        }
        self.cross_quietly(crossing, who, at)
    }

    /// Out of line, so that tasks without events do not pay for them.
    #[inline(never)]
    extern "C" fn tell_at_once<const CROSSING: usize>(
        &mut self,
        function: u64,
        slot: u32,
        at: u64,
    ) -> Then {
        let (crossing, who) = (Crossing::ALL[CROSSING - 1], Who { function, slot });
        let account = Told::<true, false>::of(&mut self.account);
        if self.task.crosses_plainly(crossing, who, at, 0, account) {
            return Then::GoOn;
        }
        self.tell_otherwise(crossing, function, slot, at)
    }

    #[cold]
    #[inline(never)]
    extern "C" fn tell_otherwise(
        &mut self,
        crossing: Crossing,
        function: u64,
        slot: u32,
        at: u64,
    ) -> Then {
        if self.account.is_over() {
            let (who, account) = (
                Who { function, slot },
                Told::<false, false>::of(&mut self.account),
            );
            if self.task.crosses_plainly(crossing, who, at, 0, account) {
                self.account.drop_event();
                return Then::GoOn;
            }
        }
        if crossing.opens() {
            return Then::More;
        }
        self.close_otherwise(crossing, function, at)
    }

    #[cold]
    #[inline(never)]
    pub(super) extern "C" fn close_otherwise(
        &mut self,
        crossing: Crossing,
        function: u64,
        at: u64,
    ) -> Then {
        let account = Told::<true, false>::of(&mut self.account);
        self.task.closes_otherwise(crossing, function, at, account);
        self.pass_on(false);
        self.then()
    }

    fn then(&self) -> Then {
        if self.account.has_more_to_do() {
            Then::More
        } else {
            Then::GoOn
        }
    }

    /// Does what crossings at once have left: makes room for events, and replaces counters that are
    /// nearly full. Asks the operating system.
    #[cold]
    pub fn settle(&mut self) {
        if let Some(slot) = self.account.take_full() {
            self.slots.replace(slot);
        }
        self.account.make_room();
    }

    /// Takes the memory for a crossing that opens a layer, before the caller takes its time. Asks
    /// the operating system. If no crossing follows, a reader sees no difference.
    #[cold]
    pub fn prepare(&mut self) {
        self.account.make_room();
        self.task.reserve();
    }

    /// The slot of a function that was called lately. `era` is a number that changes when numbers
    /// of functions may have come to mean other functions.
    #[inline]
    pub fn slot(&self, function: u64, side: Side, era: u64) -> Option<u32> {
        if era != self.era {
            return None;
        }
        self.slots.cached(function, side)
    }

    /// The slot of the wrapper with this id, if it was called before. `loads` is how many objects
    /// have been loaded. If it differs from the number last passed to [`TaskWriter::catch_up`], no
    /// slot is known. Nor is one after the runtime has announced its shutdown.
    #[inline(always)]
    pub fn slot_of(&self, id: usize, loads: u64) -> Option<u32> {
        if loads != self.loads {
            return None;
        }
        self.slots.of_id(id)
    }

    /// Opens the table of wrappers again, if [`Recording::hold_tables`] has taken it away. Returns
    /// whether it was so.
    #[cold]
    pub fn reopen(&mut self) -> bool {
        self.slots.reopen(self.account.recording())
    }

    /// Notes how many objects were loaded and unloaded. If some were unloaded since the last time,
    /// another one may lie where a wrapper leads.
    #[cold]
    pub fn catch_up(&mut self, loads: u64, unloads: u64) {
        if unloads != self.unloads {
            self.slots.forget_ids();
        }
        (self.loads, self.unloads) = (loads, unloads);
    }

    /// The slot of a target, for a call that may have another target the next time.
    #[cold]
    pub fn slot_for(&mut self, side: Side, target: u32) -> u32 {
        let recording = self.account.recording();
        let slot = self.slots.of_target(recording, side, target);
        self.account.has_slot(slot);
        slot
    }

    /// The slot of a wrapper whose target was just found.
    #[cold]
    pub fn learn_id(&mut self, id: usize, side: Side, target: u32) -> u32 {
        let recording = self.account.recording();
        let slot = self.slots.learn_id(recording, id, side, target);
        self.account.has_slot(slot);
        slot
    }

    /// The slot of a function whose target was just found.
    #[cold]
    pub fn learn(&mut self, function: u64, side: Side, target: u32, era: u64) -> u32 {
        if era != self.era {
            self.slots.forget();
            self.era = era;
        }
        let recording = self.account.recording();
        let slot = self.slots.learn(recording, function, side, target);
        self.account.has_slot(slot);
        slot
    }

    /// Takes one crossing: see [`Task::cross`]. `who.slot` is from [`TaskWriter::slot`] or
    /// [`TaskWriter::learn`]. Asks the operating system if there is no room.
    #[inline(always)]
    pub fn cross(&mut self, crossing: Crossing, who: Who, at: u64, mark: u64) -> Then {
        if self.account.wants_events() {
            return match crossing {
                Crossing::LeaveRuntime => {
                    self.cross_with_events::<1>(who.function, who.slot, at, mark)
                }
                Crossing::EnterRuntime => self.cross_with_events::<2>(who.function, 0, at, 0),
                Crossing::ReverseEnterRuntime => {
                    self.cross_with_events::<3>(who.function, who.slot, at, mark)
                }
                Crossing::ReverseLeaveRuntime => {
                    self.cross_with_events::<4>(who.function, 0, at, 0)
                }
            };
        }
        let account = Told::<false, true>::of(&mut self.account);
        if !self.is_sampled && self.task.crosses_plainly(crossing, who, at, mark, account) {
            return Then::GoOn;
        }
        self.cross_otherwise(crossing, who.function, who.slot, at, mark)
    }

    /// Out of line, so that tasks without events do not pay for them.
    #[inline(never)]
    extern "C" fn cross_with_events<const CROSSING: usize>(
        &mut self,
        function: u64,
        slot: u32,
        at: u64,
        mark: u64,
    ) -> Then {
        let (crossing, who) = (Crossing::ALL[CROSSING - 1], Who { function, slot });
        let account = Told::<true, true>::of(&mut self.account);
        if self.task.crosses_plainly(crossing, who, at, mark, account) {
            return Then::GoOn;
        }
        self.cross_otherwise(crossing, who.function, who.slot, at, mark)
    }

    #[cold]
    #[inline(never)]
    extern "C" fn cross_otherwise(
        &mut self,
        crossing: Crossing,
        function: u64,
        slot: u32,
        at: u64,
        mark: u64,
    ) -> Then {
        let who = Who { function, slot };
        self.account.stamped = at & !1;
        let account = Told::<true, true>::of(&mut self.account);
        let depth = self.task.depth();
        self.task
            .crosses_otherwise(crossing, who, at, mark, account);
        if self.is_sampled && self.task.depth() > depth {
            self.stands_for_itself();
        }
        self.pass_on(false);
        self.settle();
        self.then()
    }

    /// Takes the return, by an exception, of the innermost open call of this function: see
    /// [`Task::fail`].
    #[cold]
    pub fn fail(&mut self, function: u64, at: u64) {
        let account = Told::<true, true>::of(&mut self.account);
        self.task.fail(function, at, account);
        self.settle();
    }

    /// Counts a call that a policy denied. `slot` as for [`TaskWriter::cross`].
    #[cold]
    pub fn refuse(&mut self, slot: u32, at: u64) {
        Told::<true, true>::of(&mut self.account).refused(slot, at);
        self.settle();
    }

    /// Counts a call that is not timed because only counts are recorded. `slot` as for
    /// [`TaskWriter::cross`]. If it returns [`Then::More`], it has not counted the call, and the
    /// caller calls [`TaskWriter::count_anyway`].
    #[inline(always)]
    pub fn count(&mut self, slot: u32) -> Then {
        if self.account.count(slot) {
            Then::GoOn
        } else {
            Then::More
        }
    }

    /// Counts such a call in any case. If the slot is full, its target gets a new one at its next
    /// call.
    #[cold]
    pub fn count_anyway(&mut self, slot: u32) {
        self.account.count_anyway(slot);
        self.settle();
    }

    /// Takes the return that should be looked into.
    pub fn recall(&mut self) -> Option<Noted> {
        self.account.take_noted()
    }

    /// Counts a fault that the state machine cannot see.
    pub fn fault(&mut self, fault: Fault) {
        Told::<true, true>::of(&mut self.account).fault(fault);
    }

    /// Records that the task's thread ends. Gives its memory back to the operating system; its
    /// bytes are in the file.
    pub fn end(&mut self, now: u64) {
        self.record().ended.store(now, Release);
        self.account.let_go();
        let record = NonNull::from(self.record());
        // SAFETY: the record lies right behind the header of its chunk, so the header is that far
        // before it.
        let chunk = unsafe { record.byte_sub(size_of::<ChunkHeader>()) };
        let bytes = TASK_BLOCKS as usize * BLOCK;
        self.account.recording().release(chunk.cast(), bytes);
    }

    /// Continues the task after its end: for a crossing in the thread's last moments, or for
    /// another thread.
    pub fn go_on(&mut self, os_thread: u32) {
        let record = self.record();
        record.ended.store(0, Relaxed);
        record.os_thread.store(os_thread, Relaxed);
        if std::mem::replace(&mut self.os_thread, os_thread) != os_thread {
            record.threads.fetch_add(1, Relaxed);
            self.account.on_core = Flag::of_this_thread();
            // What the former thread left open does not come back.
            let account = Told::<true, true>::of(&mut self.account);
            self.task.unwind(u32::MAX, account);
            self.settle();
        }
    }
}
