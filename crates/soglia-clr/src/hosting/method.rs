//! Bodies of hosting methods.

use soglia_abi::{HRESULT, hresult};

use crate::{
    boundary,
    host::failure::{has_failed, heed},
    memory,
};

/// The body of a hosting method: does not run after an `E_FAIL` (see [`heed`]), and does not unwind
/// into the host.
///
/// An `E_FAIL` of the engine has the same effect as one that the host returns.
pub(super) fn method(body: impl FnOnce() -> HRESULT) -> HRESULT {
    heed(running(body))
}

/// As [`method`], where the answer may come from the host's or the program's code, whose `E_FAIL`
/// is an answer like others.
pub(super) fn running(body: impl FnOnce() -> HRESULT) -> HRESULT {
    if has_failed() {
        return hresult::HOST_E_CLRNOTAVAILABLE;
    }
    boundary::fence(hresult::E_FAIL, body)
}

/// As [`method`], for one that gives out or keeps something: answers `E_OUTOFMEMORY` if there is no
/// memory.
pub(super) fn giving(body: impl FnOnce() -> HRESULT) -> HRESULT {
    method(|| with_memory(body))
}

/// As [`running`], likewise.
pub(super) fn running_with_memory(body: impl FnOnce() -> HRESULT) -> HRESULT {
    running(|| with_memory(body))
}

/// The body of what works after an `E_FAIL` too: the way in and out.
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
