//! The report.

use std::io::{self, Write};

use super::{
    activities, advice, attached, calls, failures,
    head::head,
    last,
    moments::Moments,
    notes, overdue, processes,
    shown::{By, Shown},
    slots,
    targets::targets,
    threads::threads,
};
use crate::model::Model;

/// Writes the report of one process, or of several.
///
/// # Errors
/// Those of `out`.
pub fn report(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let moments = Moments::of(model);
    if model.is_merged() {
        processes::head(model, shown, out)?;
    } else {
        head(model, shown, out)?;
    }
    calls::slowest(model, &moments, shown, out)?;
    if model.is_merged() {
        processes::table(model, shown, out)?;
    }
    if shown.by == By::Activity {
        activities::section(model, shown, out)?;
        return notes::notes(model, shown, out);
    }
    advice::section(model, &moments, shown, out)?;
    overdue::section(model, &moments, shown, out)?;
    // What is said of one attach and of the threads of one process.
    if !model.is_merged() {
        attached::section(model, shown, out)?;
    }
    calls::open(model, &moments, shown, out)?;
    last::section(model, &moments, shown, out)?;
    failures::section(model, &moments, shown, out)?;
    if !model.is_merged() {
        threads(model, shown, out)?;
    }
    targets(model, &moments, shown, out)?;
    calls::slow(model, &moments, shown, out)?;
    slots::section(model, shown, out)?;
    match model.attach {
        Some(_) => attached::not_seen(model, shown, out)?,
        None => notes::unwatched(model, shown, out)?,
    }
    notes::notes(model, shown, out)
}
