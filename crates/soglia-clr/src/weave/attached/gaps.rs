//! Records what a session does not see.

use soglia_abi::ids::ModuleId;
use soglia_core::{crossing::Side, trace::log::Unwatched};

use super::{
    super::held,
    known::{Known, Place},
    scan::Seen,
    write::Written,
};
use crate::engine::Engine;

/// Records a gap.
pub(super) fn unwatched(engine: &Engine, assembly: Option<String>, text: String) {
    engine.unwatched(Unwatched {
        side: None,
        assembly,
        method: None,
        text,
    });
}

/// What of the native calls in a module is not seen.
pub(super) fn of_calls(
    engine: &Engine,
    known: &Known,
    module: ModuleId,
    written: &Written,
    seen: &Seen,
) {
    let Some(of) = known.modules.get(&module) else {
        return;
    };
    let assembly = &of.loaded.assembly;
    for (lost, why) in &written.lost {
        not_wrapped(engine, known, *lost, assembly, why);
    }
    if let Some(left) = &written.pointers_left {
        engine.unwatched(Unwatched {
            side: Some(Side::Unmanaged),
            assembly: Some(assembly.clone()),
            method: Some("[function pointer]".into()),
            text: format!("in {assembly}, these are not seen: {left}"),
        });
    }
    if seen.unreadable > 0 {
        let text = format!("{} methods of {assembly} cannot be read", seen.unreadable);
        unwatched(engine, Some(assembly.clone()), text);
    }
    if seen.pointers > 0 && of.running {
        engine.unwatched(Unwatched {
            side: Some(Side::Unmanaged),
            assembly: Some(assembly.clone()),
            method: None,
            text: format!(
                "function pointers and delegates that {assembly} made of P/Invokes before the attach are not seen"
            ),
        });
    }
}

/// The precompiled code of an assembly is in an image that is not read.
pub(super) fn of_composite(engine: &Engine, assembly: &str) {
    let text = format!(
        "the precompiled code of {assembly} is not its own, or cannot be read: what other modules hold inlined of it is not seen"
    );
    unwatched(engine, Some(assembly.to_owned()), text);
}

/// Precompiled instances of generic code of other modules hold native calls of an assembly. `None`:
/// the table of instances cannot be read.
pub(super) fn of_instances(engine: &Engine, assembly: &str, instances: Option<u32>) {
    let text = match instances {
        Some(0) => return,
        Some(count) => format!(
            "{count} precompiled instances of generic methods of other modules hold native calls of {assembly}: these are not seen until the runtime compiles the methods again"
        ),
        None => format!("the precompiled instances of generic code of {assembly} cannot be read"),
    };
    unwatched(engine, Some(assembly.to_owned()), text);
}

/// Records that a call got no wrapper.
fn not_wrapped(engine: &Engine, known: &Known, lost: Place, caller: &str, why: &str) {
    let Some(of) = known.modules.get(&lost.0) else {
        return;
    };
    let Some(target) = of.targets.get(&lost.1) else {
        return;
    };
    let name = &target.call.name;
    if target.call.is_ruled() && engine.rules.must_hold() {
        let text = format!("no rule holds for calls of {name} in {caller}: {why}");
        held::broken(engine, &text);
    }
    engine.unwatched(Unwatched {
        side: Some(Side::Unmanaged),
        assembly: Some(of.loaded.assembly.clone()),
        method: Some(name.clone()),
        text: format!("calls of {name} in {caller} are not seen: {why}"),
    });
}
