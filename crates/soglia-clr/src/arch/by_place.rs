//! Reads and writes words of the running thread by their addresses.

use std::ptr::{with_exposed_provenance, with_exposed_provenance_mut};

/// # Safety
/// The place is that of a word of the running thread, which holds a pointer.
#[inline(always)]
pub unsafe fn read<T>(place: usize) -> *mut T {
    // SAFETY: the caller promises a word.
    with_exposed_provenance_mut(unsafe { with_exposed_provenance::<usize>(place).read() })
}

/// # Safety
/// The place is that of a word of the running thread, which holds a pointer.
#[inline(always)]
pub unsafe fn write<T>(place: usize, pointer: *mut T) {
    let word = pointer.expose_provenance();
    // SAFETY: the caller promises a word.
    unsafe { with_exposed_provenance_mut::<usize>(place).write(word) };
}
