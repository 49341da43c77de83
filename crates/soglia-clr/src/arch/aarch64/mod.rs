//! aarch64.

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
            std::arch::naked_asm!("mov x1, x29", "mov x2, sp", "b {}", sym $to)
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
        std::arch::asm!("mov {}, sp", out(reg) here, options(nomem, nostack, preserves_flags));
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
        "stp x29, x30, [sp, #-160]!",
        ".cfi_def_cfa_offset 160",
        ".cfi_offset x29, -160",
        ".cfi_offset x30, -152",
        "mov x29, sp",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "stp d8, d9, [sp, #96]",
        "stp d10, d11, [sp, #112]",
        "stp d12, d13, [sp, #128]",
        "stp d14, d15, [sp, #144]",
        ".cfi_offset x19, -144",
        ".cfi_offset x20, -136",
        ".cfi_offset x21, -128",
        ".cfi_offset x22, -120",
        ".cfi_offset x23, -112",
        ".cfi_offset x24, -104",
        ".cfi_offset x25, -96",
        ".cfi_offset x26, -88",
        ".cfi_offset x27, -80",
        ".cfi_offset x28, -72",
        "mov x9, sp",
        "adr x10, 2f",
        "stp x9, x10, [x2]",
        "mov x9, x0",
        "mov x0, x1",
        "blr x9",
        "2:",
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp d8, d9, [sp, #96]",
        "ldp d10, d11, [sp, #112]",
        "ldp d12, d13, [sp, #128]",
        "ldp d14, d15, [sp, #144]",
        "ldp x29, x30, [sp], #160",
        ".cfi_def_cfa_offset 0",
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
    naked_asm!("ldp x9, x10, [x0]", "mov sp, x9", "br x10")
}

/// The offset of `sp` in the CLR's `CONTEXT`, which has the layout of Windows.
pub const CONTEXT_SP: usize = 0x100;
/// The offset of `x29` in it.
pub const CONTEXT_FP: usize = 0xF0;
/// The number of `x29` in unwinding tables.
pub const UNWIND_FP: i32 = 29;
/// The number of `x0`, the register of a result, in these.
pub const UNWIND_RESULT: i32 = 0;

/// How many integers are passed in registers.
pub const INTEGERS: usize = 8;
/// How many floating-point numbers are passed in registers.
pub const FLOATS: usize = 8;
/// Whether the address of a result in memory is passed as the first integer: it has a register of
/// its own, `x8`.
pub const RESULT_IS_INTEGER: bool = false;
