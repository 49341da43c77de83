//! The end of a thread of .NET that runs on a thread of the host.
//!
//! The runtime calls `pthread_exit` at the end, and does the rest in the destructor of a key of the
//! thread: it notes that the thread has ended, for those that wait for it. The host's thread goes
//! on, so that destructor runs on a thread that is made for it, which ends at once.

use std::{
    cell::Cell,
    ffi::{c_int, c_void},
    mem::{MaybeUninit, zeroed},
    ptr::{null, null_mut},
};

use crate::{
    arch::{Landing, land, run_to_landing},
    boundary,
};

thread_local! {
    /// Where the running thread of .NET was begun, if that is on a thread of the host.
    static BEGUN: Cell<Option<Landing>> = const { Cell::new(None) };
}

/// Runs a thread of .NET on this thread of the host.
///
/// # Safety
/// `start` may be called with `with`, on this thread.
pub(super) unsafe fn run(
    start: unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void,
    with: *mut c_void,
) {
    struct Begin {
        start: unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void,
        with: *mut c_void,
        landing: Landing,
    }
    /// The landing is stored before this is called.
    unsafe extern "C-unwind" fn begin(of: *mut c_void) -> *mut c_void {
        // SAFETY: `run` passes what outlives this call.
        let begin = unsafe { &*of.cast::<Begin>() };
        BEGUN.set(Some(begin.landing));
        // SAFETY: the caller of `run` promises that.
        unsafe { (begin.start)(begin.with) }
    }
    let mut of = Begin {
        start,
        with,
        landing: Landing::default(),
    };
    let own_stack = alternate_stack();
    let of = &raw mut of;
    // SAFETY: both are parts of the local, which outlives the call.
    unsafe { run_to_landing(begin, of.cast(), &raw mut (*of).landing) };
    BEGUN.set(None);
    boundary::fence((), || end(with, own_stack));
}

/// An exception that no code catches (`_Unwind_Exception`).
#[repr(C, align(16))]
struct Exception {
    class: u64,
    cleanup: Option<unsafe extern "C" fn(c_int, *mut Exception)>,
    private: [usize; 4],
}

type Stop = unsafe extern "C" fn(
    c_int,
    c_int,
    u64,
    *mut Exception,
    context: *mut c_void,
    landing: *mut c_void,
) -> c_int;

unsafe extern "C-unwind" {
    fn _Unwind_ForcedUnwind(exception: *mut Exception, stop: Stop, with: *mut c_void) -> c_int;
}
unsafe extern "C" {
    fn _Unwind_GetCFA(context: *mut c_void) -> usize;
}

/// The runtime's frames are left as `pthread_exit` leaves them. At the frame that has begun the
/// thread, it is over.
unsafe extern "C" fn stop(
    _version: c_int,
    _actions: c_int,
    _class: u64,
    _exception: *mut Exception,
    context: *mut c_void,
    landing: *mut c_void,
) -> c_int {
    let landing = landing.cast::<Landing>();
    // SAFETY: `exit` passes its landing, and the unwinder its context. The frame that began the
    // thread has not returned.
    unsafe {
        if _Unwind_GetCFA(context) > (*landing).stack {
            land(landing);
        }
    }
    0
}

/// Stands for the runtime's `pthread_exit`.
pub(super) unsafe extern "C-unwind" fn exit(value: *mut c_void) -> ! {
    let Some(mut landing) = BEGUN.get() else {
        // SAFETY: ends this thread, as the runtime wants.
        unsafe { libc::pthread_exit(value) }
    };
    let mut exception = Exception {
        class: 0,
        cleanup: None,
        private: [0; 4],
    };
    // SAFETY: both live in this frame, which stays until the landing.
    unsafe { _Unwind_ForcedUnwind(&raw mut exception, stop, (&raw mut landing).cast()) };
    // The frames cannot be read: they are left without a look.
    // SAFETY: the frame that began the thread has not returned.
    unsafe { land(&raw const landing) }
}

/// The stack of this thread's signal handlers, if it has one.
fn alternate_stack() -> Option<libc::stack_t> {
    // SAFETY: zeroed is a valid stack_t, and nothing is changed.
    let now = unsafe {
        let mut now: libc::stack_t = zeroed();
        libc::sigaltstack(null(), &raw mut now);
        now
    };
    (now.ss_flags & libc::SS_DISABLE == 0 && !now.ss_sp.is_null()).then_some(now)
}

/// Uses this stack for the signal handlers of this thread, or none.
fn set_alternate_stack(stack: Option<&libc::stack_t>) {
    // SAFETY: zeroed is a valid stack_t; a stack comes from a thread that uses it no more.
    unsafe {
        let mut new: libc::stack_t = zeroed();
        new.ss_flags = libc::SS_DISABLE;
        libc::sigaltstack(stack.unwrap_or(&new), null_mut());
    }
}

/// What a thread takes over from one of the host, to end as the runtime's.
struct Rest {
    key: libc::pthread_key_t,
    of: *const c_void,
    stack: Option<libc::stack_t>,
}

/// Ends what the runtime keeps of this thread, whose own record lies at `of`.
fn end(of: *mut c_void, own_stack: Option<libc::stack_t>) {
    let Some(key) = key_of(of) else {
        return;
    };
    // SAFETY: the key exists, and this thread does not come back to the runtime with it.
    unsafe { libc::pthread_setspecific(key, null()) };
    let now = alternate_stack();
    let is_own = now.map(|now| now.ss_sp) == own_stack.map(|own| own.ss_sp);
    let stack = now.filter(|_| !is_own);
    if stack.is_some() {
        set_alternate_stack(own_stack.as_ref());
    }
    let rest = Box::into_raw(Box::new(Rest { key, of, stack }));
    let mut thread = MaybeUninit::uninit();
    // Not by the standard library, which removes the stack before the destructors run. This does
    // not wait: another thread may hold the lock that the end takes, until the host's thread is
    // free for it.
    // SAFETY: the thread takes `rest`; if there is none, this does.
    unsafe {
        if libc::pthread_create(thread.as_mut_ptr(), null(), take_over, rest.cast()) == 0 {
            libc::pthread_detach(thread.assume_init());
        } else {
            drop(Box::from_raw(rest));
        }
    }
}

/// The destructor of the key runs at the end of this thread.
extern "C" fn take_over(rest: *mut c_void) -> *mut c_void {
    // SAFETY: `end` has made it, for this. The key exists, and its destructor expects such a
    // record.
    unsafe {
        let rest = Box::from_raw(rest.cast::<Rest>());
        if rest.stack.is_some() {
            set_alternate_stack(rest.stack.as_ref());
        }
        libc::pthread_setspecific(rest.key, rest.of);
    }
    null_mut()
}

/// The key under which the runtime keeps this record of the running thread.
fn key_of(of: *mut c_void) -> Option<libc::pthread_key_t> {
    /// `PTHREAD_KEYS_MAX` of glibc; musl has 128.
    const KEYS: libc::pthread_key_t = 1024;
    let keys = if cfg!(target_env = "musl") { 128 } else { KEYS };
    // SAFETY: a key that was not made has no value.
    (0..keys).find(|key| unsafe { libc::pthread_getspecific(*key) } == of)
}
