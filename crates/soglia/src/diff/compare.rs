//! Compares two reports.

use std::collections::BTreeMap;

use super::{
    condition::Condition,
    input::Report,
    key::{Pair, pairs},
    noise::{Certainty, NOISE_PERCENT, Time, is_large, of_counts, of_times, percent},
    outcome::{Change, Diff, DiffTarget, Measure, Side, TotalRow, Verdict},
    periods::Periods,
    sums::Sums,
};
use crate::{
    model::{TargetRow, key::Key},
    text::time,
};

/// A change of times that comes to less than this in the whole run is not worth a line.
const LEAST_STAKE_NS: u64 = 1_000_000;
/// A single longest call is worth a line if it is so much longer, and several times as long.
const LONG_CALL_NS: u64 = 100_000_000;
/// How many times as long.
const LONG_CALL_TIMES: u64 = 3;

/// How reports are compared.
#[derive(Clone, Debug)]
pub struct Options {
    /// A change of durations below this percentage is noise.
    pub noise_percent: f64,
    /// Also compare the runtime's own targets.
    pub all: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            noise_percent: NOISE_PERCENT,
            all: false,
        }
    }
}

/// Compares two reports, which are named by their files.
pub fn compare(
    (file_a, a): (&str, &Report),
    (file_b, b): (&str, &Report),
    options: &Options,
    conditions: &[Condition],
) -> Diff {
    let pairs = pairs(sums(a, options.all), sums(b, options.all));
    let periods = Periods::of(a, b);
    let totals = totals(a, b, &pairs, periods);
    let mut targets: Vec<DiffTarget> = pairs
        .into_iter()
        .map(|pair| target(pair, options.noise_percent, periods))
        .collect();
    targets.sort_by_key(|target| {
        let rank = match target.verdict() {
            Verdict::Failing | Verdict::Denied => 0,
            Verdict::Same => 3,
            Verdict::Unclear => 2,
            _ => 1,
        };
        (rank, std::cmp::Reverse(target.at_stake_ns.unsigned_abs()))
    });
    let failed = targets.iter().flat_map(|target| {
        let hold = conditions.iter().filter_map(|c| c.holds(target));
        hold.collect::<Vec<_>>()
    });
    Diff {
        failed: failed.collect(),
        remarks: remarks(a, b),
        a: side(file_a, a),
        b: side(file_b, b),
        totals,
        targets,
    }
}

fn side(file: &str, report: &Report) -> Side {
    let runtime = &report.runtime;
    Side {
        file: file.to_owned(),
        program: report.program.clone(),
        runtime: format!("{} {}", runtime.name, runtime.version),
        ended: report.ended.clone(),
        duration_ns: report.covers_ns(),
        is_part: report.is_part(),
    }
}

fn sums(report: &Report, all: bool) -> BTreeMap<Key, Sums> {
    let mut sums: BTreeMap<Key, Sums> = BTreeMap::new();
    let wanted = report.targets.iter().filter(|t| all || !t.runtime_internal);
    for row in wanted {
        let of_row = Sums::of(row);
        sums.entry(Key::of(row.parts()))
            .and_modify(|sums| sums.add(&of_row))
            .or_insert(of_row);
    }
    sums
}

fn totals(a: &Report, b: &Report, pairs: &[Pair], periods: Periods) -> Vec<TotalRow> {
    let row = |measure, is_time, a: u64, b: u64| TotalRow {
        measure,
        is_time,
        a,
        b,
        percent: match measure {
            "duration" | "open" => percent(a, b),
            _ => periods.percent(a, b),
        },
    };
    let sum = |direction: &str, of: fn(&Sums) -> u64| {
        let mut sums = [0_u64; 2];
        for pair in pairs.iter().filter(|pair| pair.key.direction == direction) {
            for (sum, side) in sums.iter_mut().zip([&pair.a, &pair.b]) {
                *sum = sum.saturating_add(side.as_ref().map_or(0, of));
            }
        }
        sums
    };
    let mut rows = vec![row("duration", true, a.covers_ns(), b.covers_ns())];
    let calls: fn(&Sums) -> u64 = |sums| sums.calls;
    for (measure, is_time, direction, of) in [
        ("calls", false, "forward", calls),
        ("native time", true, "forward", |sums| sums.self_ns),
        ("callbacks", false, "reverse", calls),
        ("callback time", true, "reverse", |sums| sums.self_ns),
        ("failed", false, "forward", |sums| sums.failed),
        ("denied", false, "forward", |sums| sums.denied),
        ("open", false, "forward", |sums| sums.open),
    ] {
        let [a, b] = sum(direction, of);
        rows.push(row(measure, is_time, a, b));
    }
    rows
}

