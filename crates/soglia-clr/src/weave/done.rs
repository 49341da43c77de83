//! What was done to each module, and which precompiled code the CLR may still use.

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
    /// The modules that have precompiled code, or were woven.
    modules: Option<HashMap<ModuleId, Arc<Woven>>>,
    /// CoreLib, and the rows of its methods whose precompiled code differs from their changed IL.
    patched: Option<(ModuleId, HashSet<u32>)>,
    /// Other modules may contain inlined P/Invokes that have, or will get, wrappers.
    together: bool,
}

/// What was done to a module, if anything.
pub(super) struct Woven {
    /// Rows of the methods that differ from what precompiled callers assume.
    pub(super) changed: HashSet<u32>,
    /// None of its precompiled code may be used.
    pub(super) whole: bool,
    /// Its precompiled code may contain P/Invokes of other modules, so the engine checks it even if
    /// nothing was done here.
    pub(super) look: bool,
    pub(super) precompiled: r2r::Precompiled<'static>,
    /// As [`r2r::Precompiled::inlinees`] returns it; read when first needed.
    pub(super) inlinees: OnceLock<Option<HashMap<u32, Vec<u32>>>>,
}

/// CoreLib, once it is loaded.
pub(super) fn corelib() -> Option<ModuleId> {
    let weave = WEAVE.read().unwrap_or_else(PoisonError::into_inner);
    weave.patched.as_ref().map(|(module, _)| *module)
}

/// Notes the rows of CoreLib's methods whose precompiled code differs from their changed IL.
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

    /// Rows of the methods that are inlined into a method. `None`: that cannot be found out.
    fn inlinees(&self, row: u32) -> Option<&[u32]> {
        let all = self.inlinees.get_or_init(|| self.precompiled.inlinees());
        Some(all.as_ref()?.get(&row).map_or(&[], Vec::as_slice))
    }
}

/// From now on, precompiled code that the CLR finds through one module may be another module's,
/// unless it is where that module has it.
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

/// Forgets a module that is about to be unloaded: its id may come to mean another one.
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
