//! What the tool itself says, on standard error.

use std::io::{self, Write};

use soglia::text::plain;

/// Exit code for wrong usage and for an environment in which soglia cannot work.
pub const CANNOT: i32 = 2;

/// One line on standard error.
pub fn complain(what: &dyn std::fmt::Display) {
    // Whatever it quotes. If standard error is gone, there is nobody left to tell.
    let _ = writeln!(io::stderr(), "soglia: {}", plain(&what.to_string()));
}
