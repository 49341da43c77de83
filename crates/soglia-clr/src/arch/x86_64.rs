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

            /// Where this thread's pointer lies. Other threads may use the place, as an atomic one,
            /// until the thread has ended.
            #[allow(dead_code, reason = "not every pointer is changed by other threads")]
            pub fn place() -> usize {
                let place;
                // SAFETY: computes the address of this thread's own variable, defined above: the
                // first word of the thread's block is its own address.
                unsafe {
                    std::arch::asm!(
                        concat!("mov {0}, qword ptr [rip + ", $symbol, "@GOTTPOFF]"),
                        "add {0}, qword ptr fs:[0]",
                        out(reg) place,
                        options(nostack, readonly, pure),
                    );
                }
                place
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

/// The offset of `rsp` in the CLR's `CONTEXT`, which has the layout of Windows.
pub const CONTEXT_SP: usize = 0x98;
/// The offset of `rbp` in it.
pub const CONTEXT_FP: usize = 0xA0;
/// The number of `rbp` in unwinding tables.
pub const UNWIND_FP: i32 = 6;
