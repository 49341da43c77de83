//! The modules that are loaded, and the functions by which their code can leave the runtime.
//!
//! Some builds of .NET name a function that does not exist when a reverse stub calls its managed
//! target (dotnet/runtime#120151), and crash if they are asked about it. [`Modules::knows`] asks
//! the other way round: it goes through the functions that do exist. The engine checks only numbers
//! that it first sees in the place where that defect occurs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use soglia_abi::{
    ids::{FunctionId, MdToken, ModuleId},
    profiler::info::ICorProfilerInfo,
};

use crate::metadata::Scope;

/// All loaded modules.
#[derive(Default)]
pub struct Modules {
    /// The CLR reports modules while it holds locks of its own, so this lock is never held while
    /// the CLR is asked.
    list: Mutex<Vec<Module>>,
    /// Read while modules are asked about, and written by an unload, which so waits for the
    /// answers.
    in_use: RwLock<()>,
}

#[derive(Clone)]
struct Module {
    id: ModuleId,
    /// Read when first needed.
    ways_out: Option<Arc<[MdToken]>>,
}

impl Modules {
    /// Notes a module that was loaded.
    pub fn add(&self, id: ModuleId) {
        let mut list = self.list();
        if !list.iter().any(|module| module.id == id) {
            list.push(Module { id, ways_out: None });
        }
    }

    /// Forgets all modules.
    pub fn clear(&self) {
        *self.list() = Vec::new();
    }

    /// Forgets a module that is about to be unloaded.
    pub fn remove(&self, id: ModuleId) {
        let _none_in_use = self.in_use.write().unwrap_or_else(PoisonError::into_inner);
        self.list().retain(|module| module.id != id);
    }

    /// Whether some loaded module has this function, and managed code can leave the runtime by it.
    pub fn knows(&self, info: &ICorProfilerInfo, function: FunctionId) -> bool {
        let _in_use = self.in_use.read().unwrap_or_else(PoisonError::into_inner);
        let modules = self.list().clone();
        // Latest first, since the program's own modules make callbacks.
        modules.into_iter().rev().any(|module| {
            let id = module.id;
            let ways_out = module.ways_out.unwrap_or_else(|| self.read(info, id));
            ways_out.iter().any(|token| {
                let mut found = FunctionId::NULL;
                // SAFETY: the module is loaded, since `in_use` delays its unload. The token is its
                // own, and the pointer is to a local.
                let answer = unsafe { info.GetFunctionFromToken(id, *token, &raw mut found) };
                answer.is_ok() && found == function
            })
        })
    }

    fn read(&self, info: &ICorProfilerInfo, id: ModuleId) -> Arc<[MdToken]> {
        let scope = Scope::of_module(info, id);
        let ways_out: Arc<[MdToken]> = scope.map_or_else(Vec::new, |s| s.ways_out()).into();
        if let Some(module) = self.list().iter_mut().find(|module| module.id == id) {
            module.ways_out = Some(Arc::clone(&ways_out));
        }
        ways_out
    }

    fn list(&self) -> MutexGuard<'_, Vec<Module>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
