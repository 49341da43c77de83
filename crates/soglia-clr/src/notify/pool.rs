//! The thread pool on threads of the host: `IHostThreadpoolManager`.
//!
//! The pool keeps its queues. Where it wants another thread for them, it asks here first. The host
//! has one of its threads call [`work`], which runs work items until none is left. If the host
//! declines, the pool makes a thread of its own, as without a host.
//!
//! All functions but [`work`] are called by CoreLib ([`crate::weave`]), in preemptive mode.

use std::{cell::Cell, ffi::c_void, ptr::null_mut, sync::OnceLock};

use soglia_abi::{
    HRESULT,
    hosting::thread_pool::IHostThreadpoolManager,
    hresult::{E_NOTIMPL, S_OK},
    param::Out,
};

use crate::{
    boundary::keeping_errno,
    host::{failure::heed, managers},
};

/// What CoreLib passes: a number, or nothing.
pub type Number = c_void;

/// Runs work items on the calling thread, until none is left.
static WORK: OnceLock<fn()> = OnceLock::new();

/// Has the pool ask the host from now on. `runs` runs work items until none is left.
pub fn begin(runs: fn()) {
    let _ = WORK.set(runs);
}

thread_local! {
    /// The thread is one of the host's, and runs work items.
    static LENT: Cell<bool> = const { Cell::new(false) };
}

/// An answer for CoreLib: .NET does it itself, as without a host.
const OWN: isize = 0;
/// The host has done it.
const DONE: isize = 1;
/// The host refuses it.
const REFUSED: isize = 2;
/// .NET's own number counts.
const NO_NUMBER: isize = -1;

/// The host's manager, once managed code can run on its threads.
fn manager() -> Option<&'static IHostThreadpoolManager> {
    WORK.get().and_then(|_| managers::pool_manager())
}

/// `ThreadPool.RequestWorkerThread`.
pub extern "C" fn request(_: *mut Number) -> isize {
    let Some(manager) = manager() else {
        return OWN;
    };
    keeping_errno(|| {
        // SAFETY: the host's manager lives as long as the process, and the function may be called
        // on any thread.
        let answer = heed(unsafe { manager.QueueUserWorkItem(Some(work), null_mut(), 0) });
        if answer.is_ok() { DONE } else { OWN }
    })
}

/// What a thread of the host runs.
unsafe extern "system" fn work(_: *mut c_void) -> u32 {
    if let Some(runs) = WORK.get() {
        let before = LENT.replace(true);
        runs();
        LENT.set(before);
    }
    0
}

/// Whether the thread is not counted by the pool.
pub extern "C" fn is_lent(_: *mut Number) -> isize {
    LENT.get().into()
}

/// `ThreadPool.SetMaxThreads`.
pub extern "C" fn set_most(number: *mut Number) -> isize {
    // SAFETY: the host's manager lives as long as the process.
    set(number, |manager, number| unsafe {
        manager.SetMaxThreads(number)
    })
}

/// `ThreadPool.SetMinThreads`.
pub extern "C" fn set_least(number: *mut Number) -> isize {
    // SAFETY: the host's manager lives as long as the process.
    set(number, |manager, number| unsafe {
        manager.SetMinThreads(number)
    })
}

fn set(number: *mut Number, set: impl FnOnce(&IHostThreadpoolManager, u32) -> HRESULT) -> isize {
    // .NET refuses negative numbers.
    let (Some(manager), Ok(number)) = (manager(), u32::try_from(number.addr().cast_signed()))
    else {
        return OWN;
    };
    keeping_errno(|| match heed(set(manager, number)) {
        E_NOTIMPL => OWN,
        answer if answer.is_ok() => DONE,
        _ => REFUSED,
    })
}

/// `ThreadPool.GetMaxThreads`.
pub extern "C" fn most(_: *mut Number) -> isize {
    // SAFETY: the host's manager lives as long as the process.
    get(|manager, place| unsafe { manager.GetMaxThreads(place) })
}

/// `ThreadPool.GetMinThreads`.
pub extern "C" fn least(_: *mut Number) -> isize {
    // SAFETY: the host's manager lives as long as the process.
    get(|manager, place| unsafe { manager.GetMinThreads(place) })
}

/// `ThreadPool.GetAvailableThreads`.
pub extern "C" fn available(_: *mut Number) -> isize {
    // SAFETY: the host's manager lives as long as the process.
    get(|manager, place| unsafe { manager.GetAvailableThreads(place) })
}

fn get(get: impl FnOnce(&IHostThreadpoolManager, Out<'_, u32>) -> HRESULT) -> isize {
    let Some(manager) = manager() else {
        return NO_NUMBER;
    };
    keeping_errno(|| {
        let mut number = 0;
        match heed(get(manager, Out::new(&mut number))) {
            S_OK => i32::try_from(number).unwrap_or(i32::MAX) as isize,
            _ => NO_NUMBER,
        }
    })
}
