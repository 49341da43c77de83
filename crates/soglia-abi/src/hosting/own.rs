//! What soglia adds to the hosting API: `include/soglia.h` in C and C++.

#![allow(
    missing_docs,
    reason = "the macro of interfaces makes items without; all that is written here has them"
)]
#![allow(non_snake_case, reason = "names are spelled as COM's are")]

use windows_core::{HRESULT, IUnknown, IUnknown_Vtbl, interface};

use crate::param::Out;

/// Counts and times of waits for slots, since the task manager was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct SogliaSlotFigures {
    /// All slots.
    pub Slots: u32,
    /// Slots that are free now.
    pub Free: u32,
    /// Tasks that wait for a slot now.
    pub Waiting: u32,
    /// Unused.
    pub Reserved: u32,
    /// Waits that have ended, with or without a slot.
    pub Waits: u64,
    /// The time of all waits together, in nanoseconds.
    pub WaitedNs: u64,
    /// The time of the longest wait, in nanoseconds.
    pub LongestNs: u64,
    /// Waits that ended with HOST_E_TIMEOUT.
    pub TimedOut: u64,
    /// Slots that were lent while their owners slept.
    pub Lent: u64,
    /// Slots whose owner's thread vanished without ending.
    pub Abandoned: u64,
}

/// Slot 3. Figures about a task manager of SogliaCreateTaskManager, which returns it from
/// QueryInterface. It may be called on any thread.
#[interface("5B8AD9F1-6A3E-4C0B-9C7E-3F1D2E64A7C5")]
pub unsafe trait ISogliaSlots: IUnknown {
    /// Stores the figures. E_POINTER for null.
    pub fn GetFigures(&self, pFigures: Out<'_, SogliaSlotFigures>) -> HRESULT;
}
