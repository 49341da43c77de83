//! Types of function pointers.

#![allow(unsafe_code, reason = "an address becomes a function pointer")]

use std::ffi::c_void;
use std::mem::transmute;

/// A pointer to a C function with up to twelve parameters: what
/// [`Host::function`](super::Host::function) can return.
///
/// Parameters and result must be types that C and C# share: integers, floats, pointers, and
/// `#[repr(C)]` structures of them. `bool`, `char`, `String` and references are not among them: C#
/// has pointers there.
pub trait FunctionPointer: Copy + sealed::Sealed {
    /// # Safety
    /// `address` is the address of a function with the parameters and the result of `Self`.
    #[doc(hidden)]
    unsafe fn from_address(address: *const c_void) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! pointers {
    ($($type:ty, [$($argument:ident)*];)*) => {$(
        impl<$($argument,)* R> sealed::Sealed for $type {}
        impl<$($argument,)* R> FunctionPointer for $type {
            unsafe fn from_address(address: *const c_void) -> Self {
                // SAFETY: a function pointer is an address, and the caller vouches for the
                // function.
                unsafe { transmute::<*const c_void, Self>(address) }
            }
        }
    )*};
}

macro_rules! all {
    () => { all!(@ []); };
    (@ [$($argument:ident)*] $next:ident $($rest:ident)*) => {
        all!(@ [$($argument)*]);
        all!(@ [$($argument)* $next] $($rest)*);
    };
    (@ [$($argument:ident)*]) => {
        pointers! {
            extern "C" fn($($argument),*) -> R, [$($argument)*];
            unsafe extern "C" fn($($argument),*) -> R, [$($argument)*];
            extern "system" fn($($argument),*) -> R, [$($argument)*];
            unsafe extern "system" fn($($argument),*) -> R, [$($argument)*];
        }
    };
    ($($argument:ident)*) => { all!(@ [] $($argument)*); };
}

all!(A B C D E F G H I J K L);
