//! Thunks and their common code for x86_64, by the System V calling convention.

mod passed;

use std::arch::{global_asm, naked_asm};

use crate::{
    hooks::CallHooks,
    layout::{CODE, THUNKS},
};

pub use passed::Passed;

/// Bytes of a thunk that a CLR before .NET 9 makes of a delegate.
pub(crate) const CLR_THUNK: usize = 23;
/// Bytes of a face.
pub(crate) const FACE: usize = 32;
/// How such a thunk begins.
pub(crate) const BEGINS: [u8; 2] = [0x49, 0xBA];

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

// `endbr64; lea r11, [rip + slot]; jmp [r11]`, 16 bytes each.
// A slot takes 32 bytes. So from the end of the `lea` it is as far as the template is long, and 16
// bytes more for each thunk before this one.
// The bytes are written out: an assembler would take the distance for an address.
global_asm!(
    ".pushsection .text.soglia_thunks,\"ax\",@progbits",
    ".balign 4096",
    ".globl soglia_thunks",
    ".hidden soglia_thunks",
    ".type soglia_thunks,@object",
    ".size soglia_thunks,{code}",
    "soglia_thunks:",
    ".set soglia_thunk, 0",
    ".rept {thunks}",
    "endbr64",
    ".byte 0x4c, 0x8d, 0x1d",
    ".long {code} + 16 * soglia_thunk - 11",
    ".byte 0x41, 0xff, 0x23",
    ".balign 16, 0xcc",
    ".set soglia_thunk, soglia_thunk + 1",
    ".endr",
    ".popsection",
    code = const CODE,
    thunks = const THUNKS,
);

/// The code that every thunk goes on with. `r11` is the address of its slot.
///
/// ```text
///  rbp+16 ..   arguments on the stack
///  rbp+8       return address
///  rbp         caller's rbp
///  rbp-8       the id, as it was before the call: another thread may change the slot
///  rbp-16      the original function, likewise
///  rbp-24      what the first hook returned
///  rbp-32      the slot's word about the stack
///  rbp-40 ..   rdi rsi rdx rcx r8 r9
///  rbp-88      before the call: rax r10; after the call: rax rdx
///  rbp-112 ..  xmm7 .. xmm0 up to rbp-224
///  rbp-240 ..  after the call: xmm0 xmm1
/// ```
///
/// The code gives most of its frame back before the call, so that calls nested in each other have
/// room: the frame takes 48 bytes then. Where the arguments are kept, it takes 240.
/// [`Passed`](crate::Passed) is the frame from rbp-256 to the arguments on the stack.
///
/// The upper parts of ymm and zmm registers are not saved: the CLR passes nothing in them.
/// rax is the number of vector registers if the callee takes any number of arguments, and some
/// compilers pass r10 to nested functions.
#[unsafe(naked)]
unsafe extern "C" fn common<H: CallHooks>() {
    naked_asm!(
        ".cfi_startproc",
        "endbr64",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "sub rsp, 224",
        "mov [rbp - 40], rdi",
        "mov [rbp - 48], rsi",
        "mov [rbp - 56], rdx",
        "mov [rbp - 64], rcx",
        "mov [rbp - 72], r8",
        "mov [rbp - 80], r9",
        "mov [rbp - 88], rax",
        "mov [rbp - 96], r10",
        "movaps [rbp - 224], xmm0",
        "movaps [rbp - 208], xmm1",
        "movaps [rbp - 192], xmm2",
        "movaps [rbp - 176], xmm3",
        "movaps [rbp - 160], xmm4",
        "movaps [rbp - 144], xmm5",
        "movaps [rbp - 128], xmm6",
        "movaps [rbp - 112], xmm7",
        "mov rsi, [r11 + 8]",
        "mov rdi, [r11 + 16]",
        "mov rax, [r11 + 24]",
        "mov [rbp - 8], rdi",
        "mov [rbp - 16], rsi",
        "mov [rbp - 32], rax",
        "call {open}",
        "mov [rbp - 24], rax",
        "test eax, eax",
        "js 4f",
        "movaps xmm0, [rbp - 224]",
        "movaps xmm1, [rbp - 208]",
        "movaps xmm2, [rbp - 192]",
        "movaps xmm3, [rbp - 176]",
        "movaps xmm4, [rbp - 160]",
        "movaps xmm5, [rbp - 144]",
        "movaps xmm6, [rbp - 128]",
        "movaps xmm7, [rbp - 112]",
        "mov rdi, [rbp - 40]",
        "mov rsi, [rbp - 48]",
        "mov rdx, [rbp - 56]",
        "mov rcx, [rbp - 64]",
        "mov r8, [rbp - 72]",
        "mov r9, [rbp - 80]",
        "mov rax, [rbp - 88]",
        "mov r10, [rbp - 96]",
        "mov r11, [rbp - 32]",
        "test r11b, 2",
        "jne 5f",
        "lea rsp, [rbp - 32]",
        "5:",
        // Copies the arguments that the caller has put on the stack.
        "and r11, -16",
        "je 3f",
        "2:",
        "push qword ptr [rbp + r11 + 8]",
        "sub r11, 8",
        "jne 2b",
        "3:",
        "call qword ptr [rbp - 16]",
        // A result is in these four registers at most.
        "lea rsp, [rbp - 256]",
        "mov [rbp - 88], rax",
        "mov [rbp - 96], rdx",
        "movaps [rbp - 240], xmm0",
        "movaps [rbp - 256], xmm1",
        "mov rdi, [rbp - 8]",
        "mov rsi, [rbp - 16]",
        "mov edx, [rbp - 24]",
        "xor ecx, ecx",
        "test byte ptr [rbp - 32], 2",
        "cmovne rcx, rsp",
        "call {close}",
        "mov rax, [rbp - 88]",
        "mov rdx, [rbp - 96]",
        "movaps xmm0, [rbp - 240]",
        "movaps xmm1, [rbp - 256]",
        "leave",
        ".cfi_remember_state",
        ".cfi_def_cfa rsp, 8",
        ".cfi_restore rbp",
        "ret",
        ".cfi_restore_state",
        // The call is not made: returns zeros, or the address of a result in memory.
        "4:",
        "xor eax, eax",
        "test qword ptr [rbp - 32], 1",
        "cmovne rax, [rbp - 40]",
        "xor edx, edx",
        "xorps xmm0, xmm0",
        "xorps xmm1, xmm1",
        "leave",
        ".cfi_def_cfa rsp, 8",
        ".cfi_restore rbp",
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
/// Such a thunk is `mov r10, DATA; mov rax, CODE; jmp rax`. The CLR recognises it by these bytes
/// when managed code gets the pointer, and finds the delegate by the data.
/// A face has the same bytes except for the code, which is the trampoline.
///
/// Returns `None` if the bytes of the thunk are others.
pub(crate) fn face(thunk: &[u8; CLR_THUNK], trampoline: usize) -> Option<[u8; FACE]> {
    if thunk[..2] != BEGINS || thunk[10..12] != [0x48, 0xB8] || thunk[20..] != [0x48, 0xFF, 0xE0] {
        return None;
    }
    let mut face = [0xCC; FACE];
    face[..CLR_THUNK].copy_from_slice(thunk);
    face[12..20].copy_from_slice(&trampoline.to_le_bytes());
    Some(face)
}

/// Has processors see the instructions of a face that was just written. They do so by themselves on
/// this architecture.
pub(crate) const fn written(_address: usize) {}
