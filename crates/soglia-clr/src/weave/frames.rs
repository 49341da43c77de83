//! Which methods keep a frame of their own, and which frames are ours.
//!
//! The CLR's stack walker shows frames, and a method that was compiled into another one has none.
//! For the stacks of calls to be those of the program, no method of the program may be compiled
//! into another one if it may be on the stack of such a call. [`may_be_inlined`] answers the CLR
//! about each candidate, [`folds`] says the same of code that was compiled in advance.
//!
//! A method may be on the stack of a call if its code leads there: its instructions are followed,
//! through the methods of the program, to a P/Invoke, or to where there is no telling (a virtual
//! call, a delegate, a method of the framework that may call back). What leads nowhere stays free
//! to be inlined, as accessors and arithmetic must be. Answers are kept.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use soglia_abi::{
    ids::{FunctionId, MdToken, ModuleId},
    profiler::metadata::IMetaDataImport2,
};
use soglia_il::leads::{self, How};
use windows_core::Interface;

use super::{
    instance,
    reach::{METHOD_DEF, Place, Search, TABLE},
};
use crate::metadata::before::Before;
use crate::{engine::Engine, metadata::Scope};

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

/// Whether a method may be compiled into another one: no stack has to show it, or it is a wrapper.
/// Where the other one has no metadata, the wrapper's frame is what tells that it is there.
pub fn may_be_inlined(engine: &Engine, function: FunctionId, into: FunctionId) -> bool {
    let Some((module, method)) = engine.method_of(function) else {
        return true;
    };
    let place = (module, method.row());
    match known(place) {
        Known::Elsewhere | Known::Nowhere => true,
        Known::Ours => engine.method_of(into).is_some(),
        Known::Leads | Known::Unknown => {
            !leads(engine, place)
                || instance::is_plain(engine, function)
                    && !Search::new(engine, Some(place)).from(place)
        }
    }
}

/// Whether code that was compiled in advance may lack frames that stacks have to show. `inlinees`:
/// the rows of the methods that it has compiled into itself; `None`: there is no telling.
pub fn folds<'a>(
    engine: &Engine,
    module: ModuleId,
    method: MdToken,
    inlinees: impl FnOnce() -> Option<&'a [u32]>,
) -> bool {
    // What has another method compiled into itself calls it, and leads where that one does.
    if known((module, method.row())) == Known::Elsewhere || !leads(engine, (module, method.row())) {
        return false;
    }
    let has_frame = |row: &u32| {
        let place = (module, *row);
        known(place) != Known::Ours && leads(engine, place)
    };
    inlinees().is_none_or(|rows| rows.iter().any(has_frame))
        || Search::new(engine, None).do_last_calls(module, method)
}

fn leads(engine: &Engine, place: Place) -> bool {
    match known(place) {
        Known::Leads | Known::Ours | Known::Elsewhere => return true,
        Known::Nowhere => return false,
        Known::Unknown => {}
    }
    let mut search = Search::new(engine, None);
    let found = search.from(place);
    // What was seen on the way leads nowhere if this one does not. Otherwise only this one is known
    // to lead there.
    let all = if found {
        HashSet::from([place])
    } else {
        search.seen
    };
    for (module, row) in all {
        if let Some(of) = get(module) {
            of.keep(row, found);
        }
    }
    found
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

/// Whether a method marshals for the P/Invoke inside it that the generator of `LibraryImport` has
/// made, and is no caller of it.
pub fn marshals(engine: &Engine, module: ModuleId, method: MdToken) -> bool {
    const INNER: &str = "g____PInvoke|";
    let inner = || {
        let import = import_of(engine, module)?;
        let name = String::from_utf16_lossy(&Before::of(&import, method).ok()?.name);
        let prefix = format!("<{name}>{INNER}");
        let leads = body(engine, module, method).and_then(leads::of_body)?;
        let calls = leads
            .into_iter()
            .filter(|l| l.how == How::Call && l.token.0 & TABLE == METHOD_DEF);
        let mut called = calls.filter_map(|lead| Before::of(&import, lead.token).ok());
        let found =
            called.any(|called| String::from_utf16_lossy(&called.name).starts_with(&prefix));
        Some(found)
    };
    inner().unwrap_or(false)
}

pub(super) fn import_of(engine: &Engine, module: ModuleId) -> Option<IMetaDataImport2> {
    Scope::of_module(&engine.info, module)?.itself().cast().ok()
}
