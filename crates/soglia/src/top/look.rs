//! What is read of the recording, again and again.

use soglia_core::trace::{names::Names, reader::ReadError};

use crate::{
    model::{Baseline, Model},
    opened::Opened,
};

/// A recording at one moment.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The whole run.
    pub whole: Model,
    /// What happened since the look before.
    pub recent: Model,
}

impl Look {
    /// The time between the two looks, or of the whole run.
    pub(super) fn period_ns(&self, whole: bool) -> u64 {
        let recent = self.recent.window.map(|window| window.duration_ns);
        match recent.filter(|_| !whole) {
            Some(period) => period.max(1),
            None => self.whole.duration_ns.max(1),
        }
    }
}

/// Looks at a recording. Reads counters only, never events, and each name once.
pub(super) struct Watcher {
    opened: Opened,
    names: Names,
    before: Baseline,
}

impl Watcher {
    /// Has not looked yet: the first look is about all that was before.
    pub(super) fn new(opened: Opened) -> Self {
        Self {
            opened,
            names: Names::default(),
            before: Baseline::default(),
        }
    }

    /// Looks once.
    pub(super) fn look(&mut self) -> Result<Look, ReadError> {
        let reader = self.opened.read()?;
        let whole = Model::read(&reader, false, &mut self.names, None);
        let recent = Model::read(&reader, false, &mut self.names, Some(&self.before));
        self.before = Baseline::of(&reader);
        Ok(Look { whole, recent })
    }
}
