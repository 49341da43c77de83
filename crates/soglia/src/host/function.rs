//! Types of function pointers.

#![allow(unsafe_code, reason = "an address becomes a function pointer")]

use std::ffi::c_void;
use std::mem::transmute;

/// A pointer to a function in C, with up to twelve parameters: what [`Host::function`](super::Host::function) can give.
///
/// Arguments and result must be what C and C# agree on: integers, floats, pointers, `#[repr(C)]` structures of such. Not `bool`
/// and `char`, not `String`, no references: C# has pointers there.
pub trait FunctionPointer: Copy + sealed::Sealed {
    /// # Safety
    /// `address` is that of such a function.
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
                // SAFETY: by the contract; both are addresses.
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
