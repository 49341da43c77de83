//! The last sections: what was not watched, and notes.

use std::io::{self, Write};

use anstyle::Style;
use soglia_core::{plain::plain, trace::log::MOST_KEPT};

use super::{
    calls::DURATION,
    screen::Line,
    shown::{MOST_ROWS, Shown},
    style::{HEAD, WARN},
    words::{count, more, plural},
};
use crate::model::{Model, no_room::because};

/// Writes what was not watched.
pub(super) fn unwatched(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
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
        let line = Line::default().right(DURATION, "-").text("  ");
        let what = plain(&row.what).to_string();
        shown.screen.sentences(line, Style::new(), &what, out)?;
    }
    more(rows.len().saturating_sub(MOST_ROWS) as u64, 0, out)
}

/// A note about rules that match nothing. They may be misspelt.
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

/// The most remarks that are shown.
const MOST_REMARKS: usize = 100;

/// Writes what a reader should know besides the numbers.
pub(super) fn notes(model: &Model, shown: Shown, out: &mut impl Write) -> io::Result<()> {
    let mut lines: Vec<String> = model.remarks.iter().take(MOST_REMARKS).cloned().collect();
    if model.remarks.len() > MOST_REMARKS {
        let more = count((model.remarks.len() - MOST_REMARKS) as u64);
        lines.push(format!("{more} more of these (--format json has all)"));
    }
    if let Some(because) = &model.fallback {
        lines.push(format!(
            "runtime callbacks were used instead of wrappers, which slows the program: {because}"
        ));
    }
    if let Some(policy) = &model.policy {
        if policy.audit {
            lines.push("audit: no call was denied or redirected".into());
        }
        lines.extend(idle(
            &policy.idle_rules,
            "no watched module declares a function that matches",
        ));
    }
    if let Some(deadlines) = &model.deadlines {
        let quoted = |text: &String| format!("deadline '{text}'");
        let rules: Vec<String> = deadlines.idle_rules.iter().map(quoted).collect();
        lines.extend(idle(&rules, "no watched call matched"));
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
        // With room left, it is the engine's limit.
        let because = match &model.no_room[..] {
            [] => format!("a recording keeps {} of each", count(MOST_KEPT.into())),
            rows => because(rows),
        };
        lines.push(format!(
            "{} or stacks were counted, but their details were not kept: {because}",
            plural(records, "slow or overdue call", "slow or overdue calls"),
        ));
    }
    if model.left_out.records > 0 {
        lines.push(format!(
            "{} of names, stacks and slow calls were left out: there are too many to read",
            plural(model.left_out.records, "record", "records")
        ));
    }
    if model.left_out.targets > 0 {
        lines.push(format!(
            "{} were left out to keep the report small",
            plural(model.left_out.targets, "target", "targets")
        ));
    }
    if !lines.is_empty() {
        writeln!(out)?;
    }
    for line in lines {
        let note = Line::default().styled(WARN, "note:").text(" ");
        let text = plain(&line).to_string();
        shown.screen.sentences(note, Style::new(), &text, out)?;
    }
    Ok(())
}

/// A note about crossings for which the recording had no room.
fn dropped(model: &Model) -> Option<String> {
    let crossings = |n| plural(n, "crossing", "crossings");
    let are = |n| if n == 1 { "is" } else { "are" };
    let (events, all) = (model.dropped_events, model.dropped_crossings);
    let because = because(&model.no_room);
    // A thread for which there was no room has no task, so it has neither counters nor events.
    let in_none = format!(
        "{} of threads that began when there was no room {} not in this report",
        crossings(all),
        are(all)
    );
    let not_listed = format!("{} {} not among the events", crossings(events), are(events));
    let counted = if model.replayed {
        "which --replay reads: without --replay they are in the report"
    } else {
        "but in this report"
    };
    match (events, all) {
        (0, 0) => None,
        (0, _) => Some(format!("{because}: {in_none}; all other numbers are exact")),
        (_, 0) if model.replayed => Some(format!("{because}: {not_listed}, {counted}")),
        (_, 0) => Some(format!(
            "{because}: {not_listed}, {counted}, which is complete"
        )),
        _ => Some(format!("{because}: {not_listed}, {counted}; {in_none}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NoRoomRow;

    fn notes_of(model: &Model) -> String {
        let mut text = Vec::new();
        notes(model, Shown::default(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_note_says_why_slow_calls_were_not_kept() {
        let mut model = Model {
            dropped: 3,
            ..Model::default()
        };
        let limit = "3 slow or overdue calls or stacks were counted, but their details were not kept: \
                     a recording keeps 10,000 of each\n";
        assert!(notes_of(&model).ends_with(limit), "{}", notes_of(&model));
        model.no_room = vec![NoRoomRow {
            reason: "disk",
            times: 1,
        }];
        let room = "not kept: the disk was full\n";
        assert!(notes_of(&model).ends_with(room), "{}", notes_of(&model));
    }
}
