//! Why a host cannot come or leave.

use soglia_abi::HRESULT;

/// Why a host could not come or leave.
pub(super) struct Failure {
    pub(super) code: HRESULT,
    /// The reason, and what to do.
    pub(super) text: String,
}

impl Failure {
    pub(super) fn new(code: HRESULT, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
        }
    }
}
