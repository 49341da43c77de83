//! The hooks that wrappers and trampolines call where a host is notified ([`super`]).
//!
//! All are called in preemptive mode, or on a thread that the runtime does not know yet. All keep
//! errno. The end of a call gets the result of its beginning. Where the process is recorded too,
//! the engine reads the time between the notifications, so that the host's own time does not count
//! as the native function's.

use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{
        AtomicBool, AtomicU8, AtomicU64, AtomicUsize,
        Ordering::{Acquire, Relaxed, Release, SeqCst},
    },
};

use super::{
    asked,
    crossings::{self, Answer, QUIET},
    says,
};
use crate::{
    boundary::{self, keeping_errno},
    engine,
    host::attached,
    objects::{self, Place},
    source::woven,
    targets,
};

/// The P/Invoke was not called yet, so its address is unknown.
pub const UNLINKED: u8 = 0;
/// The host does not want to be notified: the wrapper only makes the call.
pub const UNWANTED: u8 = 1;
/// The host is notified.
pub const WANTED: u8 = 2;

/// Whether crossings are recorded as well.
static RECORDS: AtomicBool = AtomicBool::new(true);

/// Turns recording off, for a process whose recording nothing reads.
pub fn only_notify() {
    RECORDS.store(false, Relaxed);
}

#[inline]
fn records() -> bool {
    RECORDS.load(Relaxed)
}

/// All of them. Each wrapper keeps its own for good.
static IMPORTS: Mutex<Vec<&'static NotifiedImport>> = Mutex::new(Vec::new());

fn imports() -> MutexGuard<'static, Vec<&'static NotifiedImport>> {
    IMPORTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forgets what an earlier host has answered about P/Invokes. After a session has begun.
pub fn forget_answers() {
    for import in imports().iter() {
        import.forget();
    }
}

/// A P/Invoke that a host is notified of. Its wrapper holds the address.
pub struct NotifiedImport {
    /// One of the three constants above. The wrapper reads it without a call.
    pub how: AtomicU8,
    /// The host wants no notifications while [`objects::loads`] has this value. The wrapper
    /// compares the two without a call.
    pub unwanted_for: AtomicU64,
    id: i64,
    target: AtomicUsize,
    /// How many objects had been loaded when the function at the target was looked up, and that
    /// function.
    loads: AtomicU64,
    place: Mutex<Option<Place>>,
}

/// No number of loaded objects: the C library never counts so far. Where its count is unknown,
/// [`objects::loads`] is greater.
const NEVER: u64 = u64::MAX - 1;

impl NotifiedImport {
    /// The import of the call with this number.
    #[inline(never)]
    pub fn new(id: u32) -> &'static Self {
        let import: &'static Self = Box::leak(Box::new(Self {
            how: AtomicU8::new(UNLINKED),
            unwanted_for: AtomicU64::new(NEVER),
            id: id.into(),
            target: AtomicUsize::new(0),
            loads: AtomicU64::new(NEVER),
            place: Mutex::new(None),
        }));
        imports().push(import);
        import
    }

    /// Asks the host again if another function may be at the target. Returns the present answer.
    #[cold]
    fn catch_up(&self) -> u8 {
        let session = attached::session();
        let how = self.ask_again();
        // An answer of a host that has left meanwhile must not stay.
        if attached::session() != session {
            self.forget();
        }
        how
    }

    fn ask_again(&self) -> u8 {
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
            how = match keeping_errno(|| asked::asks(target)) {
                Some(true) => WANTED,
                Some(false) => UNWANTED,
                // There is no host now, and the next one is asked.
                None => return UNWANTED,
            };
        }
        let unwanted_for = if how == UNWANTED { now.mark() } else { NEVER };
        self.unwanted_for.store(unwanted_for, Relaxed);
        self.loads.store(now.mark(), Relaxed);
        self.how.store(how, Release);
        how
    }

    /// Forgets what a host has answered.
    fn forget(&self) {
        self.how.store(UNLINKED, SeqCst);
        self.unwanted_for.store(NEVER, SeqCst);
        self.loads.store(NEVER, SeqCst);
    }

    /// The address, as its wrapper passes it to the hooks.
    pub fn address(&'static self) -> i64 {
        std::ptr::from_ref(self).expose_provenance() as i64
    }
}

