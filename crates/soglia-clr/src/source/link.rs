//! Hooks that judge a P/Invoke when it is linked ([`crate::judge`]).
//!
//! A P/Invoke's wrapper has the runtime link it before its first call. On the way the runtime asks a method of CoreLib for the
//! library ([`crate::weave`] has changed it), which asks here, in this order:
//!
//! ```text
//!   wrapper      permit(import)             this thread may link this one
//!                PrepareMethod(native)
//!   CoreLib        LoadLibraryCallbackStub
//!                    asked(words)           no permit, but a module of the program's: refused
//!                    finds the library as the runtime would
//!                    found(words)           looks up the function in it, and judges
//!   wrapper      judged(import)             from now on the wrapper passes by all this
//! ```
//!
//! So the P/Invoke of a function that is refused is never linked, and one that was not judged yet cannot be called around its
//! wrapper.

use std::{
    cell::Cell,
    ffi::CString,
    sync::{
        PoisonError, RwLock,
        atomic::{
            AtomicBool, AtomicI32, AtomicU8, AtomicUsize,
            Ordering::{Acquire, Release},
        },
    },
};

use soglia_abi::ids::{AssemblyId, ModuleId};

use super::woven;
use crate::{
    aliases, boundary, calls,
    engine::{self, Engine},
    judge::{MARK, NOT_LINKED, number},
    names, objects, targets,
};

/// A P/Invoke that is judged when it is linked. Its wrapper holds the address.
pub struct JudgedImport {
    /// Not 0: the wrapper may call. It reads this without a call of ours.
    pub judged: AtomicU8,
    /// What is called, once that is known.
    pub target: AtomicUsize,
    /// Another way to call it was asked for by the policy: that is not judged.
    trusted: bool,
    /// It is called by its address and never linked, so that there is no way around its gate.
    hidden: bool,
    fine: AtomicBool,
    refusal: AtomicI32,
    id: i64,
}

impl JudgedImport {
    /// The one with this id.
    pub fn new(id: u32, trusted: bool, hidden: bool) -> &'static Self {
        Box::leak(Box::new(Self {
            judged: AtomicU8::new(0),
            target: AtomicUsize::new(0),
            trusted,
            hidden,
            fine: AtomicBool::new(false),
            refusal: AtomicI32::new(0),
            id: id.into(),
        }))
    }

    /// What its wrapper hands to the hooks.
    pub fn address(&'static self) -> i64 {
        std::ptr::from_ref(self).expose_provenance() as i64
    }

    fn at(address: i64) -> &'static Self {
        // SAFETY: wrappers hold the addresses of imports, which are never freed.
        unsafe { &*std::ptr::with_exposed_provenance::<Self>(address as usize) }
    }

    /// Judges it by what it leads to.
    fn judge(&self, engine: &Engine, target: usize) {
        self.target.store(target, Release);
        let refusal = if self.trusted {
            0
        } else {
            refusal_of(engine, self.id, target)
        };
        match refusal {
            0 => self.fine.store(true, Release),
            number => self.refusal.store(number, Release),
        }
    }
}

thread_local! {
    /// The import that this thread may link next, and whether the next question is our own.
    static PERMIT: Cell<(i64, bool)> = const { Cell::new((0, false)) };
}

/// The wrapper is about to have the runtime link an import. Called in preemptive mode; answers 0.
pub extern "C" fn permit(of: i64) -> i32 {
    PERMIT.set((of, false));
    0
}

/// It is linked. Called in preemptive mode; answers 0 if it may be called, and else what to throw.
pub extern "C" fn judged(of: i64) -> i32 {
    PERMIT.set((0, false));
    let import = JudgedImport::at(of);
    boundary::fence(MARK, || {
        let Some(engine) = engine::get() else {
            return MARK;
        };
        let is_open = || !import.fine.load(Acquire) && import.refusal.load(Acquire) == 0;
        // The runtime found it without a question, as it does where it has the library inside.
        if is_open() {
            match targets::linked(import.id) {
                0 => {
                    let call = format!("{}, which leads nobody knows where", named(import.id));
                    let number = number(engine.rules.of_unknown(&call));
                    import.refusal.store(number, Release);
                }
                target => import.judge(engine, target),
            }
        }
        match import.refusal.load(Acquire) {
            0 => import.judged.store(1, Release),
            number => {
                woven::refused(import.id);
                if !engine.rules.audits() {
                    return number;
                }
            }
        }
        0
    })
}

/// It could not be linked: an exception was caught. Called in preemptive mode; answers 1 if that was meant, and 0 if the exception
/// is to fly on.
pub extern "C" fn caught(of: i64) -> i32 {
    let import = JudgedImport::at(of);
    if import.hidden && import.fine.load(Acquire) {
        return 1;
    }
    unlinked(of);
    0
}

/// It could not be linked: an exception flies. Called in preemptive mode.
pub extern "C" fn unlinked(of: i64) {
    PERMIT.set((0, false));
    let import = JudgedImport::at(of);
    match import.refusal.load(Acquire) {
        0 => woven::never_left(import.id),
        _ => woven::refused(import.id),
    }
}

