//! Weaves in all modules of a process that runs, and in those that it loads later.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::types::COR_PRF_MODULE_COLLECTIBLE,
};
use soglia_core::{crossing::Side, trace::log::Record};
use soglia_il::{r2r::Precompiled, sig::MethodSig};

use super::{
    super::{
        chosen,
        delegated::Named,
        done, held,
        loaded::{Loaded, MODULE_DYNAMIC, MODULE_RESOURCE},
        patch, reflected,
        rejit::{self, Edit},
        weaver::CallToWeave,
    },
    callbacks, elsewhere, gaps, inlined,
    known::{Known, Module, Place, Target},
    scan,
    write::{Wanted, write},
};
use crate::{
    arguments::request,
    calls, dynamic,
    engine::{Engine, Scope as Watched},
    frames::{self, Ours},
    metadata::{Method, Scope, before::Before},
    types,
};

const METHOD_DEF: u8 = 0x06;

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

/// Modules that were loaded while a session began.
static WAITING: Mutex<Waiting> = Mutex::new(Waiting {
    beginning: false,
    modules: Vec::new(),
});

struct Waiting {
    beginning: bool,
    modules: Vec<ModuleId>,
}

fn known() -> MutexGuard<'static, Option<Known>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn waiting() -> MutexGuard<'static, Waiting> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a session watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Live {
    /// Modules that were looked into.
    pub modules: u32,
    /// P/Invokes that have wrappers.
    pub targets: u32,
    /// Methods that the CLR was asked to compile again.
    pub callers: u32,
}

/// What became of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Methods that were requested, and whose new code the CLR never asked for.
    pub not_entered: u32,
}

/// Puts wrappers around the calls of the process. On an engine thread.
///
/// # Errors
/// Why the session cannot begin, for people. Nothing is watched then.
pub fn begin(engine: &Engine) -> Result<Live, String> {
    let _earlier = held::take_broken();
    waiting().beginning = true;
    let all = types::modules(engine).unwrap_or_default();
    {
        let mut known = known();
        let known = known.get_or_insert_default();
        known.modules.clear();
        known.watched.clear();
        known.named = Named::default();
        for module in &all {
            engine.modules.add(*module);
        }
        take_up(engine, known, &all, true);
    }
    let mut asked = rejit::request(&engine.info);
    loop {
        let more = {
            let mut waiting = waiting();
            waiting.beginning = !waiting.modules.is_empty();
            std::mem::take(&mut waiting.modules)
        };
        if more.is_empty() {
            break;
        }
        take_up(engine, known().get_or_insert_default(), &more, true);
        asked = asked.and(rejit::request(&engine.info));
    }
    let broken = held::take_broken().map(|why| format!("the policy does not hold: {why}"));
    let refused = asked
        .err()
        .map(|answer| format!("the runtime does not compile callers again: {answer:?}"));
    if let Some(why) = broken.or(refused) {
        end(engine);
        return Err(why);
    }
    if engine.rules.must_hold() && rules(known().as_ref()) {
        let text = "policy: it holds for calls that callers make from now on; not for methods on the stack, and not for pointers, delegates, invokers and code that were made before";
        engine.recording.log(&Record::Remark { text: text.into() });
    }
    let known = known();
    let known = known.as_ref();
    Ok(Live {
        modules: known.map_or(0, |known| known.modules.len() as u32),
        targets: known.map_or(0, |known| known.watched.len() as u32),
        callers: rejit::figures().requested as u32,
    })
}

/// Whether a rule denies or changes calls.
fn rules(known: Option<&Known>) -> bool {
    let modules = known.iter().flat_map(|known| known.modules.values());
    let mut targets = modules.flat_map(|module| module.targets.values());
    targets.any(|target| target.call.is_ruled())
}

/// Has the CLR use the code of callers as it was. Wrappers stay.
pub fn end(engine: &Engine) -> Ended {
    let figures = rejit::figures();
    for (module, method, answer) in &figures.failed {
        let scope = Scope::of_module(&engine.info, *module);
        let name = scope.and_then(|scope| scope.method(*method));
        let name = name.unwrap_or_else(|| format!("a method ({:#x})", method.0));
        let text = format!("calls in {name} are not seen: the runtime answers {answer:?}");
        gaps::unwatched(engine, None, text);
    }
    let left = rejit::revert(&engine.info);
    if left > 0 {
        let text = format!("{left} methods keep code that calls the engine");
        engine.recording.log(&Record::Remark { text });
    }
    if let Some(known) = known().as_mut() {
        known.modules.clear();
        known.watched.clear();
    }
    reflected::end();
    Ended {
        not_entered: figures.not_entered as u32,
    }
}

/// Weaves in a module that the CLR has just loaded, before any of its code runs.
pub(in super::super) fn module_loaded(engine: &Engine, module: ModuleId) {
    {
        // A thread that loads a module holds locks of the CLR.
        let mut waiting = waiting();
        if waiting.beginning {
            return waiting.modules.push(module);
        }
    }
    take_up(engine, known().get_or_insert_default(), &[module], false);
    if let Err(answer) = rejit::request(&engine.info) {
        let text = format!("the runtime does not compile the callers again: {answer:?}");
        gaps::unwatched(engine, engine.assembly(module).map(|(name, _)| name), text);
    }
    if let Some(why) = held::take_broken() {
        let text = format!("policy: {why}");
        engine.recording.log(&Record::Remark { text });
    }
}

