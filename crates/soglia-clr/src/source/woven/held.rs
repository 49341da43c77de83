//! Hooks in the methods of delegates that native code may hold since before the engine attached.
//!
//! Such a delegate has no trampoline, so its method has the hooks itself. Managed code may call the
//! same method, which is no crossing. The address that the method returns to tells the two apart:
//! native code enters by a stub of the CLR. What an address belongs to is found out once, by a walk
//! of the stack.
//!
//! | hook | returns |
//! | --- | --- |
//! | `held_enter`, `held_count` | 0: no crossing, or counted; 1: a layer is open; 2: call the slow twin instead |
//! | their slow twins | 0 or 1, as above |
//!
//! A delegate that becomes a pointer while the engine is attached has a trampoline, which records
//! the call. It says so ([`came_by_trampoline`]), and the hook in the method then does nothing.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use soglia_core::crossing::{Crossing, Side};

use super::layers::{Callee, DONE, SLOW, count_one, count_one_slow, open, open_slow};
use crate::{
    arch::{frame_hook, stack_pointer, thread_pointer},
    boundary, clerk, dynamic,
    engine::{self, Engine},
    stacks, threads,
};

const NO_CROSSING: i32 = 0;
const OPENED: i32 = 1;
const ASK: i32 = 2;

/// A place on the stack.
type Place = u8;

// Where on this thread's stack a trampoline has called a delegate, until the delegate's method has
// begun.
thread_pointer!(trampoline, "soglia_trampoline", Place);

frame_hook!(
    /// When the method has been called. It calls this in cooperative mode.
    held_enter => enter
);
frame_hook!(
    /// The same, where [`held_enter`] could not do it. The method calls it in preemptive mode.
    held_enter_slow => enter_slow
);
frame_hook!(
    /// When the method has been called, and calls are only counted. It calls this in cooperative
    /// mode.
    held_count => count
);
frame_hook!(
    /// The same, where [`held_count`] could not do it. The method calls it in preemptive mode.
    held_count_slow => count_slow
);

extern "C" fn enter(id: i64, fp: usize, sp: usize) -> i32 {
    match known(returns_to(fp, sp)) {
        Some(Caller::Native) if !has_trampoline(fp) => {
            match open(Crossing::ReverseEnterRuntime, id) {
                DONE => OPENED,
                _ => ASK,
            }
        }
        Some(_) => NO_CROSSING,
        None => ASK,
    }
}

extern "C" fn enter_slow(id: i64, fp: usize, sp: usize) -> i32 {
    if !crosses(fp, sp) {
        return NO_CROSSING;
    }
    open_slow(Crossing::ReverseEnterRuntime, Callee::Woven(id));
    OPENED
}

extern "C" fn count(id: i64, fp: usize, sp: usize) -> i32 {
    match known(returns_to(fp, sp)) {
        Some(Caller::Native) if !has_trampoline(fp) => match count_one(id) {
            SLOW => ASK,
            _ => NO_CROSSING,
        },
        Some(_) => NO_CROSSING,
        None => ASK,
    }
}

extern "C" fn count_slow(id: i64, fp: usize, sp: usize) -> i32 {
    if crosses(fp, sp) {
        count_one_slow(Crossing::ReverseEnterRuntime, Callee::Woven(id));
    }
    NO_CROSSING
}

/// Notes that a trampoline is about to call a delegate.
#[inline(always)]
pub fn came_by_trampoline() {
    trampoline::set(stack_pointer() as *mut Place);
}

/// Notes that the delegate has returned to its trampoline.
#[inline(always)]
pub fn left_trampoline() {
    trampoline::set(std::ptr::null_mut());
}

/// The most bytes of stack that a trampoline's hook has below the trampoline.
const LARGEST_HOOK: usize = 4 << 10;

/// Whether a trampoline has recorded this call. It has recorded one call only.
#[inline(always)]
fn has_trampoline(fp: usize) -> bool {
    let at = trampoline::get() as usize;
    // The trampoline's hook has returned, so the method's frame may lie where that of the hook was.
    if at == 0 || fp > at.saturating_add(LARGEST_HOOK) {
        return false;
    }
    // A native call since then was not made through the trampoline.
    let top = threads::existing().and_then(|task| task.top().map(|layer| layer.side()));
    if top == Some(Side::Unmanaged) {
        return false;
    }
    left_trampoline();
    true
}

/// The most bytes that the frame of a method may have for its caller to be found.
const LARGEST: usize = 64 << 10;

