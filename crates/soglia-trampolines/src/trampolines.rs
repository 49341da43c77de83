//! The trampolines of a process.

use std::{
    ptr,
    sync::{Mutex, PoisonError, atomic::Ordering::Relaxed},
};

use crate::{
    arch::{BEGINS, CLR_THUNK, Common, FACE, face},
    callee::Callee,
    layout::Slot,
    memory::{Blocks, Faces, Turn},
    table::Table,
};

/// The trampolines of a process. They are never freed: native code may hold a pointer for ever.
///
/// All methods may be called on any thread, at any time.
pub struct Trampolines {
    reverse: Table<usize, Known>,
    forward: Table<(usize, i64), usize>,
    blocks: Blocks,
    faces: Faces,
    turn: Mutex<Turn>,
    callbacks: Common,
    outward: Common,
}

/// The trampoline of a callback.
#[derive(Clone, Copy)]
struct Known {
    trampoline: usize,
    /// What it was last made for.
    owner: u64,
}

impl Trampolines {
    /// No trampolines yet. `callbacks` and `outward` are the common codes of the two directions.
    ///
    /// ```
    /// use soglia_trampolines::{CallHooks, Callee, Common, Passed, Trampolines};
    ///
    /// struct Count;
    /// impl CallHooks for Count {
    ///     extern "C" fn open(_id: i64, _original: usize) -> i32 { 0 }
    ///     extern "C" fn close(_: i64, _: usize, _opened: i32, _: Option<&Passed>) {}
    /// }
    /// extern "C" fn add(a: i32, b: i32) -> i32 { a + b }
    ///
    /// static ALL: Trampolines = Trampolines::new(Common::of::<Count>(), Common::of::<Count>());
    /// let callee = Callee { id: 1, stack: 0, in_memory: false, keeps: false };
    /// let pointer = ALL.forward(add as *const () as usize, callee).unwrap();
    /// // SAFETY: the trampoline stands for `add`.
    /// let add: extern "C" fn(i32, i32) -> i32 = unsafe { std::mem::transmute(pointer) };
    /// assert_eq!(add(1, 2), 3);
    /// ```
    pub const fn new(callbacks: Common, outward: Common) -> Self {
        Self {
            reverse: Table::new(),
            forward: Table::new(),
            blocks: Blocks::new(),
            faces: Faces::new(),
            turn: Mutex::new(Turn::new()),
            callbacks,
            outward,
        }
    }

    /// The trampoline for a callback. `thunk` is the pointer that the CLR made of a delegate.
    ///
    /// The same thunk always has the same trampoline, so native code may compare pointers.
    /// The CLR uses the thunks of collected delegates again: `owner` says what the thunk was made
    /// of this time. `callee` is asked only if that has changed.
    ///
    /// With `with_face`, the pointer looks as the thunk does. `thunk` must then point to code that
    /// can be read.
    ///
    /// Returns `None` if `callee` does, if there is no room, or if `thunk` looks like no thunk of
    /// which a face can be made. Takes locks, but none while `callee` runs.
    pub fn reverse(
        &self,
        thunk: usize,
        owner: u64,
        with_face: bool,
        callee: impl FnOnce() -> Option<Callee>,
    ) -> Option<usize> {
        let known = self.reverse.read(thunk).get(&thunk).copied();
        if let Some(known) = known.filter(|known| known.owner == owner) {
            return Some(known.trampoline);
        }
        let callee = callee()?;
        let mut table = self.reverse.write(thunk);
        if let Some(known) = table.get_mut(&thunk) {
            known.owner = owner;
            if let Some(slot) = self.slot(known.trampoline) {
                // No thread calls through it now: its delegate was collected.
                slot.id.store(callee.id, Relaxed);
                slot.stack.store(callee.word(), Relaxed);
            }
            return Some(known.trampoline);
        }
        let trampoline = self.make(self.callbacks, thunk, callee, with_face)?;
        table.insert(thunk, Known { trampoline, owner });
        Some(trampoline)
    }

    /// The trampoline for a native function that managed code calls through a delegate.
    ///
    /// The same function and id always have the same trampoline.
    /// Returns `None` if there is no room. Takes locks.
    pub fn forward(&self, native: usize, callee: Callee) -> Option<usize> {
        let key = (native, callee.id);
        let known = self.forward.read(native).get(&key).copied();
        if known.is_some() {
            return known;
        }
        let mut table = self.forward.write(native);
        if let Some(trampoline) = table.get(&key) {
            return Some(*trampoline);
        }
        let trampoline = self.make(self.outward, native, callee, false)?;
        table.insert(key, trampoline);
        Some(trampoline)
    }

    /// Whether there is a trampoline for this thunk. Takes a lock.
    pub fn has_thunk(&self, thunk: usize) -> bool {
        self.reverse.read(thunk).contains_key(&thunk)
    }

    /// The function that a trampoline stands for. Returns any other pointer as it is.
    ///
    /// Takes no lock.
    #[inline]
    pub fn original(&self, pointer: usize) -> usize {
        self.slot(pointer)
            .map_or(pointer, |slot| slot.original.load(Relaxed))
    }

    /// The native function that a trampoline for managed code stands for.
    ///
    /// Returns `None` for any other pointer. Takes no lock.
    #[inline]
    pub fn outward(&self, pointer: usize) -> Option<usize> {
        let slot = self.slot(pointer)?;
        (slot.common.load(Relaxed) == self.outward.address()).then(|| slot.original.load(Relaxed))
    }

    /// The slot of the trampoline at a pointer.
    #[inline]
    fn slot(&self, pointer: usize) -> Option<&'static Slot> {
        let index = self.blocks.index(pointer);
        let index = index.or_else(|| self.faces.index(pointer))?;
        self.blocks.slot(index)
    }

    fn make(
        &self,
        common: Common,
        original: usize,
        callee: Callee,
        with_face: bool,
    ) -> Option<usize> {
        let mut turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let trampoline = self.blocks.prepare(&mut turn)?;
        let pointer = match with_face {
            true => self
                .faces
                .write(&mut turn, face_of(original, trampoline)?)?,
            false => trampoline,
        };
        self.blocks
            .make(&mut turn, common.address(), original, callee);
        Some(pointer)
    }
}

/// The face of a thunk that the CLR has made of a delegate.
///
/// Returns `None` if there is something else at the pointer.
fn face_of(thunk: usize, trampoline: usize) -> Option<[u8; FACE]> {
    let thunk = ptr::with_exposed_provenance::<[u8; CLR_THUNK]>(thunk);
    // SAFETY: the pointer leads to code that can be called, which is readable and has at least so
    // many bytes: the CLR has just made it of a delegate.
    if unsafe { thunk.cast::<[u8; BEGINS.len()]>().read_unaligned() } != BEGINS {
        return None;
    }
    // SAFETY: a thunk begins with this instruction. Of all pointers that the CLR makes of
    // delegates, only those to its thunks begin with it, and these are longer. A thunk changes only
    // once its delegate is collected, and the delegate lives: a caller is passing it.
    face(&unsafe { thunk.read_unaligned() }, trampoline)
}
