//! Callers: the managed stack of the running thread, innermost frame first.

mod beginning;
mod entry;
mod frame;
mod hidden;
mod walked;

use soglia_abi::ids::{FunctionId, ThreadId};

use crate::{
    clerk,
    engine::{Engine, Source},
    known::names::Frame,
};
use walked::MOST_FRAMES;

pub use hidden::forget;
pub use walked::{HOW, MOST_WALKED, Walked, collect};

/// The number of the running thread's stack; 0: it cannot be found out.
///
/// To be called inside a crossing's callback, where the CLR can walk the thread's own stack. Takes
/// microseconds.
pub fn current(engine: &'static Engine) -> u32 {
    let Some(walked) = walk(engine, MOST_WALKED) else {
        return 0;
    };
    match engine.source {
        Source::Transitions => {
            // A method without metadata may have made the call.
            let entry = entry::of_compiled_code();
            keep(engine, entry, &walked, || true)
        }
        // The CLR answers the clerk, which is never in a callback, and not this thread. Wrappers
        // have frames.
        Source::Woven => clerk::ask(move || keep(engine, None, &walked, || true)).unwrap_or(0),
    }
}

/// The number of the running thread's stack; 0: it cannot be found out.
///
/// To be called inside a callback of the CLR in cooperative mode. There this thread must not wait
/// for the clerk: a collection may be waiting for this thread, and the clerk for the collection.
pub fn in_callback(engine: &'static Engine) -> u32 {
    walk(engine, MOST_WALKED).map_or(0, |walked| keep(engine, None, &walked, || true))
}

/// The innermost managed function of the running thread; null if it cannot be found out. To be
/// called as [`current`].
pub fn innermost(engine: &'static Engine) -> FunctionId {
    let walked = walk(engine, 2).unwrap_or_default();
    let mut functions = walked.into_iter().map(|frame| frame.function);
    functions.find(|f| !f.is_null()).unwrap_or(FunctionId(0))
}

/// The innermost functions of the running thread, `most` at most; null for a run of native frames.
/// To be called as [`current`].
pub fn functions(engine: &'static Engine, most: usize) -> Option<Vec<FunctionId>> {
    let walked = walk(engine, most)?;
    Some(walked.into_iter().map(|frame| frame.function).collect())
}

/// The innermost frames of the running thread, `most` at most.
fn walk(engine: &'static Engine, most: usize) -> Option<Vec<Walked>> {
    let mut walked: Vec<Walked> = Vec::with_capacity(most);
    // SAFETY: the null thread is the current one, and `collect` gets the vector that it expects.
    // There is no seed context.
    let answer = unsafe {
        engine.info2.DoStackSnapshot(
            ThreadId::NULL,
            Some(collect),
            HOW,
            (&raw mut walked).cast(),
            std::ptr::null(),
            0,
        )
    };
    // When `collect` has enough frames, the CLR says that the walk was aborted.
    (answer.is_ok() || walked.len() == walked.capacity()).then_some(walked)
}

/// The number of the stack with these frames, innermost first; 0: there is none.
///
/// The frames must be on a stack now: this asks `valid` before it asks the CLR about each.
pub fn keep_if(engine: &Engine, walked: &[Walked], valid: impl Fn() -> bool) -> u32 {
    keep(engine, None, walked, valid)
}

/// The same. `entry`: the frame of compiled code that has called native code, if it is known.
fn keep(
    engine: &Engine,
    entry: Option<Walked>,
    walked: &[Walked],
    valid: impl Fn() -> bool,
) -> u32 {
    let mut stack = Stack {
        engine,
        frames: Vec::new(),
    };
    if let Some(entry) = entry {
        let outer = walked.iter().find(|frame| !frame.function.is_null());
        stack.push_all(hidden::above(engine, &entry, outer));
    }
    for (index, frame) in walked.iter().enumerate().take_while(|_| valid()) {
        stack.push(frame.function);
        if !frame.function.is_null() {
            let outer = walked.get(index + 1).filter(|f| !f.function.is_null());
            stack.push_all(hidden::between(engine, frame, outer));
        }
        if stack.frames.len() >= MOST_FRAMES {
            break;
        }
    }
    stack.frames.truncate(MOST_FRAMES);
    if stack.frames.is_empty() {
        return 0;
    }
    engine.stack(stack.frames)
}

/// The text that stands for a run of native frames.
const NATIVE: u32 = 0;

/// A stack that is being put together. It begins with the innermost method of the program: frames
/// between that and the native function are left out.
struct Stack<'e> {
    engine: &'e Engine,
    frames: Vec<u32>,
}

impl Stack<'_> {
    fn push(&mut self, function: FunctionId) {
        let above_native = self.frames.last().is_none_or(|frame| *frame == NATIVE);
        match frame::frame(self.engine, function) {
            Frame::Native if !above_native => self.frames.push(NATIVE),
            Frame::Method { text, marshals } if !(marshals && above_native) => {
                self.frames.push(text);
            }
            _ => {}
        }
    }

    fn push_all(&mut self, functions: Vec<FunctionId>) {
        for function in functions {
            self.push(function);
        }
    }
}
