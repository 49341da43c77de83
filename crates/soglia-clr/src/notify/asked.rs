//! Which native functions the host wants to be notified of.
//!
//! The engine asks `CallNeedsHostHook` once for each address that is called by pointer, and again
//! when another function may be there.

use std::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use soglia_abi::{BOOL, param::Out};

use crate::{
    host::{failure::heed, managers},
    objects::{self, Epoch},
};

/// Addresses, with the answer in the top bit. The size is a power of two.
const ROOM: usize = 4096;
/// The bit of the answer. An address has 47 bits.
const WANTED: usize = 1 << 63;
/// How many places are looked at. Where all are taken, the engine asks the host at every call.
const NEAR: usize = 8;

static ASKED: [AtomicUsize; ROOM] = [const { AtomicUsize::new(0) }; ROOM];
/// How many objects had been loaded when the answers were given.
static LOADS: AtomicU64 = AtomicU64::new(0);
/// How many objects had been unloaded then.
static UNLOADS: AtomicU64 = AtomicU64::new(0);

/// To be called when objects were loaded since. Forgets the answers if some were unloaded before.
///
/// An answer that another thread adds meanwhile is for a function that it is about to call, so that
/// answer may stay.
#[cold]
fn catch_up() {
    let Epoch { loads, unloads } = objects::epoch();
    if UNLOADS.swap(unloads, Relaxed) != unloads {
        for place in &ASKED {
            place.store(0, Relaxed);
        }
    }
    LOADS.store(loads, Release);
}

/// Whether the host wants to be notified of calls of this function. Takes no lock. In preemptive
/// mode.
pub(super) fn wants(target: usize) -> bool {
    if LOADS.load(Acquire) != objects::loads() {
        catch_up();
    }
    // Compilers align functions to 16 bytes at most.
    let start = (target >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (usize::BITS - ROOM.ilog2());
    for near in 0..NEAR {
        let place = &ASKED[(start + near) % ROOM];
        let there = place.load(Relaxed);
        if there & !WANTED == target {
            return there & WANTED != 0;
        }
        if there == 0 {
            let wanted = ask(target);
            let known = if wanted { target | WANTED } else { target };
            // Another thread may be faster and use the place. The engine then forgets one of the
            // answers.
            let _ = place.compare_exchange(0, known, Relaxed, Relaxed);
            return wanted;
        }
    }
    ask(target)
}

/// Asks the host.
#[cold]
pub(super) fn ask(target: usize) -> bool {
    let Some(manager) = managers::task_manager() else {
        return false;
    };
    let mut needs = BOOL(0);
    // The result does not matter, only the answer that the host has stored.
    // SAFETY: the host's manager lives until the process ends.
    let _ = heed(unsafe { manager.CallNeedsHostHook(target, Out::new(&mut needs)) });
    needs.as_bool()
}
