//! A reserve for when the system has no more memory.
//!
//! Rust ends the process when an allocation fails, and this library is a guest in a program. So the
//! library contains a reserve, to which its allocations fall back. The reserve suffices for what a
//! host asks, and for what must not stop half way. Functions that are asked for something new first
//! check whether there is memory at all ([`is_short`]), and answer `E_OUTOFMEMORY` if not.
//!
//! The process still ends when the reserve is used up too. It also ends where the standard library
//! allocates past this module: to make a thread, or to know one that others have made
//! (`thread::current`, waiting for a channel). The engine does neither on the program's threads.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::UnsafeCell,
    hint::black_box,
    ptr::{null_mut, with_exposed_provenance_mut},
    sync::{Mutex, PoisonError},
};

/// Bytes of the reserve. They take addresses, and no memory until they are used.
const RESERVE: usize = 1 << 20;
/// Memory is short if the system cannot give this many bytes.
const ENOUGH: usize = 16 << 10;

/// The size of the smallest piece. Sizes are powers of two, from this one up. A piece is aligned to
/// its size, or to [`ALIGNED`] if it is larger.
const SMALLEST: usize = 16;
const SIZES: usize = (RESERVE / SMALLEST).ilog2() as usize + 1;
const ALIGNED: usize = 256;

#[global_allocator]
static MEMORY: Memory = Memory::new();

struct Memory {
    reserve: Reserve,
    used: Mutex<Used>,
}

#[repr(align(4096))]
struct Reserve(UnsafeCell<[u8; RESERVE]>);

// SAFETY: the lock around it gives each piece to one caller.
unsafe impl Sync for Reserve {}

struct Used {
    /// Used bytes, from the beginning of the reserve.
    bytes: usize,
    /// The free pieces among them, by size: each holds the address of the next. 0: there is none.
    free: [usize; SIZES],
}

/// The index of the size that a piece needs.
fn size_of(layout: Layout) -> Option<usize> {
    let size = layout.size().max(layout.align()).max(SMALLEST);
    let fits = size <= RESERVE && layout.align() <= ALIGNED;
    fits.then(|| size.next_power_of_two().ilog2() as usize - SMALLEST.ilog2() as usize)
}

/// Whether the system has no memory to give.
pub fn is_short() -> bool {
    let layout = Layout::new::<[u8; ENOUGH]>();
    // SAFETY: the size is not 0, and the piece is given back with the layout that it was made with.
    unsafe {
        // The compiler may assume that an unused allocation succeeds, and remove it.
        let piece = black_box(System.alloc(layout));
        if piece.is_null() {
            return true;
        }
        System.dealloc(piece, layout);
    }
    false
}

impl Memory {
    const fn new() -> Self {
        Self {
            reserve: Reserve(UnsafeCell::new([0; RESERVE])),
            used: Mutex::new(Used {
                bytes: 0,
                free: [0; SIZES],
            }),
        }
    }

    fn has(&self, piece: *mut u8) -> bool {
        let offset = piece.addr().wrapping_sub(self.reserve.0.get().addr());
        offset < RESERVE
    }

    #[cold]
    fn take(&self, layout: Layout) -> *mut u8 {
        let Some(size) = size_of(layout) else {
            return null_mut();
        };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.free[size] != 0 {
            let piece = with_exposed_provenance_mut::<usize>(used.free[size]);
            // SAFETY: the piece is free, so it holds the address of the next one.
            used.free[size] = unsafe { piece.read() };
            return piece.cast();
        }
        let bytes = SMALLEST << size;
        let start = used.bytes.next_multiple_of(bytes.min(ALIGNED));
        if start + bytes > RESERVE {
            return null_mut();
        }
        used.bytes = start + bytes;
        self.reserve.0.get().cast::<u8>().wrapping_add(start)
    }

    #[cold]
    fn put_back(&self, piece: *mut u8, layout: Layout) {
        let Some(size) = size_of(layout) else { return };
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let next = std::mem::replace(&mut used.free[size], piece.expose_provenance());
        // SAFETY: its owner has given the piece back. It is large enough and aligned.
        unsafe { piece.cast::<usize>().write(next) };
    }
}

// SAFETY: pieces are the system's, or of the reserve, in which no two used ones overlap. Nothing
// here unwinds.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller promises a layout whose size is not 0.
        let piece = unsafe { System.alloc(layout) };
        if piece.is_null() {
            return self.take(layout);
        }
        piece
    }

    unsafe fn dealloc(&self, piece: *mut u8, layout: Layout) {
        if self.has(piece) {
            return self.put_back(piece, layout);
        }
        // SAFETY: the piece is not of the reserve, so the system made it with this layout, as the
        // caller promises.
        unsafe { System.dealloc(piece, layout) };
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.has(piece) {
            // SAFETY: the piece is not of the reserve, so the system made it with this layout, as
            // the caller promises. The new size is not 0.
            let larger = unsafe { System.realloc(piece, layout, size) };
            if !larger.is_null() {
                return larger;
            }
        }
        // SAFETY: the caller promises a size that is valid with this alignment. Both pieces have
        // the bytes that are copied, and do not overlap.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(piece, layout.size().min(size));
                self.dealloc(piece, layout);
            }
            new
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_the_reserve_do_not_overlap_and_come_back() {
        static OTHER: Memory = Memory::new();
        let memory = &OTHER;
        let layout = |size, align| Layout::from_size_align(size, align).unwrap();
        let mut highest = 0;
        for _ in 0..3 {
            let mut pieces = Vec::new();
            for number in 1..200_usize {
                let layout = layout(number * 7, 1 << (number % 7));
                let piece = memory.take(layout);
                assert!(memory.has(piece) && piece.addr().is_multiple_of(layout.align()));
                // SAFETY: the piece has that size.
                unsafe { piece.write_bytes(number as u8, layout.size()) };
                pieces.push((piece, layout, number as u8));
            }
            for (piece, layout, byte) in pieces {
                // SAFETY: the piece has that size and was written above. Growing it may move it.
                unsafe {
                    let bytes = std::slice::from_raw_parts(piece, layout.size());
                    assert!(bytes.iter().all(|there| *there == byte));
                    let grown = memory.realloc(piece, layout, 4000);
                    assert!(!memory.has(grown) && *grown == byte);
                    memory.dealloc(
                        grown,
                        Layout::from_size_align(4000, layout.align()).unwrap(),
                    );
                }
            }
            let used = memory.used.lock().unwrap().bytes;
            assert!(highest == 0 || used == highest, "all of it is used again");
            highest = used;
        }
        assert!(memory.take(layout(RESERVE, 1)).is_null());
        assert!(memory.take(layout(8, 512)).is_null());
        let half = layout(RESERVE / 2, 1);
        assert!(!memory.take(half).is_null());
        assert!(memory.take(half).is_null());
        let outside = Box::new(0_u8);
        assert!(!memory.has(std::ptr::from_ref(&*outside).cast_mut()));
    }
}
