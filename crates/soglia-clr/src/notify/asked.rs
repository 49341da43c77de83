//! Which native functions the host wants to hear of: `CallNeedsHostHook`, asked once for each
//! address that is called by pointer, and again when another function may lie there.

use std::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use soglia_abi::BOOL;

use crate::{
    host::{failure::heed, managers},
    objects::{self, Epoch},
};

/// Addresses, with the answer in the top bit. A power of two.
const ROOM: usize = 4096;
/// An address has 47 bits.
const WANTED: usize = 1 << 63;
/// Places that are looked at. Where they are taken, the host is asked every time.
const NEAR: usize = 8;

static ASKED: [AtomicUsize; ROOM] = [const { AtomicUsize::new(0) }; ROOM];
/// The answers are for what lay there when so many objects were loaded.
static LOADS: AtomicU64 = AtomicU64::new(0);
/// And so many unloaded.
static UNLOADS: AtomicU64 = AtomicU64::new(0);

/// Objects were loaded since: where some were unloaded before, forgets the answers.
///
/// An answer that another thread puts in now is for a function that it is about to call, so that
/// one stays.
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

/// Whether the host wants to be told of calls of this function. No lock. In preemptive mode.
pub(super) fn wants(target: usize) -> bool {
    if LOADS.load(Acquire) != objects::loads() {
        catch_up();
    }
    // Functions lie at multiples of 16 at best.
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
            // If another thread was faster, it has asked too: then one of the two is forgotten.
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
    // SAFETY: a host's manager, which lives as long as the process; a place for the answer, which
    // alone counts.
    let _ = heed(unsafe { manager.CallNeedsHostHook(target, &raw mut needs) });
    needs.as_bool()
}
