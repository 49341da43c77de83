//! How blocks of trampolines lie in memory.

use std::sync::atomic::{AtomicI64, AtomicUsize};

/// Bytes of a thunk.
pub(crate) const THUNK: usize = 16;
/// Thunks of a block. They fill pages of any size that the kernel may have: 64 KiB on aarch64.
pub(crate) const THUNKS: usize = if cfg!(target_arch = "aarch64") {
    4096
} else {
    1024
};
/// The bytes that they take.
pub(crate) const CODE: usize = THUNKS * THUNK;
/// Bytes of the slots of a block, and of the whole block.
pub(crate) const SLOTS: usize = THUNKS * size_of::<Slot>();
pub(crate) const BLOCK: usize = CODE + SLOTS;
/// How many trampolines there may be, and the addresses that their blocks take together.
pub(crate) const MOST: usize = 1 << 20;
pub(crate) const RANGE: usize = MOST / THUNKS * BLOCK;

/// What a thunk finds at its fixed distance. The common code reads it at these offsets.
#[repr(C)]
pub(crate) struct Slot {
    /// The common code that the thunk goes on with.
    pub(crate) common: AtomicUsize,
    /// The function that the trampoline stands for.
    pub(crate) original: AtomicUsize,
    /// The number that hooks get.
    pub(crate) id: AtomicI64,
    /// [`Callee::word`](crate::Callee::word).
    pub(crate) stack: AtomicUsize,
}

/// The index of the trampoline at an offset within the range, if one can be there.
#[inline]
pub(crate) const fn index_at(offset: usize) -> Option<usize> {
    let (block, within) = (offset / BLOCK, offset % BLOCK);
    if within < CODE && within.is_multiple_of(THUNK) {
        Some(block * THUNKS + within / THUNK)
    } else {
        None
    }
}

/// Where the trampoline with an index lies within the range.
pub(crate) const fn offset_of(index: usize) -> usize {
    index / THUNKS * BLOCK + index % THUNKS * THUNK
}

/// Where its slot lies: the slots of a block follow the thunks of the block.
#[inline]
pub(crate) const fn slot_offset_of(index: usize) -> usize {
    index / THUNKS * BLOCK + CODE + index % THUNKS * size_of::<Slot>()
}
