//! Crossings that do not fit: data, not errors. Each is counted, said in the report, and survived.

/// A way in which the crossings of a task can fail to nest.
///
/// The numbers are indexes of the fault counters in the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// `EnterRuntime` or `ReverseLeaveRuntime` with no open layer that it could close.
    Unmatched = 0,
    /// A layer was never closed: the stack was unwound past it (an exception through unmanaged frames, `longjmp`).
    Abandoned = 1,
    /// More nested layers than are kept; their calls are counted, not timed.
    TooDeep = 2,
    /// A crossing after the runtime said that it shuts down. Recorded as any other.
    AfterShutdown = 3,
    /// The runtime named a function that it does not know itself (dotnet/runtime#120151). Never looked at, only counted.
    UnknownFunction = 4,
}

impl Fault {
    /// All faults, in the order of their numbers.
    pub const ALL: [Self; 5] = [
        Self::Unmatched,
        Self::Abandoned,
        Self::TooDeep,
        Self::AfterShutdown,
        Self::UnknownFunction,
    ];

    /// The word for it in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unmatched => "unmatched",
            Self::Abandoned => "abandoned",
            Self::TooDeep => "too-deep",
            Self::AfterShutdown => "after-shutdown",
            Self::UnknownFunction => "unknown-function",
        }
    }

    /// One sentence for a person who sees it in a report.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Unmatched => "a return was told for a call that was never told",
            Self::Abandoned => {
                "a call was unwound past, by an exception or longjmp, and never returned"
            }
            Self::TooDeep => "calls nested deeper than soglia keeps: counted, but not timed",
            Self::AfterShutdown => "the call came after the runtime had announced its shutdown",
            Self::UnknownFunction => {
                "the runtime named a function that does not exist (dotnet/runtime#120151)"
            }
        }
    }
}
