//! What wrappers and trampolines call where somebody is told ([`super`]).
//!
//! All of them are called in preemptive mode, or on a thread that the runtime does not know yet, and keep errno. What the beginning
//! of a call answers is handed to its end. Where the process is recorded too, the time stamps lie inside what the host does: its time is not the
//! native function's.

use std::sync::{
    Mutex, PoisonError,
    atomic::{
        AtomicBool, AtomicU8, AtomicU64, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use super::{
    asked,
    crossings::{self, Answer, NOTIFIED, QUIET, UNNOTIFIED},
    says,
};
use crate::{
    boundary::{self, keeping_errno},
    engine,
    objects::{self, Place},
    source::woven,
    targets,
};

/// A native function has not been called yet, so nobody knows where it lies.
pub const UNLINKED: u8 = 0;
/// The host does not want to be told of it: the wrapper just calls.
pub const UNWANTED: u8 = 1;
/// The host is told.
pub const WANTED: u8 = 2;

/// Crossings are recorded as well.
static RECORDS: AtomicBool = AtomicBool::new(true);

/// Crossings are told only: nobody reads a recording.
pub fn only_notify() {
    RECORDS.store(false, Relaxed);
}

#[inline]
fn records() -> bool {
    RECORDS.load(Relaxed)
}

/// A P/Invoke that is told of. Its wrapper holds the address.
pub struct NotifiedImport {
    /// One of the three above. The wrapper reads it without a call.
    pub how: AtomicU8,
    /// The host does not want to be told for as long as so many objects were loaded. The wrapper compares it with
    /// [`objects::loads`], without a call.
    pub unwanted_for: AtomicU64,
    id: i64,
    target: AtomicUsize,
    /// How many objects were loaded when it was looked what lies at the target, and what that was.
    loads: AtomicU64,
    place: Mutex<Option<Place>>,
}

/// No number of objects: the C library never counts so far, and where its count is not known, [`objects::loads`] is greater.
const NEVER: u64 = u64::MAX - 1;

impl NotifiedImport {
    /// The one with this id.
    #[inline(never)]
    pub fn new(id: u32) -> &'static Self {
        Box::leak(Box::new(Self {
            how: AtomicU8::new(UNLINKED),
            unwanted_for: AtomicU64::new(NEVER),
            id: id.into(),
            target: AtomicUsize::new(0),
            loads: AtomicU64::new(NEVER),
            place: Mutex::new(None),
        }))
    }

    /// Looks whether another function may lie at the target, and asks the host then. Answers how it wants that, as it is now.
    #[cold]
    fn catch_up(&self) -> u8 {
        let now = objects::epoch();
        let mut how = self.how.load(Acquire);
        let target = self.target.load(Relaxed);
        let place = boundary::fence(None, || objects::place(target as u64, None));
        let other = {
            let mut known = self.place.lock().unwrap_or_else(PoisonError::into_inner);
            let other = *known != place;
            *known = place;
            other
        };
        if other || how == UNLINKED {
            how = keeping_errno(|| match asked::ask(target) {
                true => WANTED,
                false => UNWANTED,
            });
        }
        let unwanted_for = if how == UNWANTED { now.loads } else { NEVER };
        self.unwanted_for.store(unwanted_for, Relaxed);
        self.loads.store(now.loads, Relaxed);
        self.how.store(how, Release);
        how
    }

    /// What its wrapper hands to the hooks.
    pub fn address(&'static self) -> i64 {
        std::ptr::from_ref(self).expose_provenance() as i64
    }
}

/// The import that a wrapper hands over.
#[inline]
fn import(address: i64) -> &'static NotifiedImport {
    // SAFETY: wrappers hold the addresses of imports, which are never freed.
    unsafe { &*std::ptr::with_exposed_provenance::<NotifiedImport>(address as usize) }
}

/// The runtime has linked an import, or objects were loaded since the host said that it does not want to hear of it: finds where it lies, and
/// asks the host if that is not known. Answers [`UNWANTED`] or [`WANTED`].
pub extern "C" fn linked(of: i64) -> i32 {
    let import = import(of);
    if import.how.load(Acquire) == UNLINKED {
        import.target.store(targets::linked(import.id), Relaxed);
    }
    import.catch_up().into()
}

