//! Weaving: wrappers in IL around P/Invokes and callbacks, put in when their module is loaded.
//!
//! ```text
//!   extern int step(IntPtr s);                 static int step(IntPtr s) {            // the program's method, now with a body
//!                                                  hook leave(id)
//!                                    ──────>       try { result = native(s) }         // new: the P/Invoke as it was
//!                                                  fault { hook enter_failed(id) }
//!                                                  hook enter(id)
//!                                                  return result
//!                                              }
//! ```
//!
//! | module | what it does |
//! | --- | --- |
//! | [`sig`], [`il`] | bytes of signatures and of method bodies |
//! | [`r2r`] | which precompiled methods have a P/Invoke compiled into them |
//! | [`accepted`] | which methods the runtime itself accepts as what they say they are |
//! | [`emit`] | new methods and changed ones, into the metadata of one module |
//! | [`hooks`] | how hooks are called from a module |
//! | [`around`], [`told`] | what is put around a call, and around one that a host is told of |
//! | [`ruled`] | what a policy puts in the place of a call, or in front of it |
//! | [`pointers`] | what is put in the place of calls by function pointer |
//! | [`corelib`] | changes of methods of System.Private.CoreLib |
//! | [`delegates`] | where delegates become native function pointers, and the other way round |
//! | [`judged`] | where CoreLib looks for libraries and takes in code that is made at run time, for policies |
//! | [`occasions`] | where threads sleep, wait and so on, of which a host is told |
//! | [`added`] | which methods were added |
//! | [`traces`] | stack traces with files and lines |
//! | [`hidden`] | where CoreLib would come upon what was woven |
//! | [`dynamic`] | what is made at run time, where nothing is woven |
//! | [`frames`], [`reach`], [`references`], [`instance`] | which methods keep a frame of their own, since stacks have to show it |
//! | this | which modules and methods, and what became of them |
//!
//! Precompiled (ReadyToRun) code may hold a P/Invoke inline and would jump into what is no P/Invoke any more: such code must not
//! be used. [`may_use_precompiled`] answers the CLR's question about each method. Modules that were compiled together may hold the
//! P/Invokes of one another: where that cannot be excluded, instances of generic code are not used wherever they are.

mod accepted;
mod added;
mod around;
pub mod body;
mod corelib;
mod delegates;
pub mod dynamic;
mod emit;
pub mod frames;
mod hidden;
mod hooks;
mod instance;
mod judged;
mod loaded;
mod occasions;
mod pointers;
mod reach;
mod references;
mod ruled;
mod told;
mod traces;
mod turns;

pub use around::Refusal;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock, PoisonError, RwLock},
};

use soglia_abi::ids::{FunctionId, MdToken, ModuleId};
use soglia_core::{
    crossing::Side,
    trace::log::{Record, Scope as Watched, TargetNames, Unwatched},
};
use soglia_il::r2r;

use crate::{
    boundary, clerk,
    engine::{self, Engine},
    judge,
    metadata::Scope,
    names::{describe_method, function_pointer, is_of_framework},
    required,
};
use frames::Ours;
use loaded::Loaded;

/// A call that was woven around.
pub struct Call {
    /// Who is called.
    pub names: TargetNames,
    /// The P/Invoke that its wrapper calls, if it has one.
    native: OnceLock<(ModuleId, MdToken)>,
}

/// Calls by id, and what was done to each module.
static WEAVE: RwLock<Weave> = RwLock::new(Weave {
    calls: Vec::new(),
    modules: None,
    patched: None,
    together: false,
});

struct Weave {
    /// Never shrinks: code that holds an id may run at any time.
    calls: Vec<Arc<Call>>,
    /// Those that have precompiled code, or were woven.
    modules: Option<HashMap<ModuleId, Arc<Woven>>>,
    /// CoreLib, and rows of the methods in it whose precompiled code does not do what theirs does now.
    patched: Option<(ModuleId, HashSet<u32>)>,
    /// P/Invokes that were woven around, or will be, may be in code of other modules.
    together: bool,
}

/// What was done to a module, if anything.
struct Woven {
    /// Rows of the methods that are no longer what their precompiled callers believe.
    changed: HashSet<u32>,
    /// None of its precompiled code can be trusted.
    whole: bool,
    /// Its precompiled code may hold P/Invokes of others: it is looked at even if nothing was done here.
    look: bool,
    precompiled: r2r::Precompiled<'static>,
    /// See [`r2r::Precompiled::inlinees`]; read when first needed.
    inlinees: OnceLock<Option<HashMap<u32, Vec<u32>>>>,
}

const MODULE_NGEN: u32 = 0x2;
const MODULE_DYNAMIC: u32 = 0x4;
const MODULE_RESOURCE: u32 = 0x10;
const MODULE_FLAT: u32 = 0x20;

/// The call with this id. Not for the hot path.
pub fn call(id: i64) -> Option<Arc<Call>> {
    let weave = WEAVE.read().unwrap_or_else(PoisonError::into_inner);
    weave.calls.get(usize::try_from(id).ok()?).cloned()
}

/// The wrapper of this call calls that P/Invoke.
fn calls_native(id: u32, module: ModuleId, native: MdToken) {
    if let Some(call) = call(id.into()) {
        let _ = call.native.set((module, native));
    }
}

/// Where a P/Invoke leads that the runtime has just linked; 0 if that cannot be found out. In preemptive mode.
pub fn linked(id: i64) -> usize {
    boundary::fence(0, || match (engine::get(), call(id)) {
        (Some(engine), Some(call)) => engine.address_of(id, &call.names),
        _ => 0,
    })
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
    let mut weave = WEAVE.write().unwrap_or_else(PoisonError::into_inner);
    weave.calls.push(Arc::new(call));
    weave.calls.len() as u32 - 1
}

