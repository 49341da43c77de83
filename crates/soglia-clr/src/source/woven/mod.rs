//! Crossings from wrappers, which the engine puts around P/Invokes and callbacks when their module
//! is loaded.
//!
//! A wrapper calls a hook on each side of the call. It calls the quick hooks without a GC
//! transition, in *cooperative* mode. The collector waits for them, so they make a few stores and
//! do nothing else. For more work, such as a first call or a slow one, the wrapper calls their slow
//! twins as ordinary native functions, in preemptive mode. So no quick hook asks the operating
//! system for anything, allocates or locks. `crates/soglia-clr/tests/hot_path.rs` checks that in
//! the instructions of the library, and `crates/soglia-core/tests/at_once.rs` while crossings are
//! recorded.
//!
//! | hook | returns |
//! | --- | --- |
//! | `leave`, `reverse_enter`, `count`, `reverse_count` | 0: go on; 1: call the slow twin instead |
//! | `enter`, `reverse_leave` | 0: done; 1: done, but call the slow twin too |
//! | `leave_slow` | an HRESULT; a failure is thrown at the call site, and the call is not made |
//!
//! Hooks with `failed` in their names replace `enter` and its twin when a call has ended by an
//! exception. [`pointers`] has the same hooks for calls by function pointer. [`native`] has hooks
//! for the engine's own native code, which calls them in preemptive mode.
//!
//! [`held`] has hooks of methods that native code may hold by pointers from before an attach.
//!
//! Hooks with `asking` in their names take the place of others in wrappers that can hand over the
//! arguments of a call ([`arguments`]).
//!
//! All keep errno. Quick hooks touch nothing that sets it, and slow ones restore it.

mod arguments;
mod held;
mod hresults;
mod layers;
mod methods;
mod native;
mod pointers;

pub use {arguments::*, held::*, hresults::hresult_thrown, methods::*, native::*, pointers::*};
