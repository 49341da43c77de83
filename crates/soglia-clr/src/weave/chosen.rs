//! Which calls of a module get wrappers: what the runtime accepts, and the policy and the options
//! choose.

use soglia_abi::ids::{MdToken, ModuleId};
use soglia_core::{
    crossing::Side,
    trace::log::{Record, TargetNames, Unwatched},
};

use super::{accepted, loaded::Loaded, weaver::CallToWeave};
use crate::{
    arguments::Subject,
    calls,
    engine::Engine,
    metadata::{Method, Scope},
    names::{describe_method, is_of_framework},
};

/// Whether the engine judges what the calls of a module lead to. The framework's declarations name
/// the functions that they call.
pub(super) fn is_judged(engine: &Engine, loaded: &Loaded) -> bool {
    engine.rules.guards() && !is_of_framework(&loaded.assembly, &loaded.path)
}

/// The calls to weave around, of the methods that were `found`. `number` gives a call that has
/// these names its id.
pub(super) fn choose(
    engine: &Engine,
    module: ModuleId,
    loaded: &Loaded,
    scope: &Scope,
    mut found: Vec<Method>,
    mut number: impl FnMut(MdToken, TargetNames) -> u32,
) -> Vec<CallToWeave> {
    accepted::retain(engine, scope, &loaded.assembly, &mut found);
    let assembly = Some((loaded.assembly.clone(), loaded.path.clone()));
    let judged = is_judged(engine, loaded);
    let of_framework = is_of_framework(&loaded.assembly, &loaded.path);
    let mut left_out = 0;
    let calls: Vec<CallToWeave> = found
        .into_iter()
        .filter_map(|method| {
            let names = describe_method(scope, method.token, method.side, assembly.clone());
            for rule in engine.rules.newly_apply(&names) {
                engine.recording.log(&Record::RuleApplies { rule });
            }
            let ruling = engine.rules.of(&names).filter(|r| judged || !r.unwatched);
            left_out += usize::from(ruling.as_ref().is_none_or(|ruling| ruling.unwatched));
            let (ruling, name) = (ruling?, names.method.clone().unwrap_or_default());
            let subject = Subject::of(&names, of_framework);
            let mut call = CallToWeave::new(method, &name, ruling, judged, |redirected_to| {
                let names = TargetNames {
                    redirected_to,
                    ..names
                };
                let id = number(method.token, names);
                calls::declared(id, module, method.token);
                id
            });
            // A later session uses the same wrappers, and may want other arguments.
            if engine.attached || engine.arguments.wants(subject.function()) {
                call.arguments = Some(subject);
            }
            Some(call)
        })
        .collect();
    if left_out > 0 {
        let assembly = &loaded.assembly;
        engine.unwatched(Unwatched {
            side: Some(Side::Unmanaged),
            assembly: Some(assembly.clone()),
            method: None,
            text: format!(
                "{left_out} native functions that {assembly} calls are left out by --only or --skip"
            ),
        });
    }
    calls
}
