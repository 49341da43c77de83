//! Native functions that return a failed HRESULT for which the CLR throws: calls without
//! `PreserveSig`.
//!
//! Such a call has returned, while a call that fails before it leaves has not. Both end by an
//! exception. One method of CoreLib makes the exception for such an HRESULT
//! ([`weave::hidden`](crate::weave)). It calls the engine between the return and the exception,
//! which distinguishes the two.

use std::{cell::RefCell, ffi::c_void};

use crate::{boundary, threads};

/// An open call: its depth, and when it began.
type Open = (u32, u64);

thread_local! {
    /// Calls that have returned an HRESULT which is being thrown. Exception filters run before that
    /// is over, and may make such calls too.
    static THROWN: RefCell<Vec<Open>> = const { RefCell::new(Vec::new()) };
}

/// The innermost open call of this thread.
fn innermost() -> Option<Open> {
    let task = threads::existing()?;
    Some((task.depth(), task.top()?.since))
}

fn with<T>(otherwise: T, body: impl FnOnce(&mut Vec<Open>) -> T) -> T {
    let thrown = THROWN.try_with(|thrown| thrown.try_borrow_mut().ok().map(|mut t| body(&mut t)));
    thrown.ok().flatten().unwrap_or(otherwise)
}

/// Called when a native function has returned a failed HRESULT and CoreLib is about to make an
/// exception of it. In preemptive mode.
pub extern "C" fn hresult_thrown(_: *mut c_void) -> isize {
    boundary::fence((), || {
        if let Some(open) = innermost() {
            with((), |thrown| {
                // Calls of the same depth, and deeper ones, are over.
                thrown.retain(|(depth, _)| *depth < open.0);
                thrown.push(open);
            });
        }
    });
    0
}

/// Whether the innermost open call, which ends by an exception, has returned an HRESULT that is
/// being thrown.
#[cold]
pub(super) fn take() -> bool {
    boundary::fence(false, || {
        let Some(open) = innermost() else {
            return false;
        };
        with(false, |thrown| {
            thrown.retain(|(depth, _)| *depth <= open.0);
            thrown.pop_if(|last| *last == open).is_some()
        })
    })
}