/// Forgets a module that is about to be unloaded.
pub(in super::super) fn module_unloaded(module: ModuleId) {
    waiting().modules.retain(|of| *of != module);
    if let Some(known) = known().as_mut() {
        known.modules.remove(&module);
        known.made.remove(&module);
        known.watched.retain(|(of, _)| *of != module);
    }
}

/// Weaves in these modules. `running`: their code may have run.
fn take_up(engine: &Engine, known: &mut Known, batch: &[ModuleId], running: bool) {
    let before = known.modules.len();
    for module in batch {
        look(engine, known, *module, running);
    }
    let assemblies: HashSet<String> = known.assemblies().into_iter().map(str::to_owned).collect();
    let new: HashSet<&str> = batch
        .iter()
        .filter_map(|id| known.modules.get(id))
        .filter(|module| !module.targets.is_empty() || !module.forwards.is_empty())
        .map(|module| module.loaded.assembly.as_str())
        .collect();
    let new = known.and_forwarding_to(&new);
    // Modules that are known for longer may call what is new.
    let older = known.modules.iter().filter(|(id, module)| {
        before > 0
            && !batch.contains(id)
            && new
                .iter()
                .any(|assembly| module.refers_to.contains(*assembly))
    });
    let older: Vec<ModuleId> = older.map(|(id, _)| *id).collect();
    for module in batch.iter().copied().chain(older) {
        weave(engine, known, module, &assemblies);
    }
    let inlined_elsewhere = |of: &Module| of.shares && !of.targets.is_empty();
    if known.modules.values().any(inlined_elsewhere) {
        for module in batch {
            let of = known.modules.get(module);
            let precompiled = of.map(|of| of.loaded.precompiled());
            for row in precompiled.iter().flat_map(inlined::strangers) {
                rejit::again(*module, MdToken(0x0600_0000 | row));
            }
        }
    }
    for module in batch {
        callbacks::put(engine, known, *module);
    }
}

/// Finds out what a module is, and what of it is watched.
fn look(engine: &Engine, known: &mut Known, module: ModuleId, running: bool) {
    let Some(loaded) = Loaded::look(engine, module) else {
        if engine.rules.must_hold() {
            held::broken(engine, "the runtime does not tell of a module");
        }
        return;
    };
    if loaded.flags & MODULE_RESOURCE != 0 {
        return;
    }
    let of_program = loaded.is_watched(Watched::User);
    if loaded.flags & MODULE_DYNAMIC != 0 {
        if running {
            let text = format!(
                "{} was made at run time, before the attach: its calls are not seen",
                loaded.assembly
            );
            gaps::unwatched(engine, Some(loaded.assembly.clone()), text);
        }
        return dynamic::module_made(module, loaded.assembly);
    }
    if running && loaded.flags & COR_PRF_MODULE_COLLECTIBLE != 0 {
        let text = format!(
            "{} was loaded into a collectible context before the attach: its calls are not seen",
            loaded.assembly
        );
        return gaps::unwatched(engine, Some(loaded.assembly), text);
    }
    request::module_loaded(module, &loaded.assembly, loaded.flags);
    let Some(scope) = Scope::of_module(&engine.info, module) else {
        return;
    };
    if running && of_program && elsewhere::makes_by_reflection(scope.itself()) {
        let text = format!(
            "what {} made of P/Invokes by reflection before the attach (delegates, pointers, invokers, code) is not seen",
            loaded.assembly
        );
        gaps::unwatched(engine, Some(loaded.assembly.clone()), text);
    }
    if loaded.is_corelib() {
        patch::attach(engine, module, &loaded.precompiled());
        done::corelib_patched(module, HashSet::new());
    }
    let made = known.made.entry(module).or_default();
    if made.first == 0 {
        made.first = scope.methods().count() as u32 + 1;
    }
    frames::module_loaded(module, of_program, Ours::from(made.first));
    let (mut targets, mut callbacks) = (HashMap::new(), Vec::new());
    if loaded.is_watched(engine.scope) {
        let imports = scope.imports(made.first);
        known.named.add(engine, &scope, &imports);
        let found = imports.into_iter().map(|token| Method {
            token,
            side: Side::Unmanaged,
        });
        // The runtime calls callbacks of CoreLib at times when nothing may watch.
        let back = (!loaded.is_corelib()).then(|| callbacks::of_module(&scope, made.first));
        let found = found.chain(back.into_iter().flatten());
        let chosen = chosen::choose(
            engine,
            module,
            &loaded,
            &scope,
            found.collect(),
            |token, names| {
                let is_native = names.side == Side::Unmanaged as u32;
                let id = made.id(token, names);
                if is_native {
                    calls::calls_native(id, module, token);
                }
                id
            },
        );
        let is_of_use = |call: &CallToWeave| !call.is_unwatched() || call.is_ruled();
        for call in chosen.into_iter().filter(is_of_use) {
            if call.method.side == Side::Managed {
                callbacks.push(call);
                continue;
            }
            let token = call.method.token;
            let Ok(before) = Before::of(scope.itself(), token) else {
                continue;
            };
            let shape = MethodSig::parse(&before.signature).map(|signature| signature.shape());
            let target = Target {
                call,
                class: scope.class(before.class).unwrap_or_default(),
                name: before.name,
                shape: shape.unwrap_or_default(),
            };
            targets.insert(token, target);
        }
    }
    let module_of = Module {
        // The framework forwards thousands of types, whose P/Invokes are not public.
        forwards: match of_program {
            true => elsewhere::forwarded(scope.itself()),
            false => HashMap::new(),
        },
        refers_to: elsewhere::assemblies(scope.itself()),
        shares: loaded.precompiled().shares(&|_| true),
        targets,
        callbacks,
        bound: Vec::new(),
        running,
        loaded,
    };
    known.modules.insert(module, module_of);
}

