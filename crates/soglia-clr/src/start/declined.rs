//! Why the engine takes no part in a process.

use soglia_abi::hresult;
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
}

impl From<HRESULT> for Declined {
    fn from(answer: HRESULT) -> Self {
        let why = format!("the runtime answered {:#010x} to the engine", answer.0);
        Self { answer, why }
    }
}
