//! Unwinding through trampolines.
#![allow(unsafe_code, reason = "calls numbers as functions, and the unwinder")]

mod support;

use std::ffi::{c_int, c_void};

use support::{callee, pointer, recorded, reverse, trampolines};

/// Finds every frame from here up to the test, by the tables that exceptions are thrown with.
/// Returns 1 if the common code is between here and the function `test`.
extern "C" fn walk(test: usize) -> c_int {
    struct Walk {
        frames: Vec<usize>,
    }
    unsafe extern "C" {
        fn _Unwind_Backtrace(
            each: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
            with: *mut c_void,
        ) -> c_int;
        fn _Unwind_GetIP(context: *mut c_void) -> usize;
        fn _Unwind_FindEnclosingFunction(address: *mut c_void) -> *mut c_void;
    }
    extern "C" fn each(context: *mut c_void, walk: *mut c_void) -> c_int {
        // SAFETY: the unwinder passes its own context, and the pointer that it got below, which
        // leads to a local that outlives the walk.
        unsafe {
            let walk = &mut *walk.cast::<Walk>();
            walk.frames.push(_Unwind_GetIP(context));
        }
        0
    }
    let mut walk = Walk { frames: Vec::new() };
    // SAFETY: the callback has the signature that the unwinder calls, and gets the pointer that it
    // expects, which is valid for the whole call.
    unsafe { _Unwind_Backtrace(each, (&raw mut walk).cast()) };
    let function = |address: &usize| {
        // SAFETY: the function only compares the address with its tables.
        unsafe {
            _Unwind_FindEnclosingFunction(std::ptr::without_provenance_mut(address.wrapping_sub(1)))
        }
        .addr()
    };
    let functions: Vec<usize> = walk.frames.iter().map(function).collect();
    let at = functions.iter().position(|function| *function == test);
    let Some(at @ 2..) = at else { return -1 };
    // Between this function and the caller is the common code alone, and the walk goes on.
    let own = self::walk as *const () as usize;
    c_int::from(functions[at - 2] == own && functions[at - 1] != 0 && functions.len() > at + 2)
}

#[inline(never)]
extern "C" fn calls_the_walk(made: usize) -> c_int {
    let me = calls_the_walk as *const () as usize;
    let found = pointer!(made, extern "C" fn(usize) -> c_int)(me);
    std::hint::black_box(found)
}

#[test]
fn unwinders_walk_through() {
    let t = trampolines();
    for stack in [0, 16, 48] {
        let made = reverse(&t, walk as *const () as usize, stack as u64, || {
            callee(1, stack)
        });
        assert_eq!(calls_the_walk(made), 1, "with {stack} bytes on the stack");
    }
}

#[test]
fn a_panic_unwinds_through() {
    extern "C-unwind" fn panics(value: c_int) {
        std::panic::resume_unwind(Box::new(value));
    }
    let t = trampolines();
    let original = panics as *const () as usize;
    let made = reverse(&t, original, 1, || callee(1, 16));
    let call = pointer!(made, extern "C-unwind" fn(c_int));
    let thrown = std::panic::catch_unwind(|| call(5)).unwrap_err();
    assert_eq!(thrown.downcast_ref::<c_int>(), Some(&5));
    // The call has not returned, so the second hook did not run.
    assert_eq!(recorded(), [('R', 1, original)]);
}
