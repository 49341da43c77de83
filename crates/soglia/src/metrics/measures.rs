//! The name, unit and meaning of each figure, for all formats.
//!
//! Names are those of OpenTelemetry. Prometheus gets the names that OpenTelemetry's collector makes
//! of them: `soglia.native.time` in seconds is `soglia_native_time_seconds_total`.

use super::{
    keeper::Process,
    row::{BOUNDS_NS, Row},
};

/// A figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// A number of things.
    Count(u64),
    /// Nanoseconds, to be shown as seconds.
    Ns(u64),
}

impl Amount {
    /// As seconds, or as the number.
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Count(count) => count as f64,
            Self::Ns(ns) => seconds(ns),
        }
    }
}

/// Nanoseconds as seconds.
pub fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}

/// What a figure does from look to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// A sum that grows and falls.
    UpDown,
    /// A state.
    Gauge,
}

/// A label and its value.
pub type Label = (&'static str, &'static str);

/// Values with their labels, if they have some of their own.
pub type Values = Vec<(Option<Label>, Amount)>;

/// A kind of figure.
pub struct Measure<T> {
    /// Its name, without `soglia.` in front.
    pub name: &'static str,
    /// The unit as OpenTelemetry writes it: `s`, or a thing in braces.
    pub unit: &'static str,
    /// What it does.
    pub kind: Kind,
    /// What it means.
    pub help: &'static str,
    /// Its values.
    pub of: fn(&T) -> Values,
}

impl<T> Measure<T> {
    /// Whether it is a time.
    pub const fn is_in_seconds(&self) -> bool {
        matches!(self.unit.as_bytes(), b"s")
    }
}

fn one(amount: Amount) -> Values {
    vec![(None, amount)]
}

fn count(count: u64) -> Values {
    one(Amount::Count(count))
}

/// A time, if times were recorded.
fn time(row: &Row, ns: u64) -> Values {
    let times = row.is_timed.then_some((None, Amount::Ns(ns)));
    times.into_iter().collect()
}

/// The histogram of the durations of a target's calls, which has a form of its own.
pub const DURATION: Measure<Row> = Measure {
    name: "native.duration",
    unit: "s",
    kind: Kind::Counter,
    help: "Durations of calls that returned, with what was nested in them. The counts of buckets \
           are exact to 6 % in time, and estimates where native.timed is less than the count",
    of: |row| time(row, row.time_ns),
};

/// The figures of a target.
pub const TARGETS: [Measure<Row>; 10] = [
    Measure {
        name: "native.calls",
        unit: "{call}",
        kind: Kind::Counter,
        help: "Calls that began: forward from managed to native code, reverse for callbacks",
        of: |row| count(row.calls),
    },
    Measure {
        name: "native.time",
        unit: "s",
        kind: Kind::Counter,
        help: "Time in calls that returned, with what was nested in them. An estimate where \
               native.time.error is above 0",
        of: |row| time(row, row.time_ns),
    },
    Measure {
        name: "native.self_time",
        unit: "s",
        kind: Kind::Counter,
        help: "Time in calls that returned, without what was nested in them. An estimate where \
               native.time.error is above 0",
        of: |row| time(row, row.self_ns),
    },
    Measure {
        name: "native.time.error",
        unit: "s",
        kind: Kind::Gauge,
        help: "Standard error of native.time. 0: all calls were timed, and the time is exact",
        of: |row| time(row, row.variance.sqrt() as u64),
    },
    Measure {
        name: "native.timed",
        unit: "{call}",
        kind: Kind::Counter,
        help: "Calls that returned and were timed. Where these are fewer than the calls that \
               returned, times are estimates",
        of: |row| count(row.timed),
    },
    Measure {
        name: "native.failed",
        unit: "{call}",
        kind: Kind::Counter,
        help: "Calls that ended by an exception",
        of: |row| count(row.failed),
    },
    Measure {
        name: "native.refused",
        unit: "{call}",
        kind: Kind::Counter,
        help: "Calls that a policy denied. They are not among native.calls",
        of: |row| count(row.refused),
    },
    Measure {
        name: "native.abandoned",
        unit: "{call}",
        kind: Kind::Counter,
        help: "Calls that an exception, a longjmp or the end of a thread unwound past",
        of: |row| count(row.abandoned),
    },
    Measure {
        name: "native.open",
        unit: "{call}",
        kind: Kind::UpDown,
        help: "Calls that have not returned",
        of: |row| count(row.open),
    },
    Measure {
        name: "native.open.longest",
        unit: "s",
        kind: Kind::Gauge,
        help: "How long the longest call that has not returned has lasted",
        of: |row| time(row, row.open_longest_ns),
    },
];

