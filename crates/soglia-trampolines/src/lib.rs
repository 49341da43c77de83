//! Native function pointers of ours that stand for others: they call a hook, the other one, and a hook again.
//!
//! Native code that calls a delegate back goes by no IL of ours, and neither does a delegate that managed code makes of a native
//! function. Both are called through a pointer, and we see the pointer before it is handed on:
//!
//! ```text
//!              thunk of ours            common code                    hooks                what it stands for
//!   caller ──> r11 = its slot ──> saves the arguments ──> callback_enter(id, original)
//!                                 restores them      ──────────────────────────────────────> original
//!                                 saves the result   ──> callback_leave(id, original)
//!   caller <─────────────────────── restores it, ret
//! ```
//!
//! The common code has a frame of its own and tells unwinders where everything lies: returns are predicted, debuggers and
//! profilers walk through, shadow stacks agree.
//!
//! Thunks are not written at run time, no memory is ever both writable and executable. A template of 1,024 of them lies in this
//! library; each takes its data from a slot at a fixed distance *behind* itself. A block is the template's pages mapped once more from
//! the library's file, and fresh memory for the slots behind them. All blocks lie in one range of addresses, so that telling
//! whether a pointer is one of ours costs two comparisons.
//!
//! A CLR before .NET 9 wants to know the thunks of its delegates again by the bytes at the pointer. For it, a callback's trampoline has a
//! *face*, which is made at run time and looks as the thunk does; it lies in memory that is written at another address than where it is executed.
//!
//! Where there can be no trampoline (another CPU, no room, a file that cannot be mapped) the pointer itself is handed on: what goes by it
//! is not seen.

#![allow(
    unsafe_code,
    reason = "maps executable memory, and is machine code in part"
)]

#[cfg(not(target_arch = "x86_64"))]
compile_error!("soglia-trampolines has thunks for x86_64 only");

