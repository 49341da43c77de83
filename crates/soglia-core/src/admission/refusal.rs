//! Why a task did not get what it asked for.

/// Why a crossing was not taken. There is one for each HRESULT that a host may answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `HOST_E_TIMEOUT`.
    #[error("no slot came free in time")]
    TimedOut,
    /// `HOST_E_NOT_OWNER`.
    #[error("the task does not own a slot that it could give")]
    NotOwner,
    /// `HOST_E_ABANDONED`.
    #[error("the last owner of the slot died with it")]
    Abandoned,
    /// `E_UNEXPECTED`.
    #[error("the region was not begun, or is begun already")]
    Unexpected,
}
