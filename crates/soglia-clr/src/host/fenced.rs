//! A fence around the host's objects: what their methods throw ends there.
//!
//! A C++ exception that leaves a method of a host's must not unwind through us, which ends the
//! process, nor into the CLR. So nobody calls such an object itself, but a *stand-in* for it, whose
//! methods all go by one piece of code that unwinders know as a place where exceptions are caught:
//!
//! ```text
//!   stand-in { methods, object }      thunk N                        common code
//!   caller ──> methods[N] ──────────> rdi = object ────────────────> call ──> the host's method N
//!                                     rax = object's method N                    returns, or throws:
//!   caller <────────────────────────────────────────────────────────── E_FAIL
//! ```
//!
//! A method that throws has answered `E_FAIL`, with all that this means (see
//! [`super::failure::heed`]). What ends a thread, `pthread_exit` and cancellation, unwinds too and
//! is let pass.
//!
//! The stand-in has the methods of any interface, and takes what is passed in registers: six words,
//! `this` among them. No interface of a host's that we call has a method with more.

#[path = "fenced/x86_64.rs"]
mod machine;

use std::{ffi::c_void, mem::ManuallyDrop};

use windows_core::Interface;

/// What stands in for an object of the host's.
#[repr(C)]
struct StandIn {
    methods: *const *const c_void,
    object: *mut c_void,
}

/// Puts an object of the host's behind a fence, for good: the few bytes of the stand-in are given
/// back by [`release`] and [`give_up`] alone. The reference that comes with the object, if any, is
/// the stand-in's.
///
/// # Safety
/// `object` is one of interface `T`, with no more methods than [`machine::METHODS`], and lives as
/// long as what is answered here.
pub unsafe fn stand_in<T: Interface>(object: *mut c_void) -> T {
    const { assert!(size_of::<T::Vtable>() <= machine::METHODS * size_of::<usize>()) };
    let methods = machine::methods();
    let stand_in = Box::into_raw(Box::new(StandIn { methods, object }));
    // SAFETY: its methods are those of the object, called with the object.
    unsafe { T::from_raw(stand_in.cast()) }
}

/// The object itself.
pub fn object<T: Interface>(stand_in: &T) -> *mut c_void {
    // SAFETY: made by `stand_in`, as all objects of the host's that we have.
    unsafe { (*stand_in.as_raw().cast::<StandIn>()).object }
}

/// Gives back the one reference there is, and the stand-in.
///
/// # Safety
/// Made by [`stand_in`], and nobody else has a copy.
pub unsafe fn release<T: Interface>(stand_in: T) {
    let raw = stand_in.as_raw();
    drop(stand_in);
    // SAFETY: made by `stand_in`, and by the contract nobody uses it any more.
    drop(unsafe { Box::from_raw(raw.cast::<StandIn>()) });
}

/// Gives back the stand-in alone, of an object that was lent.
///
/// # Safety
/// As for [`release`].
pub unsafe fn give_up<T: Interface>(stand_in: ManuallyDrop<T>) {
    // SAFETY: the caller passes what `stand_in` has made by `Box::into_raw`, and does not use it
    // again.
    drop(unsafe { Box::from_raw(stand_in.as_raw().cast::<StandIn>()) });
}
