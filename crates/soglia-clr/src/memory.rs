//! Memory for when there is none.
//!
//! Rust ends the process when an allocation fails, and this library is a guest in somebody's. So there is a reserve, a part of the library, that
//! allocations of ours fall back to: enough for whatever a host asks, and for what must not stop half way. Who is asked for something new looks
//! first whether there is memory at all ([`is_short`]), and answers `E_OUTOFMEMORY` if not.
//!
//! What remains: when the reserve is used up too, the process ends; and so it does where the standard library itself wants memory past us, to
//! make a thread, or to know one that others have made (`thread::current`, waiting for a channel), which is therefore not done on the program's threads.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::UnsafeCell,
    hint::black_box,
    ptr::{null_mut, with_exposed_provenance_mut},
    sync::{Mutex, PoisonError},
};

/// Bytes of the reserve. They cost addresses, and no memory until they are used.
const RESERVE: usize = 1 << 20;
/// Bytes of which there is to be a piece, for memory not to be short.
const ENOUGH: usize = 16 << 10;

/// Pieces have sizes of powers of two, from this one up, and are aligned to that, or to [`ALIGNED`] if they are larger.
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

// SAFETY: pieces are given out once, under a lock.
unsafe impl Sync for Reserve {}

struct Used {
    /// From the beginning of the reserve.
    bytes: usize,
    /// Pieces among them that are free, by size: each holds the address of the next. 0: none.
    free: [usize; SIZES],
}

/// Which of the sizes a piece has.
fn size_of(layout: Layout) -> Option<usize> {
    let size = layout.size().max(layout.align()).max(SMALLEST);
    let fits = size <= RESERVE && layout.align() <= ALIGNED;
    fits.then(|| size.next_power_of_two().ilog2() as usize - SMALLEST.ilog2() as usize)
}

/// Whether the system has no memory to give.
pub fn is_short() -> bool {
    let layout = Layout::new::<[u8; ENOUGH]>();
    // SAFETY: of a size, and given back as it came.
    unsafe {
        // A compiler may believe that allocations which nobody uses succeed.
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
            // SAFETY: a free piece, which holds the next one's address.
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
        // SAFETY: nobody uses the piece any more, and it is large enough and aligned.
        unsafe { piece.cast::<usize>().write(next) };
    }
}

// SAFETY: pieces are the system's, or of the reserve, where no two overlap as long as one is in use. Nothing unwinds.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: by the contract.
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
        // SAFETY: by the contract, and the system's.
        unsafe { System.dealloc(piece, layout) };
    }

    unsafe fn realloc(&self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !self.has(piece) {
            // SAFETY: by the contract, and the system's.
            let larger = unsafe { System.realloc(piece, layout, size) };
            if !larger.is_null() {
                return larger;
            }
        }
        // SAFETY: by the contract: a size that is valid with this alignment; both pieces have the bytes that are copied.
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
                // SAFETY: a piece of that size.
                unsafe { piece.write_bytes(number as u8, layout.size()) };
                pieces.push((piece, layout, number as u8));
            }
            for (piece, layout, byte) in pieces {
                // SAFETY: a piece of that size, written above; growing finds room in the system, as would anybody's.
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
