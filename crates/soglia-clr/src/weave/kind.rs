//! Which hooks the wrappers of a session call.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::engine::Engine;

/// Wrappers of the same kind are the same, if no rule is about the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind {
    counts: bool,
    judges: bool,
    notifies: bool,
    /// A number for the functions whose arguments are recorded while calls are open.
    opens: u64,
}

impl Kind {
    pub(super) fn of(engine: &Engine) -> Self {
        Self {
            counts: engine.counts(),
            judges: engine.rules.judges(),
            notifies: engine.notifies,
            opens: opens(engine),
        }
    }
}

fn opens(engine: &Engine) -> u64 {
    let texts = engine.arguments.all.iter().map(ToString::to_string);
    let texts: Vec<String> = texts.collect();
    let mut hasher = DefaultHasher::new();
    texts.hash(&mut hasher);
    hasher.finish()
}
