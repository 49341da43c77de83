//! Stops panics of a host before they reach the engine.

use std::panic::{AssertUnwindSafe, catch_unwind};

use soglia_abi::HRESULT;
use soglia_abi::hresult::E_FAIL;

/// Catches a panic, which becomes `E_FAIL`. Rust's panic handler has printed its message by then.
pub(super) fn fence(body: impl FnOnce() -> HRESULT) -> HRESULT {
    // A panic can leave the host's own state half changed, as a panic of a thread can.
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(E_FAIL)
}
