//! Function pointers that stand for others: they call a hook, the original function, and a hook
//! again.
//!
//! Native code that calls a delegate back goes through no IL that the engine has changed, and
//! neither does a delegate that managed code makes of a native function.
//! Both are called through a pointer, and the engine sees the pointer before it is passed on:
//!
//! ```text
//!              thunk                    common code                    hooks and original
//!   caller ──> which slot ──────> saves the arguments ──> open(id, original)
//!                                 restores them      ──> original
//!                                 saves the result   ──> close(id, original)
//!   caller <─────────────────────── restores it, ret
//! ```
//!
//! The common code has a frame of its own and tells unwinders where everything lies. So returns are
//! predicted, debuggers and profilers walk through, and shadow stacks agree.
//!
//! No memory is ever both writable and executable, and no thunk is written at run time.
//! A template of 1,024 thunks lies in this library, of 4,096 on aarch64, where pages are larger.
//! Each thunk takes its data from a slot, which lies at a fixed distance behind it.
//! A *block* is the template's pages, mapped once more from the library's file, and behind them
//! fresh memory for the slots.
//! All blocks lie in one range of addresses, so two comparisons tell whether a pointer is a
//! trampoline.
//!
//! A CLR before .NET 9 recognises the thunks of its delegates by the bytes at the pointer.
//! For such a CLR, the trampoline of a callback has a *face*, which is made at run time and looks
//! as the thunk does. The engine writes faces at another address than the one where they execute.
//!
//! Where there can be no trampoline (no room, a file that cannot be mapped), callers pass the
//! original pointer on, and calls through it are not seen.
#![allow(
    unsafe_code,
    reason = "maps executable memory, and is machine code in part"
)]

mod arch;
mod callee;
mod hooks;
mod layout;
mod memory;
mod passed;
mod table;
mod template;
mod trampolines;

pub use arch::{Common, Passed};
pub use callee::Callee;
pub use hooks::CallHooks;
pub use trampolines::Trampolines;
