//! Who called: the managed stack of the running thread, innermost frame first.

use std::ffi::c_void;

use soglia_abi::{
    hresult,
    ids::{FunctionId, ThreadId},
    profiler::types::{COR_PRF_FRAME_INFO, COR_PRF_SNAPSHOT_DEFAULT},
};
use windows_core::HRESULT;

use crate::{
    clerk,
    engine::{Engine, Source},
};

/// Frames that are kept of a stack.
pub const MOST_FRAMES: usize = 256;

/// The number of the running thread's stack; 0: there is none to be had.
///
/// To be called inside a crossing's callback, where the CLR can walk the thread's own stack. Takes microseconds.
pub fn current(engine: &'static Engine) -> u32 {
    let Some(mut functions) = walk(engine, MOST_FRAMES) else {
        return 0;
    };
    // The call itself is the innermost run of native frames.
    let called = functions.iter().position(|f| !f.is_null());
    functions.drain(..called.unwrap_or(functions.len()));
    match engine.source {
        Source::Transitions => keep(engine, &functions),
        // The clerk is never in a callback, and this thread is not either.
        Source::Woven => clerk::ask(move || keep(engine, &functions)).unwrap_or(0),
    }
}

/// The innermost managed function of the running thread; null if there is none to be had. To be called as [`current`].
pub fn innermost(engine: &'static Engine) -> FunctionId {
    let functions = walk(engine, 2).unwrap_or_default();
    let found = functions.into_iter().find(|f| !f.is_null());
    found.unwrap_or(FunctionId(0))
}

/// So many of the innermost functions of the running thread; null ones stand for runs of native frames.
fn walk(engine: &'static Engine, most: usize) -> Option<Vec<FunctionId>> {
    let mut functions: Vec<FunctionId> = Vec::with_capacity(most);
    // SAFETY: the null thread is the current one; `collect` gets the vector that it expects. There is no seed context.
    let answer = unsafe {
        engine.info2.DoStackSnapshot(
            ThreadId::NULL,
            Some(collect),
            COR_PRF_SNAPSHOT_DEFAULT,
            (&raw mut functions).cast(),
            std::ptr::null(),
            0,
        )
    };
    // When `collect` has enough, the walk is said to be aborted.
    (answer.is_ok() || functions.len() == functions.capacity()).then_some(functions)
}

fn keep(engine: &Engine, functions: &[FunctionId]) -> u32 {
    keep_if(engine, functions, || true)
}

/// The number of the stack with these functions, innermost first, which must be on some stack now: `valid` is asked before the CLR is
/// asked about each. 0: there is none.
pub fn keep_if(engine: &Engine, functions: &[FunctionId], valid: impl Fn() -> bool) -> u32 {
    let named = functions
        .iter()
        .take_while(|_| valid())
        .filter_map(|f| engine.frame(*f));
    let mut frames: Vec<u32> = named.collect();
    // What the runtime made for itself stood between these.
    frames.dedup_by(|a, b| (*a, *b) == (0, 0));
    if frames.is_empty() {
        return 0;
    }
    engine.stack(frames)
}

/// What [`walk`] and its like give `DoStackSnapshot`, with a vector of functions that is not to grow.
pub unsafe extern "system" fn collect(
    function: FunctionId,
    _ip: usize,
    _frame: COR_PRF_FRAME_INFO,
    _context_size: u32,
    _context: *const u8,
    into: *mut c_void,
) -> HRESULT {
    // SAFETY: whoever walks a stack with this passes such a vector.
    let functions = unsafe { &mut *into.cast::<Vec<FunctionId>>() };
    // It was made for as many as are wanted, and does not grow.
    if functions.len() >= functions.capacity() {
        return hresult::S_FALSE;
    }
    functions.push(function);
    hresult::S_OK
}
