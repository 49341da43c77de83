//! The methods of the program: their modules, their code, and whether they lead to native calls.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::metadata::IMetaDataImport2,
};
use windows_core::Interface;

use crate::{engine::Engine, metadata::Scope};

/// The bits of a token that name its table.
pub(super) const TABLE: u32 = 0xFF00_0000;
pub(super) const METHOD_DEF: u32 = 0x0600_0000;

/// A method, by its module and row.
pub(super) type Place = (ModuleId, u32);

/// Modules of the program, and all modules that were woven.
static MODULES: RwLock<Option<HashMap<ModuleId, Arc<Module>>>> = RwLock::new(None);

/// A module.
#[derive(Default)]
struct Module {
    /// Whether it is the program's, and not the framework's.
    of_program: bool,
    ours: Ours,
    /// By row, whether a method may be on the stack of a call.
    known: Mutex<HashMap<u32, bool>>,
}

/// Methods of a module that are not the program's own.
#[derive(Clone, Debug, Default)]
pub struct Ours {
    /// Rows of the P/Invokes that are wrappers now.
    pub wrappers: HashSet<u32>,
    /// The row of the first method that was added; 0 if there is none.
    pub first: u32,
}

impl Ours {
    /// All methods from this row on.
    pub fn from(first: u32) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    fn has(&self, row: u32) -> bool {
        self.wrappers.contains(&row) || (self.first != 0 && row >= self.first)
    }
}

/// Notes a module that was loaded. `of_program`: it does not come with the framework.
pub fn module_loaded(module: ModuleId, of_program: bool, ours: Ours) {
    let module_of = Module {
        of_program,
        ours,
        known: Mutex::default(),
    };
    let mut modules = MODULES.write().unwrap_or_else(PoisonError::into_inner);
    modules
        .get_or_insert_default()
        .insert(module, Arc::new(module_of));
}

/// Forgets a module that is about to be unloaded.
pub fn module_unloaded(module: ModuleId) {
    let mut modules = MODULES.write().unwrap_or_else(PoisonError::into_inner);
    modules.get_or_insert_default().remove(&module);
}

fn get(module: ModuleId) -> Option<Arc<Module>> {
    let modules = MODULES.read().unwrap_or_else(PoisonError::into_inner);
    modules.as_ref()?.get(&module).cloned()
}

/// Whether a method is a wrapper, or was added.
pub fn is_ours(module: ModuleId, method: MdToken) -> bool {
    get(module).is_some_and(|of| of.ours.has(method.row()))
}

/// What is known about a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It leads to native calls, or may.
    Leads,
    /// It leads to no native call.
    Nowhere,
    /// Nothing yet.
    Unknown,
    /// It is a wrapper, or was added.
    Ours,
    /// Its module is not the program's.
    Elsewhere,
}

pub(super) fn known((module, row): Place) -> Known {
    match get(module).filter(|of| of.of_program) {
        None => Known::Elsewhere,
        Some(of) if of.ours.has(row) => Known::Ours,
        Some(of) => match of.get(row) {
            None => Known::Unknown,
            Some(true) => Known::Leads,
            Some(false) => Known::Nowhere,
        },
    }
}

/// The modules of the program.
pub(super) fn of_program() -> Vec<ModuleId> {
    let all = MODULES.read().unwrap_or_else(PoisonError::into_inner);
    let of_program = all.iter().flatten().filter(|(_, of)| of.of_program);
    of_program.map(|(module, _)| *module).collect()
}

/// Keeps whether a method leads to native calls.
pub(super) fn keep((module, row): Place, leads: bool) {
    if let Some(of) = get(module) {
        of.keep(row, leads);
    }
}

impl Module {
    fn get(&self, row: u32) -> Option<bool> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&row).copied()
    }

    fn keep(&self, row: u32, reaches: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(row, reaches);
    }
}

pub(super) fn import_of(engine: &Engine, module: ModuleId) -> Option<IMetaDataImport2> {
    Scope::of_module(&engine.info, module)?.itself().cast().ok()
}
