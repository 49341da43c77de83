//! The COM words that soglia and the CLR speak to each other: interfaces, result codes, IDs, flags.
//!
//! Two APIs, both binary and both with their order fixed for ever. [`profiler`] is how today's CLR tells us of
//! crossings; [`hosting`] is what a host was promised in 2005 and what soglia gives it again.
//!
//! Words only. Nothing in here decides, allocates, reads or writes anything, and nothing may: whoever uses this crate
//! may take it for a header file. Names are Microsoft's wherever the other side sees them (types, methods, constants)
//! and Rust's elsewhere ([`ids`]).
//!
//! # Pointers
//!
//! Every pointer in a signature is a raw one, because the other side may pass null wherever it likes. Interfaces travel
//! as `*mut c_void`: one that comes *in* is only lent (`from_raw_borrowed`), one that comes *out* carries a reference
//! that the receiver owns (`from_raw`). Where the CLR breaks that rule, the method's doc says so.
//!
//! # Numbers
//!
//! A C enum is a transparent `u32` with named values and not a Rust enum, so that a value from a newer runtime is a
//! number without a name instead of undefined behaviour.
//!
//! # Being a profiler
//!
//! Implement [`profiler::callback::ProfilerCallback`] and write only the callbacks that you want; all the others
//! already answer. The interfaces of the CLR, eleven of them with 95 methods, come along by themselves:
//!
//! ```
//! use std::cell::Cell;
//! use soglia_abi::profiler::callback::{ICorProfilerCallback, ICorProfilerCallback11, ProfilerCallback};
//! use soglia_abi::profiler::types::{COR_PRF_TRANSITION_CALL, COR_PRF_TRANSITION_REASON};
//! use soglia_abi::{hresult::S_OK, ids::FunctionId};
//! use windows_core::{HRESULT, Interface, implement};
//!
//! #[implement(ICorProfilerCallback11)]
//! struct Calls(Cell<u32>);
//!
//! impl ProfilerCallback for Calls {
//!     fn ManagedToUnmanagedTransition(&self, _: FunctionId, reason: COR_PRF_TRANSITION_REASON) -> HRESULT {
//!         if reason == COR_PRF_TRANSITION_CALL {
//!             self.0.set(self.0.get() + 1);
//!         }
//!         S_OK
//!     }
//! }
//!
//! let profiler = windows_core::ComObject::new(Calls(Cell::new(0)));
//!
//! // What the CLR does: ask for an interface, then call through its vtable.
//! let clr: ICorProfilerCallback = profiler.to_interface::<ICorProfilerCallback11>().cast()?;
//! // SAFETY: `clr` is a live object, and these two callbacks take no pointers.
//! unsafe {
//!     assert_eq!(clr.ManagedToUnmanagedTransition(FunctionId(0x7f00), COR_PRF_TRANSITION_CALL), S_OK);
//!     assert_eq!(clr.Shutdown(), S_OK);
//! }
//! assert_eq!(profiler.0.get(), 1);
//! # Ok::<(), windows_core::Error>(())
//! ```
//!
//! It costs nothing. The vtable slot holds the only instance of a function generic over `Calls`, with the callback
//! inlined into it: no second vtable, no reference count, no allocation between the CLR's call and your code.
//!
//! A callback must not unwind; a panic that reaches the vtable ends the process. The fence belongs to the engine.

#![allow(
    unsafe_code,
    reason = "an ABI is a promise that no compiler can check; every call through a vtable is unsafe"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "all methods of all interfaces have the one contract that is under Pointers above"
)]

#[macro_use]
mod c_enum;

pub mod hosting;
pub mod hresult;
pub mod ids;
pub mod param;
pub mod profiler;

pub use windows_core::{BOOL, GUID, HRESULT};
