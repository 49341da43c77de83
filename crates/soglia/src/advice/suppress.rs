//! `suppress-offender` and `suppress-candidate`: calls without a GC transition that should have
//! one, and calls that could do without.

use super::{
    collector::waited_for,
    context::Context,
    draft::{Draft, Severity, by, several},
    shape::{Shape, shape},
    thresholds::{
        CANDIDATE_CALLS, CANDIDATE_GAIN, CANDIDATE_MANY, CANDIDATE_MEDIAN, OFFENDER_LONGEST,
        OFFENDER_MEDIAN, TRANSITION,
    },
};
use crate::{
    model::TargetRow,
    text::{count, time},
};

/// Calls that are marked `SuppressGCTransition`, yet long.
pub(super) fn offenders(context: &Context) -> Vec<Draft> {
    let marked = context.forward().filter(|row| context.is_suppressed(row));
    marked.filter_map(|row| offender(context, row)).collect()
}

fn offender(context: &Context, row: &TargetRow) -> Option<Draft> {
    let open = row.open_max_ns.unwrap_or(0);
    let longest = row.max_ns.unwrap_or(0).max(open);
    if row.p50_ns.unwrap_or(0) < OFFENDER_MEDIAN && longest < OFFENDER_LONGEST {
        return None;
    }
    let name = row.name();
    let median = row.p50_ns.map_or_else(String::new, |median| {
        format!(", half of them {} or more", time(median))
    });
    let waited = waited_for(context, row.number);
    let stalled = match waited.times {
        0 => String::new(),
        n => format!(
            " {} waited for it, {} in all, the longest {}.",
            several(n, "collection", "collections"),
            time(waited.ns),
            time(waited.longest)
        ),
    };
    Some(Draft {
        id: "suppress-offender",
        severity: Severity::Problem,
        at_stake: row.self_ns.max(longest),
        sentence: format!(
            "{name} is marked SuppressGCTransition and takes up to {}{}: meanwhile no garbage collection can begin.",
            time(longest),
            by(&row.first_caller),
        ),
        evidence: format!(
            "{}{median}, {}{} in all, {} % of the run.{stalled}",
            several(row.calls, "call", "calls"),
            row.mark(),
            time(row.self_ns),
            context.percent_of_run(row.self_ns),
        ),
        advice: "Remove [SuppressGCTransition]: it is for functions that never block and take less than a microsecond.".into(),
        targets: vec![name],
    })
}

/// Calls that are not marked `SuppressGCTransition`, and very short.
pub(super) fn candidates(context: &Context) -> Vec<Draft> {
    let rows = context.forward().filter(|row| is_candidate(context, row));
    rows.map(|row| candidate(context, row)).collect()
}

/// Whether the attribute would save enough of the run.
pub(super) fn is_candidate(context: &Context, row: &TargetRow) -> bool {
    let (Some(median), Some(p99)) = (row.p50_ns, row.p99_ns) else {
        return false;
    };
    let blittable = context
        .signature(row)
        .is_none_or(|signature| signature.is_blittable);
    let calls_back = row.total_ns > row.self_ns;
    !context.is_suppressed(row)
        && blittable
        && !calls_back
        && row.calls >= CANDIDATE_CALLS
        && median <= CANDIDATE_MEDIAN
        && p99 <= 10 * CANDIDATE_MEDIAN
        && context.matters((gain(row), CANDIDATE_GAIN), (row.calls, CANDIDATE_MANY))
}

fn keeps_last_error(context: &Context, row: &TargetRow) -> bool {
    let signature = context.signature(row);
    signature.is_some_and(|signature| signature.sets_last_error)
}

/// What the attribute would save, in nanoseconds.
const fn gain(row: &TargetRow) -> u64 {
    row.calls.saturating_mul(TRANSITION)
}

fn candidate(context: &Context, row: &TargetRow) -> Draft {
    let name = row.name();
    let gain = gain(row);
    Draft {
        id: "suppress-candidate",
        // A call that has to be made can only be made cheaper.
        severity: match shape(context, row) {
            Shape::Computes if !keeps_last_error(context, row) => Severity::Warning,
            _ => Severity::Hint,
        },
        at_stake: gain,
        sentence: format!(
            "[SuppressGCTransition] on {name} would save about {} of this run{}.",
            time(gain),
            by(&row.first_caller),
        ),
        evidence: format!(
            "{} calls, half of them {} or less, 99 % of them {} or less; the attribute saves about {TRANSITION} ns of each.",
            count(row.calls),
            time(row.p50_ns.unwrap_or(0)),
            time(row.p99_ns.unwrap_or(0)),
        ),
        advice: "Add the attribute if the function never blocks, takes no lock, never calls back and always takes less than a microsecond.".into(),
        targets: vec![name],
    }
}
