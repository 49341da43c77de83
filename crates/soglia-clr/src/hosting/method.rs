//! Bodies of hosting methods.

use soglia_abi::{HRESULT, hresult};

use crate::{
    boundary,
    host::failure::{has_failed, heed},
    memory,
};

/// Runs the body of a hosting method, and does not unwind into the host. After an `E_FAIL` (see
/// [`heed`]) the body does not run.
///
/// An `E_FAIL` of the engine has the same effect as one that the host returns.
pub(super) fn method(body: impl FnOnce() -> HRESULT) -> HRESULT {
    heed(running(body))
}

/// As [`method`], where the answer may come from code of the host or of the program, whose `E_FAIL`
/// has no such effect.
pub(super) fn running(body: impl FnOnce() -> HRESULT) -> HRESULT {
    if has_failed() {
        return hresult::HOST_E_CLRNOTAVAILABLE;
    }
    boundary::fence(hresult::E_FAIL, body)
}

/// As [`method`], for a body that gives out or keeps something. Answers `E_OUTOFMEMORY` if there is
/// no memory.
pub(super) fn giving(body: impl FnOnce() -> HRESULT) -> HRESULT {
    method(|| with_memory(body))
}

/// As [`running`], for a body that gives out or keeps something.
pub(super) fn running_with_memory(body: impl FnOnce() -> HRESULT) -> HRESULT {
    running(|| with_memory(body))
}

/// Runs a body that also works after an `E_FAIL`: the way in and out.
pub(super) fn door(body: impl FnOnce() -> HRESULT) -> HRESULT {
    boundary::fence(hresult::E_FAIL, || with_memory(body))
}

fn with_memory(body: impl FnOnce() -> HRESULT) -> HRESULT {
    if memory::is_short() {
        hresult::E_OUTOFMEMORY
    } else {
        body()
    }
}

/// The answer of a body that uses `?`.
pub(super) fn answer(result: Result<(), HRESULT>) -> HRESULT {
    result.err().unwrap_or(hresult::S_OK)
}