/// The import at an address that a wrapper passes.
#[inline]
fn import(address: i64) -> &'static NotifiedImport {
    // SAFETY: wrappers pass the addresses of imports, which are never freed.
    unsafe { &*std::ptr::with_exposed_provenance::<NotifiedImport>(address as usize) }
}

/// The runtime has linked an import, or objects were loaded since the host wanted no notifications.
/// Finds the import's address, and asks the host if its answer is unknown. Returns [`UNWANTED`] or
/// [`WANTED`].
pub extern "C" fn linked(of: i64) -> i32 {
    let import = import(of);
    if import.how.load(Acquire) == UNLINKED {
        import.target.store(targets::linked(import.id), Relaxed);
    }
    import.catch_up().into()
}

/// Before a native call. A result below 0 says not to make the call.
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

/// After a native call has returned. A result below 0 is an HRESULT to throw.
pub extern "C" fn enter(of: i64, answer: Answer) -> i32 {
    if records() && answer != QUIET {
        woven::outward_enter(import(of).id, None);
    }
    keeping_errno(|| crossings::enter_or_throw(answer).0)
}

/// After a native call has ended by an exception.
pub extern "C" fn failed(of: i64, answer: Answer) {
    if records() && answer != QUIET {
        woven::enter_failed(import(of).id);
    }
    // The program gets that exception, whatever the host answers.
    let _ = keeping_errno(|| crossings::enter(answer));
}

/// The message of the exception for this answer.
pub extern "C" fn says(of: i64, answer: Answer) -> *const u16 {
    keeping_errno(|| says::of_import(import(of).id, answer))
}

/// The same for a call by function pointer.
pub extern "C" fn pointer_says(_id: i64, pointer: usize, answer: Answer) -> *const u16 {
    keeping_errno(|| says::of_pointer(pointer, answer))
}

/// Before a call of the function that a pointer points to.
#[inline]
fn leave_if_wanted(target: usize) -> Answer {
    keeping_errno(|| match asked::wants(target) {
        true => crossings::leave(target),
        false => QUIET,
    })
}

/// Before a call by function pointer. A result below 0 says not to make the call.
pub extern "C" fn leave_pointer(id: i64, pointer: usize) -> Answer {
    let refusal = keeping_errno(|| woven::refusal_of_pointer(id, pointer));
    if refusal != 0 {
        return refusal;
    }
    let answer = leave_if_wanted(pointer);
    if records() && answer >= 0 && answer != QUIET {
        woven::leave_pointer_preemptive(id, pointer);
    }
    answer
}

/// After a call by function pointer has returned. A result below 0 is an HRESULT to throw.
pub extern "C" fn enter_pointer(id: i64, pointer: usize, answer: Answer) -> i32 {
    if records() && answer != QUIET {
        woven::enter_pointer_preemptive(id, pointer);
    }
    keeping_errno(|| crossings::enter_or_throw(answer).0)
}

/// After a call by function pointer has ended by an exception.
pub extern "C" fn pointer_failed(id: i64, pointer: usize, answer: Answer) {
    if records() && answer != QUIET {
        woven::enter_pointer_failed(id, pointer);
    }
    let _ = keeping_errno(|| crossings::enter(answer));
}

/// When native code calls a method that only native code may call. A result below 0 says not to run
/// the method.
pub extern "C" fn reverse_enter(id: i64) -> Answer {
    let answer = keeping_errno(crossings::reverse_enter);
    if records() && answer >= 0 {
        woven::callback_enter(id);
    }
    answer
}

/// Before that method returns, or is left by an exception.
pub extern "C" fn reverse_leave(id: i64, answer: Answer) {
    if records() {
        woven::callback_leave(id, None);
    }
    keeping_errno(|| crossings::reverse_leave(answer));
}

/// When a delegate calls a native function. A result below 0 says not to make the call.
pub fn outward_leave(id: i64, function: usize) -> Answer {
    let answer = leave_if_wanted(function);
    if records() && answer >= 0 && answer != QUIET {
        woven::outward_leave(id);
    }
    answer
}

/// When that native function has returned. Nothing can be thrown there.
pub fn outward_enter(id: i64, answer: Answer) {
    if records() && answer != QUIET {
        woven::outward_enter(id, None);
    }
    let _ = keeping_errno(|| crossings::enter(answer));
}

/// Whether a host is notified, for code that is made before that is known.
#[inline]
pub fn on() -> bool {
    engine::get().is_some_and(|engine| engine.notifies)
}
