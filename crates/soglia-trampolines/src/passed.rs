//! What is the same of a call on each architecture.

use std::ptr;

use crate::arch::Passed;

impl Passed {
    /// The lower half of the register that passes the floating-point number with this number.
    pub fn float(&self, number: usize) -> Option<u64> {
        self.floats.get(number).map(|[low, _]| *low)
    }

    /// The word with this number of the arguments on the stack.
    pub fn on_stack(&self, number: usize) -> Option<u64> {
        if number >= (self.word & !15) / 8 {
            return None;
        }
        let behind = (&raw const *self).expose_provenance() + size_of::<Self>();
        let word = ptr::with_exposed_provenance::<u64>(behind + number * 8);
        // SAFETY: the arguments of the caller lie behind the frame. The slot's word says how many
        // bytes of them there are, and the trampoline has read them all for the call.
        Some(unsafe { word.read_volatile() })
    }
}