/// CoreLib, once it is loaded.
fn corelib() -> Option<ModuleId> {
    let weave = WEAVE.read().unwrap_or_else(PoisonError::into_inner);
    weave.patched.as_ref().map(|(module, _)| *module)
}

/// A module was loaded: weaves around what crosses in it.
pub fn module_loaded(engine: &Engine, module: ModuleId) {
    let Some(loaded) = Loaded::look(engine, module) else {
        return unknown(engine);
    };
    if loaded.is_corelib() {
        corelib_loaded(engine, module, &loaded);
    } else {
        load(engine, module, &loaded);
    }
}

/// Nothing is known of a module, so nothing can be put into it.
fn unknown(engine: &Engine) {
    if engine.rules.must_hold() {
        required::end("the policy", "the runtime does not tell of a module");
    }
}

/// CoreLib was loaded: what everybody does goes through there.
fn corelib_loaded(engine: &Engine, module: ModuleId, loaded: &Loaded) {
    if engine.tells
        && let Some(scope) = Scope::of_module(&engine.info, module)
    {
        let first = scope.methods().count() as u32 + 1;
        frames::module_loaded(module, false, Ours::from(first));
    }
    load(engine, module, loaded);
    // Behind all that may be woven in it, for what is put in here is not to be woven around.
    let patched = corelib::patch(engine, module, &loaded.precompiled());
    let mut weave = WEAVE.write().unwrap_or_else(PoisonError::into_inner);
    weave.patched = Some((module, patched));
}

fn load(engine: &Engine, module: ModuleId, loaded: &Loaded) {
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
    // What others that are watched have compiled into themselves of this one can only be guessed, and so is it where that cannot be read.
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
    let mut ours = Ours::from(scope.methods().count() as u32 + 1);
    let mut found = scope.crossings();
    if is_corelib {
        // What the runtime itself calls before it is up.
        found.retain(|method| method.side == Side::Unmanaged);
    }
    accepted::retain(engine, &scope, &loaded.assembly, &mut found);
    let pointers = scope.calls_pointers();
    let assembly = Some((loaded.assembly.clone(), loaded.path.clone()));
    let pointers = pointers.then(|| function_pointer(&loaded.assembly, &loaded.path));
    // What the framework calls, it spells as it is.
    let judged = engine.rules.guards() && !is_of_framework(&loaded.assembly, &loaded.path);
    let mut left_out = 0;
    let calls: Vec<around::Call> = found
        .into_iter()
        .filter_map(|method| {
            let names = describe_method(&scope, method.token, method.side, assembly.clone());
            for rule in engine.rules.newly_apply(&names) {
                engine.recording.log(&Record::RuleApplies { rule });
            }
            let ruling = engine.rules.of(&names).filter(|r| judged || !r.unwatched);
            left_out += usize::from(ruling.as_ref().is_none_or(|ruling| ruling.unwatched));
            let (ruling, name) = (ruling?, names.method.clone().unwrap_or_default());
            Some(around::Call::new(
                method,
                &name,
                ruling,
                judged,
                |redirected_to| {
                    add(TargetNames {
                        redirected_to,
                        ..names
                    })
                },
            ))
        })
        .collect();
    let unwatched = |side, method: Option<&str>, text| {
        engine.unwatched(Unwatched {
            side,
            assembly: Some(loaded.assembly.clone()),
            method: method.map(str::to_owned),
            text,
        });
    };
    if left_out > 0 {
        let text = format!(
            "{left_out} native functions that {} calls are left out by --only or --skip",
            loaded.assembly
        );
        unwatched(Some(Side::Unmanaged), None, text);
    }
    if judged {
        // Also those of its P/Invokes that stay as they are: nothing would judge them.
        judge::module_woven(module, loaded.assembly_id);
    }
    if calls.is_empty() && pointers.is_none() {
        return remember(module, Woven::untouched(precompiled, look));
    }
    // Reading and writing scopes of one module are not held at the same time.
    drop(scope);
    let woven = around::weave(engine, module, is_corelib, &calls, pointers.as_ref());
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
    // Who has a method compiled into itself that calls by function pointer does not call what was put into that one.
    let inliners = if pointers {
        precompiled.inliners(&|row| changed.contains(&row))
    } else {
        Some(HashSet::new())
    };
    let whole = inliners.is_none();
    changed.extend(inliners.unwrap_or_default());
    // Other calls that are as they were are such as the runtime itself refuses.
    let is_lost = |call: &&around::Call| call.is_ruled() && lost.contains(&call.method.token.row());
    for call in calls.iter().filter(is_lost) {
        let names = self::call(call.id.into()).map(|call| call.names.method.clone());
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

impl Woven {
    fn untouched(precompiled: r2r::Precompiled<'static>, look: bool) -> Self {
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
fn trust_no_instances() {
    let mut weave = WEAVE.write().unwrap_or_else(PoisonError::into_inner);
    weave.together = true;
}

fn remember(module: ModuleId, woven: Woven) {
    if woven.changed.is_empty() && matches!(woven.precompiled, r2r::Precompiled::None) {
        return;
    }
    let mut weave = WEAVE.write().unwrap_or_else(PoisonError::into_inner);
    let modules = weave.modules.get_or_insert_default();
    modules.insert(module, Arc::new(woven));
}

/// A module is about to be unloaded: its id may come to mean another one.
pub fn module_unloaded(module: ModuleId) {
    dynamic::module_unloaded(module);
    frames::module_unloaded(module);
    judge::module_unloaded(module);
    added::forget(module);
    traces::forget();
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
