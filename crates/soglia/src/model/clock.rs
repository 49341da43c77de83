//! The clock of a report.

use soglia_core::time::Scale;

/// Turns ticks into nanoseconds since the start of the runtime, and knows when the report ends.
pub(super) struct Clock {
    pub(super) scale: Scale,
    pub(super) start: u64,
    /// Nanoseconds from the start until the process ended, or until the recording was read.
    pub(super) until: u64,
    /// The process may have ended later than `until`.
    pub(super) at_least: bool,
}

impl Clock {
    /// Nanoseconds since the start.
    pub(super) fn since_start(&self, ticks: u64) -> u64 {
        self.scale.ns(ticks.saturating_sub(self.start))
    }
}
