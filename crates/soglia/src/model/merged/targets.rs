//! The targets of several processes: two are the same if their names are.

use std::{cmp::Reverse, collections::HashMap};

use super::super::{
    callers, histogram,
    key::Key,
    rows::{CallerRow, TargetRow},
};

/// What must be equal beside the names.
type Also = (Option<String>, bool);

/// The targets so far.
#[derive(Debug, Default)]
pub(super) struct Targets {
    places: HashMap<(Key, Also), usize>,
    rows: Vec<Sum>,
}

/// A target of some processes.
#[derive(Debug)]
struct Sum {
    row: TargetRow,
    /// The squares of the standard errors of the total and of the own time.
    variances: [f64; 2],
}

impl Targets {
    /// Adds the target of one process.
    pub(super) fn add(&mut self, row: TargetRow) {
        let also = (row.redirected_to.clone(), row.runtime_internal);
        let key = (Key::of(row.parts()), also);
        match self.places.get(&key) {
            Some(place) => self.rows[*place].add(row),
            None => {
                self.places.insert(key, self.rows.len());
                self.rows.push(Sum {
                    variances: variances(&row),
                    row,
                });
            }
        }
    }

    /// One row per target, longest total first. `lived_ns` is the time that all processes ran.
    pub(super) fn rows(self, lived_ns: u64) -> Vec<TargetRow> {
        let rows = self.rows.into_iter().map(|sum| sum.done(lived_ns));
        let mut rows: Vec<TargetRow> = rows.collect();
        rows.sort_by_key(|row| Reverse(row.total_ns));
        rows
    }
}

/// The squares of the standard errors of a row.
fn variances(row: &TargetRow) -> [f64; 2] {
    [row.total_ns_se, row.self_ns_se].map(|error| (error.unwrap_or(0) as f64).powi(2))
}

