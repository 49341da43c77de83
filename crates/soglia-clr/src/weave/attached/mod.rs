//! Weaving in a process that runs.
//!
//! Methods that are in use keep their metadata, so a P/Invoke stays what it is, and *callers*
//! change:
//!
//! ```text
//!   N.step(s)          // call N.step           N.<soglia>1.step(s)   // the same instruction
//!                                    ──────>
//!                                               class N.<soglia>1     // new
//!                                                   static int step(IntPtr s) {
//!                                                       ... N.step(s) between the hooks
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | [`known`] | holds the modules of a session, and what earlier sessions have made |
//! | [`scan`] | finds the callers in the IL of a module |
//! | [`elsewhere`] | finds references to P/Invokes of other modules |
//! | [`inlined`] | finds precompiled methods that may hold such a call inlined |
//! | [`write`](mod@write) | makes the wrappers |
//! | [`callbacks`] | puts hooks into the methods that native code calls |
//! | [`gaps`] | records what is not seen |
//! | [`session`] | does all that for all modules, and for those that are loaded later |
//!
//! The wrapper has the body that it has in a program that was started with the engine
//! ([`super::around`]). It lies in a new type inside the P/Invoke's own, whose private methods it
//! may call. In another module, it lies in a new type, and calls by that module's own reference.
//! The token of the instruction is replaced in place, so offsets in the IL stay, and with them
//! lines, protected blocks and the maps of debuggers.
//!
//! New code is used from the next call of a method on. What is on the stack goes on as it is.
//! Wrappers stay when a session ends, and the next session of the same kind uses them again.

mod callbacks;
mod elsewhere;
mod gaps;
mod inlined;
mod known;
mod scan;
mod session;
mod write;

pub use session::{begin, end};
pub(super) use session::{module_loaded, module_unloaded};
