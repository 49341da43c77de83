//! The report of one recording.

use std::io::{self, Write};

use super::{
    activities, advice, attached, calls, failures,
    head::head,
    last,
    moments::Moments,
    notes, overdue,
    shown::{By, Shown},
    slots,
    targets::targets,
    threads::threads,
};
use crate::model::Model;

/// Writes the report.
///
/// # Errors
/// Those of `out`.
pub fn report(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let moments = Moments::of(model);
    head(model, shown, out)?;
    calls::slowest(model, shown, out)?;
    if shown.by == By::Activity {
        activities::section(model, shown, out)?;
        return notes::notes(model, shown, out);
    }
    advice::section(model, shown, out)?;
    overdue::section(model, &moments, shown, out)?;
    attached::section(model, shown, out)?;
    calls::open(model, &moments, shown, out)?;
    last::section(model, &moments, shown, out)?;
    failures::section(model, shown, out)?;
    threads(model, shown, out)?;
    targets(model, shown, out)?;
    calls::slow(model, &moments, shown, out)?;
    slots::section(model, shown, out)?;
    match model.attach {
        Some(_) => attached::not_seen(model, shown, out)?,
        None => notes::unwatched(model, shown, out)?,
    }
    notes::notes(model, shown, out)
}
