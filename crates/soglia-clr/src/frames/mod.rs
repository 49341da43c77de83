//! Which methods keep a frame of their own, and which frames belong to wrappers.
//!
//! The CLR's stack walker shows frames, and an inlined method has none. To show the program's
//! stacks, the engine must keep a method from being inlined if it may be on the stack of a native
//! call. [`may_be_inlined`] answers the CLR's question about each candidate. [`folds`] answers it
//! for precompiled code.
//!
//! A method may be on the stack of a native call if its code leads to one. The engine follows its
//! instructions through the methods of the program, to a P/Invoke, or to a call whose callee it
//! cannot determine: a virtual call, a delegate, a method of the framework that may call back.
//! Methods that lead to no native call can still be inlined, which accessors and arithmetic depend
//! on. The engine keeps the answers.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`kept`] | answers the CLR |
//! | [`reach`] | follows code to native calls |
//! | [`instance`] | finds what type variables stand for |
//! | [`methods`] | holds the methods of the program, and what is known about each |

mod instance;
mod kept;
mod methods;
mod reach;

pub use kept::{folds, marshals, may_be_inlined};
pub use methods::{Ours, is_ours, module_loaded, module_unloaded};
