//! Crossings told by wrappers that are woven around P/Invokes and callbacks when their module is loaded.
//!
//! A wrapper calls the hooks below, once on each side of the call. The quick ones are called without a GC transition, in
//! *cooperative* mode: the collector waits for them, so they do a few stores and nothing else. What needs more (a first
//! call, a slow one) they leave to their slow twins, which the wrapper calls as ordinary native functions, in preemptive mode. So no
//! quick hook asks the operating system for anything, allocates or locks. `crates/soglia-clr/tests/hot_path.rs` looks for that in the
//! instructions of the library, `crates/soglia-core/tests/at_once.rs` while crossings are told.
//!
//! | hook | answers |
//! | --- | --- |
//! | `leave`, `reverse_enter`, `count`, `reverse_count` | 0: go on; 1: call the slow twin instead |
//! | `enter`, `reverse_leave` | 0: done; 1: done, but call the slow twin too |
//! | `leave_slow` | an HRESULT; a failure is thrown at the call site, and the call is not made |
//!
//! Those with `failed` in their names take the place of `enter` and its twin when a call has ended by an exception. [`pointers`] has
//! the same for calls by function pointer, and [`native`] hooks for native code of ours, which calls them in preemptive mode.
//!
//! All but the slow ones keep errno, because they touch nothing that sets it; the slow ones restore it.

mod hresults;
mod layers;
mod methods;
mod native;
mod pointers;

pub use {hresults::hresult_thrown, methods::*, native::*, pointers::*};
