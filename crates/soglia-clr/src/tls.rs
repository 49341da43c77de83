//! Thread-local pointers that cost a load.
//!
//! Rust's own thread-locals are reached by a call of `__tls_get_addr` in a library, twice per crossing. These are in the initial-exec
//! model: two instructions. glibc keeps static room for libraries that are loaded late and use little of it.

/// Defines a module with `get` and `set` for this thread's pointer of a type; null until it is set.
macro_rules! thread_pointer {
    ($name:ident, $symbol:literal, $type:ty) => {
        #[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
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

        #[cfg(not(all(target_arch = "x86_64", target_env = "gnu")))]
        mod $name {
            use super::*;
            use std::cell::Cell;

            thread_local!(static POINTER: Cell<*mut $type> = const { Cell::new(std::ptr::null_mut()) });

            #[inline]
            pub fn get() -> *mut $type {
                POINTER.get()
            }

            pub fn set(pointer: *mut $type) {
                POINTER.set(pointer);
            }
        }
    };
}

pub(crate) use thread_pointer;
