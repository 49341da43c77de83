//! What a failure of a hosting method means: after an `E_FAIL`, the CLR is out of use.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use soglia_abi::{HRESULT, hresult};

/// Whether a hosting method of the host or of the engine has answered `E_FAIL`.
static FAILED: AtomicBool = AtomicBool::new(false);

/// Whether a hosting method has answered `E_FAIL`.
pub fn has_failed() -> bool {
    FAILED.load(Relaxed)
}

/// Takes the answer of a method of the host, and returns it.
///
/// `E_FAIL` is documented to take the CLR out of use: from then on every hosting method answers
/// `HOST_E_CLRNOTAVAILABLE`. Any other answer costs one comparison.
#[inline]
pub fn heed(answer: HRESULT) -> HRESULT {
    if answer == hresult::E_FAIL {
        FAILED.store(true, Relaxed);
    }
    answer
}
