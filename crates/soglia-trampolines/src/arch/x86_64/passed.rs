//! What a call passed and returned, as the trampoline keeps it.

/// What a call passed in registers and on the stack, and what it returned.
///
/// It is the trampoline's frame, and the arguments on the stack lie behind it.
#[derive(Debug)]
#[repr(C)]
pub struct Passed {
    /// xmm1 and xmm0 after the call.
    returned_floats: [[u64; 2]; 2],
    /// xmm0 to xmm7.
    pub(crate) floats: [[u64; 2]; 8],
    /// rdx and rax after the call.
    returned: [u64; 2],
    /// r9, r8, rcx, rdx, rsi and rdi.
    integers: [u64; 6],
    /// The slot's word about the stack.
    pub(crate) word: usize,
    /// What the first hook returned, the function, the id, the caller's rbp and the return address.
    _others: [u64; 5],
}

impl Passed {
    /// The register that passes the integer with this number, from 0.
    pub fn integer(&self, number: usize) -> Option<u64> {
        self.integers.iter().rev().nth(number).copied()
    }

    /// The first integer register of the result.
    pub const fn returned(&self) -> u64 {
        self.returned[1]
    }

    /// The lower half of the first floating-point register of the result.
    pub const fn returned_float(&self) -> u64 {
        self.returned_floats[1][0]
    }
}

const _: () = assert!(
    size_of::<Passed>() == 256 + 16,
    "it ends where the stack begins"
);