/// Before a native call. Below 0: not to be made.
pub extern "C" fn leave(of: i64) -> Answer {
    let import = import(of);
    if import.loads.load(Relaxed) != objects::loads() && import.catch_up() == UNWANTED {
        return QUIET;
    }
    let answer = keeping_errno(|| crossings::leave(import.target.load(Acquire)));
    if records() {
        if answer < 0 {
            woven::refused(import.id);
        } else {
            woven::outward_leave(import.id);
        }
    }
    answer
}

/// After it has returned. Below 0: an HRESULT to throw.
pub extern "C" fn enter(of: i64, answer: Answer) -> i32 {
    if records() && answer != QUIET {
        woven::outward_enter(import(of).id);
    }
    keeping_errno(|| crossings::enter_or_throw(answer).0)
}

/// After it has ended by an exception.
pub extern "C" fn failed(of: i64, answer: Answer) {
    if records() && answer != QUIET {
        woven::enter_failed(import(of).id);
    }
    // The exception that flies is the one that is thrown.
    let _ = keeping_errno(|| crossings::enter(answer));
}

/// What the exception says that this answer is thrown as.
pub extern "C" fn says(of: i64, answer: Answer) -> *const u16 {
    keeping_errno(|| says::of_import(import(of).id, answer))
}

/// The same of a function that is called by pointer.
pub extern "C" fn pointer_says(_id: i64, pointer: usize, answer: Answer) -> *const u16 {
    keeping_errno(|| says::of_pointer(pointer, answer))
}

/// Before a call of what a pointer points to.
#[inline]
fn leave_if_wanted(target: usize) -> Answer {
    keeping_errno(|| match asked::wants(target) {
        true => crossings::leave(target),
        false => QUIET,
    })
}

/// Before a call by function pointer. Below 0: not to be made.
pub extern "C" fn leave_pointer(id: i64, pointer: usize) -> Answer {
    let refusal = keeping_errno(|| woven::refusal_of_pointer(id, pointer));
    if refusal != 0 {
        return refusal;
    }
    let answer = leave_if_wanted(pointer);
    if records() && (answer == NOTIFIED || answer == UNNOTIFIED) {
        woven::leave_pointer_preemptive(id, pointer);
    }
    answer
}

/// After it has returned. Below 0: an HRESULT to throw.
pub extern "C" fn enter_pointer(id: i64, pointer: usize, answer: Answer) -> i32 {
    if records() && answer != QUIET {
        woven::enter_pointer_preemptive(id, pointer);
    }
    keeping_errno(|| crossings::enter_or_throw(answer).0)
}

/// After it has ended by an exception.
pub extern "C" fn pointer_failed(id: i64, pointer: usize, answer: Answer) {
    if records() && answer != QUIET {
        woven::enter_pointer_failed(id, pointer);
    }
    let _ = keeping_errno(|| crossings::enter(answer));
}

/// Native code calls a method that is for it alone. Below 0: not to be run.
pub extern "C" fn reverse_enter(id: i64) -> Answer {
    let answer = keeping_errno(crossings::reverse_enter);
    if records() && answer >= 0 {
        woven::callback_enter(id);
    }
    answer
}

/// Before it returns, or is left by an exception.
pub extern "C" fn reverse_leave(id: i64, answer: Answer) {
    if records() {
        woven::callback_leave(id);
    }
    keeping_errno(|| crossings::reverse_leave(answer));
}

/// A delegate calls a native function. Below 0: not to be made.
pub fn outward_leave(id: i64, function: usize) -> Answer {
    let answer = leave_if_wanted(function);
    if records() && (answer == NOTIFIED || answer == UNNOTIFIED) {
        woven::outward_leave(id);
    }
    answer
}

/// The native function has returned. Nothing can be thrown there.
pub fn outward_enter(id: i64, answer: Answer) {
    if records() && answer != QUIET {
        woven::outward_enter(id);
    }
    let _ = keeping_errno(|| crossings::enter(answer));
}

/// Whether crossings are told at all, for what is made before that is known.
#[inline]
pub fn on() -> bool {
    engine::get().is_some_and(|engine| engine.notifies)
}