#[path = "x86_64.rs"]
mod machine;

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{
        Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{
            AtomicBool, AtomicI64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

pub use machine::{CallHooks, Common};

/// Thunks of a block, and the bytes that they and their slots take: whole pages, slots and thunks in step.
const THUNKS: usize = 1024;
const CODE: usize = THUNKS * THUNK;
const BLOCK: usize = CODE + THUNKS * size_of::<Slot>();
/// Bytes of a thunk.
const THUNK: usize = 16;
/// Trampolines that there may be.
const MOST: usize = 1 << 20;
/// Addresses that all blocks take together.
const RANGE: usize = MOST / THUNKS * BLOCK;
/// Bytes of a thunk that has a face, of a face, and of all there may be. See [`machine::face`].
const CLR_THUNK: usize = 23;
const FACE: usize = 32;
const FACES: usize = MOST * FACE;
/// Tables are split so that threads seldom wait for each other.
const SHARDS: usize = 16;

/// What a thunk finds at its fixed distance. The common code reads it, at these offsets.
#[repr(C)]
struct Slot {
    /// Code to go on with.
    common: AtomicUsize,
    /// What the trampoline stands for.
    original: AtomicUsize,
    /// For the hooks.
    id: AtomicI64,
    /// Bytes of arguments on the stack, a multiple of 16; and 1 more if the result goes into memory of the caller's.
    stack: AtomicUsize,
}

/// What is behind a trampoline, for hooks and for the common code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callee {
    /// The woven call.
    pub id: i64,
    /// Bytes of arguments on the stack, at most. More are harmless as long as the stack has them.
    pub stack: usize,
    /// The result goes into memory of the caller's, whose address is the first argument.
    pub in_memory: bool,
}

impl Callee {
    fn word(self) -> usize {
        self.stack.next_multiple_of(16) | usize::from(self.in_memory)
    }
}

/// The trampolines of a process. They are never freed: native code may hold a pointer for ever.
pub struct Trampolines {
    reverse: [Table<usize, Known>; SHARDS],
    forward: [Table<(usize, i64), usize>; SHARDS],
    /// Where the range begins, once it is reserved. Written under the lock of `making`.
    base: AtomicUsize,
    /// Trampolines that were made.
    made: AtomicUsize,
    /// Where the range of faces begins, likewise. The face of a trampoline has its index.
    faces: AtomicUsize,
    /// Where each block of faces can be written.
    making: Mutex<Vec<usize>>,
    /// No more can be made.
    full: AtomicBool,
    callbacks: Common,
    outward: Common,
}

type Table<K, V> = RwLock<HashMap<K, V, BuildHasherDefault<Mix>>>;

/// A trampoline for a callback.
#[derive(Clone, Copy)]
struct Known {
    trampoline: usize,
    /// For whom it was made, last.
    owner: u64,
}

impl Trampolines {
    /// None yet. `callbacks` and `outward` are the common codes of both directions.
    pub const fn new(callbacks: Common, outward: Common) -> Self {
        Self {
            reverse: [const { RwLock::new(HashMap::with_hasher(BuildHasherDefault::new())) };
                SHARDS],
            forward: [const { RwLock::new(HashMap::with_hasher(BuildHasherDefault::new())) };
                SHARDS],
            base: AtomicUsize::new(0),
            made: AtomicUsize::new(0),
            faces: AtomicUsize::new(0),
            making: Mutex::new(Vec::new()),
            full: AtomicBool::new(false),
            callbacks,
            outward,
        }
    }

    /// The trampoline for a callback: for a thunk that the CLR made of a delegate. `None`: `target` gave none, or there is no room.
    ///
    /// `face`: the pointer must look as the thunk does.
    ///
    /// The same thunk has the same trampoline always, so native code may compare. The CLR uses the thunks of collected delegates again;
    /// `owner` says of what the thunk was made this time, and `target` is asked only if that is news. Takes a lock.
    pub fn reverse(
        &self,
        thunk: usize,
        owner: u64,
        face: bool,
        target: impl FnOnce() -> Option<Callee>,
    ) -> Option<usize> {
        let table = &self.reverse[shard(thunk)];
        let known = read(table).get(&thunk).copied();
        if let Some(known) = known.filter(|known| known.owner == owner) {
            return Some(known.trampoline);
        }
        // Without the lock: whoever answers may take locks of its own.
        let target = target()?;
        let mut table = write(table);
        if let Some(known) = table.get_mut(&thunk) {
            known.owner = owner;
            if let Some(slot) = self.slot(known.trampoline) {
                // Nobody calls through it now: the delegate that it stood for is gone.
                slot.id.store(target.id, Relaxed);
                slot.stack.store(target.word(), Relaxed);
            }
            return Some(known.trampoline);
        }
        let trampoline = self.make(self.callbacks, thunk, target, face)?;
        table.insert(thunk, Known { trampoline, owner });
        Some(trampoline)
    }

    /// The trampoline for a native function that managed code calls through a delegate. The same one always for the same
    /// function and call. `None`: there is no room. Takes a lock.
    pub fn forward(&self, native: usize, target: Callee) -> Option<usize> {
        let key = (native, target.id);
        let table = &self.forward[shard(native)];
        let known = read(table).get(&key).copied();
        if known.is_some() {
            return known;
        }
        let mut table = write(table);
        if let Some(trampoline) = table.get(&key) {
            return Some(*trampoline);
        }
        let trampoline = self.make(self.outward, native, target, false)?;
        table.insert(key, trampoline);
        Some(trampoline)
    }

    /// Whether there is a trampoline for this thunk.
    pub fn has_thunk(&self, thunk: usize) -> bool {
        read(&self.reverse[shard(thunk)]).contains_key(&thunk)
    }

    /// What a pointer stands for, if it is a trampoline; else the pointer itself. Takes no lock.
    pub fn original(&self, pointer: usize) -> usize {
        self.slot(pointer)
            .map_or(pointer, |slot| slot.original.load(Relaxed))
    }

    /// The original, if the pointer is a trampoline of the outward direction.
    pub fn outward(&self, pointer: usize) -> Option<usize> {
        let slot = self.slot(pointer)?;
        (slot.common.load(Relaxed) == self.outward.address()).then(|| slot.original.load(Relaxed))
    }

    /// The slot of a trampoline of ours.
    fn slot(&self, pointer: usize) -> Option<&'static Slot> {
        let base = self.base.load(Acquire);
        let index = within(pointer, base, RANGE)
            .and_then(|offset| {
                let (block, within) = (offset / BLOCK, offset % BLOCK);
                let thunk = within < CODE && within.is_multiple_of(THUNK);
                thunk.then(|| block * THUNKS + within / THUNK)
            })
            .or_else(|| {
                let offset = within(pointer, self.faces.load(Acquire), FACES)?;
                offset.is_multiple_of(FACE).then_some(offset / FACE)
            })?;
        // SAFETY: its block is mapped, and filled up to there; blocks are never unmapped.
        (index < self.made.load(Acquire)).then(|| unsafe { &*slot_at(base, index) })
    }

    fn make(&self, common: Common, original: usize, target: Callee, face: bool) -> Option<usize> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        let index = self.made.load(Relaxed);
        if index >= MOST || self.full.load(Relaxed) {
            return None;
        }
        if self.base.load(Relaxed) == 0 {
            self.base.store(machine::reserve(RANGE)?, Release);
        }
        let base = self.base.load(Relaxed);
        let block = base + index / THUNKS * BLOCK;
        if index.is_multiple_of(THUNKS) && !machine::map_block(block) {
            // Somebody else may have mapped something there by the next time.
            self.full.store(true, Relaxed);
            return None;
        }
        let trampoline = block + index % THUNKS * THUNK;
        let pointer = match face {
            true => self.make_face(&mut making, index, original, trampoline)?,
            false => trampoline,
        };
        // SAFETY: the block is mapped, its slots can be written; nobody has this one's address yet.
        let slot = unsafe { &*slot_at(base, index) };
        slot.common.store(common.address(), Relaxed);
        slot.original.store(original, Relaxed);
        slot.id.store(target.id, Relaxed);
        slot.stack.store(target.word(), Relaxed);
        self.made.store(index + 1, Release);
        Some(pointer)
    }

    fn make_face(
        &self,
        written: &mut Vec<usize>,
        index: usize,
        thunk: usize,
        trampoline: usize,
    ) -> Option<usize> {
        let thunk = std::ptr::with_exposed_provenance::<[u8; CLR_THUNK]>(thunk);
        // SAFETY: code, which can be read, of two bytes at least.
        if unsafe { thunk.cast::<[u8; 2]>().read_unaligned() } != machine::BEGINS {
            return None;
        }
        // SAFETY: this instruction alone has ten bytes, and nothing else than the CLR's thunks begins with it that is ever made a
        // pointer of a delegate. They may change, but not while the delegate lives that somebody is passing.
        let face = machine::face(&unsafe { thunk.read_unaligned() }, trampoline)?;
        if self.faces.load(Relaxed) == 0 {
            self.faces.store(machine::reserve(FACES)?, Release);
        }
        let faces = self.faces.load(Relaxed);
        let block = index / THUNKS;
        // Trampolines without a face may have passed by whole blocks.
        if written.len() <= block {
            written.resize(block + 1, 0);
        }
        if written[block] == 0 {
            let at = faces + block * THUNKS * FACE;
            match machine::map_faces(at) {
                Some(place) => written[block] = place,
                None => {
                    self.full.store(true, Relaxed);
                    return None;
                }
            }
        }
        let place = written[block] + index % THUNKS * FACE;
        let place = std::ptr::with_exposed_provenance_mut::<[u8; FACE]>(place);
        // SAFETY: mapped to be written, that large, and nobody executes it yet.
        unsafe { place.write_unaligned(face) };
        Some(faces + index * FACE)
    }
}

/// How far behind `base` an address is, if it is in the range that begins there. 0 is no base.
fn within(address: usize, base: usize, size: usize) -> Option<usize> {
    let offset = address.checked_sub(base).filter(|_| base != 0)?;
    (offset < size).then_some(offset)
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

/// Where a slot lies: its block's slots begin behind its block's thunks.
fn slot_at(base: usize, index: usize) -> *const Slot {
    let slots = base + index / THUNKS * BLOCK + CODE;
    std::ptr::with_exposed_provenance::<Slot>(slots).wrapping_add(index % THUNKS)
}

/// Functions lie at multiples of 16 at best: the bits above tell them apart.
fn shard(address: usize) -> usize {
    (address >> 4 ^ address >> 10) % SHARDS
}

/// Addresses need no more: nobody chooses them to make tables slow.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(29) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ mixed >> 32;
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn write_i64(&mut self, word: i64) {
        self.write_u64(word.cast_unsigned());
    }
}

#[cfg(test)]
mod tests;
