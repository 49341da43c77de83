//! Why the engine takes no part in a process.

use std::io::{self, Write};

use soglia_abi::hresult;
use soglia_core::plain::plain;
use windows_core::HRESULT;

/// The engine takes no part in this process.
pub struct Declined {
    /// The answer for the CLR.
    pub answer: HRESULT,
    /// The reason for people.
    pub why: String,
}

impl Declined {
    pub fn because(why: impl Into<String>) -> Self {
        Self {
            answer: hresult::CORPROF_E_PROFILER_CANCEL_ACTIVATION,
            why: why.into(),
        }
    }

    /// Says it on standard error, where no tool does.
    pub fn say(&self) {
        let line = format!(
            "soglia: this process is not recorded: {}\n",
            plain(&self.why)
        );
        // One write, so that lines of several processes do not mix. If it fails, there is nowhere
        // else to say it.
        let _ = io::stderr().write_all(line.as_bytes());
    }
}

impl From<HRESULT> for Declined {
    fn from(answer: HRESULT) -> Self {
        let why = format!("the runtime answered {:#010x} to the engine", answer.0);
        Self { answer, why }
    }
}
