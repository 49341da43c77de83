//! The first lines of a report: the program, how it ended, and the number of its calls.

use std::{
    io::{self, Write},
    path::Path,
};

use anstyle::Style;
use soglia_core::plain::plain;

use super::{
    attached::{hooks, rate, window},
    screen::Line,
    shown::Shown,
    style::{BAD, DIM, HEAD, WARN},
    words::{denied, plural, signal_name, time, time_of},
};
use crate::model::{CrashRow, Model};

pub(super) fn head(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let screen = shown.screen;
    let args = model.command_line.iter().map(|arg| plain(arg).to_string());
    let program = args.collect::<Vec<_>>().join(" ");
    let title = Line::default().styled(HEAD, "soglia: ");
    let program = super::screen::fit(&program, screen.columns().saturating_sub(title.columns()));
    title.styled(HEAD, &program).write(screen, out)?;
    let runtime = &model.runtime;
    let began = model.wall.local_start();
    let when = match &model.attach {
        Some(attach) => window(model, attach),
        None => format!(
            "{}{}",
            time_of(model.duration_ns, model.duration_at_least),
            began.map_or_else(String::new, |began| format!(" from {began}")),
        ),
    };
    let facts = format!(
        "{} {}, process {}, {}, {when}{}",
        plain(&runtime.name),
        plain(&runtime.version),
        model.pid.unwrap_or(0),
        ended(model),
        source(model),
    );
    let style = match model.ended {
        "signal" | "killed" => BAD,
        _ => Style::new(),
    };
    screen.sentences(Line::default(), style, &facts, out)?;
    if let Some(attach) = &model.attach {
        let hooks = hooks(model, attach);
        screen.sentences(Line::default(), DIM, &hooks, out)?;
    }
    if let Some(window) = model.window {
        let only = format!(
            "only what happened between {} and {} after the start, in {}",
            time(window.from),
            time(window.until),
            time(window.duration_ns)
        );
        screen.sentences(Line::default(), WARN, &only, out)?;
    }
    calls(model, shown, out)
}

/// Writes the line about the number of calls.
pub(super) fn calls(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let crossings = &model.crossings;
    let refused = model.targets.iter().map(|row| row.refused);
    let refused = refused.fold(0, u64::saturating_add);
    // If calls are only counted, neither their returns nor their nesting are known.
    let counted = match crossings.all() {
        Some(_) => "",
        None => "counted: ",
    };
    let deepest = model.tasks.iter().filter_map(|task| task.max_depth).max();
    let calls = format!(
        "{counted}{}{}, {}{}{}, on {}{}",
        plural(crossings.leave, "native call", "native calls"),
        rate(model, crossings.leave),
        plural(crossings.reverse_enter, "callback", "callbacks"),
        rate(model, crossings.reverse_enter),
        match refused {
            0 => String::new(),
            n => format!(", {} {}", plural(n, "call", "calls"), denied(model)),
        },
        plural(
            model.tasks.len() as u64 + model.left_out.tasks,
            "thread",
            "threads"
        ),
        match deepest.unwrap_or(0) {
            0 | 1 => String::new(),
            n => format!(", nested up to {n} deep"),
        },
    );
    shown
        .screen
        .sentences(Line::indented(0), Style::new(), &calls, out)
}

/// How the process ended.
fn ended(model: &Model) -> String {
    match (model.ended, model.exit_code, model.signal) {
        ("exit", Some(code), _) => format!("exit code {code}"),
        ("exit", ..) => "exited".into(),
        ("signal", _, Some(signal)) => {
            let place = model.crash.as_ref().map_or_else(String::new, place);
            format!("ended by signal {signal} ({}){place}", signal_name(signal))
        }
        ("killed", ..)
            if model
                .crash
                .as_ref()
                .is_some_and(|crash| crash.out_of_memory) =>
        {
            "killed by the kernel, since memory had run out".into()
        }
        ("killed", ..) => "killed".into(),
        ("running", ..) => "still running".into(),
        ("detached", ..) => "which runs on".into(),
        ("unknown", ..) => "end unknown".into(),
        (other, ..) => other.into(),
    }
}

/// Where a process was that a fault ended.
fn place(crash: &CrashRow) -> String {
    let mut place = String::new();
    if let Some(file) = &crash.file {
        let path = Path::new(file);
        let name = path.file_name().unwrap_or(path.as_os_str());
        let name = name.to_string_lossy();
        place = match (&crash.symbol, &crash.offset) {
            (Some(symbol), _) => format!(" at {name}!{symbol}"),
            (None, Some(offset)) => format!(" at {name}+{offset}"),
            (None, None) => format!(" in {name}"),
        };
    } else if let Some(instruction) = &crash.instruction {
        place = format!(" at {instruction}");
    }
    if let Some(address) = &crash.address {
        place = format!("{place}, address {address}");
    }
    if let Some(task) = crash.task {
        place = format!("{place}, on thread {task}");
    }
    plain(&place).to_string()
}

/// What was watched, if it is not the usual.
fn source(model: &Model) -> &'static str {
    match (model.source, model.scope) {
        (Some("woven"), Some("framework")) => ", with --framework",
        (Some("woven"), Some("corelib")) => ", with --corelib",
        (Some("transitions"), _) => ", source transitions",
        _ => "",
    }
}
