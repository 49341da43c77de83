//! The hosting API: what a host calls to start .NET, and what of it .NET calls.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`exports`] | the functions of mscoree.dll |
//! | [`metahost`], [`metahost_policy`], [`runtime_info`] | `ICLRMetaHost`, `ICLRMetaHostPolicy`, `ICLRRuntimeInfo`: which runtimes there are |
//! | [`runtimes`] | the same, without COM |
//! | [`runtime_host`] | `ICLRRuntimeHost` 1, 2 and 4: the runtime as a thing to start and to run code in |
//! | [`clr`] | starting it: hostfxr, CoreCLR's own `ICLRRuntimeHost` |
//! | [`attach`] | how the engine gets into it |
//! | [`host`] | the host's side: `SetHostControl`, and the managers that the host gave |
//! | [`fenced`] | what the host's methods throw ends there |
//! | [`control`] | the CLR's side: `ICLRControl` |
//! | [`object`] | what hosts get: objects that they may release too often |
//! | [`tasks`], [`collector`], [`events`], [`policy`], [`others`] | what it hands out |
//! | [`abort`] | what aborts a task, and what holds that back |
//! | [`suspension`] | tells the host when threads are suspended |
//! | [`slots`] | a task manager of soglia's own, which bounds how many tasks run managed code |
//! | [`signals`] | room for the runtime's signal handlers |
//! | [`managed`] | what only managed code can ask .NET |
//! | [`wide`], [`image`] | texts; the version in a file |
//!
//! All of it is cold. What crossings need is one load: [`task_manager`].

pub mod abort;
mod attach;
mod clr;
mod collector;
mod control;
mod events;
mod exports;
mod fenced;
mod host;
mod image;
mod managed;
mod metahost;
mod metahost_policy;
mod object;
mod others;
mod policy;
mod runtime_host;
mod runtime_info;
mod runtimes;
mod signals;
pub mod slots;
pub mod suspension;
mod tasks;
mod wide;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use soglia_abi::{HRESULT, hresult};

use crate::{boundary, memory};

pub use attach::recording;
pub use events::shut_down;
pub use fenced::{release, stand_in};
pub use {
    host::task_manager,
    tasks::{of_this_thread as task_of_this_thread, runs_managed, shall_yield},
};

/// A hosting method, of either side, has answered `E_FAIL`.
static FAILED: AtomicBool = AtomicBool::new(false);

fn has_failed() -> bool {
    FAILED.load(Relaxed)
}

/// The body of a hosting method: does not run after an `E_FAIL` (see [`heed`]), and does not unwind into the host.
///
/// An `E_FAIL` of ours counts as one of the host's.
fn method(body: impl FnOnce() -> HRESULT) -> HRESULT {
    heed(running(body))
}

/// As [`method`], where the answer may come from the host's or the program's code, whose `E_FAIL` is an answer like others.
fn running(body: impl FnOnce() -> HRESULT) -> HRESULT {
    if has_failed() {
        return hresult::HOST_E_CLRNOTAVAILABLE;
    }
    boundary::fence(hresult::E_FAIL, body)
}

/// As [`method`], for one that gives out or keeps something: answers `E_OUTOFMEMORY` if there is no memory.
fn giving(body: impl FnOnce() -> HRESULT) -> HRESULT {
    method(|| with_memory(body))
}

/// As [`running`], likewise.
fn running_with_memory(body: impl FnOnce() -> HRESULT) -> HRESULT {
    running(|| with_memory(body))
}

/// The body of what works after an `E_FAIL` too: the way in and out.
fn door(body: impl FnOnce() -> HRESULT) -> HRESULT {
    boundary::fence(hresult::E_FAIL, || with_memory(body))
}

fn with_memory(body: impl FnOnce() -> HRESULT) -> HRESULT {
    if memory::is_short() {
        hresult::E_OUTOFMEMORY
    } else {
        body()
    }
}

/// To be called with what a method of the host has answered. `E_FAIL` is documented to take the CLR out of use: from then on
/// every hosting method answers `HOST_E_CLRNOTAVAILABLE`. Takes one comparison otherwise.
#[inline]
pub fn heed(answer: HRESULT) -> HRESULT {
    if answer == hresult::E_FAIL {
        FAILED.store(true, Relaxed);
    }
    answer
}

/// The answer of a body that uses `?`.
fn answer(result: Result<(), HRESULT>) -> HRESULT {
    result.err().unwrap_or(hresult::S_OK)
}

/// An interface that lives as long as the process, for all threads.
///
/// The hosting API has its objects called from any thread: a host that gives one out promises that it can be.
struct Shared<T>(T);

// SAFETY: see above.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: see above.
unsafe impl<T> Sync for Shared<T> {}
