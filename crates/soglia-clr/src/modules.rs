//! Modules that are loaded, and the functions by which their code can leave the runtime.
//!
//! Some builds of .NET name a function that does not exist when a reverse stub calls its managed target
//! (dotnet/runtime#120151), and die if they are asked about it. [`Modules::knows`] asks the other way round: it goes
//! through the functions that do exist. Only numbers that first come in the place where that defect strikes are checked so.

use std::sync::{Mutex, PoisonError};

use soglia_abi::{
    ids::{FunctionId, MdToken, ModuleId},
    profiler::info::ICorProfilerInfo,
};

use crate::metadata::Scope;

/// All loaded modules.
#[derive(Default)]
pub struct Modules(Mutex<Vec<Module>>);

struct Module {
    id: ModuleId,
    /// Read when first needed.
    ways_out: Option<Vec<MdToken>>,
}

impl Modules {
    /// A module is loaded.
    pub fn add(&self, id: ModuleId) {
        self.lock().push(Module { id, ways_out: None });
    }

    /// A module is about to be unloaded.
    pub fn remove(&self, id: ModuleId) {
        self.lock().retain(|module| module.id != id);
    }

    /// Whether some loaded module has this function and managed code can leave by it.
    pub fn knows(&self, info: &ICorProfilerInfo, function: FunctionId) -> bool {
        // Latest first: callbacks are made by the program's own modules.
        self.lock().iter_mut().rev().any(|module| {
            let id = module.id;
            let ways_out = module.ways_out.get_or_insert_with(|| {
                Scope::of_module(info, id).map_or_else(Vec::new, |s| s.ways_out())
            });
            ways_out.iter().any(|token| {
                let mut found = FunctionId::NULL;
                // SAFETY: a loaded module, one of its tokens, a pointer to a local.
                let answer = unsafe { info.GetFunctionFromToken(id, *token, &raw mut found) };
                answer.is_ok() && found == function
            })
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Module>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
