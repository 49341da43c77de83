//! `open-at-crash`: the process ended by a signal while native calls were open.

use std::cmp::Reverse;

use super::{
    context::Context,
    draft::{Draft, Severity, by, several, thread},
    open::{innermost, native},
    thresholds::{CRASH_OPEN, STUCK_ENDED},
    waits,
};
use crate::{
    model::{CrashRow, OpenRow},
    text::{signal_name, time},
};

pub(super) fn find(context: &Context) -> Vec<Draft> {
    let model = context.model;
    let crash = model.crash.clone().unwrap_or_default();
    let signal = model.signal.or(crash.signal);
    let mut open = innermost(&model.open);
    let how = match (model.ended, signal) {
        ("signal", Some(signal)) if is_crash(signal) => {
            if open.is_empty() {
                // The crash was in a callback.
                open = native(&model.open);
            }
            format!("crashed by {}", signal_name(signal))
        }
        ("killed", _) => {
            // Calls that were open for long are stuck, and those that wait for events are idle.
            open.retain(|row| row.duration_ns < STUCK_ENDED && !waits::for_events(&row.target));
            match crash.out_of_memory {
                true => "was killed because memory had run out".into(),
                false => "was killed".into(),
            }
        }
        _ => return Vec::new(),
    };
    if (open.len() as u64) < CRASH_OPEN {
        return Vec::new();
    }
    // The thread of the crash, if it is known. Else the call that began last is the likeliest one:
    // others wait.
    open.sort_by_key(|row| Reverse((crash.task == Some(row.task), row.began)));
    let row = open[0];
    let mut nested = model
        .open
        .iter()
        .filter(|of| of.task == row.task && of.depth > row.depth);
    let inside = nested.next_back().map_or_else(String::new, |callback| {
        format!(" The thread was in its callback {}.", callback.target)
    });
    let more = match open.len() as u64 - 1 {
        0 => String::new(),
        n => format!(
            " Calls of {} were open too.",
            several(n, "other thread", "other threads")
        ),
    };
    vec![Draft {
        id: "open-at-crash",
        severity: Severity::Problem,
        at_stake: model.duration_ns,
        sentence: format!(
            "The process {how} while {} was inside {}{}.",
            thread(model, row.task),
            row.target,
            by(&row.stack)
        ),
        evidence: format!(
            "The call began {} after the start and was open for {}.{inside}{}{more}",
            time(row.began),
            time(row.duration_ns),
            place(&crash),
        ),
        advice: match crash.out_of_memory || model.ended == "killed" {
            true => "Find out who killed it: the kernel log names processes that were killed for memory. Then look at what the open calls take.".into(),
            false => format!(
                "Look at {} and at the arguments that it gets: pointers, lengths, handles that were freed, the declaration of its parameters.",
                row.target
            ),
        },
        targets: targets(&open),
    }]
}

/// The targets of open calls, each once, the likeliest first.
fn targets(open: &[&OpenRow]) -> Vec<String> {
    let mut targets: Vec<String> = Vec::new();
    for row in open.iter().take(MOST_TARGETS) {
        if !targets.contains(&row.target) {
            targets.push(row.target.clone());
        }
    }
    targets
}

/// The most open calls whose targets are named.
const MOST_TARGETS: usize = 64;

/// Where the fault was.
fn place(crash: &CrashRow) -> String {
    let (Some(file), Some(offset)) = (&crash.file, &crash.offset) else {
        return String::new();
    };
    let symbol = crash
        .symbol
        .as_ref()
        .map_or_else(String::new, |symbol| format!(" ({symbol})"));
    let address = crash.address.as_ref();
    let address = address.map_or_else(String::new, |at| format!(", which used address {at}"));
    format!(" The fault was at {file}+{offset}{symbol}{address}.")
}

/// Signals by which a process ends through a fault of its own.
const fn is_crash(signal: i32) -> bool {
    matches!(
        signal,
        libc::SIGSEGV
            | libc::SIGABRT
            | libc::SIGBUS
            | libc::SIGILL
            | libc::SIGFPE
            | libc::SIGTRAP
            | libc::SIGSYS
    )
}
