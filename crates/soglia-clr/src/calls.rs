//! The calls that are watched, by the number that hooks hand over.

use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use soglia_abi::ids::{FunctionId, MdToken, ModuleId};
use soglia_core::trace::log::TargetNames;

use crate::{clerk, engine};

/// A call that was woven around.
pub struct Call {
    /// Who is called.
    pub names: TargetNames,
    /// The P/Invoke that its wrapper calls, if it has one.
    native: OnceLock<(ModuleId, MdToken)>,
}

/// By id. Never shrinks: code that holds an id may run at any time.
static CALLS: RwLock<Vec<Arc<Call>>> = RwLock::new(Vec::new());

/// The call with this id. Not for the hot path.
pub fn call(id: i64) -> Option<Arc<Call>> {
    let calls = CALLS.read().unwrap_or_else(PoisonError::into_inner);
    calls.get(usize::try_from(id).ok()?).cloned()
}

/// The wrapper of this call calls that P/Invoke.
pub fn calls_native(id: u32, module: ModuleId, native: MdToken) {
    if let Some(call) = call(id.into()) {
        let _ = call.native.set((module, native));
    }
}

/// The CLR's number of the P/Invoke that a wrapper calls, which must be running. In preemptive mode.
pub fn function_of(id: i64) -> Option<FunctionId> {
    let (module, native) = *call(id)?.native.get()?;
    let engine = engine::get()?;
    // Wrappers run in no callback of the CLR's: the clerk may ask, they may not.
    let function = clerk::ask(move || {
        let mut function = FunctionId::NULL;
        // SAFETY: a method of a module that is in use, a pointer to a local.
        let answer = unsafe {
            engine
                .info
                .GetFunctionFromToken(module, native, &raw mut function)
        };
        answer.is_ok().then_some(function)
    });
    function.flatten()
}

/// A new call: one that is woven around, or that trampolines tell of.
pub fn add(names: TargetNames) -> u32 {
    let call = Call {
        names,
        native: OnceLock::new(),
    };
    let mut calls = CALLS.write().unwrap_or_else(PoisonError::into_inner);
    calls.push(Arc::new(call));
    calls.len() as u32 - 1
}
