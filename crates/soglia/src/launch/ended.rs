//! How a program ended, and ending the tool the same way.

use std::io::{self, Write};

use super::signals;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Exited(i32),
    /// This signal killed it.
    Killed(i32),
}

impl Ended {
    /// Ends the tool the same way: with the exit code, or by the same signal. The tool leaves no
    /// core dump beside that of the program.
    pub fn propagate(self) -> ! {
        match self {
            Self::Exited(code) => std::process::exit(code),
            Self::Killed(signal) => {
                let _ = io::stdout().flush();
                signals::die_of(signal)
            }
        }
    }
}
