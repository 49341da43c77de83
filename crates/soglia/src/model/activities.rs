//! The slow calls by what their threads were working on.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use serde::Serialize;

use super::rows::SlowRow;

/// The most targets that a row names.
const MOST_TARGETS: usize = 5;

/// Slow calls that were made for one route, or in activities of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ActivityRow {
    /// The route. `None` if the activities have none.
    pub route: Option<String>,
    /// The name of the activities' operation, for those without a route. With `route`, `None`:
    /// calls made in no activity.
    pub activity: Option<String>,
    /// The number of slow calls.
    pub calls: u64,
    /// The number of traces that they belong to.
    pub traces: u64,
    /// The time that threads spent in these calls. A call inside another one does not count twice.
    pub total_ns: u64,
    /// The longest call.
    pub max_ns: u64,
    /// The trace of the longest call.
    pub longest_trace_id: Option<String>,
    /// The names of the targets, most time first, at most five.
    pub targets: Vec<String>,
}

/// Sums up slow calls of native functions whose arguments were recorded.
pub(super) fn rows(slow: &[SlowRow]) -> Vec<ActivityRow> {
    let mut groups: BTreeMap<_, Vec<&SlowRow>> = BTreeMap::new();
    let native = |row: &&SlowRow| row.direction != "reverse";
    let recorded = slow.iter().filter(|row| row.args.is_some());
    for row in recorded.filter(native) {
        let route = row.request.route.as_deref();
        let activity = row.request.activity.as_deref().filter(|_| route.is_none());
        groups.entry((route, activity)).or_default().push(row);
    }
    if groups.keys().all(|key| *key == (None, None)) {
        return Vec::new();
    }
    let row = |((route, activity), calls): ((Option<&str>, Option<&str>), Vec<&SlowRow>)| {
        let longest = calls.iter().max_by_key(|call| call.duration_ns);
        let traces = calls
            .iter()
            .filter_map(|call| call.request.trace_id.as_ref());
        ActivityRow {
            route: route.map(str::to_owned),
            activity: activity.map(str::to_owned),
            calls: calls.len() as u64,
            traces: traces.collect::<BTreeSet<_>>().len() as u64,
            total_ns: total(&calls),
            max_ns: longest.map_or(0, |call| call.duration_ns),
            longest_trace_id: longest.and_then(|call| call.request.trace_id.clone()),
            targets: targets(&calls),
        }
    };
    let mut rows: Vec<ActivityRow> = groups.into_iter().map(row).collect();
    rows.sort_by_key(|row| Reverse(row.total_ns));
    rows
}

/// The time that threads spent in these calls.
fn total(calls: &[&SlowRow]) -> u64 {
    let thread = |row: &SlowRow| (row.process, row.task);
    let calls = calls.iter().map(|row| (thread(row), row.began, row));
    let mut calls: Vec<_> = calls.collect();
    calls.sort_by_key(|(thread, began, row)| (*thread, *began, Reverse(row.returned)));
    let (mut total, mut outer) = (0_u64, None);
    for (thread, began, row) in calls {
        // Calls of one thread nest, so this one is inside the outer one or behind it.
        if outer.is_some_and(|(of, until)| of == thread && began < until) {
            continue;
        }
        outer = Some((thread, row.returned));
        total = total.saturating_add(row.duration_ns);
    }
    total
}

fn targets(calls: &[&SlowRow]) -> Vec<String> {
    let mut by_name: BTreeMap<&str, u64> = BTreeMap::new();
    for call in calls {
        let sum = by_name.entry(&call.target).or_default();
        *sum = sum.saturating_add(call.duration_ns);
    }
    let mut targets: Vec<_> = by_name.into_iter().collect();
    targets.sort_by_key(|(_, time)| Reverse(*time));
    let names = targets.into_iter().map(|(name, _)| name.to_owned());
    names.take(MOST_TARGETS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RequestRow;

    fn call(target: &str, task: u32, began: u64, took: u64, trace: &str) -> SlowRow {
        SlowRow {
            target: target.to_owned(),
            task,
            began,
            returned: began + took,
            duration_ns: took,
            args: Some(Vec::new()),
            request: RequestRow {
                trace_id: Some(trace.to_owned()),
                activity: Some("GET".to_owned()),
                ..RequestRow::default()
            },
            ..SlowRow::default()
        }
    }

    fn routed(route: &str, call: SlowRow) -> SlowRow {
        let request = RequestRow {
            route: Some(route.to_owned()),
            ..call.request
        };
        SlowRow { request, ..call }
    }

    #[test]
    fn calls_are_summed_up_by_route_and_else_by_activity() {
        let none = SlowRow {
            request: RequestRow::default(),
            ..call("f", 3, 0, 1, "")
        };
        let unknown = SlowRow {
            args: None,
            ..call("f", 4, 0, 1000, "a")
        };
        let slow = [
            routed("/a", call("outer", 1, 0, 100, "a")),
            routed("/a", call("inner", 1, 10, 50, "a")),
            routed("/a", call("inner", 2, 10, 60, "b")),
            call("f", 1, 200, 40, "c"),
            none,
            unknown,
        ];
        let rows = rows(&slow);
        let sums: Vec<_> = rows
            .iter()
            .map(|row| {
                let name = row.route.as_deref().or(row.activity.as_deref());
                (name, row.calls, row.traces, row.total_ns, row.max_ns)
            })
            .collect();
        assert_eq!(
            sums,
            [
                (Some("/a"), 3, 2, 160, 100),
                (Some("GET"), 1, 1, 40, 40),
                (None, 1, 0, 1, 1)
            ]
        );
        assert_eq!(rows[0].targets, ["inner", "outer"]);
        assert_eq!(rows[0].longest_trace_id.as_deref(), Some("a"));
    }

    #[test]
    fn without_activities_there_are_no_rows() {
        let plain = SlowRow {
            request: RequestRow::default(),
            ..call("f", 1, 0, 1, "")
        };
        assert_eq!(rows(&[plain]), []);
        assert_eq!(rows(&[]), []);
    }
}
