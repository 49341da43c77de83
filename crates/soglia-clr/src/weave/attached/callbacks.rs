//! Puts hooks into the methods of a module that native code calls.

use soglia_abi::ids::{MdToken, ModuleId};
use soglia_core::{crossing::Side, trace::log::Unwatched};

use super::{
    super::{
        delegated::{self, Held},
        home::{Home, Types},
        kind::Kind,
        weaver::{CallToWeave, Weaver},
        within,
    },
    known::Known,
    write::apply,
};
use crate::{
    engine::Engine,
    metadata::{Method, Scope, before::Error},
};

/// The callbacks of a module whose rows are below `end`.
pub(super) fn of_module(scope: &Scope, end: u32) -> impl Iterator<Item = Method> {
    let rows = (1..end).map(|row| MdToken(0x0600_0000 | row));
    rows.filter_map(|token| scope.callback(token))
}

/// Puts hooks into the callbacks of a module, and into the methods of its delegates that native
/// code may hold.
pub(super) fn put(engine: &Engine, known: &mut Known, module: ModuleId) {
    let (Some(of), Some(scope)) = (
        known.modules.get(&module),
        Scope::of_module(&engine.info, module),
    ) else {
        return;
    };
    let end = known.made.get(&module).map_or(0, |made| made.first);
    // The hooks in such methods cannot deny a call.
    let bound = if engine.notifies { &[][..] } else { &of.bound };
    let delegated::Found { mut held, virtuals } =
        delegated::find(engine, module, &scope, &known.named, bound);
    if virtuals > 0 && of.running {
        let assembly = &of.loaded.assembly;
        engine.unwatched(Unwatched {
            side: Some(Side::Managed),
            assembly: Some(assembly.clone()),
            method: None,
            text: format!(
                "delegates of virtual methods that {assembly} made before the attach, at {virtuals} places in its code: calls by native code of methods that override these are not seen"
            ),
        });
    }
    held.retain(|held| held.method.row() < end);
    // A module should not be open for reading and for writing at the same time.
    drop(scope);
    let kind = Kind::of(engine);
    let mut callbacks: Vec<&CallToWeave> = of.callbacks.iter().collect();
    callbacks.retain(|call| !within::again(module, call.method.token, call.id, kind));
    held.retain(|held| !within::again(module, held.method, held.id, kind));
    if callbacks.is_empty() && held.is_empty() {
        return;
    }
    known.number += 1;
    let home = Home::New(Types::new(known.number));
    let put = Weaver::open(engine, module, of.loaded.is_corelib(), home).and_then(|mut weaver| {
        let failed = all(&mut weaver, &callbacks, &held);
        drop(weaver);
        // Nothing depends on it so far: the compiler finds new tokens at once.
        let _ = apply(engine, module);
        failed.map_or(Ok(()), Err)
    });
    if let Err(error) = put {
        let assembly = &of.loaded.assembly;
        engine.unwatched(Unwatched {
            side: Some(Side::Managed),
            assembly: Some(assembly.clone()),
            method: None,
            text: format!("not all callbacks of {assembly} are seen: {error}"),
        });
    }
}

/// Puts hooks into all of these. Returns the first failure.
fn all(weaver: &mut Weaver, callbacks: &[&CallToWeave], held: &[Held]) -> Option<Error> {
    let mut failed = None;
    for call in callbacks {
        failed = failed.or(weaver.within_callback(call).err());
    }
    for held in held {
        failed = failed.or(weaver.within_held(held.method, held.id).err());
    }
    failed
}
