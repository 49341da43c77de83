//! Makes all changes of CoreLib.

use std::collections::HashSet;

use soglia_abi::ids::{MdToken, ModuleId};
use soglia_core::{
    crossing::Side,
    trace::log::{Record, Unwatched},
};
use soglia_il::r2r;

use super::{
    changed::Done, corelib::CoreLib, delegates, emit::Emitter, held, hidden, judged, occasions,
    pool, reflected, rejit, starts, traces, turns, waits,
};
use crate::{engine::Engine, host::managers, metadata::Scope, notify, slots};

/// Changes CoreLib. Returns the rows of the methods whose precompiled code differs from their
/// changed IL.
pub(super) fn patch(
    engine: &Engine,
    module: ModuleId,
    precompiled: &r2r::Precompiled,
) -> HashSet<u32> {
    if engine.notifies {
        let natives = read(engine, module, occasions::natives);
        give_bodies(engine, module, &natives.unwrap_or_default());
    }
    let waited = (engine.notifies && notify::waits::on()).then(|| give_waits(engine, module));
    let mut patched = HashSet::new();
    if engine.notifies && waited.is_none() && slots::any() {
        patched.extend(have_locks_park(engine, module));
    }
    let there = read(engine, module, |corelib| {
        take_over(engine, corelib, precompiled, &mut patched);
        if engine.notifies {
            let mut done = occasions::take_over(corelib);
            starts::take_over(corelib, &mut done);
            if managers::pool_manager().is_some() {
                pool::take_over(corelib, &mut done);
            }
            if slots::any() {
                turns::take_over(corelib, &mut done);
            }
            patched.extend(given(engine, done, precompiled));
        }
        if let Some(done) = waited {
            patched.extend(given(engine, done, precompiled));
        }
    });
    if there.is_none() {
        delegates_unseen(engine, "System.Private.CoreLib has no metadata");
    }
    patched
}

/// Has methods of CoreLib get other code at the next request, in a program that runs: those that
/// all marshalling of delegates goes through, and those that would find wrappers. A host's
/// occasions stay as they are.
pub(super) fn attach(engine: &Engine, module: ModuleId, precompiled: &r2r::Precompiled) {
    let mut patched = HashSet::new();
    let there = Scope::of_module(&engine.info, module).map(|scope| {
        let corelib = CoreLib::in_use(engine, module, scope.itself());
        take_over(engine, &corelib, precompiled, &mut patched);
        match reflected::take_over(&corelib, precompiled) {
            Ok(changed) => patched.extend(changed),
            Err(why) => reflection_unseen(engine, &why),
        }
    });
    if there.is_none() {
        delegates_unseen(engine, "System.Private.CoreLib has no metadata");
        reflection_unseen(engine, "System.Private.CoreLib has no metadata");
    }
    for row in patched {
        rejit::again(module, MdToken(0x0600_0000 | row));
    }
}

/// Changes what is changed for every recording.
fn take_over(
    engine: &Engine,
    corelib: &CoreLib,
    precompiled: &r2r::Precompiled,
    patched: &mut HashSet<u32>,
) {
    match delegates::take_over(corelib) {
        Ok(changed) => patched.extend(changed),
        Err(why) => delegates_unseen(engine, &why),
    }
    if engine.watches {
        patched.extend(traces::take_over(engine, corelib));
    }
    if engine.watches && !engine.counts() {
        patched.extend(hidden::take_over(engine, corelib));
    }
    if engine.rules.guards() {
        match judged::take_over(engine, corelib, precompiled) {
            Ok(changed) => patched.extend(changed),
            Err(why) => unjudged(engine, &why),
        }
    }
}

/// Reads CoreLib as it is now.
fn read<T>(engine: &Engine, module: ModuleId, read: impl FnOnce(&CoreLib) -> T) -> Option<T> {
    let scope = Scope::of_module(&engine.info, module)?;
    Some(read(&CoreLib::new(engine, module, scope.itself())))
}

/// Gives methods that are native code bodies in IL, so that they can be changed.
fn give_bodies(engine: &Engine, module: ModuleId, natives: &[MdToken]) {
    if natives.is_empty() {
        return;
    }
    let given = Emitter::open(engine, module, true).and_then(|emitter| {
        let give = |method: &MdToken| occasions::give_body(&emitter, *method);
        natives.iter().try_for_each(give)
    });
    if let Err(error) = given {
        let text = format!("methods of System.Private.CoreLib stay in native code: {error}");
        engine.recording.log(&Record::Remark { text });
    }
}

/// Records that nothing judges what calls lead to.
fn unjudged(engine: &Engine, why: &str) {
    if engine.rules.must_hold() {
        return held::broken(engine, why);
    }
    let text = format!("policy: calls are judged by how they are spelled alone: {why}");
    engine.recording.log(&Record::Remark { text });
}

/// Records that native calls by reflection are not seen.
fn reflection_unseen(engine: &Engine, why: &str) {
    if engine.rules.must_hold() {
        held::broken(engine, why);
    }
    engine.unwatched(Unwatched {
        side: Some(Side::Unmanaged),
        assembly: None,
        method: None,
        text: format!("native calls by reflection are not seen: {why}"),
    });
}

fn delegates_unseen(engine: &Engine, why: &str) {
    if engine.rules.judges() {
        unjudged(engine, why);
    }
    for side in [Side::Managed, Side::Unmanaged] {
        engine.unwatched(Unwatched {
            side: Some(side),
            assembly: None,
            method: None,
            text: format!("calls through delegates are not seen: {why}"),
        });
    }
}

/// Has CoreLib wait on events of a host.
fn give_waits(engine: &Engine, module: ModuleId) -> Done {
    match Emitter::open(engine, module, true) {
        Ok(emitter) => waits::take_over(&emitter),
        Err(error) => Done {
            changed: HashSet::new(),
            missing: vec![format!("no event of its host is waited on: {error}")],
        },
    }
}

/// Has threads that wait for locks give their slots back, where native code takes the locks.
fn have_locks_park(engine: &Engine, module: ModuleId) -> HashSet<u32> {
    let changed = Emitter::open(engine, module, true)
        .map_err(|why| why.to_string())
        .and_then(|emitter| waits::have_locks_park(&emitter));
    changed.unwrap_or_else(|why| {
        let text = format!("slots are kept by threads that wait for locks: {why}");
        engine.recording.log(&Record::Remark { text });
        HashSet::new()
    })
}

/// Records what is missing of the occasions of a host. Returns the rows of the methods whose
/// precompiled code differs.
fn given(engine: &Engine, mut done: Done, precompiled: &r2r::Precompiled) -> HashSet<u32> {
    match precompiled.inliners(&|row| done.changed.contains(&row)) {
        Some(inliners) => done.changed.extend(inliners),
        None => {
            let text = "its host is not notified of all that System.Private.CoreLib itself does: its precompiled code cannot be read";
            done.missing.push(text.to_owned());
        }
    }
    for text in done.missing {
        engine.recording.log(&Record::Remark { text });
    }
    done.changed
}
