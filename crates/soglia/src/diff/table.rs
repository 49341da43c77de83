//! What the tables of a comparison share.

use super::{
    noise::Certainty,
    outcome::{Change, Diff, DiffTarget, Measure, TotalRow, Verdict},
};
use crate::text::{count, time};

/// A number or a duration.
pub(super) fn value(is_time: bool, value: Option<u64>) -> String {
    match value {
        None => "-".into(),
        Some(ns) if is_time => time(ns),
        Some(n) => count(n),
    }
}

/// A change in percent, or in words where there is no percentage.
pub(super) fn percent(a: Option<u64>, b: Option<u64>, percent: Option<f64>) -> String {
    match (a, b, percent) {
        (a, b, _) if a == b => String::new(),
        (_, _, Some(percent)) if percent.abs() < 0.5 => "+-0 %".into(),
        (_, _, Some(percent)) if percent < 1e6 => format!("{percent:+.0} %"),
        (_, _, Some(_)) => "+++".into(),
        (Some(0), Some(_), _) => "from 0".into(),
        _ => String::new(),
    }
}

/// A word for a difference that is not a change.
pub(super) const fn certainty(change: &Change) -> &'static str {
    match change.certainty {
        Certainty::Noise => "noise",
        Certainty::TooFew => "too few calls",
        Certainty::Changed | Certainty::Equal => "",
    }
}

/// The measures of a target that have a line.
pub(super) fn shown(target: &DiffTarget) -> impl Iterator<Item = &Change> {
    let usual = [Measure::Calls, Measure::Mean, Measure::P50, Measure::P99];
    let is_single = matches!(target.verdict(), Verdict::New | Verdict::Gone);
    let is_unclear = target.verdict() == Verdict::Unclear;
    target.changes.iter().filter(move |change| {
        let known = change.a.or(change.b).is_some_and(|value| value > 0)
            || change.b.is_some_and(|value| value > 0);
        let usual = usual.contains(&change.measure);
        let max = is_unclear && change.measure == Measure::Max;
        known
            && match change.certainty {
                Certainty::Equal => false,
                Certainty::Changed => !is_single || usual || !change.measure.is_time(),
                Certainty::TooFew | Certainty::Noise => usual || max,
            }
    })
}

/// The sums that have a line.
pub(super) fn totals(diff: &Diff) -> impl Iterator<Item = &TotalRow> {
    diff.totals.iter().filter(|row| row.a > 0 || row.b > 0)
}

/// The targets that have lines: those that changed.
pub(super) fn changed(diff: &Diff) -> impl Iterator<Item = &DiffTarget> {
    let targets = diff.targets.iter();
    targets.filter(|target| target.verdict() != Verdict::Same)
}

/// All verdicts of a target.
pub(super) fn verdicts(target: &DiffTarget) -> String {
    let words: Vec<&str> = target.verdicts.iter().map(|v| v.word()).collect();
    words.join(", ")
}

/// A sentence about the targets that have no lines.
pub(super) fn unchanged(diff: &Diff) -> Option<String> {
    let all = diff.targets.len() - changed(diff).count();
    let differs = |target: &&DiffTarget| {
        let mut changes = target.changes.iter();
        target.verdict() == Verdict::Same && changes.any(|c| c.certainty != Certainty::Equal)
    };
    let noise = diff.targets.iter().filter(differs).count();
    let targets = |n: usize| {
        format!(
            "{} {}",
            count(n as u64),
            if n == 1 { "target" } else { "targets" }
        )
    };
    match (all, noise) {
        (0, _) => None,
        (all, 0) => Some(format!("{}: no change", targets(all))),
        (all, noise) if all == noise => Some(format!("{}: no change beyond noise", targets(all))),
        (all, noise) => Some(format!(
            "{}: no change; of these, {} differ by noise",
            targets(all),
            count(noise as u64)
        )),
    }
}