/// The figures of the process.
pub const PROCESS: [Measure<Process>; 10] = [
    Measure {
        name: "process.running",
        unit: "",
        kind: Kind::Gauge,
        help: "1 while the recorded process runs",
        of: |process| count(process.figures.runs.into()),
    },
    Measure {
        name: "process.start_time",
        unit: "s",
        kind: Kind::Gauge,
        help: "When the recording of the process began, in seconds since 1970",
        of: |process| one(Amount::Ns(process.started_ns)),
    },
    Measure {
        name: "tasks",
        unit: "{thread}",
        kind: Kind::UpDown,
        help: "Threads that crossed between managed and native code",
        of: |process| {
            let tasks = &process.figures.tasks;
            let ended = tasks.iter().filter(|task| task.ended).count() as u64;
            let alive = tasks.len() as u64 - ended;
            vec![
                (Some(("state", "alive")), Amount::Count(alive)),
                (Some(("state", "ended")), Amount::Count(ended)),
            ]
        },
    },
    Measure {
        name: "depth",
        unit: "{call}",
        kind: Kind::Gauge,
        help: "The most calls and callbacks that are open on one thread now",
        of: |process| count(process.figures.depth),
    },
    Measure {
        name: "depth.max",
        unit: "{call}",
        kind: Kind::Gauge,
        help: "The most calls and callbacks that were ever open on one thread",
        of: |process| {
            let depths = process.figures.tasks.iter();
            let deepest = depths.filter_map(|task| task.max_depth).max();
            count(deepest.unwrap_or(0).into())
        },
    },
    Measure {
        name: "faults",
        unit: "{crossing}",
        kind: Kind::Counter,
        help: "Crossings that did not nest, by kind",
        of: |process| {
            let faults = process.figures.faults.iter();
            let fault = |fault: &crate::model::FaultRow| {
                (Some(("kind", fault.kind)), Amount::Count(fault.count))
            };
            faults.map(fault).collect()
        },
    },
    Measure {
        name: "lost",
        unit: "{record}",
        kind: Kind::Counter,
        help: "What the recording had no room for: crossings that are counted nowhere, events of \
               crossings that are counted, and records such as slow calls and stacks",
        of: |process| {
            let of = &process.figures;
            let lost = [
                ("crossings", of.dropped_crossings),
                ("events", of.dropped_events),
                ("records", of.dropped_records),
            ];
            let lost = lost.map(|(what, n)| (Some(("what", what)), Amount::Count(n)));
            lost.into()
        },
    },
    Measure {
        name: "incomplete",
        unit: "",
        kind: Kind::Gauge,
        help: "1 if calls are missing in these figures, 0 if all that was watched is in them",
        of: |process| {
            let of = &process.figures;
            let is_incomplete = of.dropped_crossings > 0 || of.targets_left_out > 0;
            count(is_incomplete.into())
        },
    },
    Measure {
        name: "targets",
        unit: "{target}",
        kind: Kind::Gauge,
        help: "Targets that have series of their own",
        of: |process| count(process.shown),
    },
    Measure {
        name: "targets.cut",
        unit: "{target}",
        kind: Kind::Gauge,
        help: "Targets that are summed up in the target `other`, since there were too many",
        of: |process| count(process.cut),
    },
];

/// The bounds of [`DURATION`] in seconds.
pub fn bounds() -> [f64; BOUNDS_NS.len()] {
    BOUNDS_NS.map(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_the_documents() {
        let document = include_str!("../../../../docs/metrics.md");
        let targets = TARGETS.iter().chain([&DURATION]).map(|of| of.name);
        let all: Vec<&str> = targets.chain(PROCESS.iter().map(|of| of.name)).collect();
        let unique: std::collections::HashSet<&&str> = all.iter().collect();
        assert_eq!(unique.len(), all.len());
        for name in all {
            let row = format!("| `soglia.{name}` |");
            assert!(document.contains(&row), "docs/metrics.md has no {row}");
        }
    }
}
