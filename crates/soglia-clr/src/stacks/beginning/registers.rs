//! What a frame is found by.

/// The registers of a frame where it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Registers {
    pub ip: usize,
    pub sp: usize,
    pub fp: usize,
}
