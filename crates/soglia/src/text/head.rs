//! The first lines of a report: the program, and all crossings together.

use std::io::{self, Write};

use soglia_core::plain::plain;

use super::{
    style::HEAD,
    words::{plural, refusal, signal_name, time_of},
};
use crate::model::Model;

pub(super) fn head(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let args = model.command_line.iter().map(|arg| plain(arg).to_string());
    let program = args.collect::<Vec<_>>().join(" ");
    let ended = match (model.ended, model.exit_code, model.signal) {
        ("exit", Some(code), _) => format!("exit code {code}"),
        ("exit", ..) => "exited".into(),
        ("signal", _, Some(signal)) => {
            format!("ended by signal {signal} ({})", signal_name(signal))
        }
        ("killed", ..) => "killed".into(),
        ("unknown", ..) => "end unknown".into(),
        (other, ..) => other.into(),
    };
    let runtime = &model.runtime;
    writeln!(
        out,
        "{HEAD}soglia: {program}{HEAD:#}\n{} {}, process {}, {ended}, {}{}",
        plain(&runtime.name),
        plain(&runtime.version),
        model.pid,
        time_of(model.duration_ns, model.duration_at_least),
        source(model),
    )?;
    let crossings = &model.crossings;
    let refused = model.targets.iter().map(|row| row.refused).sum();
    // Returns are not told of calls that are only counted: neither their number is known, nor how
    // deep calls were nested.
    let sum = crossings.all();
    let sum = sum.map_or_else(|| "counted".into(), |n| plural(n, "crossing", "crossings"));
    let deepest = model.tasks.iter().filter_map(|task| task.max_depth).max();
    let deepest = deepest.unwrap_or(0);
    writeln!(
        out,
        "{sum}: {} to native code, {} from it{}, on {}{}\n",
        plural(crossings.leave, "call", "calls"),
        plural(crossings.reverse_enter, "callback", "callbacks"),
        if refused == 0 {
            String::new()
        } else {
            format!(", {} {}", plural(refused, "call", "calls"), refusal(model))
        },
        plural(
            model.tasks.len() as u64 + model.left_out.tasks,
            "task",
            "tasks"
        ),
        match deepest {
            0 => String::new(),
            n => format!(", up to {} deep", plural(n.into(), "layer", "layers")),
        },
    )
}

/// What `soglia run` was told, if that matters for what is not here.
fn source(model: &Model) -> &'static str {
    match (model.source, model.scope) {
        (Some("woven"), Some("framework")) => ", source woven, --framework",
        (Some("woven"), Some("corelib")) => ", source woven, --corelib",
        (Some("woven"), _) => ", source woven",
        _ => "",
    }
}
