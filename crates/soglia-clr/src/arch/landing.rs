//! A place to go on at.

/// Where `run_to_landing` goes on: its stack, and an instruction.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Landing {
    pub stack: usize,
    pub at: usize,
}
