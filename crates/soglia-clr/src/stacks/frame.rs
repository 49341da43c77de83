//! What stacks show of a function.

use soglia_abi::ids::FunctionId;

use crate::{dynamic, engine::Engine, frames, known::names::Frame, metadata::Scope};

/// What stacks show of a function that is on one.
pub(super) fn frame(engine: &Engine, function: FunctionId) -> Frame {
    if function.is_null() {
        return Frame::Native;
    }
    if let Some(frame) = engine.names.lock().frames.get(&function) {
        return *frame;
    }
    let Some((module, token)) = engine.method_of(function) else {
        // Not kept: the CLR reuses the number of a collected method.
        return made_at_run_time(engine, function);
    };
    let scope = Scope::of_module(&engine.info, module);
    let named = scope.filter(|s| !frames::is_ours(module, token) && !s.is_import(token));
    let frame = match named.and_then(|scope| scope.method(token)) {
        None => Frame::Nothing,
        Some(name) => Frame::Method {
            text: engine.text(name),
            marshals: frames::marshals(engine, module, token),
        },
    };
    engine.names.lock().frames.insert(function, frame);
    frame
}

/// A method without metadata: one that the program has made, or a stub of the CLR.
fn made_at_run_time(engine: &Engine, function: FunctionId) -> Frame {
    match dynamic::name_of(engine, function) {
        Some(name) if !dynamic::is_stub(&name) => Frame::Method {
            text: engine.text(format!("[made at run time: {name}]")),
            marshals: false,
        },
        _ => Frame::Nothing,
    }
}
