//! The report of one recording.

use std::io::{self, Write};

use super::{
    calls, head::head, notes, overdue, shown::Shown, slots, targets::targets, threads::threads,
};
use crate::model::Model;

/// Writes the report.
///
/// # Errors
/// Those of `out`.
pub fn report(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    head(model, out)?;
    targets(model, shown, out)?;
    threads(model, shown, out)?;
    slots::section(model, out)?;
    overdue::section(model, out)?;
    calls::slow(model, shown, out)?;
    calls::open(model, shown, out)?;
    notes::unwatched(model, out)?;
    notes::notes(model, out)
}
