//! The COM interfaces through which soglia and the CLR call each other, with their result codes,
//! IDs and flags.
//!
//! There are two binary APIs, and the order of their methods never changes. [`profiler`] is the API
//! by which today's CLR notifies a profiler of crossings. [`hosting`] is the API for hosts of .NET
//! Framework 2, which soglia provides again.
//!
//! This crate declares and has no behaviour, like a header file, except that [`param`] checks
//! pointers. Names are Microsoft's where the other side sees them (types, methods, constants), and
//! Rust's elsewhere ([`ids`], [`param`]).
//!
//! # Pointers
//!
//! The other side may pass null for every pointer. Methods of the hosting API take the types of
//! [`param`], which check for that. Methods of the profiling API take raw pointers. There an
//! interface is a `*mut c_void`: one that comes *in* is lent (`from_raw_borrowed`), and one that
//! comes *out* has a reference that the receiver owns (`from_raw`). Where the CLR breaks that rule,
//! the method's documentation says so.
//!
//! # Numbers
//!
//! A C enum is a transparent `u32` with named values. With a Rust enum, a value from a newer
//! runtime would be undefined behaviour; here it is a number without a name.
//!
//! # Being a profiler
//!
//! Implement [`profiler::callback::ProfilerCallback`] and write only the callbacks that you need;
//! the others have defaults. The CLR's eleven interfaces, with 95 methods, follow from that:
//!
//! ```
//! use std::cell::Cell;
//! use soglia_abi::profiler::callback::{
//!     ICorProfilerCallback, ICorProfilerCallback11, ProfilerCallback,
//! };
//! use soglia_abi::profiler::types::{COR_PRF_TRANSITION_CALL, COR_PRF_TRANSITION_REASON};
//! use soglia_abi::{hresult::S_OK, ids::FunctionId};
//! use windows_core::{HRESULT, Interface, implement};
//!
//! #[implement(ICorProfilerCallback11)]
//! struct Calls(Cell<u32>);
//!
//! impl ProfilerCallback for Calls {
//!     fn ManagedToUnmanagedTransition(
//!         &self,
//!         _: FunctionId,
//!         reason: COR_PRF_TRANSITION_REASON,
//!     ) -> HRESULT {
//!         if reason == COR_PRF_TRANSITION_CALL {
//!             self.0.set(self.0.get() + 1);
//!         }
//!         S_OK
//!     }
//! }
//!
//! let profiler = windows_core::ComObject::new(Calls(Cell::new(0)));
//!
//! // The CLR asks for an interface, then calls through its vtable.
//! let clr: ICorProfilerCallback = profiler.to_interface::<ICorProfilerCallback11>().cast()?;
//! let (function, call) = (FunctionId(0x7f00), COR_PRF_TRANSITION_CALL);
//! // SAFETY: `clr` is a live object, and these two callbacks take no pointers.
//! unsafe {
//!     assert_eq!(clr.ManagedToUnmanagedTransition(function, call), S_OK);
//!     assert_eq!(clr.Shutdown(), S_OK);
//! }
//! assert_eq!(profiler.0.get(), 1);
//! # Ok::<(), windows_core::Error>(())
//! ```
//!
//! This has no cost at run time. A vtable slot holds the only instance of a function that is
//! generic over `Calls`, with the callback inlined into it. Between the CLR's call and your code
//! there is no second vtable, no reference count and no allocation.
//!
//! A callback must not unwind: a panic that reaches the vtable ends the process. The engine catches
//! panics before that.

#![allow(
    unsafe_code,
    reason = "an ABI is a promise that no compiler can check; every call through a vtable is unsafe"
)]
#![allow(
    clippy::missing_safety_doc,
    reason = "all methods of all interfaces have one contract, which Pointers above says"
)]

#[macro_use]
mod c_enum;

pub mod hosting;
pub mod hresult;
pub mod ids;
pub mod param;
pub mod profiler;

pub use windows_core::{BOOL, GUID, HRESULT};
