//! What the CLR's stack walker gives.

use std::ffi::c_void;

use soglia_abi::{
    hresult,
    ids::FunctionId,
    profiler::types::{COR_PRF_FRAME_INFO, COR_PRF_SNAPSHOT_REGISTER_CONTEXT},
};
use windows_core::HRESULT;

use crate::arch::{CONTEXT_FP, CONTEXT_SP};

/// The most frames of a stack that are kept.
pub const MOST_FRAMES: usize = 256;
/// The most frames that are walked for that, since some are not the program's.
pub const MOST_WALKED: usize = 3 * MOST_FRAMES;
/// How the CLR walks: it passes registers.
pub const HOW: u32 = COR_PRF_SNAPSHOT_REGISTER_CONTEXT;

/// A frame that the walker has given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walked {
    /// Its function. Null: a run of native frames.
    pub function: FunctionId,
    /// The address at which it goes on.
    pub ip: usize,
    /// Its stack pointer then; 0: unknown.
    pub sp: usize,
    /// Its `rbp` then.
    pub fp: usize,
}

/// The function to pass to `DoStackSnapshot`, with a vector of [`Walked`] that has its full
/// capacity: it must not grow.
pub unsafe extern "system" fn collect(
    function: FunctionId,
    ip: usize,
    _frame: COR_PRF_FRAME_INFO,
    size: u32,
    context: *const u8,
    into: *mut c_void,
) -> HRESULT {
    // SAFETY: callers of `DoStackSnapshot` pass such a vector with this function.
    let walked = unsafe { &mut *into.cast::<Vec<Walked>>() };
    // The vector has room for as many as are wanted, and does not grow.
    if walked.len() >= walked.capacity() {
        return hresult::S_FALSE;
    }
    let register = |at: usize| {
        if context.is_null() || (size as usize) < at + 8 {
            return 0;
        }
        // SAFETY: the context has that many bytes.
        unsafe { context.add(at).cast::<usize>().read_unaligned() }
    };
    walked.push(Walked {
        function,
        ip,
        sp: register(CONTEXT_SP),
        fp: register(CONTEXT_FP),
    });
    hresult::S_OK
}