/// One target: its measures, and what they say.
fn target(pair: Pair, noise: f64, periods: Periods) -> DiffTarget {
    let (a, b) = (pair.a.as_ref(), pair.b.as_ref());
    let changes: Vec<Change> = Measure::ALL
        .into_iter()
        .map(|measure| change(measure, a, b, noise, periods))
        .collect();
    let total = |sums: Option<&Sums>| i128::from(sums.map_or(0, |sums| sums.total_ns));
    let at_stake = periods.fair_time(total(a), total(b));
    let Key {
        direction,
        method,
        assembly,
        library,
        entry,
    } = pair.key;
    // A place in a file is no entry point.
    let offset = entry.as_ref().and_then(|entry| entry.strip_prefix('+'));
    let named = TargetRow {
        method,
        assembly,
        library,
        offset: offset.map(str::to_owned),
        entry: entry.filter(|entry| !entry.starts_with('+')),
        ..TargetRow::default()
    };
    let mut target = DiffTarget {
        verdicts: Vec::new(),
        direction,
        target: named.name(),
        method: named.method,
        assembly: named.assembly,
        library: named.library,
        entry: named.entry,
        at_stake_ns: i64::try_from(at_stake).unwrap_or(i64::MAX),
        changes,
    };
    target.verdicts = verdicts(&target, a, b, periods);
    target
}

fn change(
    measure: Measure,
    a: Option<&Sums>,
    b: Option<&Sums>,
    noise: f64,
    periods: Periods,
) -> Change {
    let value = |sums: Option<&Sums>| match sums {
        Some(sums) => value(measure, sums),
        None => measure.is_sum().then_some(0),
    };
    let (va, vb) = (value(a), value(b));
    let significance = match (va, vb, a, b) {
        (Some(va), Some(vb), ..) if va == vb && periods.are_equal() => Certainty::Equal,
        (Some(va), Some(vb), ..) if measure == Measure::Open => of_counts(va, vb),
        (Some(va), Some(vb), ..) if !measure.is_time() => periods.of_counts(va, vb),
        (Some(_), Some(_), Some(a), Some(b)) => of_durations(measure, a, b, periods),
        (None, None, ..) => Certainty::Equal,
        // Only one of the reports has the target.
        _ => Certainty::Changed,
    };
    let large = match (va, vb) {
        (Some(va), Some(vb)) => !measure.is_time() || is_large(va, vb, noise),
        _ => true,
    };
    let certainty = match significance {
        Certainty::Changed | Certainty::TooFew if !large => Certainty::Noise,
        other => other,
    };
    Change {
        measure,
        a: va,
        b: vb,
        percent: va.zip(vb).and_then(|(a, b)| match measure {
            Measure::Open => percent(a, b),
            _ if measure.is_sum() => periods.percent(a, b),
            _ => percent(a, b),
        }),
        certainty,
        is_significant: significance == Certainty::Changed,
    }
}

fn value(measure: Measure, sums: &Sums) -> Option<u64> {
    match measure {
        Measure::Calls => Some(sums.calls),
        Measure::Failed => Some(sums.failed),
        Measure::Denied => Some(sums.denied),
        Measure::Open => Some(sums.open),
        Measure::Total => Some(sums.total_ns),
        Measure::Own => Some(sums.self_ns),
        Measure::Mean => sums.mean_ns(),
        Measure::P50 => sums.p50_ns,
        Measure::P90 => sums.p90_ns,
        Measure::P99 => sums.p99_ns,
        Measure::Max => sums.max_ns,
    }
}

fn of_durations(measure: Measure, a: &Sums, b: &Sums, periods: Periods) -> Certainty {
    let quantile = |p| of_times(Time::Quantile(p), a, b);
    match measure {
        Measure::P50 => quantile(0.5),
        Measure::P90 => quantile(0.9),
        Measure::P99 => quantile(0.99),
        // A sum changes with the calls or with their mean.
        Measure::Total | Measure::Own => {
            periods
                .of_counts(a.calls, b.calls)
                .min(of_times(Time::Mean, a, b))
        }
        // The longest call is a single one. It changed if the slow ones have.
        Measure::Max => match quantile(0.99) {
            Certainty::Changed => Certainty::Changed,
            _ => Certainty::TooFew,
        },
        _ => of_times(Time::Mean, a, b),
    }
}

