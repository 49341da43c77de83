//! Records of the log about calls that end by exceptions.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::payload::{Decoder, Encoder};

/// An exception that native calls end by: once for each target, exception type and message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The target.
    pub target: u32,
    /// The managed stack where it was thrown first. It may begin with methods of the framework that
    /// convert arguments. 0: none is known.
    pub stack: u32,
    /// Calls of the target that have ended by it. 0: it was thrown inside a call that has not ended
    /// by it. That call is open, or code inside it has caught the exception.
    pub calls: u64,
    /// The type of the exception, with its namespace.
    pub exception: String,
    /// Its message.
    pub message: Option<String>,
}

/// The place of [`Failure::calls`] in the words of a record.
pub(super) const CALLS: usize = 3;

impl Failure {
    pub(super) fn encode(&self, to: &mut Encoder) {
        to.word(self.target)
            .word(self.stack)
            .long(self.calls)
            .string(&self.exception)
            .option(self.message.as_deref());
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            target: from.word()?,
            stack: from.word()?,
            calls: from.long()?,
            exception: from.string()?,
            message: from.option()?,
        })
    }
}

/// [`Failure::calls`] of a record in the log, which is counted in place.
#[derive(Clone, Copy, Debug)]
pub struct FailedCalls(pub(super) [&'static AtomicU32; 2]);

impl FailedCalls {
    /// Counts a call. Returns whether it is the first one.
    pub fn count(self) -> bool {
        let Self([low, high]) = self;
        let before = low.fetch_add(1, Relaxed);
        if before == u32::MAX {
            high.fetch_add(1, Relaxed);
        }
        before == 0 && high.load(Relaxed) == 0
    }
}
