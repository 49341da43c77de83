//! Results of hosting methods.

use std::fmt;

use soglia_abi::{HRESULT, hresult};

/// The result of a hosting method: success without a value, or a failure code.
pub type Answer<T = ()> = Result<T, HResult>;

/// A failing HRESULT.
///
/// The codes that hosts use have names here. [`new`](Self::new) makes any other code.
///
/// Where a failure of a host becomes a managed exception, .NET chooses the exception's type by the
/// code: [`ACCESS_DENIED`](Self::ACCESS_DENIED) becomes an `UnauthorizedAccessException`,
/// [`OUT_OF_MEMORY`](Self::OUT_OF_MEMORY) an `OutOfMemoryException`, [`CANCELED`](Self::CANCELED)
/// an `OperationCanceledException`, [`NOT_SUPPORTED`](Self::NOT_SUPPORTED) a
/// `NotSupportedException`. A code without a type of its own becomes a `COMException`.
/// `Exception.HResult` is always the code.
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
    /// Another thread owns the lock.
    pub const NOT_OWNER: Self = Self(hresult::HOST_E_NOT_OWNER);
    /// The owner of what was waited for has ended.
    pub const ABANDONED: Self = Self(hresult::HOST_E_ABANDONED);
    /// The wait was ended to break a deadlock.
    pub const DEADLOCK: Self = Self(hresult::HOST_E_DEADLOCK);
    /// An alert ended the wait.
    pub const INTERRUPTED: Self = Self(hresult::HOST_E_INTERRUPTED);
    /// The call is wrong in this state or on this thread.
    pub const INVALID_OPERATION: Self = Self(hresult::HOST_E_INVALIDOPERATION);
    /// The CLR has not started, or has been taken out of use.
    pub const CLR_NOT_AVAILABLE: Self = Self(hresult::HOST_E_CLRNOTAVAILABLE);
    /// An unspecified failure, which takes the CLR out of use: after a host's method has returned
    /// it, every hosting method returns [`CLR_NOT_AVAILABLE`](Self::CLR_NOT_AVAILABLE). A panic
    /// counts as this.
    pub const FAIL: Self = Self(hresult::E_FAIL);
    /// The method is not implemented.
    pub const NOT_IMPLEMENTED: Self = Self(hresult::E_NOTIMPL);
    /// The call is not allowed.
    pub const ACCESS_DENIED: Self = Self(hresult::E_ACCESSDENIED);
    /// An argument is wrong.
    pub const INVALID_ARGUMENT: Self = Self(hresult::E_INVALIDARG);
    /// There is not enough memory.
    pub const OUT_OF_MEMORY: Self = Self(hresult::E_OUTOFMEMORY);
    /// The call is wrong in this state, such as an end without its begin.
    pub const UNEXPECTED: Self = Self(hresult::E_UNEXPECTED);
    /// A method was aborted: `COR_E_THREADABORTED`.
    pub const THREAD_ABORTED: Self = Self(hresult::COR_E_THREADABORTED);
    /// The operation was cancelled.
    pub const CANCELED: Self = Self(hresult::COR_E_OPERATIONCANCELED);
    /// The operation is not supported.
    pub const NOT_SUPPORTED: Self = Self(hresult::COR_E_NOTSUPPORTED);

    /// The failure with that code. A code without its highest bit is not a failure, and becomes
    /// [`UNEXPECTED`](Self::UNEXPECTED).
    pub const fn new(code: u32) -> Self {
        match HRESULT(code as i32) {
            success if success.is_ok() => Self::UNEXPECTED,
            failure => Self(failure),
        }
    }

    /// The code as a number.
    pub const fn code(self) -> u32 {
        self.0.0 as u32
    }

    /// The code's name in .NET's headers, if it has one.
    pub const fn name(self) -> Option<&'static str> {
        hresult::name(self.0)
    }

    /// The result of a method of the engine.
    pub(super) fn check(answer: HRESULT) -> Answer {
        if answer.is_err() {
            Err(Self(answer))
        } else {
            Ok(())
        }
    }

    /// The result code for the engine.
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
