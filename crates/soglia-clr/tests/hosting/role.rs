//! What a case and the test that starts it as a process say to each other.

/// Before the case and what it needs, as arguments of this very program.
pub const ROLE: &str = "__host";

/// Begins a line of a case that cannot be played on this machine, before the reason.
pub const UNMET: &str = "unmet: ";
