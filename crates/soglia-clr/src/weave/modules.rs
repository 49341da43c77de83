//! Decides which modules and methods to weave, and weaves them.

use std::{collections::HashSet, sync::OnceLock};

use soglia_abi::ids::ModuleId;
use soglia_core::{
    crossing::Side,
    trace::log::{Record, Scope as Watched, Unwatched},
};
use soglia_il::r2r;

use super::{
    added, around, attached, chosen,
    done::{self, Woven, remember, trust_no_instances},
    loaded::{Loaded, MODULE_DYNAMIC, MODULE_RESOURCE},
    patch, polls, reflected, rejit, traces,
    weaver::CallToWeave,
    within,
};
use crate::{
    arguments::request,
    calls::{self, add},
    dynamic,
    engine::Engine,
    frames::{self, Ours},
    metadata::Scope,
    names::function_pointer,
    required,
    source::link,
};

/// The engine's own assembly ([`crate::hosting`]), which must not be aborted.
const HELPER: &str = "soglia.hosting";

/// Weaves around the crossings in a module that the CLR has loaded.
pub fn module_loaded(engine: &Engine, module: ModuleId) {
    if engine.attached {
        return attached::module_loaded(engine, module);
    }
    let Some(loaded) = Loaded::look(engine, module) else {
        return unknown(engine);
    };
    if loaded.is_corelib() {
        corelib_loaded(engine, module, &loaded);
    } else {
        load(engine, module, &loaded);
    }
}

/// Records that the CLR says nothing about a module, so that it cannot be woven.
fn unknown(engine: &Engine) {
    if engine.rules.must_hold() {
        required::end("the policy", "the runtime does not tell of a module");
    }
}

/// Changes CoreLib, through which all threads pass, and weaves in it if that is wanted.
fn corelib_loaded(engine: &Engine, module: ModuleId, loaded: &Loaded) {
    if engine.notifies
        && let Some(scope) = Scope::of_module(&engine.info, module)
    {
        let first = scope.methods().count() as u32 + 1;
        frames::module_loaded(module, false, Ours::from(first));
    }
    load(engine, module, loaded);
    // After all weaving in it, so that no wrapper is put around what is added here.
    let patched = patch::patch(engine, module, &loaded.precompiled());
    done::corelib_patched(module, patched);
}

