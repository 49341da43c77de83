//! Weaving: the engine puts wrappers in IL around P/Invokes and callbacks while their module is
//! being loaded.
//!
//! ```text
//!   // the program's method                    // the same method, now with a body
//!   extern int step(IntPtr s);                 static int step(IntPtr s) {
//!                                                  hook leave(id)
//!                                    ──────>       // `native`: the P/Invoke as it was
//!                                                  try { result = native(s) }
//!                                                  fault { hook enter_failed(id) }
//!                                                  hook enter(id)
//!                                                  return result
//!                                              }
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | [`accepted`] | finds the methods that the runtime itself accepts as P/Invokes or callbacks |
//! | [`chosen`] | chooses of those, as the policy and the options say |
//! | [`weaver`] | a module that is being woven, and the calls to weave around in it |
//! | [`around`], [`notified`] | put wrappers around calls: to record them, or to notify a host |
//! | [`ruled`] | puts in what a policy wants in place of a call, or in front of it |
//! | [`arguments`] | adds methods that hand over the arguments of a call |
//! | [`request`] | adds the method that finds out what a thread is working on |
//! | [`held`] | what becomes of a policy that does not hold |
//! | [`pointers`] | replaces calls by function pointer |
//! | [`hooks`] | how a module calls hooks |
//! | [`home`], [`new_types`] | have the types in which new methods lie |
//! | [`emit`], [`copy`] | write new and changed methods into the metadata of one module |
//! | [`runtime`], [`trimmed`] | methods of CoreLib that wrappers call, and those that a trimmed CoreLib lacks |
//! | [`corelib`], [`patch`] | CoreLib while it is being loaded, and the list of changes to it |
//! | [`delegates`] | changes where CoreLib makes function pointers of delegates, and delegates of function pointers |
//! | [`judged`] | changes where CoreLib looks for libraries and accepts code made at run time, for policies |
//! | [`reflected`] | changes where programs reach P/Invokes by reflection, after an attach |
//! | [`occasions`], [`turns`] | change where threads sleep, wait and so on, to notify a host |
//! | [`changed`] | what was changed in CoreLib for a host, and what could not be |
//! | [`waits`], [`handles`], [`fronts`] | change where threads would block, for events of a host |
//! | [`polls`] | has loops and methods look whether their task is aborted |
//! | [`traces`], [`hidden`] | change where CoreLib would find wrappers in stack traces and elsewhere |
//! | [`within`] | puts hooks into methods that native code calls, in modules that are in use |
//! | [`delegated`] | finds the methods of delegates that native code may hold since before an attach |
//! | [`added`] | remembers which methods were added |
//! | [`loaded`] | what the CLR says about a module that was loaded |
//! | [`modules`] | decides what to do with each module, and does it |
//! | [`attached`] | weaves in a process that runs, around the calls in its code |
//! | [`rejit`] | has the CLR compile methods again while the program runs |
//! | [`kind`] | which hooks the wrappers of a session call |
//! | [`done`] | remembers what was done to each module |
//!
//! CoreLib is System.Private.CoreLib. [`soglia_il`] has the bytes of signatures, bodies and
//! precompiled images.
//!
//! Precompiled (ReadyToRun) code may contain a P/Invoke inline. It would jump into a method that is
//! no longer a P/Invoke, so the CLR must not use it. [`may_use_precompiled`] answers the CLR's
//! question about each method. Modules that were compiled together may contain each other's
//! P/Invokes. Where the engine cannot exclude that, it has the CLR use no precompiled instances of
//! generic code, in whichever module they are.

mod accepted;
mod added;
mod arguments;
mod around;
pub mod attached;
mod changed;
mod chosen;
mod copy;
mod corelib;
mod delegated;
mod delegates;
mod done;
mod emit;
mod fronts;
mod handles;
mod held;
mod hidden;
mod home;
mod hooks;
mod judged;
mod kind;
mod loaded;
mod modules;
mod new_types;
mod notified;
mod occasions;
mod patch;
mod pointers;
mod polls;
mod pool;
mod reflected;
mod rejit;
mod request;
mod ruled;
mod runtime;
mod starts;
mod traces;
mod trimmed;
mod turns;
mod waits;
mod weaver;
mod within;

pub use done::may_use_precompiled;
pub use modules::{module_loaded, module_unloaded};
pub use rejit::{failed, parameters};
