//! What the failure of a hosting method means: after an `E_FAIL`, the CLR is out of use.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use soglia_abi::{HRESULT, hresult};

/// A hosting method, of either side, has answered `E_FAIL`.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Whether one has.
pub fn has_failed() -> bool {
    FAILED.load(Relaxed)
}

/// To be called with what a method of the host has answered. `E_FAIL` is documented to take the CLR
/// out of use: from then on every hosting method answers `HOST_E_CLRNOTAVAILABLE`. Takes one
/// comparison otherwise.
#[inline]
pub fn heed(answer: HRESULT) -> HRESULT {
    if answer == hresult::E_FAIL {
        FAILED.store(true, Relaxed);
    }
    answer
}
