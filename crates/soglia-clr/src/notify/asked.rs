//! Which native functions the host wants to be notified of.
//!
//! The engine asks `CallNeedsHostHook` once for each address that is called by pointer, and again
//! when another function may be there.

use std::sync::atomic::{
    AtomicU64, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use soglia_abi::{BOOL, param::Out};

use super::thread;
use crate::{
    host::{attached::Visit, failure::heed},
    objects,
};

/// Addresses, with the answer in the top bit, and the host's session below it. The size is a power
/// of two.
const ROOM: usize = 4096;
/// The bit of the answer. An address has 48 bits at most.
const WANTED: usize = 1 << 63;
const ADDRESS: u32 = 48;
/// As many bits of the session as there is room for.
const SESSION: usize = (1 << (63 - ADDRESS)) - 1;
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
    let now = objects::epoch();
    if UNLOADS.swap(now.unloads, Relaxed) != now.unloads {
        for place in &ASKED {
            place.store(0, Relaxed);
        }
    }
    LOADS.store(now.mark(), Release);
}

/// Whether the host wants to be notified of calls of this function. Takes no lock. In preemptive
/// mode.
pub(super) fn wants(target: usize) -> bool {
    if LOADS.load(Acquire) != objects::loads() {
        catch_up();
    }
    let Some((host, _)) = thread::here() else {
        return false;
    };
    let wanted = wants_of(&host, target);
    host.over();
    wanted
}

fn wants_of(host: &Visit, target: usize) -> bool {
    let session = (host.session as usize & SESSION) << ADDRESS;
    let own = target | session;
    // Compilers align functions to 16 bytes at most.
    let start = (target >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (usize::BITS - ROOM.ilog2());
    for near in 0..NEAR {
        let place = &ASKED[(start + near) % ROOM];
        let there = place.load(Relaxed);
        if there & !WANTED == own {
            return there & WANTED != 0;
        }
        // Answers of another host do not count.
        if there == 0 || there & (SESSION << ADDRESS) != session {
            let wanted = ask(host, target);
            let known = if wanted { own | WANTED } else { own };
            // Another thread may be faster and use the place. The engine then forgets one of the
            // answers.
            let _ = place.compare_exchange(there, known, Relaxed, Relaxed);
            return wanted;
        }
    }
    ask(host, target)
}

/// Asks the host. `None`: there is none.
pub(super) fn asks(target: usize) -> Option<bool> {
    let (host, _) = thread::here()?;
    let wanted = ask(&host, target);
    host.over();
    Some(wanted)
}

#[cold]
fn ask(host: &Visit, target: usize) -> bool {
    let mut needs = BOOL(0);
    // The result does not matter, only the answer that the host has stored.
    // SAFETY: the host's manager is alive during the visit.
    let _ = heed(unsafe { host.manager.CallNeedsHostHook(target, Out::new(&mut needs)) });
    needs.as_bool()
}
