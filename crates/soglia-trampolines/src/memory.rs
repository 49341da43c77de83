//! Memory for blocks and faces.
//!
//! Everything is mapped within addresses that this module has reserved, and is never unmapped:
//! native code may hold a pointer to a trampoline for ever.

use std::{
    fs::File,
    os::fd::AsRawFd,
    ptr,
    sync::atomic::{
        AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use crate::{
    arch::{FACE, written},
    callee::Callee,
    layout::{BLOCK, CODE, MOST, RANGE, SLOTS, Slot, THUNKS, index_at, offset_of, slot_offset_of},
    template,
};

/// What threads do one after the other. Each [`Blocks`] has one, under a lock.
pub(crate) struct Turn {
    /// How many trampolines are made, and how many blocks are mapped.
    made: usize,
    blocks: usize,
    /// No more can be made.
    full: bool,
    /// By block, where its faces can be written; 0 if they are not mapped.
    faces: Vec<usize>,
}

impl Turn {
    pub(crate) const fn new() -> Self {
        Self {
            made: 0,
            blocks: 0,
            full: false,
            faces: Vec::new(),
        }
    }
}

/// Addresses that are set aside, so that what is mapped there lies together.
struct Reserved {
    /// Where they begin; 0 until they are reserved.
    base: AtomicUsize,
    size: usize,
}

impl Reserved {
    const fn new(size: usize) -> Self {
        let base = AtomicUsize::new(0);
        Self { base, size }
    }

    /// How far behind the start an address is, if it is one of these.
    #[inline]
    fn offset(&self, address: usize) -> Option<usize> {
        let base = self.base.load(Acquire);
        let offset = address.checked_sub(base).filter(|_| base != 0)?;
        (offset < self.size).then_some(offset)
    }

    /// Where the addresses begin. The first call reserves them.
    /// Returns `None` if there is no room.
    fn base(&self, _: &mut Turn) -> Option<usize> {
        let base = self.base.load(Relaxed);
        if base != 0 {
            return Some(base);
        }
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let nowhere = ptr::null_mut();
        // SAFETY: without MAP_FIXED the kernel chooses addresses that nothing uses.
        let at = unsafe { libc::mmap(nowhere, self.size, libc::PROT_NONE, flags, -1, 0) };
        if at == libc::MAP_FAILED {
            return None;
        }
        let base = at.expose_provenance();
        self.base.store(base, Release);
        Some(base)
    }

    /// Maps a file, or fresh memory without one, in the place of reserved addresses.
    ///
    /// Returns `false` if that fails. The contents of these addresses are unspecified then.
    ///
    /// # Safety
    /// Nothing uses these addresses yet.
    unsafe fn map(&self, offset: usize, size: usize, protection: i32, what: Source) -> bool {
        let base = self.base.load(Relaxed);
        assert!(base != 0 && offset + size <= self.size, "not reserved");
        let at = ptr::with_exposed_provenance_mut(base + offset);
        let (flags, file, place) = match what {
            Source::Fresh => (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0),
            Source::Copied(file, place) => (libc::MAP_PRIVATE, file.as_raw_fd(), place),
            Source::Shared(file) => (libc::MAP_SHARED, file.as_raw_fd(), 0),
        };
        let flags = flags | libc::MAP_FIXED;
        // SAFETY: these addresses are reserved for this purpose, and by the caller's word nothing
        // uses them yet.
        let got = unsafe { libc::mmap(at, size, protection, flags, file, place) };
        got != libc::MAP_FAILED
    }
}

/// What is mapped.
#[derive(Clone, Copy)]
enum Source<'a> {
    /// Memory that begins as zeros.
    Fresh,
    /// A file from there on. Writes to the mapping would not reach it.
    Copied(&'a File, libc::off_t),
    /// A file whose other mappings see what is written.
    Shared(&'a File),
}

/// All blocks of trampolines.
pub(crate) struct Blocks {
    reserved: Reserved,
    /// How many trampolines are made: their slots are filled.
    made: AtomicUsize,
}

impl Blocks {
    pub(crate) const fn new() -> Self {
        Self {
            reserved: Reserved::new(RANGE),
            made: AtomicUsize::new(0),
        }
    }

    /// The index of the trampoline at an address, if one can be there.
    #[inline]
    pub(crate) fn index(&self, address: usize) -> Option<usize> {
        index_at(self.reserved.offset(address)?)
    }

    /// The slot of a trampoline, if that is made.
    #[inline]
    pub(crate) fn slot(&self, index: usize) -> Option<&'static Slot> {
        // SAFETY: a trampoline that is made lies in a block that is mapped.
        (index < self.made.load(Acquire)).then(|| unsafe { self.slot_unchecked(index) })
    }

    /// # Safety
    /// The block of the trampoline is mapped.
    #[inline]
    unsafe fn slot_unchecked(&self, index: usize) -> &'static Slot {
        let at = self.reserved.base.load(Relaxed) + slot_offset_of(index);
        // SAFETY: the block is mapped, by the caller's word, and never unmapped. Its slots began as
        // zeros, which are valid, and consist of atomics, which threads may share.
        unsafe { &*ptr::with_exposed_provenance::<Slot>(at) }
    }

    /// Where the next trampoline will lie. Maps its block if it is the first one in it.
    ///
    /// Returns `None` if there is no room.
    pub(crate) fn prepare(&self, turn: &mut Turn) -> Option<usize> {
        if turn.full || turn.made >= MOST {
            return None;
        }
        let base = self.reserved.base(turn)?;
        if turn.made / THUNKS == turn.blocks {
            if self.map_block(turn).is_none() {
                // Something else may be mapped there by the next time.
                turn.full = true;
                return None;
            }
            turn.blocks += 1;
        }
        Some(base + offset_of(turn.made))
    }

    /// Maps the next block: fresh slots behind the template.
    fn map_block(&self, turn: &Turn) -> Option<()> {
        let at = turn.blocks * BLOCK;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let slots = at + CODE;
        // SAFETY: blocks are mapped in order, so nothing uses the addresses of the next one.
        let mapped = unsafe { self.reserved.map(slots, SLOTS, protection, Source::Fresh) };
        let (file, place) = template::file().filter(|_| mapped)?;
        let template = Source::Copied(&file, place.try_into().ok()?);
        let protection = libc::PROT_READ | libc::PROT_EXEC;
        // SAFETY: as for the slots, the addresses are those of the next block.
        unsafe { self.reserved.map(at, CODE, protection, template) }.then_some(())
    }

    /// Makes the trampoline that [`Self::prepare`] has found room for.
    pub(crate) fn make(&self, turn: &mut Turn, common: usize, original: usize, callee: Callee) {
        assert!(turn.made < turn.blocks * THUNKS, "not prepared");
        // SAFETY: the trampoline lies in one of the blocks that are mapped, as was just checked.
        let slot = unsafe { self.slot_unchecked(turn.made) };
        slot.common.store(common, Relaxed);
        slot.original.store(original, Relaxed);
        slot.id.store(callee.id, Relaxed);
        slot.stack.store(callee.word(), Relaxed);
        turn.made += 1;
        self.made.store(turn.made, Release);
    }
}

/// The faces of trampolines. A face has the index of its trampoline.
pub(crate) struct Faces(Reserved);

impl Faces {
    /// Bytes of the faces of a block.
    const SIZE: usize = THUNKS * FACE;

    pub(crate) const fn new() -> Self {
        Self(Reserved::new(MOST * FACE))
    }

    /// The index of the face at an address, if one can be there.
    #[inline]
    pub(crate) fn index(&self, address: usize) -> Option<usize> {
        let offset = self.0.offset(address)?;
        offset.is_multiple_of(FACE).then_some(offset / FACE)
    }

    /// Writes the face of the next trampoline. Returns its address, or `None` if there is no room.
    pub(crate) fn write(&self, turn: &mut Turn, face: [u8; FACE]) -> Option<usize> {
        let base = self.0.base(turn)?;
        let (block, index) = (turn.made / THUNKS, turn.made);
        // Trampolines without a face may have taken whole blocks.
        if turn.faces.len() <= block {
            turn.faces.resize(block + 1, 0);
        }
        if turn.faces[block] == 0 {
            let Some(written) = self.map(block) else {
                turn.full = true;
                return None;
            };
            turn.faces[block] = written;
        }
        let place = turn.faces[block] + index % THUNKS * FACE;
        let place = ptr::with_exposed_provenance_mut::<[u8; FACE]>(place);
        // SAFETY: the faces of the block are mapped at that address, to be written. No thread reads
        // or executes this face yet: its trampoline is not made.
        unsafe { place.write_unaligned(face) };
        let executed = base + index * FACE;
        written(executed);
        Some(executed)
    }

    /// Maps the faces of a block at two addresses, as the CLR does for code of its own: where they
    /// execute, and where they are written. Returns the latter.
    fn map(&self, block: usize) -> Option<usize> {
        let file = template::in_memory(c"soglia-faces")?;
        file.set_len(Self::SIZE as u64).ok()?;
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let (nowhere, descriptor) = (ptr::null_mut(), file.as_raw_fd());
        // SAFETY: without MAP_FIXED the kernel chooses addresses that nothing uses.
        let written = unsafe {
            libc::mmap(
                nowhere,
                Self::SIZE,
                protection,
                libc::MAP_SHARED,
                descriptor,
                0,
            )
        };
        if written == libc::MAP_FAILED {
            return None;
        }
        let (at, protection) = (block * Self::SIZE, libc::PROT_READ | libc::PROT_EXEC);
        // SAFETY: no face of this block is made yet, so nothing uses their addresses.
        let executed = unsafe {
            self.0
                .map(at, Self::SIZE, protection, Source::Shared(&file))
        };
        executed.then(|| written.expose_provenance())
    }
}