/// What the measures of a target say about it.
fn verdicts(
    target: &DiffTarget,
    a: Option<&Sums>,
    b: Option<&Sums>,
    periods: Periods,
) -> Vec<Verdict> {
    let none = Sums::default();
    let used = |sums: &Sums| sums.calls > 0 || sums.denied > 0;
    let (was, is) = (a.unwrap_or(&none), b.unwrap_or(&none));
    let mut verdicts = Vec::new();
    let more = |before: u64, now: u64| {
        let (before, now) = periods.fair(before, now);
        of_counts(before, now) == Certainty::Changed && now > before
    };
    if is.failed > 0 && (was.failed == 0 || more(was.failed, is.failed)) {
        verdicts.push(Verdict::Failing);
    }
    if is.denied > 0 && was.denied == 0 {
        verdicts.push(Verdict::Denied);
    }
    if used(is) && !used(was) {
        verdicts.push(Verdict::New);
    } else if used(was) && !used(is) {
        verdicts.push(Verdict::Gone);
    } else {
        verdicts.extend(slower_or_faster(target, was, is));
        let calls = target.change(Measure::Calls);
        if calls.is_some_and(|change| change.certainty == Certainty::Changed) {
            let (before, now) = periods.fair(was.calls, is.calls);
            verdicts.push(if now > before {
                Verdict::Chattier
            } else {
                Verdict::Quieter
            });
        }
        if was.failed > 0 && is.failed == 0 && is.calls > 0 {
            verdicts.push(Verdict::Mended);
        }
        if verdicts.is_empty() && is_unclear(target, was, is) {
            verdicts.push(Verdict::Unclear);
        }
    }
    if verdicts.is_empty() {
        verdicts.push(Verdict::Same);
    }
    verdicts.sort_unstable();
    verdicts
}

fn slower_or_faster(target: &DiffTarget, was: &Sums, is: &Sums) -> Option<Verdict> {
    let measures = [Measure::Mean, Measure::P50, Measure::P99, Measure::P90];
    let changed = measures.into_iter().find_map(|measure| {
        let change = target.change(measure)?;
        let (a, b) = (change.a?, change.b?);
        // What comes together in the whole run if each call changed so.
        let calls = was.returned.max(is.returned) as f64;
        let share = match measure {
            Measure::P90 => 0.1,
            Measure::P99 => 0.01,
            _ => 1.0,
        };
        let stake = a.abs_diff(b) as f64 * calls * share;
        let counts = change.certainty == Certainty::Changed && stake >= LEAST_STAKE_NS as f64;
        counts.then_some((a, b))
    });
    changed.map(|(a, b)| {
        if b > a {
            Verdict::Slower
        } else {
            Verdict::Faster
        }
    })
}

/// Whether a few calls differ so much that a reader should know.
fn is_unclear(target: &DiffTarget, was: &Sums, is: &Sums) -> bool {
    let far = |a: u64, b: u64, times| a.max(b) >= a.min(b).saturating_mul(times);
    let longest = match (was.max_ns, is.max_ns) {
        (Some(a), Some(b)) => far(a, b, LONG_CALL_TIMES) && a.abs_diff(b) >= LONG_CALL_NS,
        _ => false,
    };
    let calls = target.change(Measure::Calls);
    let calls = calls.is_some_and(|change| change.certainty == Certainty::TooFew)
        && far(was.calls, is.calls, 2)
        && was.calls.abs_diff(is.calls) >= 5;
    longest || calls
}

/// What makes the two reports hard to compare.
fn remarks(a: &Report, b: &Report) -> Vec<String> {
    let mut remarks = Vec::new();
    let or = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".into());
    let base = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    for (what, in_a, in_b, so) in [
        (
            "program",
            base(&a.program),
            base(&b.program),
            "targets are paired by their names",
        ),
        (
            "source of crossings",
            or(&a.source),
            or(&b.source),
            "durations include another cost per call: record both with the same --source",
        ),
        (
            "scope",
            or(&a.scope),
            or(&b.scope),
            "what only one of them watched shows as new or gone",
        ),
        (
            "level",
            a.level.clone(),
            b.level.clone(),
            "durations include another cost per call, or are missing: record both alike",
        ),
        (
            "runtime",
            format!("{} {}", a.runtime.name, a.runtime.version),
            format!("{} {}", b.runtime.name, b.runtime.version),
            "the runtime itself may be the reason for a change",
        ),
    ] {
        if in_a != in_b {
            remarks.push(format!(
                "the {what} differs, {in_a} in A and {in_b} in B: {so}"
            ));
        }
    }
    if a.is_part() || b.is_part() {
        let part = |report: &Report| match report.is_part() {
            true => format!("{} of the life of its process", time(report.covers_ns())),
            false => format!("a whole run of {}", time(report.covers_ns())),
        };
        remarks.push(format!(
            "A covers {} and B {}: changes of counts and sums are those of their rates, and a \
             target that is new or gone may only have been called at another time",
            part(a),
            part(b)
        ));
    }
    for (name, report) in [("A", a), ("B", b)] {
        if report.ended == "running" {
            remarks.push(format!("{name} still runs: its numbers are those of now"));
        }
        if report.dropped > 0 {
            remarks.push(format!(
                "{name} had no room for {} crossings and records: --max-size gives it more",
                report.dropped
            ));
        }
    }
    remarks
}
