//! Records of the log from which the tool draws conclusions: signatures, callers, and when the
//! runtime had to wait.

use super::payload::{Decoder, Encoder};

/// The signature of a target, as the program declares it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signature {
    /// The target.
    pub target: u32,
    /// The call asks for the last error (`SetLastError`).
    pub sets_last_error: bool,
    /// The runtime passes every parameter and the result as it is.
    pub is_blittable: bool,
    /// The call converts strings for native code.
    pub strings_in: bool,
    /// The call makes strings of what native code returns.
    pub strings_out: bool,
    /// `LibraryImport` has generated the code that converts, so the signature is that of the method
    /// for which it was generated.
    pub is_generated: bool,
    /// For people: `int (string, IntPtr)`.
    pub text: String,
}

impl Signature {
    pub(super) fn encode(&self, to: &mut Encoder) {
        let bits = [
            self.sets_last_error,
            self.is_blittable,
            self.strings_in,
            self.strings_out,
            self.is_generated,
        ];
        let bits = (0..).zip(bits).map(|(n, bit)| u32::from(bit) << n);
        to.word(self.target).word(bits.sum()).string(&self.text);
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        let (target, bits) = (from.word()?, from.word()?);
        let bit = |n: u32| bits >> n & 1 != 0;
        Some(Self {
            target,
            sets_last_error: bit(0),
            is_blittable: bit(1),
            strings_in: bit(2),
            strings_out: bit(3),
            is_generated: bit(4),
            text: from.string()?,
        })
    }
}

/// The stack of a call that is not the target's first: of its first call on a further task, or of
/// one that the engine chose by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The target.
    pub target: u32,
    /// The task.
    pub task: u32,
    /// The stack's number.
    pub stack: u32,
}

impl Caller {
    pub(super) fn encode(self, to: &mut Encoder) {
        to.word(self.target).word(self.task).word(self.stack);
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            target: from.word()?,
            task: from.word()?,
            stack: from.word()?,
        })
    }
}

/// The runtime waited long for its threads to stop for a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspension {
    /// Ticks when the runtime began to stop its threads.
    pub at: u64,
    /// Ticks until all had stopped.
    pub waited: u64,
    /// The task that it waited for; 0: not known.
    pub task: u32,
    /// The target that the task had called without a GC transition; 0: not known.
    pub target: u32,
}

impl Suspension {
    pub(super) fn encode(self, to: &mut Encoder) {
        to.long(self.at)
            .long(self.waited)
            .word(self.task)
            .word(self.target);
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            at: from.long()?,
            waited: from.long()?,
            task: from.word()?,
            target: from.word()?,
        })
    }
}

/// All stops for collections so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Suspensions {
    /// How many there were.
    pub count: u64,
    /// Ticks that the runtime waited for its threads to stop, in all of them.
    pub waited: u64,
    /// Ticks of the longest wait.
    pub longest: u64,
}

impl Suspensions {
    pub(super) fn encode(self, to: &mut Encoder) {
        to.long(self.count).long(self.waited).long(self.longest);
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            count: from.long()?,
            waited: from.long()?,
            longest: from.long()?,
        })
    }
}

/// The runtime found that the work items of its thread pool starve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Starvation {
    /// Ticks when it said so.
    pub at: u64,
    /// The threads that the pool has from then on.
    pub threads: u32,
}

impl Starvation {
    pub(super) fn encode(self, to: &mut Encoder) {
        to.long(self.at).word(self.threads);
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            at: from.long()?,
            threads: from.word()?,
        })
    }
}
