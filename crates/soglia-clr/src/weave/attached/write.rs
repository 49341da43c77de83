//! Makes the wrappers of a module.

use std::collections::{HashMap, HashSet};

use soglia_abi::{
    ids::{MdToken, ModuleId},
    profiler::info_later::ICorProfilerInfo7,
};
use soglia_il::body::Use;
use windows_core::Interface;

use super::{
    super::{
        home::{Home, Types},
        kind::Kind,
        pointers,
        rejit::{self, Edit},
        weaver::Weaver,
    },
    known::{Known, Place},
};
use crate::{
    engine::Engine,
    metadata::before::{Error, check},
    names::function_pointer,
};

/// What a module needs.
#[derive(Default)]
pub(super) struct Wanted {
    /// Methods that are called, and the P/Invokes that they are: those of the module itself, and
    /// its references to those of others.
    pub(super) calls: HashMap<MdToken, Place>,
    /// It calls function pointers, and these calls are watched.
    pub(super) pointers: bool,
    /// Its methods get their code once and for all, before they run. The CLR compiles no method of
    /// a collectible module again.
    pub(super) at_once: bool,
}

/// What a module has now.
#[derive(Default)]
pub(super) struct Written {
    /// The wrappers, by what they call.
    pub(super) wrappers: HashMap<MdToken, MdToken>,
    /// Calls that got no wrapper, and why.
    pub(super) lost: Vec<(Place, String)>,
    /// Rows of the methods whose calls by function pointer are replaced.
    pub(super) patched: HashSet<u32>,
    /// Calls by function pointer that are not watched, in words.
    pub(super) pointers_left: Option<String>,
}

/// Makes the wrappers that a module needs and does not have.
pub(super) fn write(
    engine: &Engine,
    known: &mut Known,
    module: ModuleId,
    wanted: &Wanted,
    callers: &HashMap<MdToken, Vec<Use>>,
) -> Written {
    let kind = Kind::of(engine);
    let mut written = Written::default();
    let made = known.made.entry(module).or_default();
    let mut missing = Vec::new();
    for (token, place) in &wanted.calls {
        let Some(target) = known
            .modules
            .get(&place.0)
            .and_then(|of| of.targets.get(&place.1))
        else {
            continue;
        };
        let reused = made.wrappers.get(&(kind, *token));
        match reused.filter(|_| !target.call.is_ruled()) {
            Some(wrapper) => drop(written.wrappers.insert(*token, *wrapper)),
            None => missing.push((*token, *place, target)),
        }
    }
    let Some(of) = known.modules.get(&module) else {
        return written;
    };
    if missing.is_empty() && !wanted.pointers {
        return written;
    }
    // By token, so that the same program gets the same wrappers.
    missing.sort_by_key(|(token, ..)| token.0);
    known.number += 1;
    let home = Home::New(Types::new(known.number));
    let mut weaver = match Weaver::open(engine, module, of.loaded.is_corelib(), home) {
        Ok(weaver) => weaver,
        Err(error) => {
            let lost = missing
                .iter()
                .map(|(_, place, _)| (*place, error.to_string()));
            written.lost.extend(lost);
            written.pointers_left = wanted.pointers.then(|| error.to_string());
            return written;
        }
    };
    for (token, place, target) in missing {
        let done = if token == place.1 && place.0 == module {
            weaver.around(&target.call)
        } else {
            weaver.around_reference(&target.call, token)
        };
        match done {
            Ok(()) => {
                let Some(wrapper) = weaver.beside.get(&token) else {
                    continue;
                };
                written.wrappers.insert(token, *wrapper);
                if !target.call.is_ruled() {
                    made.wrappers.insert((kind, token), *wrapper);
                }
            }
            Err(error) => written.lost.push((place, error.to_string())),
        }
    }
    if wanted.pointers {
        let names = function_pointer(&of.loaded.assembly, &of.loaded.path);
        let first = made.first;
        let by_signature = made.pointers.entry(kind).or_default();
        let done = pointers::weave(
            &mut weaver.emitter,
            &names,
            by_signature,
            &|row| row >= first,
            &mut |of, method, body, replaced| {
                if wanted.at_once {
                    return of.set_body(method, body);
                }
                for (site, wrapper) in replaced {
                    rejit::edit(module, method, Edit::Pointer(*site, *wrapper));
                }
                Ok(())
            },
        );
        match done {
            Ok(done) => {
                written.pointers_left = done.remark();
                written.patched = done.patched;
            }
            Err(error) => written.pointers_left = Some(error.to_string()),
        }
    }
    if wanted.at_once {
        for (caller, uses) in callers {
            if let Err(error) = set(&weaver, *caller, uses, &written) {
                let places = uses
                    .iter()
                    .filter_map(|each| wanted.calls.get(&each.method));
                let lost = places.map(|place| (*place, error.to_string()));
                written.lost.extend(lost);
            }
        }
    }
    drop(weaver);
    if let Err(error) = apply(engine, module) {
        // Nothing depends on it so far: the compiler finds new tokens at once.
        written
            .pointers_left
            .get_or_insert_with(|| error.to_string());
    }
    written
}

/// Changes the body of a caller.
fn set(weaver: &Weaver, caller: MdToken, uses: &[Use], written: &Written) -> Result<(), Error> {
    let body = weaver.emitter.body(caller).ok_or(Error::UNWRITABLE)?;
    let mut body = body.to_vec();
    for each in uses {
        if let Some(wrapper) = written.wrappers.get(&each.method) {
            let patched = each.patch(&mut body, *wrapper);
            patched.then_some(()).ok_or(Error::UNWRITABLE)?;
        }
    }
    weaver.emitter.set_body(caller, &body)
}

/// Tells the CLR that the metadata of a module have changed.
pub(super) fn apply(engine: &Engine, module: ModuleId) -> Result<(), Error> {
    let code = match engine.info.cast::<ICorProfilerInfo7>() {
        // SAFETY: the module is loaded.
        Ok(info) => unsafe { info.ApplyMetaData(module) },
        Err(error) => error.code(),
    };
    check("ApplyMetaData", code)
}
