//! The task that the calling thread is, as crossings see it. Its object, which hosts get, is made
//! in `hosting`.

use std::{
    ffi::c_void,
    ptr::null_mut,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    },
};

use soglia_abi::{HRESULT, hosting::types::ETaskType};

use super::abort::Abort;
use crate::arch::thread_pointer;

/// What others ask about a task, or want of it. Lives as long as the task's object.
pub struct State {
    /// Its thread's number.
    pub thread: u64,
    pub kind: ETaskType,
    /// The host's number for it.
    pub identifier: AtomicU64,
    /// Whether the thread is in managed code, as far as crossings are notified.
    pub in_managed: AtomicBool,
    /// `YieldTask`, not yet done.
    pub shall_yield: AtomicBool,
    /// Critical regions that the thread is in, if they are counted.
    pub regions: Option<Arc<AtomicU32>>,
    /// What aborts it.
    pub abort: Arc<Abort>,
}

thread_pointer!(state, "soglia_clr_task", State);

/// Keeps the state of the calling thread, which is the object's; null: it has none any more.
pub fn keep(state: *mut State) {
    state::set(state);
}

/// The state of the calling thread, if it has an `ICLRTask`. Two loads.
#[inline]
pub fn here() -> Option<&'static State> {
    // SAFETY: null, or of the object in CURRENT, which is held until `Own` is dropped. Nothing of
    // ours on this thread uses a state after that.
    unsafe { state::get().as_ref() }
}

/// The calling thread goes into managed code (true), or out of it.
#[inline]
pub fn runs_managed(managed: bool) {
    if let Some(task) = here() {
        task.in_managed.store(managed, Relaxed);
    }
}

/// Whether `YieldTask` has asked the calling thread to give up its processor. Says so once.
#[inline]
pub fn shall_yield() -> bool {
    here()
        .is_some_and(|task| task.shall_yield.load(Relaxed) && task.shall_yield.swap(false, Relaxed))
}

/// Whether the crossing that the calling thread makes has to throw `COR_E_THREADABORTED`: out of
/// managed code (before any notification), or back into it.
#[inline]
pub fn throws() -> bool {
    here().is_some_and(|task| task.abort.is_due() && task.abort.take())
}

/// Whether the calling thread has to throw where it polls. `to_the_end`: in code that has to run to
/// its end, which a rude abort alone ends.
#[inline]
pub fn is_to_throw(to_the_end: bool) -> bool {
    here().is_some_and(|task| task.abort.is_due() && (!to_the_end || task.abort.is_rude()))
}

/// The calling thread begins the constructor of a type: an abort waits, unless it is rude.
pub fn build() {
    if let Some(task) = here() {
        task.abort.build();
    }
}

/// It has ended.
pub fn built() {
    if let Some(task) = here() {
        task.abort.built();
    }
}

/// Managed code that native code has called, for as long as this lives.
pub struct Inside(());

impl Drop for Inside {
    fn drop(&mut self) {
        leave_managed();
    }
}

/// To be held where native code calls managed code on this thread.
///
/// # Errors
/// `COR_E_THREADABORTED` if an abort of the thread is due: it would be thrown into native code.
pub fn inside() -> Result<Inside, HRESULT> {
    enter_managed().map(Inside)
}

/// To be called before native code calls managed code on this thread. Without errors there has to
/// be a [`leave_managed`] after it.
///
/// # Errors
/// As for [`inside`].
#[inline]
pub fn enter_managed() -> Result<(), HRESULT> {
    here().map_or(Ok(()), |task| task.abort.enter())
}

/// And after it has returned.
#[inline]
pub fn leave_managed() {
    if let Some(task) = here() {
        task.abort.leave();
    }
}

/// Gives the calling thread's `ICLRTask2`, lent; null if the runtime is not there.
static OF_CLR: OnceLock<fn() -> *mut c_void> = OnceLock::new();

/// Has `make` give tasks of the CLR. To be called before the runtime runs.
pub fn made_by(make: fn() -> *mut c_void) {
    let _ = OF_CLR.set(make);
}

/// The calling thread's `ICLRTask2`, lent, for its host; null if the runtime is not there.
pub fn of_clr() -> *mut c_void {
    OF_CLR.get().map_or(null_mut(), |make| make())
}
