//! Which methods keep a frame of their own, and which frames are ours.
//!
//! The CLR's stack walker shows frames, and a method that was compiled into another one has none.
//! For the stacks of calls to be those of the program, no method of the program may be compiled
//! into another one if it may be on the stack of such a call. [`may_be_inlined`] answers the CLR
//! about each candidate, [`folds`] says the same of code that was compiled in advance.
//!
//! A method may be on the stack of a call if its code leads there: its instructions are followed,
//! through the methods of the program, to a P/Invoke, or to where there is no telling (a virtual
//! call, a delegate, a method of the framework that may call back). What leads nowhere stays free
//! to be inlined, as accessors and arithmetic must be. Answers are kept.
//!
//! | module | what it does |
//! | --- | --- |
//! | [`kept`] | answers the CLR |
//! | [`reach`] | follows code to calls of native code |
//! | [`leads`] | where a body leads, in bytes |
//! | [`references`] | what a reference in a body names |
//! | [`instance`] | what type variables stand for |
//! | [`methods`] | the methods of the program, and what is known of each |

mod instance;
mod kept;
mod methods;
mod reach;
mod references;

pub use kept::{folds, marshals, may_be_inlined};
pub use methods::{Ours, is_ours, module_loaded, module_unloaded};
