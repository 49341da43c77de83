//! What catches the exceptions of a host's methods. The unwinder's words are those of the Itanium
//! C++ ABI.

use std::{
    ffi::{CStr, c_int, c_void},
    mem::transmute,
};

use soglia_abi::{HRESULT, hresult::E_FAIL};

use crate::{arch::UNWIND_RESULT, boundary, host::failure::heed, objects};

/// Methods that an interface can have.
pub(super) const METHODS: usize = 32;

unsafe extern "C" {
    static soglia_fence_methods: [*const c_void; METHODS];
    /// Not to be called.
    fn soglia_fence_threw();

    fn _Unwind_SetGR(context: *mut c_void, register: c_int, value: usize);
    fn _Unwind_SetIP(context: *mut c_void, address: usize);
    fn _Unwind_DeleteException(exception: *mut Exception);
}

pub(super) fn methods() -> *const *const c_void {
    (&raw const soglia_fence_methods).cast()
}

/// `_Unwind_Exception`, as far as it concerns us.
#[repr(C)]
pub(super) struct Exception {
    /// Whose it is: four bytes for the vendor, four for the language.
    class: u64,
    /// Frees the exception. The code belongs to the library that has thrown.
    cleanup: Option<unsafe extern "C" fn(c_int, *mut Exception)>,
}

const SEARCH_PHASE: c_int = 1;
const HANDLER_FRAME: c_int = 4;
const FORCE_UNWIND: c_int = 8;

const HANDLER_FOUND: c_int = 6;
const INSTALL_CONTEXT: c_int = 7;
const CONTINUE_UNWIND: c_int = 8;

/// An unwinder calls it for the code that all methods of stand-ins go on with. Everything is caught
/// except the end of a thread.
pub(super) unsafe extern "C" fn personality(
    _version: c_int,
    actions: c_int,
    _class: u64,
    exception: *mut Exception,
    context: *mut c_void,
) -> c_int {
    if actions & FORCE_UNWIND != 0 {
        return CONTINUE_UNWIND;
    }
    if actions & SEARCH_PHASE != 0 {
        return HANDLER_FOUND;
    }
    if actions & HANDLER_FRAME == 0 {
        return CONTINUE_UNWIND;
    }
    // SAFETY: the unwinder's context; it goes on at the landing place, which wants the exception in
    // the register of results.
    unsafe {
        _Unwind_SetGR(context, UNWIND_RESULT, exception.expose_provenance());
        _Unwind_SetIP(context, soglia_fence_threw as *const () as usize);
    }
    INSTALL_CONTEXT
}

/// A method has thrown. Returns what counts as its result.
pub(super) unsafe extern "C" fn threw(exception: *mut Exception) -> HRESULT {
    // SAFETY: the unwinder passes the exception that was caught, which only this code uses now.
    boundary::fence((), || unsafe { dispose(exception) });
    heed(E_FAIL)
}

/// # Safety
/// An exception that was caught. It is gone after this.
unsafe fn dispose(exception: *mut Exception) {
    const CPP: u64 = 0x0043_2b2b;
    // Older ones write it the other way round.
    const RUST: [u64; 2] = [
        u64::from_le_bytes(*b"MOZ\0RUST"),
        u64::from_be_bytes(*b"MOZ\0RUST"),
    ];
    // SAFETY: the caller passes the exception that is being caught, which is alive.
    let (class, cleanup) = unsafe { ((*exception).class, (*exception).cleanup) };
    // Another copy of Rust's runtime ends the process if its panic is disposed of. The bytes are
    // lost.
    if RUST.contains(&class) {
        return;
    }
    if (class >> 8) & 0xff_ffff == CPP
        && let Some((begin, end)) = cleanup.and_then(|cleanup| catching(cleanup as *const c_void))
    {
        // SAFETY: the C++ runtime that has thrown it; with this, its count of exceptions in flight
        // is right again.
        unsafe {
            begin(exception);
            end();
        }
        return;
    }
    // SAFETY: the caller passes the exception that was caught, and does not use it again.
    unsafe { _Unwind_DeleteException(exception) };
}

type Begin = unsafe extern "C" fn(*mut Exception) -> *mut c_void;
type End = unsafe extern "C" fn();

/// What catches in the C++ runtime that an address is in: there may be several. `None`: it does not
/// export it.
fn catching(inside: *const c_void) -> Option<(Begin, End)> {
    let (file, _) = objects::object_at(inside.cast_mut())?;
    let function = |name: &CStr| objects::exported(file.as_ref(), name);
    let begin = function(c"__cxa_begin_catch")?;
    let end = function(c"__cxa_end_catch")?;
    // SAFETY: the functions of those names have these types.
    unsafe {
        Some((
            transmute::<usize, Begin>(begin),
            transmute::<usize, End>(end),
        ))
    }
}
