//! What the caller of this crate says about a function.

/// What a trampoline stands for, as the hooks and the common code need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callee {
    /// The number that hooks get.
    pub id: i64,
    /// How many bytes of arguments are on the stack, at most.
    ///
    /// A greater number is harmless as long as the caller's stack has so many bytes.
    pub stack: usize,
    /// Whether the result goes into memory of the caller, whose address is the first argument.
    pub in_memory: bool,
    /// Whether the arguments are kept until the call has returned, for the hook that runs then.
    pub keeps: bool,
}

impl Callee {
    /// The stack, in a multiple of 16 bytes, and in the lowest bits whether the result is in memory
    /// and whether the arguments are kept.
    pub(crate) const fn word(self) -> usize {
        self.stack.next_multiple_of(16) | self.in_memory as usize | (self.keeps as usize) << 1
    }
}
