//! x86_64.

#[cfg(not(target_env = "musl"))]
#[path = "initial_exec.rs"]
mod locals;
#[cfg(target_env = "musl")]
#[path = "descriptors.rs"]
mod locals;

use std::{arch::naked_asm, ffi::c_void};

use super::landing::Landing;

pub(crate) use locals::{place_of_local, read_local, write_local};

/// Defines a hook that takes an id, and passes it on with the frame pointer of the method that
/// called the hook, and the stack pointer: `extern "C" fn(i64, usize, usize) -> i32`.
macro_rules! frame_hook {
    ($(#[$about:meta])* $name:ident => $to:path) => {
        $(#[$about])*
        #[unsafe(naked)]
        pub extern "C" fn $name(id: i64) -> i32 {
            std::arch::naked_asm!("mov rsi, rbp", "mov rdx, rsp", "jmp {}", sym $to)
        }
    };
}

pub(crate) use frame_hook;

/// The stack pointer.
#[inline(always)]
pub fn stack_pointer() -> u64 {
    let here: u64;
    // SAFETY: the instruction copies a register, and touches no memory and no flags.
    unsafe {
        std::arch::asm!("mov {}, rsp", out(reg) here, options(nomem, nostack, preserves_flags));
    }
    here
}

/// Calls `run` with `with`, and returns when that returns, or when [`land`] is called with the
/// landing that is stored before.
///
/// # Safety
/// `landing` can be written, and `run` may be called so.
#[unsafe(naked)]
pub unsafe extern "C-unwind" fn run_to_landing(
    run: unsafe extern "C-unwind" fn(*mut c_void) -> *mut c_void,
    with: *mut c_void,
    landing: *mut Landing,
) {
    naked_asm!(
        ".cfi_startproc",
        "endbr64",
        "push rbp",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset rbp, -16",
        "mov rbp, rsp",
        ".cfi_def_cfa_register rbp",
        "push rbx",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        ".cfi_offset rbx, -24",
        ".cfi_offset r12, -32",
        ".cfi_offset r13, -40",
        ".cfi_offset r14, -48",
        ".cfi_offset r15, -56",
        "sub rsp, 8",
        "mov [rdx], rsp",
        "lea rax, [rip + 2f]",
        "mov [rdx + 8], rax",
        "mov rax, rdi",
        "mov rdi, rsi",
        "call rax",
        "2:",
        "endbr64",
        "lea rbp, [rsp + 48]",
        "add rsp, 8",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbx",
        "pop rbp",
        ".cfi_def_cfa rsp, 8",
        "ret",
        ".cfi_endproc",
    )
}

/// Goes on at a landing.
///
/// # Safety
/// The landing is that of a [`run_to_landing`] of the running thread which has not returned.
#[unsafe(naked)]
pub unsafe extern "C" fn land(landing: *const Landing) -> ! {
    naked_asm!("mov rsp, [rdi]", "jmp [rdi + 8]")
}

/// The offset of `rsp` in the CLR's `CONTEXT`, which has the layout of Windows.
pub const CONTEXT_SP: usize = 0x98;
/// The offset of `rbp` in it.
pub const CONTEXT_FP: usize = 0xA0;
/// The number of `rbp` in unwinding tables.
pub const UNWIND_FP: i32 = 6;
/// The number of `rax`, the register of a result, in these.
pub const UNWIND_RESULT: i32 = 0;

/// How many integers are passed in registers.
pub const INTEGERS: usize = 6;
/// How many floating-point numbers are passed in registers.
pub const FLOATS: usize = 8;
/// Whether the address of a result in memory is passed as the first integer.
pub const RESULT_IS_INTEGER: bool = true;
