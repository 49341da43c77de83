//! The slots of a live task, in which its calls are counted. A slot is made at the first call of
//! its target on the task.
#![allow(unsafe_code, reason = "slots lie in the mapped file")]

use std::{
    collections::HashMap,
    ptr::NonNull,
    sync::atomic::Ordering::{Relaxed, Release},
};

use super::{
    by_id::ById,
    format::{
        CHUNK_SLOTS, ChunkHeader, ChunkKind, SLOT_BLOCKS, Slot, TASK_SLOTS, TASK_SLOTS_OFFSET,
    },
    writer::Recording,
};
use crate::crossing::Side;

/// Adds to a field that only this thread writes. It is cheaper than an atomic addition.
macro_rules! add {
    ($field:expr, $amount:expr) => {
        $field.store($field.load(Relaxed).wrapping_add($amount), Relaxed)
    };
}
pub(super) use add;

/// SlotTable are referred to by their distance from the mapping's start in units of this many
/// bytes.
const UNIT: usize = align_of::<Slot>();

/// The slot with this name.
///
/// # Safety
/// `slot` is not above a name that comes from [`SlotTable`] of the recording that is mapped at
/// `base`, and that mapping still stands.
#[inline]
pub(super) unsafe fn slot_at<'a>(base: *mut u8, slot: u32) -> &'a Slot {
    // SAFETY: the caller says that `slot` is not above a name of this recording, so the address
    // lies in the open part of the mapping, and multiples of the unit are aligned. All fields are
    // atomics, so any bytes make a slot.
    unsafe { &*base.add(slot as usize * UNIT).cast::<Slot>() }
}

/// Entries of the table from functions to slots, in pairs. A function is in either place of its
/// pair.
const CACHED: usize = 512;

/// That table. No pair lies across two cache lines.
#[derive(Debug)]
#[repr(align(64))]
struct Cache([(u64, u32); CACHED]);

/// The slots of a task.
#[derive(Debug)]
pub(super) struct SlotTable {
    /// Functions that were called lately, and their slots. A key is never 0.
    cache: Cache,
    /// The same for wrappers.
    by_id: ById,
    by_target: HashMap<(u32, Side), u32>,
    /// The chunk that has room, and how many slots it can hold.
    chunk: NonNull<ChunkHeader>,
    first: NonNull<Slot>,
    /// The chunk's own number is for readers: the process believes nothing that lies in the file.
    used: u32,
    capacity: u32,
    chunks: u32,
    task: u32,
    /// The slots for the calls of all targets for which there is no room, by [`Side`].
    rest: [u32; 2],
}

/// The runtime's numbers of functions leave the highest bits free, so the side fits below, with a
/// bit that makes the key unlike 0.
#[inline]
const fn key(function: u64, side: Side) -> u64 {
    function << 2 | 2 | side as u64
}

/// Whether the number uses those bits. Then it is not a function, and its key may be that of one.
#[inline]
const fn is_senseless(function: u64) -> bool {
    function >> 62 != 0
}

/// The first place of a key's pair. The CLR makes functions in rows of equal distances. Multiplying
/// by the golden ratio lays such rows on top of each other. This does not.
#[inline]
const fn place(key: u64) -> usize {
    (key >> 5 ^ key >> 13) as usize % (CACHED / 2) * 2
}

impl SlotTable {
    /// The slots of a new task, whose chunk is given.
    pub(super) fn new(recording: &Recording, chunk: NonNull<ChunkHeader>, task: u32) -> Self {
        // SAFETY: a task chunk is longer than this offset, at which its slots lie.
        let first = unsafe { chunk.byte_add(TASK_SLOTS_OFFSET) }.cast::<Slot>();
        let mut slots = Self {
            cache: Cache([(0, 0); CACHED]),
            by_id: ById::new(),
            by_target: HashMap::new(),
            chunk,
            first,
            used: 0,
            capacity: TASK_SLOTS,
            chunks: 0,
            task,
            rest: [0; 2],
        };
        slots.rest =
            [Side::Unmanaged, Side::Managed].map(|side| slots.add(recording, 0, side).unwrap_or(0));
        slots
    }

    /// The slot of a function that was called lately.
    #[inline]
    pub(super) fn cached(&self, function: u64, side: Side) -> Option<u32> {
        let key = key(function, side);
        if is_senseless(function) {
            return None;
        }
        let first = place(key);
        let pair = [self.cache.0[first], self.cache.0[first + 1]];
        pair.into_iter()
            .find(|(cached, _)| *cached == key)
            .map(|(_, slot)| slot)
    }

