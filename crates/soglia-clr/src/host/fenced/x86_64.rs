//! The code of stand-ins for x86_64.

use std::arch::global_asm;

use super::catching::{METHODS, personality, threw};

// A method of a stand-in: the object instead of the stand-in, and its method of the same number.
//
// The code that all go on with has a frame, so that there is a place to land at: with the stack as
// it is after the call, and the exception in rax. Its personality is asked what to do there; it
// needs no table.
global_asm!(
    ".pushsection .text.soglia_fence,\"ax\",@progbits",
    ".balign 32",
    ".type soglia_fence_thunks,@function",
    "soglia_fence_thunks:",
    ".cfi_startproc",
    ".set soglia_fence_method, 0",
    ".rept {methods}",
    "endbr64",
    "mov rdi, [rdi + 8]",
    "mov rax, [rdi]",
    "mov rax, [rax + 8 * soglia_fence_method]",
    "jmp soglia_fence_call",
    ".balign 32, 0xcc",
    ".set soglia_fence_method, soglia_fence_method + 1",
    ".endr",
    ".cfi_endproc",
    ".size soglia_fence_thunks, . - soglia_fence_thunks",
    ".type soglia_fence_call,@function",
    "soglia_fence_call:",
    ".cfi_startproc",
    // Relative to the place, four bytes.
    ".cfi_personality 0x1b, {personality}",
    "sub rsp, 8",
    ".cfi_adjust_cfa_offset 8",
    "call rax",
    "add rsp, 8",
    ".cfi_remember_state",
    ".cfi_adjust_cfa_offset -8",
    "ret",
    ".cfi_restore_state",
    ".globl soglia_fence_threw",
    ".hidden soglia_fence_threw",
    "soglia_fence_threw:",
    "endbr64",
    "mov rdi, rax",
    "call {threw}",
    "add rsp, 8",
    ".cfi_adjust_cfa_offset -8",
    "ret",
    ".cfi_endproc",
    ".size soglia_fence_call, . - soglia_fence_call",
    ".popsection",
    ".pushsection .data.rel.ro.soglia_fence,\"aw\",@progbits",
    ".balign 8",
    ".globl soglia_fence_methods",
    ".hidden soglia_fence_methods",
    ".type soglia_fence_methods,@object",
    "soglia_fence_methods:",
    ".set soglia_fence_method, 0",
    ".rept {methods}",
    ".quad soglia_fence_thunks + 32 * soglia_fence_method",
    ".set soglia_fence_method, soglia_fence_method + 1",
    ".endr",
    ".size soglia_fence_methods, 8 * {methods}",
    ".popsection",
    methods = const METHODS,
    personality = sym personality,
    threw = sym threw,
);