/// What CoreLib asks with when the runtime wants a library, and where it finds the answer.
#[repr(C)]
pub struct Link {
    /// The module was made at run time; then: 0: go on without an answer of ours, 1: find the library, below 0: throw that.
    pub verdict: isize,
    /// The runtime's assembly.
    pub assembly: usize,
    /// Of the library.
    pub handle: usize,
    import: i64,
}

/// The runtime wants a library. Called in preemptive mode; what it returns means nothing.
pub extern "C" fn asked(words: *mut Link) -> isize {
    // SAFETY: the caller's own words, which no other code knows.
    let words = unsafe { &mut *words };
    let is_dynamic = words.verdict != 0;
    words.verdict = 0;
    let (permitted, ours) = PERMIT.replace((0, false));
    if ours {
        return 0;
    }
    if permitted != 0 {
        PERMIT.set((0, true));
        (words.import, words.verdict) = (permitted, 1);
        return 0;
    }
    let refused = boundary::fence(MARK, || {
        let Some(engine) = engine::get() else {
            return 0;
        };
        let rules = &engine.rules;
        if rules.audits() {
            0
        } else if is_dynamic {
            rules.refuses_dynamic().map_or(0, number)
        } else if is_woven(words.assembly) {
            number(rules.of_unknown("a call around the method that is for it"))
        } else {
            0
        }
    });
    words.verdict = refused as isize;
    0
}

/// The library was found, or none. Called in preemptive mode; what it returns means nothing.
pub extern "C" fn found(words: *mut Link) -> isize {
    // SAFETY: the caller's own words, which no other code knows.
    let words = unsafe { &mut *words };
    PERMIT.set((0, false));
    let refused = boundary::fence(MARK, || {
        let Some(engine) = engine::get() else {
            return MARK;
        };
        let import = JudgedImport::at(words.import);
        let names = calls::call(import.id).and_then(|call| names::called(&call.names));
        let Some(target) = names.and_then(|(_, entry)| looked_up(words.handle, &entry)) else {
            // The runtime says what is missing.
            return 0;
        };
        import.judge(engine, target);
        match import.refusal.load(Acquire) {
            _ if engine.rules.audits() => 0,
            0 if import.hidden => NOT_LINKED,
            refusal => refusal,
        }
    });
    words.verdict = refused as isize;
    0
}

/// As the runtime looks it up.
fn looked_up(handle: usize, entry: &str) -> Option<usize> {
    let entry = CString::new(entry).ok().filter(|_| handle != 0)?;
    // SAFETY: a handle that managed code has just got from the loader, a zero-terminated name.
    let found = unsafe {
        let handle = std::ptr::with_exposed_provenance_mut(handle);
        libc::dlsym(handle, entry.as_ptr())
    };
    (!found.is_null()).then(|| found.expose_provenance())
}

/// Why an import may not be called: the number, or 0.
fn refusal_of(engine: &Engine, id: i64, target: usize) -> i32 {
    let named = named(id);
    let refusal = match aliases::at(target) {
        None => Some(
            engine
                .rules
                .of_unknown(&format!("{named}, which is in no library")),
        ),
        Some(found) => {
            let shown = found.shown();
            let call = match shown == named {
                true => named,
                false => format!("{named}, which leads to {shown}"),
            };
            engine.rules.of_called(&found, &call)
        }
    };
    refusal.map_or(0, number)
}

/// As the program names it.
fn named(id: i64) -> String {
    let names = calls::call(id).and_then(|call| names::called(&call.names));
    let (library, entry) = names.unwrap_or_default();
    format!("{library}!{entry}")
}

/// The CLR's numbers of assemblies and modules that have P/Invokes which only their wrappers may call.
static WOVEN: RwLock<Vec<(ModuleId, AssemblyId)>> = RwLock::new(Vec::new());

/// A module has such P/Invokes.
pub fn module_woven(module: ModuleId, assembly: AssemblyId) {
    let mut woven = WOVEN.write().unwrap_or_else(PoisonError::into_inner);
    woven.push((module, assembly));
}

/// A module is about to be unloaded.
pub fn module_unloaded(module: ModuleId) {
    let mut woven = WOVEN.write().unwrap_or_else(PoisonError::into_inner);
    woven.retain(|(known, _)| *known != module);
}

/// Words of the runtime's record of an assembly that are looked at.
const RECORD: usize = 8;

/// Whether it is one of those. What managed code holds is the runtime's assembly itself, or a record that has it or its module in it.
fn is_woven(assembly: usize) -> bool {
    let mut words = vec![0; RECORD];
    let there = objects::peek(assembly, &mut words);
    words.truncate(there);
    words.push(assembly);
    let woven = WOVEN.read().unwrap_or_else(PoisonError::into_inner);
    let mut woven = woven.iter();
    woven.any(|(module, assembly)| words.contains(&module.0) || words.contains(&assembly.0))
}
