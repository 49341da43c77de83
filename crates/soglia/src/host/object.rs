//! The engine's objects, as this layer holds them.

#![allow(
    unsafe_code,
    reason = "methods of the engine's objects hand out objects"
)]

use std::ffi::c_void;
use std::ptr::null_mut;

use soglia_abi::HRESULT;
use soglia_abi::hosting::control::ICLRControl;
use windows_core::Interface;

use super::hresult::{Answer, HResult};

/// An object of the engine, which may be used on any thread.
#[derive(Clone)]
pub(super) struct Shared<T>(pub T);

// SAFETY: the hosting API lets any thread call its objects, and the engine's objects count their
// references atomically.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: the engine's objects guard their state themselves, since a C host may call one object on
// several threads at once.
unsafe impl<T> Sync for Shared<T> {}

/// Gets an object from a method that stores it, with a reference, at the place it is given.
///
/// # Errors
/// The failure of `ask`. [`HResult::UNEXPECTED`] if it succeeds and stores null.
///
/// # Safety
/// `ask` stores null or a live object with the interface `T` and a reference for the caller.
pub(super) unsafe fn given<T: Interface>(
    ask: impl FnOnce(*mut *mut c_void) -> HRESULT,
) -> Answer<T> {
    let mut object = null_mut();
    HResult::check(ask(&raw mut object))?;
    if object.is_null() {
        return Err(HResult::UNEXPECTED);
    }
    // SAFETY: not null, so the caller of this function vouches for the interface and for the
    // reference, which the result owns.
    Ok(unsafe { T::from_raw(object) })
}

/// One of the CLR's managers, by its interface.
pub(super) fn manager_of<T: Interface>(control: &ICLRControl) -> Answer<T> {
    // SAFETY: the engine's control is alive, both pointers are valid for the call, and
    // `GetCLRManager` stores an object with the interface whose ID it is given.
    unsafe { given(|object| control.GetCLRManager(&T::IID, object)) }
}
