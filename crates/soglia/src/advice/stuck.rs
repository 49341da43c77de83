//! `stuck-call`: calls that have not returned for a long time.

use std::collections::BTreeMap;

use super::{
    context::Context,
    draft::{Draft, Severity, by, several, thread},
    open::innermost,
    thresholds::{STUCK_ENDED, STUCK_OPEN},
    waits,
};
use crate::{
    model::{Model, OpenRow, OverdueRow},
    text::{signal_name, time},
};

pub(super) fn find(context: &Context) -> Vec<Draft> {
    let model = context.model;
    // A program that has ended by itself has not waited for its calls.
    let least = match (model.ended, model.signal) {
        ("running", _) => STUCK_OPEN,
        ("killed" | "unknown", _) => STUCK_ENDED,
        ("signal", Some(signal)) if is_from_outside(signal) => STUCK_ENDED,
        _ if was_asked_to_end(model) => STUCK_ENDED,
        _ => STUCK_OPEN,
    };
    let mut by_target: BTreeMap<&str, Vec<&OpenRow>> = BTreeMap::new();
    for row in innermost(&model.open) {
        let is_loop = context.facts.called_back.contains(&(row.task, row.depth));
        let reported = report(model, row).is_some();
        let ended = model.ended == "exit" && !reported && !was_asked_to_end(model);
        if row.duration_ns < least || is_loop || ended || waits::for_events(&row.target) {
            continue;
        }
        by_target.entry(&row.target).or_default().push(row);
    }
    by_target
        .into_values()
        .map(|rows| draft(model, &rows))
        .collect()
}

fn draft(model: &Model, rows: &[&OpenRow]) -> Draft {
    let longest = rows.iter().max_by_key(|row| row.duration_ns);
    let row = longest.unwrap_or(&rows[0]);
    let overdue = report(model, row);
    let report = overdue.and_then(|overdue| overdue.reports.iter().find(|r| !r.stack.is_empty()));
    let stack = report.map_or(&row.stack, |report| &report.stack);
    let where_to = match rows.len() as u64 {
        1 => thread(model, row.task),
        n => several(n, "thread", "threads"),
    };
    let target = model
        .targets
        .iter()
        .find(|target| target.name() == row.target);
    let stack = match (stack.is_empty(), target) {
        (true, Some(target)) => &target.first_caller,
        _ => stack,
    };
    let returned = target.map_or(0, |target| target.returned);
    let earlier = match target.and_then(|target| target.max_ns) {
        Some(longest) => format!(
            "{} of {} returned before, the longest after {}.",
            several(returned, "call", "calls"),
            row.target,
            time(longest)
        ),
        None => format!("No call of {} has returned.", row.target),
    };
    let until = match (model.ended, model.signal) {
        ("running", _) => String::new(),
        ("detached", _) => " when soglia let go of the process".into(),
        (_, Some(signal)) => format!(" when {} ended the process", signal_name(signal)),
        _ => " when the process ended".into(),
    };
    let kernel = report.and_then(|report| report.thread.as_ref());
    let kernel = kernel.map_or_else(String::new, |text| format!(" The thread: {text}."));
    Draft {
        id: "stuck-call",
        severity: Severity::Problem,
        at_stake: row.duration_ns,
        sentence: format!(
            "{} had not returned for {}{until}, on {where_to}{}.",
            row.target,
            time(row.duration_ns),
            by(stack)
        ),
        evidence: format!("It began {} after the start. {earlier}{kernel}", time(row.began)),
        advice: "Find what the call waits for, and give it a limit: a timeout of the function, or a thread that can give up. --deadline reports such calls while they last, with native stacks.".into(),
        targets: vec![row.target.clone()],
    }
}

/// The report of the engine about this call.
fn report<'a>(model: &'a Model, row: &OpenRow) -> Option<&'a OverdueRow> {
    let mut all = model.overdue.iter();
    all.find(|overdue| overdue.task == row.task && overdue.began == row.began)
}

/// The runtime exits with such a code after SIGTERM and its like.
fn was_asked_to_end(model: &Model) -> bool {
    let signal = model.exit_code.and_then(|code| code.checked_sub(128));
    model.ended == "exit" && signal.is_some_and(is_from_outside)
}

/// Signals by which others end a process.
const fn is_from_outside(signal: i32) -> bool {
    matches!(
        signal,
        libc::SIGTERM | libc::SIGINT | libc::SIGKILL | libc::SIGHUP | libc::SIGQUIT | libc::SIGALRM
    )
}