    /// The slot for the calls of all targets for which there is no room.
    pub(super) const fn rest(&self, side: Side) -> u32 {
        self.rest[side as usize]
    }

    /// The slot of a wrapper that was called before.
    #[inline(always)]
    pub(super) fn of_id(&self, id: usize) -> Option<u32> {
        self.by_id.get(id)
    }

    /// The slot of a wrapper whose target was found.
    pub(super) fn learn_id(
        &mut self,
        recording: &Recording,
        id: usize,
        side: Side,
        target: u32,
    ) -> u32 {
        let slot = self.of_target(recording, side, target);
        self.by_id.learn(id, slot, |limit, entries| {
            recording.tables().open(limit, entries);
        });
        slot
    }

    /// Opens the table of wrappers, if it is held. Returns whether it was.
    pub(super) fn reopen(&self, recording: &Recording) -> bool {
        let held = self.by_id.held();
        held.is_some_and(|(limit, entries)| recording.tables().reopen(limit, entries))
    }

    /// Frees the tables of wrappers, if all tables of the recording have ended.
    pub(super) fn free(&mut self, recording: &Recording) {
        if recording.tables().have_ended() {
            // SAFETY: when tables end, other threads forget the limits of all of them.
            unsafe { self.by_id.free() };
        }
    }

    /// Forgets which wrapper has which slot, because another object may lie where a wrapper leads.
    pub(super) fn forget_ids(&mut self) {
        self.by_id.clear();
    }

    /// Forgets which function has which slot. The runtime may give the number of an unloaded
    /// function to another one, and another object may lie at an address.
    pub(super) fn forget(&mut self) {
        self.cache.0.fill((0, 0));
    }

    /// The slot of a function whose target was found.
    pub(super) fn learn(
        &mut self,
        recording: &Recording,
        function: u64,
        side: Side,
        target: u32,
    ) -> u32 {
        let slot = self.of_target(recording, side, target);
        if !is_senseless(function) {
            let key = key(function, side);
            // The one that was learnt last moves to the second place. The one there is forgotten.
            let first = place(key);
            self.cache.0[first + 1] = self.cache.0[first];
            self.cache.0[first] = (key, slot);
        }
        slot
    }

    /// The slot of a target.
    pub(super) fn of_target(&mut self, recording: &Recording, side: Side, target: u32) -> u32 {
        if let Some(slot) = self.by_target.get(&(target, side)) {
            return *slot;
        }
        let slot = self.add(recording, target, side);
        let slot = slot.unwrap_or(self.rest[side as usize]);
        self.by_target.insert((target, side), slot);
        slot
    }

    /// Gives up a slot whose counter of calls is about to overflow. Its target gets a new slot at
    /// its next call.
    pub(super) fn replace(&mut self, slot: u32) {
        self.by_target.retain(|_, s| *s != slot);
        self.by_id.forget(slot);
        self.forget();
    }

    fn add(&mut self, recording: &Recording, target: u32, side: Side) -> Option<u32> {
        if self.used == self.capacity {
            let chunk = recording.chunk(ChunkKind::Slots, self.task, self.chunks, SLOT_BLOCKS)?;
            recording.publish(chunk);
            self.chunks += 1;
            self.chunk = chunk;
            // SAFETY: the chunk is longer than its header. Slots follow the header, and both are
            // aligned to 64 bytes.
            self.first = unsafe { chunk.add(1) }.cast();
            self.capacity = CHUNK_SLOTS;
            self.used = 0;
        }
        // SAFETY: `used` is below `capacity`, the number of slots that the chunk holds.
        let at = unsafe { self.first.add(self.used as usize) };
        // SAFETY: the slot lies in the mapping, is aligned and zeroed, and all its fields are
        // atomics. Only this thread writes it.
        let slot = unsafe { at.as_ref() };
        slot.target.store(target, Relaxed);
        slot.side.store(side as u32, Relaxed);
        slot.min.store(u64::MAX, Relaxed);
        self.used += 1;
        // SAFETY: the chunk lies in the mapping, which stands as long as the process. Its fields
        // are atomics. The count publishes the slot.
        unsafe { self.chunk.as_ref() }
            .used
            .store(self.used, Release);
        let distance = at.as_ptr() as usize - recording.base() as usize;
        u32::try_from(distance / UNIT).ok()
    }
}
