//! Thunks and their common code for aarch64, by the procedure call standard (AAPCS64).

mod passed;

use std::arch::{asm, global_asm, naked_asm};

use crate::{
    hooks::CallHooks,
    layout::{CODE, THUNK, THUNKS},
};

pub use passed::Passed;

/// Bytes of a thunk that a CLR before .NET 9 makes of a delegate.
pub(crate) const CLR_THUNK: usize = 32;
/// Bytes of a face.
pub(crate) const FACE: usize = 32;
/// How such a thunk begins: `adr x12, #16`.
pub(crate) const BEGINS: [u8; 4] = 0x1000_008C_u32.to_le_bytes();
/// What follows: `ldp x16, x12, [x12]; br x16`.
const GOES_ON: [[u8; 4]; 2] = [0xA940_3190_u32.to_le_bytes(), 0xD61F_0200_u32.to_le_bytes()];

/// The code that all thunks of a direction share.
#[derive(Clone, Copy)]
pub struct Common(unsafe extern "C" fn());

impl Common {
    /// The code that calls the hooks of `H`.
    pub const fn of<H: CallHooks>() -> Self {
        Self(common::<H>)
    }

    pub(crate) fn address(self) -> usize {
        self.0 as usize
    }
}

// `bti c; adr x16, slot; ldr x17, [x16]; br x17`, 16 bytes each.
// A slot takes 32 bytes. So the slot of the first thunk is as far as the template is long, and that
// of each other thunk 16 bytes more. The `adr` is the second instruction.
global_asm!(
    ".pushsection .text.soglia_thunks,\"ax\",@progbits",
    ".balign 65536",
    ".globl soglia_thunks",
    ".hidden soglia_thunks",
    ".type soglia_thunks,@object",
    ".size soglia_thunks,{code}",
    "soglia_thunks:",
    ".set soglia_thunk, 0",
    ".rept {thunks}",
    "hint #34",
    "adr x16, . + {code} + {thunk} * soglia_thunk - 4",
    "ldr x17, [x16]",
    "br x17",
    ".set soglia_thunk, soglia_thunk + 1",
    ".endr",
    ".popsection",
    code = const CODE,
    thunk = const THUNK,
    thunks = const THUNKS,
);

