//! What depends on the machine and on the C library, as far as it takes few lines.
//!
//! There is a folder for each architecture, with the same names in it:
//!
//! | name | what it is |
//! | --- | --- |
//! | `place_of_local`, `read_local`, `write_local` | a variable of the thread, by its symbol |
//! | `frame_hook` | a hook that gets the frame pointer of the method that called it |
//! | `stack_pointer` | the stack pointer |
//! | `run_to_landing`, `land` | runs a function that another one can end |
//! | `CONTEXT_SP`, `CONTEXT_FP` | where the CLR's `CONTEXT` has these registers |
//! | `UNWIND_FP`, `UNWIND_RESULT` | the numbers of registers in unwinding tables |
//! | `INTEGERS`, `FLOATS`, `RESULT_IS_INTEGER` | how native functions get their arguments |
//!
//! The rest lies beside what uses it, in files that are named for the architecture:
//! `stacks/beginning/` (how compiled methods begin), `host/fenced/` (catching exceptions of a
//! host), `other_threads/native/registers/` (unwinding native frames), and in the crate
//! `soglia-trampolines`.

#[cfg(target_arch = "aarch64")]
mod aarch64;
#[cfg(target_env = "musl")]
pub(crate) mod by_place;
mod landing;
#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(not(any(target_arch = "aarch64", target_arch = "x86_64")))]
compile_error!("the engine is for x86_64 and aarch64: arch/mod.rs lists what another one needs");

#[cfg(target_arch = "aarch64")]
use aarch64 as machine;
#[cfg(target_arch = "x86_64")]
use x86_64 as machine;

pub use landing::Landing;
pub use machine::{
    CONTEXT_FP, CONTEXT_SP, FLOATS, INTEGERS, RESULT_IS_INTEGER, UNWIND_FP, UNWIND_RESULT, land,
    run_to_landing, stack_pointer,
};
pub(crate) use machine::{frame_hook, place_of_local, read_local, write_local};

/// Defines a module with `get` and `set` for this thread's pointer of a type; null until it is set.
///
/// In a library, Rust's own thread-locals take a call of `__tls_get_addr`, twice per crossing.
/// With glibc, these pointers use the initial-exec model, which takes two instructions: glibc keeps
/// static room for libraries that are loaded late and use little of it. musl refuses libraries with
/// that model, so there the pointers use descriptors, whose code changes no other register.
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
                $crate::arch::read_local!($symbol)
            }

            /// Where this thread's pointer lies. Other threads may use the place, as an atomic one,
            /// until the thread has ended.
            #[allow(dead_code, reason = "not every pointer is changed by other threads")]
            pub fn place() -> usize {
                $crate::arch::place_of_local!($symbol)
            }

            pub fn set(pointer: *mut $type) {
                $crate::arch::write_local!($symbol, pointer);
            }
        }
    };
}

pub(crate) use thread_pointer;
