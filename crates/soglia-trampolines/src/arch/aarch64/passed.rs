//! What a call passed and returned, as the trampoline keeps it.

/// What a call passed in registers and on the stack, and what it returned.
///
/// It is the trampoline's frame, and the arguments on the stack lie behind it.
#[derive(Debug)]
#[repr(C)]
pub struct Passed {
    /// q0 to q3 after the call.
    returned_floats: [[u64; 2]; 4],
    /// x0 and x1 after the call.
    returned: [u64; 2],
    /// q0 to q7.
    pub(crate) floats: [[u64; 2]; 8],
    /// x8, the address of a result in memory, and a word that is not used.
    _result: [u64; 2],
    /// x0 to x7.
    integers: [u64; 8],
    /// The slot's word about the stack.
    pub(crate) word: usize,
    /// What the first hook returned, the function, the id, the caller's x29 and the return address.
    _others: [u64; 5],
}

impl Passed {
    /// The register that passes the integer with this number, from 0.
    pub fn integer(&self, number: usize) -> Option<u64> {
        self.integers.get(number).copied()
    }

    /// The first integer register of the result.
    pub const fn returned(&self) -> u64 {
        self.returned[0]
    }

    /// The lower half of the first floating-point register of the result.
    pub const fn returned_float(&self) -> u64 {
        self.returned_floats[0][0]
    }
}

const _: () = assert!(
    size_of::<Passed>() == 320 + 16,
    "it ends where the stack begins"
);