/// The code that every thunk goes on with. `x16` is the address of its slot.
///
/// ```text
///  x29+16 ..    arguments on the stack
///  x29+8        return address
///  x29          caller's x29
///  x29-8        the id, as it was before the call: another thread may change the slot
///  x29-16       the original function, likewise
///  x29-24       what the first hook returned
///  x29-32       the slot's word about the stack
///  x29-96 ..    x0 to x7
///  x29-112      x8
///  x29-240 ..   q0 to q7
///  x29-256      after the call: x0 x1
///  x29-320 ..   after the call: q0 to q3
/// ```
///
/// The code gives most of its frame back before the call, so that calls nested in each other have
/// room: the frame takes 48 bytes then. Where the arguments are kept, it takes 256.
/// [`Passed`](crate::Passed) is the frame from x29-320 to the arguments on the stack.
///
/// x8 is the address of a result in memory. Scalable vectors are not saved: the CLR passes none.
#[unsafe(naked)]
unsafe extern "C" fn common<H: CallHooks>() {
    naked_asm!(
        ".cfi_startproc",
        "hint #34",
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x29, sp",
        ".cfi_def_cfa_register x29",
        "sub sp, sp, #240",
        "stp x0, x1, [x29, #-96]",
        "stp x2, x3, [x29, #-80]",
        "stp x4, x5, [x29, #-64]",
        "stp x6, x7, [x29, #-48]",
        "str x8, [x29, #-112]",
        "stp q0, q1, [x29, #-240]",
        "stp q2, q3, [x29, #-208]",
        "stp q4, q5, [x29, #-176]",
        "stp q6, q7, [x29, #-144]",
        "ldp x1, x0, [x16, #8]",
        "ldr x9, [x16, #24]",
        "stp x1, x0, [x29, #-16]",
        "str x9, [x29, #-32]",
        "bl {open}",
        "str x0, [x29, #-24]",
        "tbnz w0, #31, 4f",
        "ldp q0, q1, [x29, #-240]",
        "ldp q2, q3, [x29, #-208]",
        "ldp q4, q5, [x29, #-176]",
        "ldp q6, q7, [x29, #-144]",
        "ldp x0, x1, [x29, #-96]",
        "ldp x2, x3, [x29, #-80]",
        "ldp x4, x5, [x29, #-64]",
        "ldp x6, x7, [x29, #-48]",
        "ldr x8, [x29, #-112]",
        "ldr x9, [x29, #-32]",
        "tbnz w9, #1, 5f",
        "sub sp, x29, #32",
        "5:",
        // Copies the arguments that the caller has put on the stack, from the last to the first.
        "ands x9, x9, #-16",
        "b.eq 3f",
        "add x10, x29, #16",
        "2:",
        "sub x9, x9, #16",
        "add x11, x10, x9",
        "ldp x12, x13, [x11]",
        "stp x12, x13, [sp, #-16]!",
        "cbnz x9, 2b",
        "3:",
        "ldr x16, [x29, #-16]",
        "blr x16",
        // A result is in these six registers at most.
        "sub sp, x29, #320",
        "stp x0, x1, [x29, #-256]",
        "stp q0, q1, [x29, #-320]",
        "stp q2, q3, [x29, #-288]",
        "ldp x1, x0, [x29, #-16]",
        "ldp x9, x2, [x29, #-32]",
        "mov x10, sp",
        "tst x9, #2",
        "csel x3, x10, xzr, ne",
        "bl {close}",
        "ldp x0, x1, [x29, #-256]",
        "ldp q0, q1, [x29, #-320]",
        "ldp q2, q3, [x29, #-288]",
        "mov sp, x29",
        ".cfi_remember_state",
        ".cfi_def_cfa_register sp",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "ret",
        ".cfi_restore_state",
        // The call is not made: returns zeros. A result in memory stays as it is.
        "4:",
        "mov x0, xzr",
        "mov x1, xzr",
        "movi v0.2d, #0",
        "movi v1.2d, #0",
        "movi v2.2d, #0",
        "movi v3.2d, #0",
        "mov sp, x29",
        ".cfi_def_cfa_register sp",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "ret",
        ".cfi_endproc",
        open = sym H::open,
        close = sym H::close,
    )
}

/// The pages of thunks, as they were loaded with this library.
pub(crate) fn template() -> &'static [u8; CODE] {
    unsafe extern "C" {
        static soglia_thunks: [u8; CODE];
    }
    // SAFETY: the assembly above defines the symbol, with `CODE` bytes in a section that no code
    // writes to and that stays loaded with this library.
    unsafe { &soglia_thunks }
}

/// A face for a thunk that a CLR before .NET 9 has made of a delegate, which leads to `trampoline`.
///
/// Such a thunk is `adr x12, #16; ldp x16, x12, [x12]; br x16`, four bytes, and then the addresses
/// of the code and of the data. The CLR recognises it by these instructions when managed code gets
/// the pointer, and finds the delegate by the data.
/// A face has the same bytes except for the code, which is the trampoline.
///
/// Returns `None` if the bytes of the thunk are others.
pub(crate) fn face(thunk: &[u8; CLR_THUNK], trampoline: usize) -> Option<[u8; FACE]> {
    if thunk[..4] != BEGINS || thunk[4..8] != GOES_ON[0] || thunk[8..12] != GOES_ON[1] {
        return None;
    }
    let mut face = *thunk;
    face[16..24].copy_from_slice(&trampoline.to_le_bytes());
    Some(face)
}

/// Has processors see the instructions of a face that was just written. They execute at `address`.
///
/// Caches of instructions and of data are apart on this architecture.
pub(crate) fn written(address: usize) {
    // No cache has shorter lines.
    const LINE: usize = 16;
    for line in (address..address + FACE).step_by(LINE) {
        // SAFETY: the face is mapped readable at this address. The instruction writes the line back
        // to where instructions are read from.
        unsafe { asm!("dc cvau, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    // SAFETY: barriers have no operands.
    unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
    for line in (address..address + FACE).step_by(LINE) {
        // SAFETY: the face is mapped at this address, where no thread executes it yet.
        unsafe { asm!("ic ivau, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    // SAFETY: barriers have no operands.
    unsafe { asm!("dsb ish", "isb", options(nostack, preserves_flags)) };
}
