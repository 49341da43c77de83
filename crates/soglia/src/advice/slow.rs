//! `slow-call`: few calls that take far longer than the others.

use super::{
    context::Context,
    draft::{Draft, Severity, by, several},
    thresholds::{SLOW_CALLS, SLOW_MAX, SLOW_TIMES},
    waits,
};
use crate::{
    model::{
        Model, SlowRow, TargetRow,
        arguments::{in_one_line, request},
    },
    text::{count, time},
};

pub(super) fn find(context: &Context) -> Vec<Draft> {
    let rows = context.forward();
    rows.filter_map(|row| draft(context.model, row)).collect()
}

fn draft(model: &Model, row: &TargetRow) -> Option<Draft> {
    let (median, longest) = (row.p50_ns?, row.max_ns?);
    // A call that spends its time in callbacks is not slow itself.
    let called_back = row.total_ns.saturating_sub(row.self_ns) >= longest / 2;
    let is_first = row.first_call_ns == Some(longest);
    let rare = longest / median.max(1) >= SLOW_TIMES;
    if waits::by_design(&row.name())
        || row.returned < SLOW_CALLS
        || longest < SLOW_MAX
        || called_back
        || is_first
        || !rare
    {
        return None;
    }
    let name = row.name();
    let slow: Vec<&SlowRow> = model
        .slow
        .iter()
        .filter(|slow| slow.target == name)
        .collect();
    let worst = slow.iter().max_by_key(|slow| slow.duration_ns);
    let stack = worst.map_or(&row.first_caller, |slow| &slow.stack);
    let lost = slow
        .iter()
        .map(|slow| slow.duration_ns)
        .fold(0, u64::saturating_add);
    let how_many = match slow.len() as u64 {
        0 => "The longest call".to_owned(),
        n => format!("{} of {}", count(n), several(row.calls, "call", "calls")),
    };
    let when = worst.map_or_else(String::new, |slow| {
        let args = slow.args.as_ref().filter(|args| !args.is_empty());
        let args = args.map(|args| format!("with {}", in_one_line(args)));
        let said = [args, request(&slow.request)].into_iter().flatten();
        let said: String = said.map(|said| format!(", {said}")).collect();
        let (began, task) = (time(slow.began), slow.task);
        format!(" The longest began {began} after the start, on thread {task}{said}.")
    });
    Some(Draft {
        id: "slow-call",
        severity: Severity::Warning,
        at_stake: lost.max(longest),
        sentence: match slow.len() {
            0 | 1 => format!("{how_many} of {name} took {}{}.", time(longest), by(stack)),
            _ => format!("{how_many} of {name} took up to {}{}.", time(longest), by(stack)),
        },
        evidence: format!(
            "Half of the calls take {} or less, 99 % take {} or less.{when}",
            time(median),
            time(row.p99_ns.unwrap_or(median)),
        ),
        advice: "Find what these calls wait for: a lock, a disk, a network, a cache that is filled. Move them off threads that others wait for.".into(),
        targets: vec![name],
    })
}