/// Puts wrappers around the calls in a module, and notes its callers.
fn weave(engine: &Engine, known: &mut Known, module: ModuleId, assemblies: &HashSet<String>) {
    let Some(of) = known.modules.get(&module) else {
        return;
    };
    let Some(scope) = Scope::of_module(&engine.info, module) else {
        return;
    };
    let end = known.made.get(&module).map_or(0, |made| made.first);
    let refers = of.refers_to.iter().any(|name| assemblies.contains(name));
    let references = match refers {
        true => elsewhere::references(known, scope.itself()),
        false => HashMap::new(),
    };
    let place = |token: MdToken| -> Option<Place> {
        let own = of.targets.contains_key(&token).then_some((module, token));
        own.or_else(|| references.get(&token).copied())
    };
    let is_watched = of.loaded.is_watched(engine.scope);
    let pointers = is_watched && scope.calls_pointers();
    if of.targets.is_empty() && references.is_empty() && !is_watched {
        return;
    }
    let mut seen = scan::scan(&engine.info, module, end, &|token| place(token).is_some());
    let used = seen.callers.values().flatten().map(|each| each.method);
    let called: HashMap<MdToken, Place> = used
        .filter_map(|token| Some((token, place(token)?)))
        .collect();
    // Reflection reaches those that no code names.
    let of_program = of.loaded.is_watched(Watched::User);
    let all = of
        .targets
        .iter()
        .filter(|(_, of)| of_program || of.call.is_ruled());
    let all = all.map(|(token, _)| (*token, (module, *token)));
    let wanted = Wanted {
        calls: called
            .iter()
            .map(|(of, place)| (*of, *place))
            .chain(all)
            .collect(),
        pointers,
        at_once: of.loaded.flags & COR_PRF_MODULE_COLLECTIBLE != 0,
    };
    // A module should not be open for reading and for writing at the same time.
    drop(scope);
    if let Some(of) = known.modules.get_mut(&module).filter(|_| is_watched) {
        of.bound = std::mem::take(&mut seen.bound);
    }
    let written = write(engine, known, module, &wanted, &seen.callers);
    gaps::of_calls(engine, known, module, &written, &seen);
    for token in written.wrappers.keys() {
        known.watched.extend(called.get(token));
    }
    let own = written.wrappers.iter();
    let own = own.filter(|(token, _)| token.table() == METHOD_DEF);
    reflected::add(module, own.map(|(token, wrapper)| (*token, *wrapper)));
    if wanted.at_once {
        return;
    }
    let mut callers = written.patched;
    for (caller, uses) in seen.callers {
        for each in uses {
            if let Some(wrapper) = written.wrappers.get(&each.method) {
                rejit::edit(module, caller, Edit::Use(each, *wrapper));
                callers.insert(caller.row());
            }
        }
    }
    let inliners = inliners(engine, known, module, end, &callers);
    for row in &inliners {
        rejit::again(module, MdToken(0x0600_0000 | row));
    }
}

fn inliners(
    engine: &Engine,
    known: &Known,
    module: ModuleId,
    end: u32,
    callers: &HashSet<u32>,
) -> HashSet<u32> {
    let (Some(of), Some(scope)) = (
        known.modules.get(&module),
        Scope::of_module(&engine.info, module),
    ) else {
        return HashSet::new();
    };
    let precompiled = of.loaded.precompiled();
    if matches!(precompiled, Precompiled::None) || callers.is_empty() {
        return HashSet::new();
    }
    let assembly = &of.loaded.assembly;
    if !matches!(precompiled, Precompiled::Image(_)) {
        gaps::of_composite(engine, assembly);
    }
    let is_target = |token: MdToken| known.watched.contains(&(module, token));
    let inliners = inlined::inliners(
        engine,
        module,
        end,
        &precompiled,
        scope.itself(),
        callers,
        &is_target,
    );
    gaps::of_instances(engine, assembly, inliners.instances_of_others);
    inliners.rows
}
