//! Rules that cannot hold.

use std::sync::{Mutex, PoisonError};

use crate::{engine::Engine, required};

/// Why the policy of a session does not hold.
static BROKEN: Mutex<Option<String>> = Mutex::new(None);

/// Notes that a rule that must hold does not. A program that was started with its policy ends. One
/// that ran before goes on, and the session does not begin.
pub(super) fn broken(engine: &Engine, why: &str) {
    if !engine.attached {
        required::end("the policy", why);
    }
    let mut broken = BROKEN.lock().unwrap_or_else(PoisonError::into_inner);
    broken.get_or_insert_with(|| why.to_owned());
}

/// Why the policy does not hold, if it does not. Forgets it.
pub(super) fn take_broken() -> Option<String> {
    BROKEN.lock().unwrap_or_else(PoisonError::into_inner).take()
}
