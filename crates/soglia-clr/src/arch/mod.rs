//! What another machine would need, as far as it takes few lines.
//!
//! The rest is in `stacks/x86_64.rs` (how compiled methods begin), `host/fenced/x86_64.rs`
//! (catching exceptions of a host), `deadline/native.rs` (the unwinder of native frames),
//! `types.rs` (how arguments are passed), and in the crate `soglia-trampolines`.

#[cfg(not(all(target_arch = "x86_64", target_env = "gnu")))]
compile_error!("the engine is for x86_64 with glibc: arch/mod.rs lists what another machine needs");

mod x86_64;

pub use x86_64::{CONTEXT_FP, CONTEXT_SP, UNWIND_FP, stack_pointer};
pub(crate) use x86_64::{frame_hook, thread_pointer};