impl Sum {
    /// Adds the calls of another process.
    fn add(&mut self, other: TargetRow) {
        let variances = variances(&other);
        for (mine, theirs) in self.variances.iter_mut().zip(variances) {
            *mine += theirs;
        }
        let row = &mut self.row;
        for (mine, theirs) in [
            (&mut row.calls, other.calls),
            (&mut row.returned, other.returned),
            (&mut row.open, other.open),
            (&mut row.abandoned, other.abandoned),
            (&mut row.failed, other.failed),
            (&mut row.untimed, other.untimed),
            (&mut row.refused, other.refused),
            (&mut row.total_ns, other.total_ns),
            (&mut row.self_ns, other.self_ns),
            (&mut row.timed_calls, other.timed_calls),
            (&mut row.tasks, other.tasks),
            (&mut row.busy_ns, other.busy_ns),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        row.total_ns_se = row.total_ns_se.or(other.total_ns_se);
        row.self_ns_se = row.self_ns_se.or(other.self_ns_se);
        row.min_ns = [row.min_ns, other.min_ns].into_iter().flatten().min();
        row.max_ns = row.max_ns.max(other.max_ns);
        if other.open_max_ns > row.open_max_ns {
            (row.open_max_ns, row.open_at_least) = (other.open_max_ns, other.open_at_least);
        }
        histogram::add(&mut row.histogram, &other.histogram);
        // The place of the function is a fact only if all processes agree on it.
        for (mine, theirs) in [
            (&mut row.address, &other.address),
            (&mut row.file, &other.file),
            (&mut row.offset, &other.offset),
            (&mut row.symbol, &other.symbol),
        ] {
            if mine != theirs {
                *mine = None;
            }
        }
        row.signature = row.signature.take().or(other.signature);
        row.suppresses_gc_transition |= other.suppresses_gc_transition;
        row.sets_last_error |= other.sets_last_error;
        add_callers(&mut row.callers, other.callers);
        if row.first_caller.is_empty() {
            row.first_caller = other.first_caller;
        }
        row.processes.extend(other.processes);
    }

    /// The row of all processes.
    fn done(self, lived_ns: u64) -> TargetRow {
        let Self { row, variances } = self;
        let error =
            |known: Option<u64>, variance: f64| known.map(|_| variance.sqrt().ceil() as u64);
        let bounds = (row.min_ns.unwrap_or(0), row.max_ns.unwrap_or(0));
        let percentile = histogram::percentiles(histogram::middles(&row.histogram), bounds);
        let own = (row.returned > 0).then_some(row.self_ns);
        let mut callers = row.callers;
        callers.sort_by_key(|row| Reverse(row.calls));
        callers.truncate(callers::MOST);
        TargetRow {
            total_ns_se: error(row.total_ns_se, variances[0]),
            self_ns_se: error(row.self_ns_se, variances[1]),
            mean_ns: row
                .min_ns
                .and_then(|_| row.total_ns.checked_div(row.returned)),
            p50_ns: percentile.map(|p| p[0]),
            p90_ns: percentile.map(|p| p[1]),
            p99_ns: percentile.map(|p| p[2]),
            // Of several processes, no call is the first one.
            first_call_ns: None,
            share_of_run: own.and_then(|own| super::super::targets::part(own, lived_ns)),
            callers,
            ..row
        }
    }
}

/// Callers with equal stacks are one.
fn add_callers(callers: &mut Vec<CallerRow>, others: Vec<CallerRow>) {
    for other in others {
        match callers.iter_mut().find(|row| row.stack == other.stack) {
            Some(row) => row.calls = row.calls.saturating_add(other.calls),
            None => callers.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Bucket, ShareRow};

    fn target(entry: &str, process: u32, calls: u64, total_ns: u64) -> TargetRow {
        TargetRow {
            direction: "forward",
            library: Some("z".into()),
            entry: Some(entry.into()),
            address: Some(format!("0x{process}000")),
            file: Some("/lib/libz.so.1".into()),
            calls,
            returned: calls,
            total_ns,
            self_ns: total_ns,
            min_ns: Some(10 * u64::from(process)),
            max_ns: Some(1000 * u64::from(process)),
            histogram: vec![Bucket {
                from_ns: 96,
                to_ns: 104,
                calls,
            }],
            callers: vec![CallerRow {
                stack: vec!["A.B".into()],
                calls,
            }],
            processes: vec![ShareRow {
                process,
                calls,
                total_ns,
                self_ns: total_ns,
            }],
            ..TargetRow::default()
        }
    }

    #[test]
    fn equal_names_are_one_target() {
        let mut all = Targets::default();
        for row in [
            target("f", 1, 3, 600),
            target("g", 1, 1, 50),
            target("f", 2, 1, 400),
        ] {
            all.add(row);
        }
        let rows = all.rows(10_000);
        assert_eq!(rows.len(), 2);
        let of = &rows[0];
        assert_eq!((of.calls, of.total_ns, of.mean_ns), (4, 1000, Some(250)));
        assert_eq!(
            (of.min_ns, of.max_ns, of.p50_ns),
            (Some(10), Some(2000), Some(100))
        );
        assert_eq!(of.histogram[0].calls, 4);
        assert_eq!(of.share_of_run, Some(0.1));
        // It lies in the same file, at another address.
        assert_eq!(
            (&of.address, of.file.as_deref()),
            (&None, Some("/lib/libz.so.1"))
        );
        let shares: Vec<_> = of
            .processes
            .iter()
            .map(|of| (of.process, of.calls))
            .collect();
        assert_eq!(shares, [(1, 3), (2, 1)]);
        assert_eq!((of.callers.len(), of.callers[0].calls), (1, 4));
    }

    #[test]
    fn errors_add_up_by_their_squares() {
        let estimated = |process, error| TargetRow {
            total_ns_se: error,
            ..target("f", process, 1, 1000)
        };
        let mut all = Targets::default();
        for (process, error) in [(1, Some(3)), (2, None), (3, Some(4))] {
            all.add(estimated(process, error));
        }
        let row = all.rows(1).remove(0);
        assert_eq!((row.total_ns_se, row.self_ns_se), (Some(5), None));
    }

    #[test]
    fn redirected_calls_are_other_targets() {
        let mut all = Targets::default();
        all.add(target("f", 1, 1, 1));
        all.add(TargetRow {
            redirected_to: Some("libother.so".into()),
            ..target("f", 2, 1, 1)
        });
        assert_eq!(all.rows(1).len(), 2);
    }
}
