//! Judges what calls lead to, under a policy that denies calls: by the function and the object that
//! a call reaches, whatever name it uses.
//!
//! The engine judges a P/Invoke when it is linked ([`crate::source::link`]). It judges a function
//! pointer at its first call on a task, and when the program makes a delegate of it.
//!
//! Each denial has a number, an HRESULT that only soglia uses. `Marshal.ThrowExceptionForHR` throws
//! the policy's exception for it.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
};

use soglia_core::policy::{Denial, Exception};

use crate::{
    aliases::{self, Aliases},
    boundary, engine, objects,
    policy::Rules,
};

/// The upper half of all numbers of denials. It marks a failure of a facility that customers
/// define.
pub const MARK: i32 = 0xA0DE_0000_u32.cast_signed();
/// The bits of the upper half.
pub const MASK: i32 = 0xFFFF_0000_u32.cast_signed();
/// No denial: a wrapper catches the exception for this number.
pub const NOT_LINKED: i32 = MARK | !MASK;
/// The most numbers. Messages can contain names that a program invents, so their number has no
/// limit: those beyond this share the last one.
const MOST: usize = 0x8000;

/// The words that `Marshal.ThrowExceptionForHR` passes, and in which it gets the answer.
#[repr(C)]
pub struct Thrown {
    /// In: the number. Out: an index into [`Exception::ALL`].
    pub exception: isize,
    /// Out: the message in UTF-16, with a terminating zero.
    pub message: *const u16,
    /// Out: not 0 if the process ends with it.
    pub fatal: isize,
}

/// Finds the native function behind one of the engine's trampolines.
static NATIVE: OnceLock<fn(usize) -> usize> = OnceLock::new();

/// Sets the function that sees through trampolines. To be called before any pointer is judged.
pub fn see_through(native: fn(usize) -> usize) {
    let _ = NATIVE.set(native);
}

static REFUSALS: Mutex<Option<Refusals>> = Mutex::new(None);

#[derive(Default)]
struct Refusals {
    by_message: HashMap<String, i32>,
    /// Never freed, since managed code may copy the messages at any time.
    all: Vec<(Exception, &'static [u16])>,
}

/// The number of a denial.
pub fn number(refusal: Denial) -> i32 {
    let mut refusals = REFUSALS.lock().unwrap_or_else(PoisonError::into_inner);
    let refusals = refusals.get_or_insert_default();
    if let Some(known) = refusals.by_message.get(&refusal.message) {
        return *known;
    }
    if refusals.all.len() == MOST {
        return MARK | (MOST - 1) as i32;
    }
    let number = MARK | refusals.all.len() as i32;
    let wide: Vec<u16> = refusal.message.encode_utf16().chain([0]).collect();
    refusals.all.push((refusal.exception, wide.leak()));
    refusals.by_message.insert(refusal.message, number);
    number
}

/// Tells what to throw for a number. CoreLib calls this in preemptive mode and ignores its result.
pub extern "C" fn thrown(words: *mut Thrown) -> isize {
    // SAFETY: the caller passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    let number = words.exception as i32;
    (words.exception, words.message, words.fatal) = (0, [0].as_ptr(), 0);
    boundary::fence((), || {
        let refusals = REFUSALS.lock().unwrap_or_else(PoisonError::into_inner);
        let all = refusals.as_ref().map(|refusals| &refusals.all[..]);
        if let Some((exception, message)) = all.unwrap_or_default().get((number & !MASK) as usize) {
            let place = Exception::ALL.iter().position(|e| e == exception);
            words.exception = place.unwrap_or(0) as isize;
            words.message = message.as_ptr();
        }
        let ends = number != NOT_LINKED && engine::get().is_some_and(|e| e.rules.is_fatal());
        words.fatal = ends.into();
    });
    0
}

/// Whether the policy only counts what it would deny.
pub fn audits() -> bool {
    engine::get().is_some_and(|engine| engine.rules.audits())
}

/// Why a function pointer may not be called, or made a delegate of: the number of the denial, or 0.
///
/// `how` says what the program does with it. `internal`: the framework does it, which may use its
/// own functions.
pub fn pointer(pointer: usize, how: &str, internal: bool) -> i32 {
    let Some(engine) = engine::get().filter(|engine| engine.rules.judges()) else {
        return 0;
    };
    let native = NATIVE.get().copied().unwrap_or(|pointer| pointer);
    // Managed code lies in no object, and neither does code that the program writes into memory.
    let Some(found) = aliases::at(native(pointer)) else {
        return 0;
    };
    if internal && is_of_runtime(&found) {
        return 0;
    }
    let call = format!("{how} {}", found.shown());
    engine.rules.of_called(&found, &call).map_or(0, number)
}

fn is_of_runtime(found: &Aliases) -> bool {
    let folders = found.libraries.iter();
    let mut folders = folders.filter_map(|name| Path::new(name).parent());
    folders.any(objects::is_runtime_folder)
}

/// The number of the denial of native calls by code made at run time, if the policy denies them.
pub fn dynamic(rules: &Rules) -> Option<i32> {
    rules.refuses_dynamic().map(number)
}
