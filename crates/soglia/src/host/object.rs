//! The engine's objects, as this layer holds and calls them.

#![allow(
    unsafe_code,
    reason = "methods of the engine's objects are called through vtables"
)]

use std::ffi::c_void;
use std::ptr::null_mut;

use soglia_abi::hosting::control::ICLRControl;
use soglia_abi::hosting::policy::{
    EClrEvent, EClrFailure, EClrOperation, EClrUnhandledException, EPolicyAction,
};
use soglia_abi::param::{In, InOut, Lent, Out, Wide};
use soglia_abi::{BOOL, HRESULT};
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

/// Calls a method of one of the engine's objects: `call!(manager, SetLocale(lcid))`.
///
/// The arguments are evaluated outside of `unsafe`, and each is a [`Parameter`].
macro_rules! call {
    ($object:expr, $method:ident($($argument:expr),* $(,)?)) => {{
        let object = &$object;
        $crate::host::object::call!(@ object $method [] $($argument),*)
    }};
    (@ $object:ident $method:ident [$($bound:ident)*]) => {{
        $($crate::host::object::is_parameter(&$bound);)*
        // SAFETY: the object is one of the engine's and alive, since an interface in Rust holds a
        // reference. The engine's methods require of their caller only that pointers are null or
        // valid; every argument is a `Parameter`, and those are valid by construction.
        unsafe { $object.$method($($bound),*) }
    }};
    (@ $object:ident $method:ident [$($bound:ident)*] $next:expr $(, $rest:expr)*) => {{
        let argument = $next;
        $crate::host::object::call!(@ $object $method [$($bound)* argument] $($rest),*)
    }};
}
pub(super) use call;

/// What safe code may pass to any method of the engine: numbers, and pointers that are null or
/// valid by construction.
///
/// Arrays and buffers are not among them: they must be as long as another argument says.
pub(super) trait Parameter {}

macro_rules! parameters {
    ($($type:ty)*) => { $(impl Parameter for $type {})* };
}
parameters! {
    i32 u32 u64 BOOL EClrEvent EClrFailure EClrOperation EClrUnhandledException EPolicyAction Wide<'_>
}
impl<T> Parameter for Out<'_, T> {}
impl<T> Parameter for InOut<'_, T> {}
impl<T> Parameter for In<'_, T> {}
impl<I: Interface> Parameter for Lent<'_, I> {}

pub(super) fn is_parameter<T: Parameter>(_: &T) {}

/// Where a method stores an object.
pub(super) type Place<'a> = Out<'a, *mut c_void>;

/// Gets an object from a method that stores it, with a reference, at the place it is given.
///
/// # Errors
/// The failure of `ask`. [`HResult::UNEXPECTED`] if it succeeds and stores null.
///
/// # Safety
/// `ask` stores null or a live object with the interface `T` and a reference for the caller.
pub(super) unsafe fn given<T: Interface>(ask: impl FnOnce(Place<'_>) -> HRESULT) -> Answer<T> {
    let mut object = null_mut();
    HResult::check(ask(Out::new(&mut object)))?;
    if object.is_null() {
        return Err(HResult::UNEXPECTED);
    }
    // SAFETY: not null, so the caller of this function vouches for the interface and for the
    // reference, which the result owns.
    Ok(unsafe { T::from_raw(object) })
}

/// A manager that the CLR provides, by its interface.
pub(super) fn manager_of<T: Interface>(control: &ICLRControl) -> Answer<T> {
    let ask = |object: Place<'_>| call!(control, GetCLRManager(In::new(&T::IID), object));
    // SAFETY: `GetCLRManager` stores an object with the interface whose ID it is given, and a
    // reference for its caller.
    unsafe { given(ask) }
}
