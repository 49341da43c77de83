//! `callback-storm`: native code that calls back into managed code very often.

use super::{
    context::Context,
    draft::{Draft, Severity, several},
    thresholds::{STORM_CALLS, STORM_MANY, STORM_PER_CALL, STORM_RUN, STORM_SELF},
};
use crate::text::time;

pub(super) fn find(context: &Context) -> Vec<Draft> {
    let mut found = Vec::new();
    for row in context.reverse() {
        let Some(mean) = row.self_ns.checked_div(row.returned) else {
            continue;
        };
        if row.calls < STORM_CALLS
            || !context.matters((row.total_ns, STORM_RUN), (row.calls, STORM_MANY))
            || mean > STORM_SELF
        {
            continue;
        }
        // The call that the callbacks are nested in: the one with the most time in nested calls.
        let inside = context
            .forward()
            .max_by_key(|call| call.total_ns.saturating_sub(call.self_ns));
        let inside = inside.filter(|call| call.total_ns > call.self_ns);
        let calls = inside.map_or(1, |call| call.calls.max(1));
        if row.calls / calls < STORM_PER_CALL {
            continue;
        }
        let name = row.name();
        let from = inside.map(|call| {
            format!(
                "{} of {}",
                several(call.calls, "call", "calls"),
                call.name()
            )
        });
        let from = from.unwrap_or_else(|| "native code".into());
        let mut targets = vec![name.clone()];
        targets.extend(inside.map(|call| call.name()));
        found.push(Draft {
            id: "callback-storm",
            severity: Severity::Warning,
            at_stake: row.total_ns,
            sentence: format!("{from} called back {name} {}.", several(row.calls, "time", "times")),
            evidence: format!(
                "About {} in each callback, {}{} in all, {} % of the run, and the transitions beside.",
                time(mean),
                row.mark(),
                time(row.total_ns),
                context.percent_of_run(row.total_ns),
            ),
            advice: "Do the work on one side: in managed code (Span.Sort for a sort), or natively with the data that the callback would look up.".into(),
            targets,
        });
    }
    found
}