/// Where the method with these registers returns to; 0: unknown.
///
/// A method that calls by function pointer has its frame at `rbp`.
#[inline(always)]
fn returns_to(fp: usize, sp: usize) -> usize {
    if fp < sp || fp - sp > LARGEST || !fp.is_multiple_of(8) {
        return 0;
    }
    // SAFETY: the word lies on this thread's stack, above the hook's own frame.
    unsafe { ((fp + 8) as *const usize).read_volatile() }
}

/// What calls a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Managed = 0,
    Native = 1,
}

/// How many addresses are kept, and how many places are tried for one.
const PLACES: usize = 2048;
const TRIES: usize = 8;

/// Addresses that methods return to, shifted left, with a [`Caller`] as the lowest bit. 0: free.
static CALLERS: [AtomicUsize; PLACES] = [const { AtomicUsize::new(0) }; PLACES];

#[inline(always)]
const fn place(address: usize, again: usize) -> usize {
    (address.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 53).wrapping_add(again) % PLACES
}

#[inline(always)]
fn known(address: usize) -> Option<Caller> {
    if address == 0 {
        return None;
    }
    for again in 0..TRIES {
        let found = CALLERS[place(address, again)].load(Relaxed);
        if found >> 1 == address {
            return Some(match found & 1 {
                0 => Caller::Managed,
                _ => Caller::Native,
            });
        }
        if found == 0 {
            return None;
        }
    }
    None
}

fn remember(address: usize, caller: Caller) {
    if address == 0 {
        return;
    }
    let new = address << 1 | caller as usize;
    for again in 0..TRIES {
        let place = &CALLERS[place(address, again)];
        match place.compare_exchange(0, new, Relaxed, Relaxed) {
            Ok(_) => return,
            Err(there) if there >> 1 == address => return,
            Err(_) => {}
        }
    }
}

/// Forgets all callers: there may be other code where theirs was.
pub fn forget_callers() {
    for place in &CALLERS {
        place.store(0, Relaxed);
    }
}

#[cold]
fn crosses(fp: usize, sp: usize) -> bool {
    let address = returns_to(fp, sp);
    let caller = known(address).or_else(|| {
        boundary::fence(None, || {
            let found = engine::get().and_then(caller)?;
            remember(address, found);
            Some(found)
        })
    });
    caller == Some(Caller::Native) && !has_trampoline(fp)
}

/// What has called the innermost method of the running thread.
fn caller(engine: &'static Engine) -> Option<Caller> {
    /// The method, the stubs of the CLR that may lie between, and what called them.
    const MOST: usize = 8;
    let walked = stacks::functions(engine, MOST)?;
    let is_whole = walked.len() < MOST;
    clerk::ask(move || {
        let mut frames = walked.into_iter();
        // The call of the hook may have a stub of its own.
        frames.find(|frame| !frame.is_null() && engine.method_of(*frame).is_some())?;
        for frame in frames {
            if frame.is_null() {
                return Some(Caller::Native);
            }
            let stub = match engine.method_of(frame) {
                Some(_) => None,
                None => dynamic::name_of(engine, frame).filter(|name| dynamic::is_stub(name)),
            };
            match stub {
                Some(name) if name.contains("ReversePInvoke") => return Some(Caller::Native),
                Some(_) => {}
                None => return Some(Caller::Managed),
            }
        }
        is_whole.then_some(Caller::Native)
    })
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_known_until_they_are_forgotten() {
        let addresses: Vec<usize> = (0..64).map(|n| 0x7F12_3456_0000 + n * 40).collect();
        for (number, address) in addresses.iter().enumerate() {
            assert_eq!(known(*address), None);
            let caller = match number % 2 {
                0 => Caller::Managed,
                _ => Caller::Native,
            };
            remember(*address, caller);
            remember(*address, Caller::Managed);
            assert_eq!(known(*address), Some(caller));
        }
        remember(0, Caller::Native);
        assert_eq!(known(0), None);
        forget_callers();
        assert!(addresses.iter().all(|address| known(*address).is_none()));
    }

    #[test]
    fn only_frames_on_the_stack_are_read() {
        let words = [0_usize, 0, 0x1234, 0];
        let at = words.as_ptr() as usize;
        assert_eq!(returns_to(at + 8, at), 0x1234);
        assert_eq!(returns_to(at + 9, at), 0);
        assert_eq!(returns_to(at, at + 8), 0);
        assert_eq!(returns_to(at + LARGEST + 8, at), 0);
    }
}
