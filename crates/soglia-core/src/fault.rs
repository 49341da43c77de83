//! Faults: crossings that do not fit. The engine counts each, the report shows them, and recording
//! goes on.

/// A way in which the crossings of a task can fail to nest.
///
/// The numbers are indexes of the fault counters in the recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// An `EnterRuntime` or `ReverseLeaveRuntime` without an open layer that it could close.
    Unmatched = 0,
    /// A layer was never closed, because an exception through unmanaged frames or `longjmp` unwound
    /// past it.
    Abandoned = 1,
    /// More nested layers than are kept. Their calls are counted, not timed.
    TooDeep = 2,
    /// A crossing after the runtime had announced its shutdown. It is recorded like any other.
    AfterShutdown = 3,
    /// The runtime named a function that it does not know itself (dotnet/runtime#120151). The
    /// engine only counts it.
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

    /// What it means, in one sentence for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Unmatched => "a return came without a call",
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
