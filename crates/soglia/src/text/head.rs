//! The first lines of a report: the program, and the number of its crossings.

use std::io::{self, Write};

use soglia_core::plain::plain;

use super::{
    style::HEAD,
    words::{denied, plural, signal_name, time_of},
};
use crate::model::Model;

pub(super) fn head(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let args = model.command_line.iter().map(|arg| plain(arg).to_string());
    let program = args.collect::<Vec<_>>().join(" ");
    let runtime = &model.runtime;
    writeln!(out, "{HEAD}soglia: {program}{HEAD:#}")?;
    writeln!(
        out,
        "{} {}, process {}, {}, {}{}",
        plain(&runtime.name),
        plain(&runtime.version),
        model.pid,
        ended(model),
        time_of(model.duration_ns, model.duration_at_least),
        source(model),
    )?;
    let crossings = &model.crossings;
    let refused = model.targets.iter().map(|row| row.refused).sum();
    // If calls are only counted, neither their returns nor their nesting are known.
    let sum = crossings.all();
    let sum = sum.map_or_else(|| "counted".into(), |n| plural(n, "crossing", "crossings"));
    let deepest = model.tasks.iter().filter_map(|task| task.max_depth).max();
    writeln!(
        out,
        "{sum}: {}, {}{}, on {}{}\n",
        plural(crossings.leave, "native call", "native calls"),
        plural(crossings.reverse_enter, "callback", "callbacks"),
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
            0 => String::new(),
            n => format!(", nested up to {n} deep"),
        },
    )
}

/// How the process ended.
fn ended(model: &Model) -> String {
    match (model.ended, model.exit_code, model.signal) {
        ("exit", Some(code), _) => format!("exit code {code}"),
        ("exit", ..) => "exited".into(),
        ("signal", _, Some(signal)) => {
            format!("ended by signal {signal} ({})", signal_name(signal))
        }
        ("killed", ..) => "killed".into(),
        ("running", ..) => "still running".into(),
        ("unknown", ..) => "end unknown".into(),
        (other, ..) => other.into(),
    }
}

/// The options that decide what the report does not show.
fn source(model: &Model) -> &'static str {
    match (model.source, model.scope) {
        (Some("woven"), Some("framework")) => ", source woven, --framework",
        (Some("woven"), Some("corelib")) => ", source woven, --corelib",
        (Some("woven"), _) => ", source woven",
        _ => "",
    }
}
