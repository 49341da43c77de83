//! aarch64.

#[cfg(not(target_env = "musl"))]
#[path = "initial_exec.rs"]
mod locals;
#[cfg(target_env = "musl")]
#[path = "descriptors.rs"]
mod locals;

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
