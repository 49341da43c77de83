//! What the tool itself says, on standard error.

use std::io::{self, Write};

use soglia::text::plain;

/// Exit code for wrong usage and for an environment in which soglia cannot work.
pub const CANNOT: i32 = 2;

/// Writes one line to standard error.
pub fn complain(what: &dyn std::fmt::Display) {
    // A message may quote control characters. A closed standard error leaves nowhere to report
    // that.
    let _ = writeln!(io::stderr(), "soglia: {}", plain(&what.to_string()));
}
