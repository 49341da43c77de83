//! `finalizer-frees`: native resources that the finalizer frees, not `Dispose`.

use super::{
    context::Context,
    draft::{Draft, Severity, several},
    thresholds::{FINALIZER_CALLS, FINALIZER_SHARE},
};
use crate::text::time;

pub(super) fn find(context: &Context) -> Vec<Draft> {
    let mut found = Vec::new();
    for row in context.forward() {
        let Some(part) = context.facts.on_finalizer.get(&row.number) else {
            continue;
        };
        let share = u128::from(part.calls) * 100 / u128::from(row.calls.max(1));
        if part.calls < FINALIZER_CALLS || share < u128::from(FINALIZER_SHARE) {
            continue;
        }
        let name = row.name();
        found.push(Draft {
            id: "finalizer-frees",
            severity: Severity::Warning,
            at_stake: part.own_ns,
            sentence: format!(
                "The finalizer thread made {} of {name}: objects were dropped without Dispose.",
                several(part.calls, "call", "calls"),
            ),
            evidence: format!(
                "{share} % of all calls of {name} came from the finalizer, which spent {} in them.",
                time(part.own_ns)
            ),
            advice: "Dispose of the objects that own the native resource (`using`), so that it is freed at once and not at some later garbage collection.".into(),
            targets: vec![name],
        });
    }
    found
}
