//! Hooks that judge a P/Invoke when it is linked ([`crate::judge`]).
//!
//! A P/Invoke's wrapper has the runtime link it before its first call. On the way the runtime calls
//! a method of CoreLib to get the library. [`crate::weave`] has changed that method, so that it
//! asks here, in this order:
//!
//! ```text
//!   wrapper      permit(import)             this thread may link this one
//!                PrepareMethod(native)
//!   CoreLib        LoadLibraryCallbackStub
//!                    asked(words)           without a permit, a module of the program is denied
//!                    finds the library as the runtime would
//!                    found(words)           looks up the function in it, and judges
//!   wrapper      judged(import)             from now on the wrapper skips all this
//! ```
//!
//! So a P/Invoke whose function is denied is never linked. One that was not judged yet can only be
//! called through its wrapper.

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
    /// Not 0: the wrapper may make the call. The wrapper reads it without a call.
    pub judged: AtomicU8,
    /// The address that is called, once it is known.
    pub target: AtomicUsize,
    /// The policy itself asked for this function, so it is not judged.
    trusted: bool,
    /// The wrapper calls the function by address and never links the P/Invoke, so that every call
    /// passes the gate.
    hidden: bool,
    fine: AtomicBool,
    refusal: AtomicI32,
    id: i64,
}

impl JudgedImport {
    /// The import of the call with this number.
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

    /// The address, as its wrapper passes it to the hooks.
    pub fn address(&'static self) -> i64 {
        std::ptr::from_ref(self).expose_provenance() as i64
    }

    fn at(address: i64) -> &'static Self {
        // SAFETY: wrappers pass the addresses of imports, which are never freed.
        unsafe { &*std::ptr::with_exposed_provenance::<Self>(address as usize) }
    }

    /// Judges it by the function that it leads to.
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
    /// The import that this thread may link next, and whether the engine itself asks the next
    /// question.
    static PERMIT: Cell<(i64, bool)> = const { Cell::new((0, false)) };
}

/// Called when the wrapper is about to have the runtime link an import, in preemptive mode. Returns
/// 0.
pub extern "C" fn permit(of: i64) -> i32 {
    PERMIT.set((of, false));
    0
}

/// Called when an import was linked, in preemptive mode. Returns 0 if it may be called, and
/// otherwise what to throw.
pub extern "C" fn judged(of: i64) -> i32 {
    PERMIT.set((0, false));
    let import = JudgedImport::at(of);
    boundary::fence(MARK, || {
        let Some(engine) = engine::get() else {
            return MARK;
        };
        let is_open = || !import.fine.load(Acquire) && import.refusal.load(Acquire) == 0;
        // The runtime found it without asking CoreLib, as it does for a library inside the
        // executable.
        if is_open() {
            match targets::linked(import.id) {
                0 => {
                    let call = format!("{}, which leads to an unknown function", named(import.id));
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

/// Called when an import could not be linked and the wrapper caught an exception, in preemptive
/// mode. Returns 1 if the engine caused that exception, and 0 if the program shall get it.
pub extern "C" fn caught(of: i64) -> i32 {
    let import = JudgedImport::at(of);
    if import.hidden && import.fine.load(Acquire) {
        return 1;
    }
    unlinked(of);
    0
}

/// Called when an import could not be linked and an exception passes through the wrapper, in
/// preemptive mode.
pub extern "C" fn unlinked(of: i64) {
    PERMIT.set((0, false));
    let import = JudgedImport::at(of);
    match import.refusal.load(Acquire) {
        0 => woven::never_left(import.id),
        _ => woven::refused(import.id),
    }
}

/// The words that CoreLib passes when the runtime wants a library, and in which it finds the
/// answer.
#[repr(C)]
pub struct Link {
    /// In: not 0 if the module was made at run time. Out: 0 to go on as before, 1 to find the
    /// library, below 0 to throw.
    pub verdict: isize,
    /// In: the runtime's assembly.
    pub assembly: usize,
    /// In: the handle of the library that was found.
    pub handle: usize,
    import: i64,
}

/// Called when the runtime wants a library, in preemptive mode. CoreLib ignores the result.
pub extern "C" fn asked(words: *mut Link) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
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

/// Called when CoreLib has looked for the library, in preemptive mode. CoreLib ignores the result.
pub extern "C" fn found(words: *mut Link) -> isize {
    // SAFETY: CoreLib passes words on its own stack, which no other code uses, and waits.
    let words = unsafe { &mut *words };
    PERMIT.set((0, false));
    let refused = boundary::fence(MARK, || {
        let Some(engine) = engine::get() else {
            return MARK;
        };
        let import = JudgedImport::at(words.import);
        let names = calls::call(import.id).and_then(|call| names::called(&call.names));
        let Some(target) = names.and_then(|(_, entry)| looked_up(words.handle, &entry)) else {
            // The runtime reports what is missing.
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

/// The address of an entry point, found as the runtime finds it.
fn looked_up(handle: usize, entry: &str) -> Option<usize> {
    let entry = CString::new(entry).ok().filter(|_| handle != 0)?;
    // SAFETY: managed code has just got this handle from the loader, and the name ends with a zero.
    let found = unsafe {
        let handle = std::ptr::with_exposed_provenance_mut(handle);
        libc::dlsym(handle, entry.as_ptr())
    };
    (!found.is_null()).then(|| found.expose_provenance())
}

/// Why an import may not be called: the number of the denial, or 0.
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

/// The import as the program names it.
fn named(id: i64) -> String {
    let names = calls::call(id).and_then(|call| names::called(&call.names));
    let (library, entry) = names.unwrap_or_default();
    format!("{library}!{entry}")
}

/// The CLR's numbers of modules and assemblies with P/Invokes that only their wrappers may call.
static WOVEN: RwLock<Vec<(ModuleId, AssemblyId)>> = RwLock::new(Vec::new());

/// Notes a module with such P/Invokes.
pub fn module_woven(module: ModuleId, assembly: AssemblyId) {
    let mut woven = WOVEN.write().unwrap_or_else(PoisonError::into_inner);
    woven.push((module, assembly));
}

/// Forgets a module that is about to be unloaded.
pub fn module_unloaded(module: ModuleId) {
    let mut woven = WOVEN.write().unwrap_or_else(PoisonError::into_inner);
    woven.retain(|(known, _)| *known != module);
}

/// How many words of the runtime's record of an assembly are looked at.
const RECORD: usize = 8;

/// Whether it is one of those. Managed code holds the runtime's assembly itself, or a record that
/// contains the assembly or its module.
fn is_woven(assembly: usize) -> bool {
    let mut words = vec![0; RECORD];
    let there = objects::peek(assembly, &mut words);
    words.truncate(there);
    words.push(assembly);
    let woven = WOVEN.read().unwrap_or_else(PoisonError::into_inner);
    let mut woven = woven.iter();
    woven.any(|(module, assembly)| words.contains(&module.0) || words.contains(&assembly.0))
}
