//! `chatty-target`: very many calls that each do next to nothing.

use super::{
    context::Context,
    draft::{Draft, Severity, caller, several},
    shape::{Shape, shape},
    suppress::is_candidate,
    thresholds::{CHATTY_CALLS, CHATTY_MANY, CHATTY_MEDIAN, CHATTY_RUN, CHATTY_SHARE},
};
use crate::text::{count, time};

pub(super) fn find(context: &Context) -> Vec<Draft> {
    let all: u64 = context
        .forward()
        .map(|row| row.calls)
        .fold(0, u64::saturating_add);
    let mut found = Vec::new();
    for row in context.forward() {
        let (Some(mean), Some(median)) = (row.self_ns.checked_div(row.returned), row.p50_ns) else {
            continue;
        };
        let share = u128::from(row.calls) * 100 / u128::from(all.max(1));
        if row.calls < CHATTY_CALLS
            || median > CHATTY_MEDIAN
            || !context.matters((row.self_ns, CHATTY_RUN), (row.calls, CHATTY_MANY))
            || share < u128::from(CHATTY_SHARE)
        {
            continue;
        }
        // Other findings say more about these.
        let computes = shape(context, row) == Shape::Computes;
        let strings = context
            .signature(row)
            .is_some_and(|s| s.strings_in || s.strings_out);
        if strings || row.total_ns > 2 * row.self_ns || (computes && is_candidate(context, row)) {
            continue;
        }
        let name = row.name();
        let caller = caller(&row.first_caller);
        let from = caller.map_or_else(String::new, |caller| format!(" from {caller}"));
        found.push(Draft {
            id: "chatty-target",
            severity: Severity::Warning,
            at_stake: row.self_ns,
            sentence: format!("{name} was called {}{from}, for about {} each.", several(row.calls, "time", "times"), time(mean)),
            evidence: format!(
                "{} of {} native calls ({share} %), {}{} in all, {} % of the run.",
                count(row.calls),
                count(all),
                row.mark(),
                time(row.self_ns),
                context.percent_of_run(row.self_ns),
            ),
            advice: "Call it once before the loop and keep the result, or have the native library do the whole loop in one call.".into(),
            targets: vec![name],
        });
    }
    found
}
