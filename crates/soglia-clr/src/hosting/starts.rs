//! How often the runtime was started through this API.

use std::sync::atomic::{
    AtomicU32,
    Ordering::{AcqRel, Acquire},
};

use soglia_abi::{HRESULT, hresult};

use super::clr::{self, Clr};

/// Starts by all hosts of the process that are not stopped.
static STARTS: AtomicU32 = AtomicU32::new(0);

/// Whether the runtime has been started through this API, and not been stopped as often.
pub fn is_started() -> bool {
    STARTS.load(Acquire) > 0
}

/// The runtime, if it is started.
pub fn started() -> Result<&'static Clr, HRESULT> {
    clr::get()
        .filter(|_| is_started())
        .ok_or(hresult::HOST_E_CLRNOTAVAILABLE)
}

/// Counts a start.
pub fn add() {
    STARTS.fetch_add(1, AcqRel);
}

/// Counts a stop. Returns whether the runtime goes on because of other starts.
pub fn take_back() -> bool {
    STARTS.fetch_sub(1, AcqRel) > 1
}