fn load(engine: &Engine, module: ModuleId, loaded: &Loaded) {
    request::module_loaded(module, &loaded.assembly, loaded.flags);
    let of_program = engine.records && loaded.is_watched(Watched::User);
    if of_program && loaded.flags & MODULE_RESOURCE == 0 {
        frames::module_loaded(module, true, Ours::default());
    }
    if loaded.flags & MODULE_DYNAMIC != 0 {
        return dynamic::module_made(module, loaded.assembly.clone());
    }
    if loaded.flags & MODULE_RESOURCE != 0 {
        return;
    }
    let precompiled = loaded.precompiled();
    let watched = loaded.is_watched(engine.scope);
    // Which of this module's methods are inlined into other watched modules can only be guessed.
    // The engine assumes the worst where it cannot read the image.
    let shares = precompiled.shares(&|_| false);
    let look = shares && (watched || matches!(precompiled, r2r::Precompiled::Image(_)));
    if !watched {
        return remember(module, Woven::untouched(precompiled, look));
    }
    if shares {
        trust_no_instances();
    }
    let Some(scope) = Scope::of_module(&engine.info, module) else {
        return unknown(engine);
    };
    let is_corelib = loaded.is_corelib();
    let methods = scope.methods().count() as u32;
    let mut ours = Ours::from(methods + 1);
    let mut found = scope.crossings();
    if is_corelib {
        // The runtime calls callbacks of CoreLib before it is ready.
        found.retain(|method| method.side == Side::Unmanaged);
    }
    let pointers = scope.calls_pointers();
    let pointers = pointers.then(|| function_pointer(&loaded.assembly, &loaded.path));
    let judged = chosen::is_judged(engine, loaded);
    let calls = chosen::choose(engine, module, loaded, &scope, found, |_, names| add(names));
    let unwatched = |side, method: Option<&str>, text| {
        engine.unwatched(Unwatched {
            side,
            assembly: Some(loaded.assembly.clone()),
            method: method.map(str::to_owned),
            text,
        });
    };
    if judged {
        // Also for P/Invokes that stay as they are, since nothing else would judge them.
        link::module_woven(module, loaded.assembly_id);
    }
    let polls = engine.polls && !is_corelib && loaded.assembly != HELPER;
    if calls.is_empty() && pointers.is_none() && !polls {
        return remember(module, Woven::untouched(precompiled, look));
    }
    // A module cannot be open for reading and for writing at the same time.
    drop(scope);
    let woven = if calls.is_empty() && pointers.is_none() {
        Ok(around::Done::default())
    } else {
        around::weave(engine, module, is_corelib, &calls, pointers.as_ref())
    };
    let assembly = &loaded.assembly;
    let (mut changed, pointers, lost) = match woven {
        Ok(done) => {
            if let Some(left) = done.pointers_left {
                let text = format!("in {assembly}, these are not seen: {left}");
                if judged && engine.rules.must_hold() {
                    required::end("the policy", &text);
                }
                unwatched(Some(Side::Unmanaged), Some("[function pointer]"), text);
            }
            (done.changed, done.pointers, HashSet::new())
        }
        Err(failure) => {
            let text = format!("{assembly} is not fully watched: {}", failure.what);
            if judged && failure.pointers_lost && engine.rules.must_hold() {
                required::end("the policy", &text);
            }
            unwatched(None, None, text);
            (failure.changed, failure.pointers, failure.lost)
        }
    };
    let imports = calls.iter().filter(|c| c.method.side == Side::Unmanaged);
    let wrapped = imports.map(|c| c.method.token.row());
    ours.wrappers = wrapped.filter(|row| changed.contains(row)).collect();
    frames::module_loaded(module, of_program, ours);
    let mut polled = false;
    if polls {
        let calls = calls.iter().map(|call| call.method.token.row()).collect();
        let done = polls::weave(engine, module, methods, &calls);
        polled = !done.is_empty();
        changed.extend(done);
    }
    // A method with a woven method inlined into it contains its code as it was: the call by
    // function pointer, or the loop.
    let inliners = if pointers || polled {
        precompiled.inliners(&|row| changed.contains(&row))
    } else {
        Some(HashSet::new())
    };
    let whole = inliners.is_none();
    changed.extend(inliners.unwrap_or_default());
    // Any other call that stays as it was is one that the runtime itself rejects.
    let is_lost = |call: &&CallToWeave| call.is_ruled() && lost.contains(&call.method.token.row());
    for call in calls.iter().filter(is_lost) {
        let names = calls::call(call.id.into()).map(|call| call.names.method.clone());
        let text = format!(
            "calls of {} in {assembly} cannot be woven around, so no rule holds for them",
            names.flatten().unwrap_or_default()
        );
        if engine.rules.must_hold() {
            required::end("the policy", &text);
        }
        let text = format!("policy: {text}");
        engine.recording.log(&Record::Remark { text });
    }
    if precompiled.shares(&|token| changed.contains(&token.row())) {
        trust_no_instances();
    }
    remember(
        module,
        Woven {
            changed,
            whole,
            look,
            precompiled,
            inlinees: OnceLock::new(),
        },
    );
}

/// Forgets a module that is about to be unloaded: its id may come to mean another one.
pub fn module_unloaded(module: ModuleId) {
    dynamic::module_unloaded(module);
    frames::module_unloaded(module);
    link::module_unloaded(module);
    added::forget(module);
    attached::module_unloaded(module);
    rejit::forget(module);
    within::forget(module);
    reflected::forget(module);
    traces::forget();
    done::forget(module);
}
