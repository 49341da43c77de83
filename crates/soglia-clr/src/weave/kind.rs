//! Which hooks the wrappers of a session call.

use crate::engine::Engine;

/// Wrappers of the same kind are the same, if no rule is about the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    counts: bool,
    judges: bool,
    notifies: bool,
}

impl Kind {
    pub(super) fn of(engine: &Engine) -> Self {
        Self {
            counts: engine.counts(),
            judges: engine.rules.judges(),
            notifies: engine.notifies,
        }
    }
}
