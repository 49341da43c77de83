//! The four crossings of the boundary, in the words of the hosting API.

/// One step of a task over the boundary between managed and unmanaged code: an instant.
///
/// The names are those of the methods of `IHostTaskManager`. The numbers are part of the
/// recording's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Crossing {
    /// The task leaves managed code to call an unmanaged function.
    LeaveRuntime = 1,
    /// The unmanaged function has returned.
    EnterRuntime = 2,
    /// Unmanaged code calls a managed function.
    ReverseEnterRuntime = 3,
    /// The managed function returns to its unmanaged caller.
    ReverseLeaveRuntime = 4,
}

impl Crossing {
    /// All four, in the order of their numbers.
    pub const ALL: [Self; 4] = [
        Self::LeaveRuntime,
        Self::EnterRuntime,
        Self::ReverseEnterRuntime,
        Self::ReverseLeaveRuntime,
    ];

    /// The name of the method of `IHostTaskManager`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LeaveRuntime => "LeaveRuntime",
            Self::EnterRuntime => "EnterRuntime",
            Self::ReverseEnterRuntime => "ReverseEnterRuntime",
            Self::ReverseLeaveRuntime => "ReverseLeaveRuntime",
        }
    }

    /// Whether this crossing opens a layer. The other two close one.
    pub const fn opens(self) -> bool {
        matches!(self, Self::LeaveRuntime | Self::ReverseEnterRuntime)
    }

    /// The side of the layer that this crossing opens or closes.
    pub const fn side(self) -> Side {
        match self {
            Self::LeaveRuntime | Self::EnterRuntime => Side::Unmanaged,
            Self::ReverseEnterRuntime | Self::ReverseLeaveRuntime => Side::Managed,
        }
    }

    /// The crossing with this number in a recording.
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::LeaveRuntime),
            2 => Some(Self::EnterRuntime),
            3 => Some(Self::ReverseEnterRuntime),
            4 => Some(Self::ReverseLeaveRuntime),
            _ => None,
        }
    }
}

/// The kind of code that runs in a layer.
///
/// Not "native": precompiled managed code is native code too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Side {
    /// Unmanaged code that managed code called: from `LeaveRuntime` to `EnterRuntime`.
    Unmanaged = 0,
    /// Managed code that unmanaged code called: from `ReverseEnterRuntime` to
    /// `ReverseLeaveRuntime`.
    Managed = 1,
}

impl Side {
    /// The direction of the call that opens such a layer: `forward` or `reverse`.
    pub const fn direction(self) -> &'static str {
        match self {
            Self::Unmanaged => "forward",
            Self::Managed => "reverse",
        }
    }

    /// The side with this number in a recording.
    pub const fn from_number(number: u32) -> Self {
        if number & 1 == 0 {
            Self::Unmanaged
        } else {
            Self::Managed
        }
    }
}

/// The function that an opening crossing calls, or from which a closing crossing returns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The runtime's number of the function; 0 for a function pointer. A return closes the call
    /// that has the same number.
    pub function: u64,
    /// Where the call is counted. Used only when a layer is opened.
    pub slot: u32,
}

impl Who {
    /// A function that is known by its target's number only: for replays, tests and examples.
    pub const fn target(target: u32) -> Self {
        Self {
            function: target as u64,
            slot: target,
        }
    }
}
