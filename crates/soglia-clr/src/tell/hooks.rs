//! What wrappers and trampolines call where somebody is told ([`super`]).
//!
//! All of them are called in preemptive mode, or on a thread that the runtime does not know yet, and keep errno. What the beginning
//! of a call answers is handed to its end. Where the process is recorded too, the time stamps lie inside what the host does: its time is not the
//! native function's.

use std::sync::atomic::{
    AtomicBool, AtomicU8, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

use soglia_abi::ids::{MdToken, ModuleId};

use super::{Answer, QUIET, TOLD, UNTOLD, asked, says};
use crate::{boundary::keeping_errno, engine, source::woven, weave};

/// A native function has not been called yet, so nobody knows where it lies.
pub const UNLINKED: u8 = 0;
/// The host does not want to be told of it: the wrapper just calls.
pub const UNWANTED: u8 = 1;
/// The host is told.
pub const WANTED: u8 = 2;

/// Crossings are recorded as well.
static RECORDS: AtomicBool = AtomicBool::new(true);

/// Crossings are told only: nobody reads a recording.
pub fn only_tell() {
    RECORDS.store(false, Relaxed);
}

#[inline]
fn records() -> bool {
    RECORDS.load(Relaxed)
}

/// A P/Invoke that is told of. Its wrapper holds the address.
pub struct Import {
    /// One of the three above. The wrapper reads it without a call.
    pub how: AtomicU8,
    id: i64,
    target: AtomicUsize,
    module: ModuleId,
    native: MdToken,
}

impl Import {
    /// The one with this id. `native` is the P/Invoke that its wrapper calls.
    #[inline(never)]
    pub fn new(id: u32, module: ModuleId, native: MdToken) -> &'static Self {
        Box::leak(Box::new(Self {
            how: AtomicU8::new(UNLINKED),
            id: id.into(),
            target: AtomicUsize::new(0),
            module,
            native,
        }))
    }

    /// What its wrapper hands to the hooks.
    pub fn address(&'static self) -> i64 {
        std::ptr::from_ref(self).expose_provenance() as i64
    }
}

/// The import that a wrapper hands over.
#[inline]
fn import(address: i64) -> &'static Import {
    // SAFETY: wrappers hold the addresses of imports, which are never freed.
    unsafe { &*std::ptr::with_exposed_provenance::<Import>(address as usize) }
}

/// The runtime has linked an import: finds where it lies, and asks the host. Answers [`UNWANTED`] or [`WANTED`].
pub extern "C" fn linked(of: i64) -> i32 {
    let import = import(of);
    let target = weave::linked(import.id, import.module, import.native);
    import.target.store(target, Relaxed);
    let how = keeping_errno(|| match asked::ask(target) {
        true => WANTED,
        false => UNWANTED,
    });
    import.how.store(how, Release);
    how.into()
}

/// Before a native call. Below 0: not to be made.
pub extern "C" fn leave(of: i64) -> Answer {
    let import = import(of);
    let answer = keeping_errno(|| super::leave(import.target.load(Acquire)));
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
    if records() {
        woven::outward_enter(import(of).id);
    }
    keeping_errno(|| super::enter_or_throw(answer).0)
}

/// After it has ended by an exception.
pub extern "C" fn failed(of: i64, answer: Answer) {
    if records() {
        woven::enter_failed(import(of).id);
    }
    // The exception that flies is the one that is thrown.
    let _ = keeping_errno(|| super::enter(answer));
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
        true => super::leave(target),
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
    if records() && (answer == TOLD || answer == UNTOLD) {
        woven::told_leave_pointer(id, pointer);
    }
    answer
}

/// After it has returned. Below 0: an HRESULT to throw.
pub extern "C" fn enter_pointer(id: i64, pointer: usize, answer: Answer) -> i32 {
    if records() && answer != QUIET {
        woven::told_enter_pointer(id, pointer);
    }
    keeping_errno(|| super::enter_or_throw(answer).0)
}

/// After it has ended by an exception.
pub extern "C" fn pointer_failed(id: i64, pointer: usize, answer: Answer) {
    if records() && answer != QUIET {
        woven::enter_pointer_failed(id, pointer);
    }
    let _ = keeping_errno(|| super::enter(answer));
}

/// Native code calls a method that is for it alone. Below 0: not to be run.
pub extern "C" fn reverse_enter(id: i64) -> Answer {
    let answer = keeping_errno(super::reverse_enter);
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
    keeping_errno(|| super::reverse_leave(answer));
}

/// A delegate calls a native function. Below 0: not to be made.
pub fn outward_leave(id: i64, function: usize) -> Answer {
    let answer = leave_if_wanted(function);
    if records() && (answer == TOLD || answer == UNTOLD) {
        woven::outward_leave(id);
    }
    answer
}

/// The native function has returned. Nothing can be thrown there.
pub fn outward_enter(id: i64, answer: Answer) {
    if records() && answer != QUIET {
        woven::outward_enter(id);
    }
    let _ = keeping_errno(|| super::enter(answer));
}

/// Whether crossings are told at all, for what is made before that is known.
#[inline]
pub fn on() -> bool {
    engine::get().is_some_and(|engine| engine.tells)
}
