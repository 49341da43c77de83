//! Weaving: wrappers in IL around P/Invokes and callbacks, put in when their module is loaded.
//!
//! ```text
//!   extern int step(IntPtr s);                 static int step(IntPtr s) {            // the program's method, now with a body
//!                                                  hook leave(id)
//!                                    ──────>       try { result = native(s) }         // new: the P/Invoke as it was
//!                                                  fault { hook enter_failed(id) }
//!                                                  hook enter(id)
//!                                                  return result
//!                                              }
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | [`sig`], [`il`] | bytes of signatures and of method bodies |
//! | [`r2r`] | which precompiled methods have a P/Invoke compiled into them |
//! | [`accepted`] | which methods the runtime itself accepts as what they say they are |
//! | [`emit`] | new methods and changed ones, into the metadata of one module |
//! | [`hooks`] | how hooks are called from a module |
//! | [`weaver`] | a module that is being woven, and the calls to weave around in it |
//! | [`around`], [`notified`] | what is put around a call, and around one that a host is told of |
//! | [`ruled`] | what a policy puts in the place of a call, or in front of it |
//! | [`pointers`] | what is put in the place of calls by function pointer |
//! | [`runtime`], [`trimmed`] | methods of System.Private.CoreLib that wrappers call, and those that it lacks |
//! | [`corelib`], [`patch`] | System.Private.CoreLib while it is loaded, and what is changed in it |
//! | [`delegates`] | where delegates become native function pointers, and the other way round |
//! | [`judged`] | where CoreLib looks for libraries and takes in code that is made at run time, for policies |
//! | [`occasions`] | where threads sleep, wait and so on, of which a host is told |
//! | [`added`] | which methods were added |
//! | [`traces`] | stack traces with files and lines |
//! | [`hidden`] | where CoreLib would come upon what was woven |
//! | [`loaded`] | a module as the CLR tells of it |
//! | [`modules`] | which modules and methods, and what became of them |
//! | [`done`] | what was done to each module |
//!
//! Precompiled (ReadyToRun) code may hold a P/Invoke inline and would jump into what is no P/Invoke any more: such code must not
//! be used. [`may_use_precompiled`] answers the CLR's question about each method. Modules that were compiled together may hold the
//! P/Invokes of one another: where that cannot be excluded, instances of generic code are not used wherever they are.

mod accepted;
mod added;
mod around;
mod corelib;
mod delegates;
mod done;
mod emit;
mod hidden;
mod hooks;
mod judged;
mod loaded;
mod modules;
mod notified;
mod occasions;
mod patch;
mod pointers;
mod ruled;
mod runtime;
mod traces;
mod trimmed;
mod turns;
mod weaver;

pub use done::may_use_precompiled;
pub use modules::{module_loaded, module_unloaded};
