//! Answers of hosting methods that are no success.

use std::fmt;

use soglia_abi::{HRESULT, hresult};

/// What a hosting method answers, of either side: nothing but that it is done, or a failure.
pub type Answer<T = ()> = Result<T, HResult>;

/// A failing HRESULT. Those that hosts use have names here; all others can be made from their number.
///
/// Where a host's failure becomes a managed exception, .NET chooses its type by the number:
/// [`ACCESS_DENIED`](Self::ACCESS_DENIED) is an `UnauthorizedAccessException`, [`OUT_OF_MEMORY`](Self::OUT_OF_MEMORY) an
/// `OutOfMemoryException`, [`CANCELED`](Self::CANCELED) an `OperationCanceledException`, [`NOT_SUPPORTED`](Self::NOT_SUPPORTED) a
/// `NotSupportedException`, and a number without a type of its own a `COMException`. `Exception.HResult` is the number in any case.
///
/// ```
/// use soglia::host::HResult;
///
/// assert_eq!(HResult::TIMEOUT.to_string(), "HOST_E_TIMEOUT (0x80131024)");
/// assert_eq!(HResult::new(0x8013_1024), HResult::TIMEOUT);
/// assert_eq!(HResult::new(0x8004_1234).code(), 0x8004_1234);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HResult(pub(super) HRESULT);

impl HResult {
    /// The wait ran out of time.
    pub const TIMEOUT: Self = Self(hresult::HOST_E_TIMEOUT);
    /// The lock belongs to somebody else.
    pub const NOT_OWNER: Self = Self(hresult::HOST_E_NOT_OWNER);
    /// What was waited for is gone.
    pub const ABANDONED: Self = Self(hresult::HOST_E_ABANDONED);
    /// The wait was broken to end a deadlock.
    pub const DEADLOCK: Self = Self(hresult::HOST_E_DEADLOCK);
    /// An alert ended the wait.
    pub const INTERRUPTED: Self = Self(hresult::HOST_E_INTERRUPTED);
    /// Wrong state, or wrong thread.
    pub const INVALID_OPERATION: Self = Self(hresult::HOST_E_INVALIDOPERATION);
    /// The CLR has not started, or has been taken out of use.
    pub const CLR_NOT_AVAILABLE: Self = Self(hresult::HOST_E_CLRNOTAVAILABLE);
    /// A catastrophe. A host that answers it takes the CLR out of use: from then on every hosting method answers
    /// [`CLR_NOT_AVAILABLE`](Self::CLR_NOT_AVAILABLE). A panic counts as this.
    pub const FAIL: Self = Self(hresult::E_FAIL);
    /// There is no such thing here.
    pub const NOT_IMPLEMENTED: Self = Self(hresult::E_NOTIMPL);
    /// Not allowed.
    pub const ACCESS_DENIED: Self = Self(hresult::E_ACCESSDENIED);
    /// An argument is wrong.
    pub const INVALID_ARGUMENT: Self = Self(hresult::E_INVALIDARG);
    /// No memory.
    pub const OUT_OF_MEMORY: Self = Self(hresult::E_OUTOFMEMORY);
    /// Not in this state; also an End without its Begin.
    pub const UNEXPECTED: Self = Self(hresult::E_UNEXPECTED);
    /// Given up, because somebody asked for it.
    pub const CANCELED: Self = Self(hresult::COR_E_OPERATIONCANCELED);
    /// Not supported.
    pub const NOT_SUPPORTED: Self = Self(hresult::COR_E_NOTSUPPORTED);

    /// The failure with that number. A number without its highest bit is no failure: [`UNEXPECTED`](Self::UNEXPECTED).
    pub const fn new(code: u32) -> Self {
        match HRESULT(code as i32) {
            success if success.is_ok() => Self::UNEXPECTED,
            failure => Self(failure),
        }
    }

    /// The number.
    pub const fn code(self) -> u32 {
        self.0.0 as u32
    }

    /// The number's name in .NET's headers, if it has one there.
    pub const fn name(self) -> Option<&'static str> {
        hresult::name(self.0)
    }

    /// What a method of the other side has answered.
    pub(super) fn check(answer: HRESULT) -> Answer {
        if answer.is_err() {
            Err(Self(answer))
        } else {
            Ok(())
        }
    }

    /// What a method answers to the other side.
    pub(super) fn answer(result: Answer) -> HRESULT {
        result.err().map_or(hresult::S_OK, |failure| failure.0)
    }
}

impl fmt::Display for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:08X})", self.code()),
            None => write!(f, "HRESULT 0x{:08X}", self.code()),
        }
    }
}

impl fmt::Debug for HResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HResult({self})")
    }
}

impl std::error::Error for HResult {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_can_be_made() {
        assert_eq!(HResult::new(0), HResult::UNEXPECTED);
        assert_eq!(HResult::new(1), HResult::UNEXPECTED);
        assert_eq!(HResult::check(hresult::S_FALSE), Ok(()));
        assert_eq!(HResult::check(hresult::E_FAIL), Err(HResult::FAIL));
        assert_eq!(HResult::answer(Ok(())), hresult::S_OK);
        let own = HResult::new(0xa000_0001);
        assert_eq!(HResult::answer(Err(own)).0 as u32, 0xa000_0001);
        assert_eq!(own.to_string(), "HRESULT 0xA0000001");
    }
}
