//! The outcome of `soglia verify`.

use std::io::{self, Write};

use soglia_core::plain::plain;

use super::{
    shown::MOST_ROWS,
    style::{DIM, HEAD, WARN, arrow},
    words::{count, plural, signal_name},
};
use crate::verify::{Both, CORELIB, ComparedTarget, Comparison, FirstCallers, Outcome, ProgramRun};

/// Writes the outcome of a comparison.
///
/// # Errors
/// Those of `out`.
pub fn comparison(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    let runtime = &comparison.runtime;
    let alike = comparison
        .runs
        .windows(2)
        .all(|two| two[0].is_like(&two[1]));
    let ending = match comparison.runs.first() {
        Some(run) if alike => format!(", {} each time", ended(run)),
        _ => String::new(),
    };
    writeln!(
        out,
        "{HEAD}soglia verify: {}{HEAD:#}\n{} {}{ending}",
        plain(&comparison.program),
        plain(&runtime.name),
        plain(&runtime.version),
    )?;
    if comparison.output == "differs" {
        for run in &comparison.runs {
            let wrote = plural(run.output_bytes, "byte written", "bytes written");
            writeln!(out, "{:>12}  {}, {wrote}", run.source, ended(run))?;
        }
    }
    let difference = comparison.output_difference.as_ref();
    if let Some(difference) = difference.filter(|_| comparison.output == "differs") {
        writeln!(
            out,
            "\n{HEAD}line {} of the output{HEAD:#}",
            difference.line
        )?;
        let Both { transitions, woven } = &difference.text;
        writeln!(out, "{:>12}  {}", "transitions", plain(transitions))?;
        writeln!(out, "{:>12}  {}", "woven", plain(woven))?;
    }
    table(comparison, Outcome::Differs, "the two differ", out)?;
    table(comparison, Outcome::Varies, "vary from run to run", out)?;
    table(comparison, Outcome::NotWatched, "not watched by woven", out)?;
    first_callers(comparison, out)?;
    notes(comparison, out)?;
    conclusion(comparison, out)
}

