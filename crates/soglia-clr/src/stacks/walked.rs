//! What the CLR's stack walker tells.

use std::ffi::c_void;

use soglia_abi::{
    hresult,
    ids::FunctionId,
    profiler::types::{COR_PRF_FRAME_INFO, COR_PRF_SNAPSHOT_REGISTER_CONTEXT},
};
use windows_core::HRESULT;

use crate::arch::{CONTEXT_FP, CONTEXT_SP};

/// Frames that are kept of a stack.
pub const MOST_FRAMES: usize = 256;
/// Frames that are walked for that: some are none of the program's.
pub const MOST_WALKED: usize = 3 * MOST_FRAMES;
/// How the stack is walked: the registers are told.
pub const HOW: u32 = COR_PRF_SNAPSHOT_REGISTER_CONTEXT;

/// A frame of which the CLR's walker has told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Walked {
    /// Null: a run of native frames.
    pub function: FunctionId,
    /// Where it goes on.
    pub ip: usize,
    /// Its stack pointer then; 0: not told.
    pub sp: usize,
    /// And `rbp`.
    pub fp: usize,
}

/// What [`walk`] and its like give `DoStackSnapshot`, with a vector of [`Walked`] that is not to
/// grow.
pub unsafe extern "system" fn collect(
    function: FunctionId,
    ip: usize,
    _frame: COR_PRF_FRAME_INFO,
    size: u32,
    context: *const u8,
    into: *mut c_void,
) -> HRESULT {
    // SAFETY: whoever walks a stack with this passes such a vector.
    let walked = unsafe { &mut *into.cast::<Vec<Walked>>() };
    // It was made for as many as are wanted, and does not grow.
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
