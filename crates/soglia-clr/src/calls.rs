//! The calls that the engine watches, by the numbers that hooks pass.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use soglia_abi::ids::{FunctionId, MdToken, ModuleId};
use soglia_core::trace::{facts::Signature, log::TargetNames};

use crate::{clerk, engine, metadata::Scope};

/// A call that has a wrapper or a trampoline.
pub struct Call {
    /// The names of its target.
    pub names: TargetNames,
    /// The method that the program calls, if it is a method.
    declared: OnceLock<(ModuleId, MdToken)>,
    /// The P/Invoke that its wrapper calls, if there is one.
    native: OnceLock<(ModuleId, MdToken)>,
}

/// By number. Never shrinks, since code with a number in it may run at any time.
static CALLS: RwLock<Vec<Arc<Call>>> = RwLock::new(Vec::new());

/// The call with this number. Not for the hot path.
pub fn call(id: i64) -> Option<Arc<Call>> {
    let calls = CALLS.read().unwrap_or_else(PoisonError::into_inner);
    calls.get(usize::try_from(id).ok()?).cloned()
}

/// Notes the P/Invoke that the wrapper of a call calls.
pub fn calls_native(id: u32, module: ModuleId, native: MdToken) {
    if let Some(call) = call(id.into()) {
        let _ = call.native.set((module, native));
    }
}

/// Notes the method that the program calls.
pub fn declared(id: u32, module: ModuleId, method: MdToken) {
    if let Some(call) = call(id.into()) {
        let _ = call.declared.set((module, method));
    }
}

/// The signature of a P/Invoke. The wrapper must be running, in preemptive mode.
pub fn signature(id: i64) -> Option<Signature> {
    let call = call(id)?;
    let (module, method) = *call.declared.get()?;
    let import = call.native.get().map_or(method, |(_, native)| *native);
    let engine = engine::get()?;
    // The module is in use, since its wrapper is running.
    let read = move || Scope::of_module(&engine.info, module)?.signature(method, import);
    clerk::ask(read).flatten()
}

/// The CLR's number of the P/Invoke that a wrapper calls. The wrapper must be running, in
/// preemptive mode.
pub fn function_of(id: i64) -> Option<FunctionId> {
    let (module, native) = *call(id)?.native.get()?;
    let engine = engine::get()?;
    // The CLR does not answer a thread that runs a wrapper, so the clerk asks.
    let function = clerk::ask(move || {
        let mut function = FunctionId::NULL;
        // SAFETY: the module is in use, since its wrapper is running. The pointer is to a local.
        let answer = unsafe {
            engine
                .info
                .GetFunctionFromToken(module, native, &raw mut function)
        };
        answer.is_ok().then_some(function)
    });
    function.flatten()
}

/// Adds a call that has a wrapper or a trampoline. Returns its number.
pub fn add(names: TargetNames) -> u32 {
    let call = Call {
        names,
        declared: OnceLock::new(),
        native: OnceLock::new(),
    };
    let mut calls = CALLS.write().unwrap_or_else(PoisonError::into_inner);
    calls.push(Arc::new(call));
    calls.len() as u32 - 1
}
