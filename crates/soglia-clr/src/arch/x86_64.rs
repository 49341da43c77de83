//! x86_64 with glibc.

/// Defines a module with `get` and `set` for this thread's pointer of a type; null until it is set.
///
/// In a library, Rust's own thread-locals take a call of `__tls_get_addr`, twice per crossing.
/// These pointers use the initial-exec model, which takes two instructions. glibc keeps static room
/// for libraries that are loaded late and use little of it.
macro_rules! thread_pointer {
    ($name:ident, $symbol:literal, $type:ty) => {
        mod $name {
            use super::*;

            std::arch::global_asm!(
                concat!(".pushsection .tbss.", $symbol, ",\"awT\",@nobits"),
                concat!(".globl ", $symbol),
                concat!(".hidden ", $symbol),
                concat!(".type ", $symbol, ",@object"),
                concat!(".size ", $symbol, ",8"),
                ".balign 8",
                concat!($symbol, ":"),
                ".zero 8",
                ".popsection",
            );

            #[inline(always)]
            pub fn get() -> *mut $type {
                let pointer;
                // SAFETY: reads this thread's own variable, defined above.
                unsafe {
                    std::arch::asm!(
                        concat!("mov {0}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                        "mov {0}, qword ptr fs:[{0}]",
                        out(reg) pointer,
                        options(nostack, readonly, preserves_flags, pure),
                    );
                }
                pointer
            }

            pub fn set(pointer: *mut $type) {
                // SAFETY: writes this thread's own variable, defined above.
                unsafe {
                    std::arch::asm!(
                        concat!("mov {0}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                        "mov qword ptr fs:[{0}], {1}",
                        out(reg) _,
                        in(reg) pointer,
                        options(nostack, preserves_flags),
                    );
                }
            }
        }
    };
}

pub(crate) use thread_pointer;

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

/// The offset of `rsp` in the CLR's `CONTEXT`, which has the layout of Windows.
pub const CONTEXT_SP: usize = 0x98;
/// The offset of `rbp` in it.
pub const CONTEXT_FP: usize = 0xA0;
/// The number of `rbp` in unwinding tables.
pub const UNWIND_FP: i32 = 6;