/// Writes the targets whose first caller differs, up to the first frames that differ.
fn first_callers(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    let differ: Vec<&FirstCallers> = comparison
        .first_callers
        .iter()
        .filter(|differ| !differ.varies)
        .collect();
    if differ.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{HEAD}first caller differs{HEAD:#}")?;
    for FirstCallers {
        target, callers, ..
    } in differ.iter().take(MOST_ROWS)
    {
        writeln!(out, "{:>12}  -> {}", "", plain(target))?;
        let (transitions, woven) = (&callers.transitions, &callers.woven);
        let same = transitions
            .iter()
            .zip(woven)
            .take_while(|(a, b)| a == b)
            .count();
        for (source, frames) in [("transitions", transitions), ("woven", woven)] {
            let shown = frames.iter().take(same + 1).cloned();
            let shown: Vec<String> = shown.collect();
            writeln!(out, "{source:>12}  {}", plain(&shown.join(" < ")))?;
        }
    }
    if differ.len() > MOST_ROWS {
        let more = differ.len() - MOST_ROWS;
        writeln!(out, "{more:>12} more (--format json has all)")?;
    }
    Ok(())
}

fn ended(run: &ProgramRun) -> String {
    match (run.exit_code, run.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (_, Some(signal)) => signal_name(signal).into(),
        _ => "end unknown".into(),
    }
}

/// Writes the targets of one outcome, with the numbers that differ.
fn table(
    comparison: &Comparison,
    outcome: Outcome,
    title: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    let rows: Vec<&ComparedTarget> = comparison
        .targets
        .iter()
        .filter(|target| target.outcome == outcome)
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{HEAD}{:>12} {:>12}  {:<10} {title}{HEAD:#}",
        "transitions", "woven", ""
    )?;
    for row in rows.iter().take(2 * MOST_ROWS) {
        let arrow = arrow(row.direction);
        let mut name = format!("{arrow} {}", plain(&row.name()));
        if let Some(assembly) = &row.assembly {
            name += &format!("  {DIM}{}{DIM:#}", plain(assembly));
        }
        for (what, transitions, woven) in row.counts.differences(row.direction) {
            writeln!(
                out,
                "{:>12} {:>12}  {what:<10} {}",
                count(transitions),
                count(woven),
                std::mem::take(&mut name),
            )?;
        }
    }
    if rows.len() > 2 * MOST_ROWS {
        writeln!(
            out,
            "{:>12} more (--format json has all)",
            rows.len() - 2 * MOST_ROWS
        )?;
    }
    Ok(())
}

fn notes(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    let mut lines: Vec<String> = comparison
        .not_watched
        .iter()
        .map(|what| what.what.clone())
        .chain(comparison.remarks.iter().cloned())
        .take(2 * MOST_ROWS)
        .collect();
    let own = of(comparison, Outcome::RuntimeInternal);
    if own > 0 {
        let option = match comparison.scope {
            "user" if own > of_corelib(comparison) => "--framework",
            _ => "--corelib",
        };
        lines.push(format!(
            "{} of the runtime's own not compared ({option} compares more)",
            plural(own, "target", "targets")
        ));
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    for line in lines {
        writeln!(out, "{DIM}note:{DIM:#} {}", plain(&line))?;
    }
    Ok(())
}

fn of(comparison: &Comparison, outcome: Outcome) -> u64 {
    let of = comparison.targets.iter().filter(|t| t.outcome == outcome);
    of.count() as u64
}

/// The number of the runtime's own targets that are in the core library.
fn of_corelib(comparison: &Comparison) -> u64 {
    let own = comparison
        .targets
        .iter()
        .filter(|t| t.outcome == Outcome::RuntimeInternal);
    own.filter(|t| t.assembly.as_deref() == Some(CORELIB))
        .count() as u64
}

fn conclusion(comparison: &Comparison, out: &mut impl Write) -> io::Result<()> {
    writeln!(out)?;
    match comparison.output {
        "differs" => writeln!(
            out,
            "{WARN}the program did not write the same, or did not end the same, under both{WARN:#}"
        )?,
        "varies" => writeln!(
            out,
            "what the program writes, or how it ends, varies from run to run"
        )?,
        _ => {}
    }
    let differ = of(comparison, Outcome::Differs);
    if differ > 0 {
        return writeln!(
            out,
            "{WARN}the two differ in {}{WARN:#}",
            plural(differ, "target", "targets")
        );
    }
    let (calls, calls_early) = comparison.seen("forward");
    let (callbacks, callbacks_early) = comparison.seen("reverse");
    writeln!(
        out,
        "{HEAD}both saw the same:{HEAD:#} {}, {}, {}",
        plural(of(comparison, Outcome::Same), "target", "targets"),
        plural(calls, "native call", "native calls"),
        plural(callbacks, "callback", "callbacks"),
    )?;
    for (n, one, many) in [
        (calls_early, "call", "calls"),
        (callbacks_early, "callback", "callbacks"),
    ] {
        if n > 0 {
            writeln!(
                out,
                "{} more failed before the crossing; woven counts these, transitions does not",
                plural(n, one, many)
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{Model, TargetRow},
        verify::compare,
    };

    #[test]
    fn the_note_names_the_option_that_compares_more() {
        let row = |assembly: &str| TargetRow {
            direction: "forward",
            method: Some("Interop.Call".into()),
            assembly: Some(assembly.into()),
            runtime_internal: true,
            calls: 1,
            ..TargetRow::default()
        };
        for (scope, assemblies, option) in [
            ("user", vec!["System.Console", CORELIB], "(--framework "),
            ("user", vec![CORELIB], "(--corelib "),
            ("framework", vec![CORELIB], "(--corelib "),
        ] {
            let model = Model {
                scope: Some(scope),
                targets: assemblies.into_iter().map(row).collect(),
                ..Model::default()
            };
            let outcome = compare(std::slice::from_ref(&model), &model, Vec::new());
            let mut text = Vec::new();
            comparison(&outcome, &mut text).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains(option), "{text}");
        }
    }
}
