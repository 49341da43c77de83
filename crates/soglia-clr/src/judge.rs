//! Judges what calls lead to, under a policy that refuses: not how it is spelled, but which function of which object it is.
//!
//! P/Invokes are judged when they are linked ([`crate::source::link`]). Function pointers are judged at their first call on a
//! task, and when a delegate is made of one.
//!
//! Each refusal has a number, which is an HRESULT that only soglia uses.
//! `Marshal.ThrowExceptionForHR` throws the policy's exception for it.

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

/// Numbers of refusals begin so, as failures of a customer's own facility do.
pub const MARK: i32 = 0xA0DE_0000_u32.cast_signed();
/// The bits that tell them.
pub const MASK: i32 = 0xFFFF_0000_u32.cast_signed();
/// Not a refusal: a wrapper catches what is thrown for it.
pub const NOT_LINKED: i32 = MARK | !MASK;
/// Messages may name what a program makes up: those beyond are all told as the last one.
const MOST: usize = 0x8000;

/// What `Marshal.ThrowExceptionForHR` asks with, and where it finds the answer.
#[repr(C)]
pub struct Thrown {
    /// The number; then which of [`Exception::ALL`] it is.
    pub exception: isize,
    /// The message: UTF-16, and a zero.
    pub message: *const u16,
    /// The process ends with it.
    pub fatal: isize,
}

/// The native function that a pointer of ours stands for.
static NATIVE: OnceLock<fn(usize) -> usize> = OnceLock::new();

/// Has pointers of ours seen through. To be called before any is judged.
pub fn see_through(native: fn(usize) -> usize) {
    let _ = NATIVE.set(native);
}

static REFUSALS: Mutex<Option<Refusals>> = Mutex::new(None);

#[derive(Default)]
struct Refusals {
    by_message: HashMap<String, i32>,
    /// Never freed: managed code copies the messages when it likes.
    all: Vec<(Exception, &'static [u16])>,
}

/// The number of a refusal.
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

/// What is to be thrown for a number. Called in preemptive mode; what it returns means nothing.
pub extern "C" fn thrown(words: *mut Thrown) -> isize {
    // SAFETY: the caller's own words, which no other code knows.
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

/// Nothing is refused; what would be is counted.
pub fn audits() -> bool {
    engine::get().is_some_and(|engine| engine.rules.audits())
}

/// Why a function pointer may not be called or made a delegate of: the number, or 0. `how`: what is done with it. `internal`: by
/// the framework, whose own functions are free to it.
pub fn pointer(pointer: usize, how: &str, internal: bool) -> i32 {
    let Some(engine) = engine::get().filter(|engine| engine.rules.judges()) else {
        return 0;
    };
    let native = NATIVE.get().copied().unwrap_or(|pointer| pointer);
    // Managed code has no object, and neither has what the program writes into memory.
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
    let folder = objects::runtime_folder();
    let of = |name: &String| Path::new(name).parent().map(Path::to_owned);
    folder.is_some() && found.libraries.iter().any(|name| of(name) == folder)
}

/// How code that was made at run time is refused to call native functions: the number, if it is.
pub fn dynamic(rules: &Rules) -> Option<i32> {
    rules.refuses_dynamic().map(number)
}
