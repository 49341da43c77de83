//! A fence around the objects of a host: exceptions of their methods end there.
//!
//! A C++ exception that leaves a method of the host must not unwind through the engine, which would
//! end the process, nor into the CLR. So the engine calls a *stand-in* for each object. Its methods
//! all run through one piece of code that unwinders know as a place where exceptions are caught:
//!
//! ```text
//!   stand-in { methods, object }      thunk N                        common code
//!   caller ──> methods[N] ──────────> takes the object ────────────> call ──> the host's method N
//!                                     and its method N                    returns, or throws:
//!   caller <────────────────────────────────────────────────────────── E_FAIL
//! ```
//!
//! A method that throws counts as one that returned `E_FAIL` (see [`super::failure::heed`]).
//! `pthread_exit` and cancellation end a thread by unwinding too, and they pass.
//!
//! The stand-in has the methods of any interface, and takes what is passed in registers: six words,
//! `this` among them. No interface of hosts that the engine calls has a method with more.

#[cfg(target_arch = "aarch64")]
mod aarch64;
mod catching;
#[cfg(target_arch = "x86_64")]
mod x86_64;

use std::{ffi::c_void, mem::ManuallyDrop};

use windows_core::Interface;

/// A stand-in for an object of a host.
#[repr(C)]
struct StandIn {
    methods: *const *const c_void,
    object: *mut c_void,
}

/// Puts an object of a host behind a fence, for good: only [`release`] and [`give_up`] free the few
/// bytes of the stand-in. The stand-in owns the reference that comes with the object, if any.
///
/// # Safety
/// `object` has the interface `T`, with no more methods than [`catching::METHODS`], and lives as
/// long as the result.
pub unsafe fn stand_in<T: Interface>(object: *mut c_void) -> T {
    const { assert!(size_of::<T::Vtable>() <= catching::METHODS * size_of::<usize>()) };
    let methods = catching::methods();
    let stand_in = Box::into_raw(Box::new(StandIn { methods, object }));
    // SAFETY: the stand-in begins with a table of methods that call those of the object.
    unsafe { T::from_raw(stand_in.cast()) }
}

/// The object itself.
pub fn object<T: Interface>(stand_in: &T) -> *mut c_void {
    // SAFETY: the engine has objects of hosts only as stand-ins, which begin with this structure.
    unsafe { (*stand_in.as_raw().cast::<StandIn>()).object }
}

/// Releases the one reference, and frees the stand-in.
///
/// # Safety
/// [`stand_in`] has made it, and there is no other copy.
pub unsafe fn release<T: Interface>(stand_in: T) {
    let raw = stand_in.as_raw();
    drop(stand_in);
    // SAFETY: `stand_in` has made it by `Box::into_raw`, and the caller vouches that this is the
    // last use.
    drop(unsafe { Box::from_raw(raw.cast::<StandIn>()) });
}

/// Frees the stand-in of an object that was lent, without a release.
///
/// # Safety
/// As for [`release`].
pub unsafe fn give_up<T: Interface>(stand_in: ManuallyDrop<T>) {
    // SAFETY: the caller passes what `stand_in` has made by `Box::into_raw`, and does not use it
    // again.
    drop(unsafe { Box::from_raw(stand_in.as_raw().cast::<StandIn>()) });
}
