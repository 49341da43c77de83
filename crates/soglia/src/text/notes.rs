//! What stands below the tables.

use std::io::{self, Write};

use super::{HEAD, MOST_ROWS, WARN, count, plural};
use crate::model::Model;

/// What crosses and was not seen.
pub(super) fn unwatched(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let rows = &model.not_watched;
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{HEAD}not watched (--source transitions sees it){HEAD:#}"
    )?;
    for row in rows.iter().take(MOST_ROWS) {
        writeln!(out, "{:>11}  {}", "-", row.what)?;
    }
    if rows.len() > MOST_ROWS {
        writeln!(
            out,
            "{:>11} more (--format json has all)",
            rows.len() - MOST_ROWS
        )?;
    }
    Ok(())
}

/// Rules that may be misspelt.
fn idle(rules: &[String], nothing: &str) -> Option<String> {
    const MOST: usize = 5;
    let some = rules.get(..rules.len().min(MOST))?.join(", ");
    let more = match rules.len() {
        0 => return None,
        n if n > MOST => format!(" and {} more", n - MOST),
        _ => String::new(),
    };
    Some(format!("{nothing} {some}{more}"))
}

/// What a reader should know beside the numbers.
pub(super) fn notes(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let mut lines: Vec<String> = model.remarks.clone();
    if let Some(because) = &model.fallback {
        lines.push(format!(
            "recorded from the runtime's own callbacks, which makes programs slower: {because}"
        ));
    }
    if let Some(policy) = &model.policy {
        if policy.audit {
            lines.push("an audit: no call was refused or redirected".into());
        }
        lines.extend(idle(
            &policy.idle_rules,
            "no module that was watched declares a function for",
        ));
    }
    if let Some(deadlines) = &model.deadlines {
        let quoted = |text: &String| format!("deadline '{text}'");
        let rules: Vec<String> = deadlines.idle_rules.iter().map(quoted).collect();
        lines.extend(idle(&rules, "nothing that was watched was called for"));
    }
    for fault in &model.faults {
        lines.push(format!(
            "{} {}: {}",
            count(fault.count),
            fault.kind,
            fault.meaning
        ));
    }
    if model.dropped_events > 0 {
        lines.push(format!(
            "{} are not among the events: the recording was full (--max-size makes it larger); the account is complete",
            plural(model.dropped_events, "crossing", "crossings")
        ));
    }
    if model.dropped_crossings > 0 {
        lines.push(format!(
            "{} were not recorded at all: no room on the disk, or --max-size too small",
            plural(model.dropped_crossings, "crossing", "crossings")
        ));
    }
    let records = model.dropped - model.dropped_events - model.dropped_crossings;
    if records > 0 {
        lines.push(format!(
            "{} or stacks were counted but not kept",
            plural(records, "slow or late call", "slow or late calls")
        ));
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    for line in lines {
        writeln!(out, "{WARN}note:{WARN:#} {line}")?;
    }
    Ok(())
}
