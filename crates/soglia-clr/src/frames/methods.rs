//! The methods of the program: whose they are, their code, and what is known of each.

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

/// The table that a token is of.
pub(super) const TABLE: u32 = 0xFF00_0000;
pub(super) const METHOD_DEF: u32 = 0x0600_0000;

/// A method of a module, by row.
pub(super) type Place = (ModuleId, u32);

/// Modules of the program, and all that were woven.
static MODULES: RwLock<Option<HashMap<ModuleId, Arc<Module>>>> = RwLock::new(None);

/// What is known of a module.
#[derive(Default)]
struct Module {
    /// It is the program's, not the framework's.
    of_program: bool,
    ours: Ours,
    /// By row, whether a method may be on the stack of a call.
    known: Mutex<HashMap<u32, bool>>,
}

/// Methods of a module that are none of the program's.
#[derive(Clone, Debug, Default)]
pub struct Ours {
    /// Rows of the P/Invokes that are wrappers now.
    pub wrappers: HashSet<u32>,
    /// From this row on, methods are new; 0: none is.
    pub first: u32,
}

impl Ours {
    /// None of the program's from this row on.
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

/// A module was loaded. `of_program`: it does not come with the framework.
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

/// A module is about to be unloaded.
pub fn module_unloaded(module: ModuleId) {
    let mut modules = MODULES.write().unwrap_or_else(PoisonError::into_inner);
    modules.get_or_insert_default().remove(&module);
}

fn get(module: ModuleId) -> Option<Arc<Module>> {
    let modules = MODULES.read().unwrap_or_else(PoisonError::into_inner);
    modules.as_ref()?.get(&module).cloned()
}

/// Whether a method is a wrapper of ours, or was put in by us.
pub fn is_ours(module: ModuleId, method: MdToken) -> bool {
    get(module).is_some_and(|of| of.ours.has(method.row()))
}

/// What is known of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It leads to calls of native code, or may.
    Leads,
    /// It leads nowhere.
    Nowhere,
    /// Nothing yet.
    Unknown,
    /// It is a wrapper, or one of those that were put in.
    Ours,
    /// It is in no module of the program.
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

/// Keeps whether a method leads to calls of native code.
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

/// The code of a method as it is now.
pub(super) fn body(engine: &Engine, module: ModuleId, method: MdToken) -> Option<&'static [u8]> {
    let (mut body, mut size) = (std::ptr::null(), 0);
    // SAFETY: a method of a module that is in use, pointers to locals.
    let answer = unsafe {
        engine
            .info
            .GetILFunctionBody(module, method, &raw mut body, &raw mut size)
    };
    if answer.is_err() || body.is_null() {
        return None;
    }
    // SAFETY: it lies in the module's image or in memory that the CLR frees with the module, whose
    // method is in use until this returns.
    Some(unsafe { std::slice::from_raw_parts(body, size as usize) })
}

pub(super) fn import_of(engine: &Engine, module: ModuleId) -> Option<IMetaDataImport2> {
    Scope::of_module(&engine.info, module)?.itself().cast().ok()
}
