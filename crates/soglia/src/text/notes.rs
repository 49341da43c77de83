//! What stands below the tables.

use std::io::{self, Write};

use soglia_core::plain::plain;

use super::{
    shown::MOST_ROWS,
    style::{HEAD, WARN},
    words::{count, more, plural},
};
use crate::model::{Model, no_room::because};

/// What crosses and was not seen.
pub(super) fn unwatched(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let rows = &model.not_watched;
    if rows.is_empty() {
        return Ok(());
    }
    let seen = match model.source {
        Some("transitions") => "",
        _ => " (--source transitions sees it)",
    };
    writeln!(out, "\n{HEAD}not watched{seen}{HEAD:#}")?;
    for row in rows.iter().take(MOST_ROWS) {
        writeln!(out, "{:>11}  {}", "-", plain(&row.what))?;
    }
    more(rows.len().saturating_sub(MOST_ROWS) as u64, 0, out)
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

/// Remarks that are shown.
const MOST_REMARKS: usize = 100;

/// What a reader should know beside the numbers.
pub(super) fn notes(model: &Model, out: &mut impl Write) -> io::Result<()> {
    let mut lines: Vec<String> = model.remarks.iter().take(MOST_REMARKS).cloned().collect();
    if model.remarks.len() > MOST_REMARKS {
        let more = count((model.remarks.len() - MOST_REMARKS) as u64);
        lines.push(format!("{more} more of these (--format json has all)"));
    }
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
    lines.extend(dropped(model));
    let crossings = model.dropped_events.saturating_add(model.dropped_crossings);
    let records = model.dropped.saturating_sub(crossings);
    if records > 0 {
        lines.push(format!(
            "{} or stacks were counted but not kept: {}",
            plural(records, "slow or late call", "slow or late calls"),
            because(&model.no_room)
        ));
    }
    if model.left_out.records > 0 {
        lines.push(format!(
            "{} of names, stacks and slow calls were left out: there are too many to be read",
            plural(model.left_out.records, "record", "records")
        ));
    }
    if model.left_out.targets > 0 {
        lines.push(format!(
            "{} were left out: with them the report would be too large",
            plural(model.left_out.targets, "target", "targets")
        ));
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    for line in lines {
        writeln!(out, "{WARN}note:{WARN:#} {}", plain(&line))?;
    }
    Ok(())
}

/// Crossings for which there was no room, and of what this account is therefore not one.
fn dropped(model: &Model) -> Option<String> {
    let crossings = |n| plural(n, "crossing", "crossings");
    let are = |n| if n == 1 { "is" } else { "are" };
    let (events, all) = (model.dropped_events, model.dropped_crossings);
    let way_out = because(&model.no_room);
    // Threads for which there was no room have no task, and neither an account nor events.
    let in_none = format!(
        "{} of threads that began when there was no room {} not in this account",
        crossings(all),
        are(all)
    );
    let not_listed = format!("{} {} not among the events", crossings(events), are(events));
    let counted = if model.replayed {
        "and this account is made of the events: without --replay they are in it"
    } else {
        "but in this account"
    };
    match (events, all) {
        (0, 0) => None,
        (0, _) => Some(format!("{way_out}: {in_none}; what else is here is exact")),
        (_, 0) if model.replayed => Some(format!("{way_out}: {not_listed}, {counted}")),
        (_, 0) => Some(format!(
            "{way_out}: {not_listed}, {counted}, which is complete"
        )),
        _ => Some(format!("{way_out}: {not_listed}, {counted}; {in_none}")),
    }
}
