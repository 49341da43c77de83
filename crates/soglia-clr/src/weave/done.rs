//! What was done to each module, and which precompiled code the CLR may use since then.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use soglia_abi::ids::{FunctionId, MdToken, ModuleId};
use soglia_il::r2r;

use crate::{engine::Engine, frames};

/// What was done to each module.
static WEAVE: RwLock<Weave> = RwLock::new(Weave {
    modules: None,
    patched: None,
    together: false,
});

struct Weave {
    /// Those that have precompiled code, or were woven.
    modules: Option<HashMap<ModuleId, Arc<Woven>>>,
    /// CoreLib, and rows of the methods in it whose precompiled code does not do what theirs does now.
    patched: Option<(ModuleId, HashSet<u32>)>,
    /// P/Invokes that were woven around, or will be, may be in code of other modules.
    together: bool,
}

/// What was done to a module, if anything.
pub(super) struct Woven {
    /// Rows of the methods that are no longer what their precompiled callers believe.
    pub(super) changed: HashSet<u32>,
    /// None of its precompiled code can be trusted.
    pub(super) whole: bool,
    /// Its precompiled code may hold P/Invokes of others: it is looked at even if nothing was done here.
    pub(super) look: bool,
    pub(super) precompiled: r2r::Precompiled<'static>,
    /// See [`r2r::Precompiled::inlinees`]; read when first needed.
    pub(super) inlinees: OnceLock<Option<HashMap<u32, Vec<u32>>>>,
}

/// CoreLib, once it is loaded.
pub(super) fn corelib() -> Option<ModuleId> {
    let weave = WEAVE.read().unwrap_or_else(PoisonError::into_inner);
    weave.patched.as_ref().map(|(module, _)| *module)
}

/// CoreLib was changed: rows of the methods whose precompiled code does not do what theirs does now.
pub(super) fn corelib_patched(module: ModuleId, rows: HashSet<u32>) {
    let mut weave = WEAVE.write().unwrap_or_else(PoisonError::into_inner);
    weave.patched = Some((module, rows));
}

impl Woven {
    pub(super) fn untouched(precompiled: r2r::Precompiled<'static>, look: bool) -> Self {
        Self {
            changed: HashSet::new(),
            whole: false,
            look,
            precompiled,
            inlinees: OnceLock::new(),
        }
    }

    /// Rows of the methods that a method has compiled into itself; `None`: there is no telling.
    fn inlinees(&self, row: u32) -> Option<&[u32]> {
        let all = self.inlinees.get_or_init(|| self.precompiled.inlinees());
        Some(all.as_ref()?.get(&row).map_or(&[], Vec::as_slice))
    }
}

/// From now on, code that the CLR takes for that of one module may be another one's, unless it is found where that one has it.
pub(super) fn trust_no_instances() {
    let mut weave = WEAVE.write().unwrap_or_else(PoisonError::into_inner);
    weave.together = true;
}

pub(super) fn remember(module: ModuleId, woven: Woven) {
    if woven.changed.is_empty() && matches!(woven.precompiled, r2r::Precompiled::None) {
        return;
    }
    let mut weave = WEAVE.write().unwrap_or_else(PoisonError::into_inner);
    let modules = weave.modules.get_or_insert_default();
    modules.insert(module, Arc::new(woven));
}

/// A module is about to be unloaded: its id may come to mean another one.
pub(super) fn forget(module: ModuleId) {
    let mut weave = WEAVE.write().unwrap_or_else(PoisonError::into_inner);
    weave.modules.get_or_insert_default().remove(&module);
}

/// Whether the CLR may use the precompiled code of a function.
pub fn may_use_precompiled(engine: &Engine, function: FunctionId) -> bool {
    let Some((module, token)) = engine.method_of(function) else {
        return true;
    };
    let (woven, together) = {
        let weave = WEAVE.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((corelib, rows)) = &weave.patched
            && *corelib == module
            && rows.contains(&token.row())
        {
            return false;
        }
        let modules = weave.modules.as_ref();
        let woven = modules.and_then(|modules| modules.get(&module).cloned());
        (woven, weave.together)
    };
    let Some(woven) = woven else { return true };
    let row = token.row();
    if frames::folds(engine, module, token, || woven.inlinees(row)) {
        return false;
    }
    if woven.changed.is_empty() && !woven.look && !together {
        return true;
    }
    if woven.whole || woven.changed.contains(&row) {
        return false;
    }
    let changed = |token: MdToken| woven.changed.contains(&token.row());
    match &woven.precompiled {
        r2r::Precompiled::None => true,
        image => image.inlines_any(row, &changed) == r2r::Inlined::No,
    }
}
