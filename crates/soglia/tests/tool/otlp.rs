//! `--otlp`: the metrics that a collector gets are those of the report.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value as Any};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, metric::Data, number_data_point::Value as Num,
};
use serde_json::Value;

use crate::support::receiver::{Got, Receiver};
use crate::support::{Served, Space, text};

/// Runs a program that sends to this URL.
pub fn run(space: &Space, url: &str, options: &str, program: &str, args: &str) -> Output {
    let options = format!("-q -o a.soglia --source woven --times exact --otlp {url} {options}");
    space.run(&options, program, args).output().unwrap()
}

/// Runs a program with four slow calls, two of them in a request.
pub fn run_requests(space: &Space, receiver: &Receiver) -> Output {
    run(
        space,
        &receiver.url(),
        "--slow 20ms",
        "passed.dll",
        "requests",
    )
}

pub fn said(output: &Output) -> String {
    text(&output.stderr)
}

/// Attributes as texts.
pub fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let one = |of: &KeyValue| {
        let value = match of.value.as_ref().unwrap().value.as_ref().unwrap() {
            Any::StringValue(text) => text.clone(),
            Any::IntValue(number) => number.to_string(),
            Any::BoolValue(truth) => truth.to_string(),
            other => panic!("{other:?}"),
        };
        (of.key.clone(), value)
    };
    let all: BTreeMap<_, _> = attributes.iter().map(one).collect();
    assert_eq!(all.len(), attributes.len(), "each once: {attributes:?}");
    all
}

/// Nanoseconds since 1970 of a time of day in a report, which has microseconds.
pub fn microseconds(time: &Value) -> i64 {
    let time: jiff::Timestamp = time.as_str().unwrap().parse().unwrap();
    time.as_microsecond()
}

/// The resource and the scope say what the program is and how it was recorded.
pub fn assert_named(resource: &[KeyValue], scope: &[KeyValue], report: &Value, service: &str) {
    let resource = texts(resource);
    let expected = [
        ("service.name", service.to_owned()),
        ("process.pid", report["pid"].to_string()),
        ("process.runtime.name", ".NET".to_owned()),
        (
            "process.runtime.version",
            report["runtime"]["version"].as_str().unwrap().to_owned(),
        ),
        ("os.type", "linux".to_owned()),
        ("telemetry.sdk.name", "soglia".to_owned()),
    ];
    for (key, value) in expected {
        assert_eq!(resource[key], value, "{key}");
    }
    assert_eq!(resource["service.instance.id"].len(), 36);
    assert!(!resource["host.name"].is_empty());
    let scope = texts(scope);
    for field in ["level", "times", "source"] {
        assert_eq!(
            scope[&format!("soglia.{field}")],
            report[field].as_str().unwrap()
        );
    }
}

pub fn assert_headers(got: &[Got]) {
    for got in got {
        assert_eq!(got.headers["content-type"], "application/x-protobuf");
        assert!(got.headers["user-agent"].starts_with("soglia/"), "{got:?}");
        assert!(
            ["/v1/metrics", "/v1/traces"].contains(&&*got.path),
            "{}",
            got.path
        );
    }
}

/// The metrics of a request, by name.
pub fn by_name(request: &ExportMetricsServiceRequest) -> BTreeMap<String, Metric> {
    let [of] = &request.resource_metrics[..] else {
        panic!()
    };
    let [scope] = &of.scope_metrics[..] else {
        panic!()
    };
    let metrics = scope.metrics.iter();
    metrics
        .map(|metric| (metric.name.clone(), metric.clone()))
        .collect()
}

/// The points of a metric that has numbers.
fn points(metric: &Metric) -> &[NumberDataPoint] {
    match metric.data.as_ref().unwrap() {
        Data::Sum(sum) => {
            let cumulative = AggregationTemporality::Cumulative as i32;
            assert_eq!(sum.aggregation_temporality, cumulative, "{}", metric.name);
            assert_eq!(
                sum.is_monotonic,
                is_counter(&metric.name),
                "{}",
                metric.name
            );
            &sum.data_points
        }
        Data::Gauge(gauge) => {
            assert!(!is_counter(&metric.name), "{}", metric.name);
            &gauge.data_points
        }
        other => panic!("{other:?}"),
    }
}

fn is_counter(name: &str) -> bool {
    let of_targets = [
        "calls",
        "time",
        "self_time",
        "timed",
        "failed",
        "refused",
        "abandoned",
    ];
    let is_it = |of: &&str| name == format!("soglia.native.{of}");
    of_targets.iter().any(is_it) || ["soglia.lost", "soglia.faults"].contains(&name)
}

fn amount(point: &NumberDataPoint) -> f64 {
    match point.value.as_ref().unwrap() {
        Num::AsDouble(number) => *number,
        Num::AsInt(number) => *number as f64,
    }
}

pub type Sums = BTreeMap<[String; 3], f64>;

/// What tells a target from others.
fn key(attributes: &[KeyValue]) -> [String; 3] {
    let attributes = texts(attributes);
    assert_eq!(attributes.len(), 3);
    ["target", "assembly", "direction"].map(|part| attributes[part].clone())
}

pub fn sums(metric: &Metric) -> Sums {
    let points = points(metric).iter();
    points
        .map(|point| (key(&point.attributes), amount(point)))
        .collect()
}

/// The same of the report.
pub fn of_report(report: &Value, field: &str) -> Sums {
    let mut sums = Sums::new();
    for row in report["targets"].as_array().unwrap() {
        let part = |field: &str| row[field].as_str().unwrap_or_default();
        let name = match part("library") {
            "" => part("method").to_owned(),
            library => format!("{library}!{}", part("entry")),
        };
        let key = [
            name,
            part("assembly").to_owned(),
            part("direction").to_owned(),
        ];
        *sums.entry(key).or_default() += row[field].as_u64().unwrap() as f64;
    }
    sums
}

fn assert_seconds(found: &Sums, ns: &Sums) {
    assert_eq!(found.len(), ns.len());
    for (key, seconds) in found {
        let exact = ns[key];
        assert!(
            (seconds * 1e9 - exact).abs() <= exact * 1e-3 + 1.0,
            "{key:?}: {seconds}, {exact}"
        );
    }
}

#[test]
fn the_last_metrics_are_those_of_the_report() {
    let (space, receiver) = (Space::new(), Receiver::new());
    let mut command = space.run(
        &format!("-q -o a.soglia --times exact --otlp {}", receiver.url()),
        "sqlitedemo.dll",
        "2000",
    );
    command
        .env("OTEL_SERVICE_NAME", "shop")
        .env(
            "OTEL_RESOURCE_ATTRIBUTES",
            "host.name=m1,deployment.environment.name=a%20b",
        )
        .env("OTEL_EXPORTER_OTLP_HEADERS", "api-key=k1")
        .env("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "api-key=k2");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let report = space.recording("a.soglia").json("");
    for got in receiver.got() {
        let expected = if got.path == "/v1/metrics" {
            "k2"
        } else {
            "k1"
        };
        assert_eq!(got.headers["api-key"], expected);
    }
    let request = receiver.metrics().pop().unwrap();
    let of = &request.resource_metrics[0];
    let resource = &of.resource.as_ref().unwrap().attributes;
    let scope = of.scope_metrics[0].scope.as_ref().unwrap();
    assert_named(resource, &scope.attributes, &report, "shop");
    let resource = texts(resource);
    assert_eq!(resource["host.name"], "m1");
    assert_eq!(resource["deployment.environment.name"], "a b");
    let metrics = by_name(&request);
    for (name, field) in [
        ("calls", "calls"),
        ("timed", "timed_calls"),
        ("failed", "failed"),
        ("refused", "refused"),
        ("abandoned", "abandoned"),
        ("open", "open"),
    ] {
        let metric = &metrics[&format!("soglia.native.{name}")];
        assert_eq!(metric.unit, "{call}");
        assert_eq!(sums(metric), of_report(&report, field), "{name}");
    }
    for (name, field) in [("time", "total_ns"), ("self_time", "self_ns")] {
        let metric = &metrics[&format!("soglia.native.{name}")];
        assert_eq!(metric.unit, "s");
        assert_seconds(&sums(metric), &of_report(&report, field));
    }
    let duration = &metrics["soglia.native.duration"];
    let Some(Data::Histogram(histogram)) = &duration.data else {
        panic!()
    };
    assert_eq!(duration.unit, "s");
    assert_eq!(
        histogram.aggregation_temporality,
        AggregationTemporality::Cumulative as i32
    );
    let (mut counts, mut totals) = (Sums::new(), Sums::new());
    for point in &histogram.data_points {
        assert_eq!(
            (point.explicit_bounds.len(), point.bucket_counts.len()),
            (16, 17)
        );
        assert!(point.explicit_bounds.is_sorted());
        assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count);
        let (min, max) = (point.min.unwrap(), point.max.unwrap());
        let sum = point.sum.unwrap();
        assert!(min * point.count as f64 <= sum && sum <= max * point.count as f64);
        counts.insert(key(&point.attributes), point.count as f64);
        totals.insert(key(&point.attributes), sum);
    }
    assert_eq!(counts, of_report(&report, "returned"));
    assert_seconds(&totals, &of_report(&report, "total_ns"));
    let tasks: f64 = points(&metrics["soglia.tasks"]).iter().map(amount).sum();
    assert_eq!(tasks, report["tasks"].as_array().unwrap().len() as f64);
    assert_eq!(amount(&points(&metrics["soglia.process.running"])[0]), 0.0);
    let started = microseconds(&report["time"]);
    let of_start = amount(&points(&metrics["soglia.process.start_time"])[0]) * 1e6;
    assert!(
        (of_start - started as f64).abs() < 1000.0,
        "{of_start}, {started}"
    );
}

#[test]
fn exports_go_on_from_the_same_start_and_only_grow() {
    let (space, receiver) = (Space::new(), Receiver::new());
    let options = format!("-q -o a.soglia --otlp {}", receiver.url());
    let mut command = space.run(&options, "served.dll", "--busy");
    command.env("OTEL_METRIC_EXPORT_INTERVAL", "20");
    let mut served = Served::start_command(&space, &mut command);
    receiver.wait_for("/v1/metrics", 10);
    served.stop();
    served.go();
    served.end();
    let mut before: BTreeMap<String, f64> = BTreeMap::new();
    let (mut start, mut last) = (None, 0);
    let exports = receiver.metrics();
    assert!(exports.len() > 10);
    for request in &exports {
        let mut times = BTreeSet::new();
        for (name, metric) in by_name(request) {
            if let Some(Data::Histogram(histogram)) = &metric.data {
                for point in &histogram.data_points {
                    times.insert((point.start_time_unix_nano, point.time_unix_nano));
                    let series = format!("{name} {:?}", key(&point.attributes));
                    let least = before.insert(series.clone(), point.count as f64);
                    assert!(
                        least.is_none_or(|least| least <= point.count as f64),
                        "{series}"
                    );
                }
                continue;
            }
            for point in points(&metric) {
                times.insert((point.start_time_unix_nano, point.time_unix_nano));
                if is_counter(&name) {
                    let series = format!("{name} {:?}", texts(&point.attributes));
                    let least = before.insert(series.clone(), amount(point));
                    assert!(least.is_none_or(|least| least <= amount(point)), "{series}");
                }
            }
        }
        let times: Vec<_> = times.into_iter().collect();
        let [(from, at)] = times[..] else {
            panic!("{times:?}")
        };
        assert_eq!(*start.get_or_insert(from), from, "all have one start");
        assert!(from < at && last < at, "{last}, then {at}");
        last = at;
    }
}

#[test]
fn a_process_that_is_attached_to_keeps_its_service() {
    let (space, receiver) = (Space::new(), Receiver::new());
    let mut served = Served::start(&space, "", &[("OTEL_SERVICE_NAME", "its own")]);
    let attached = served.attach("a.soglia", &format!("-q --otlp {}", receiver.url()));
    served.stop();
    let report = attached.let_go();
    assert!(!report.contains("otlp"), "{report}");
    let report = space.recording("a.soglia").json("");
    let metrics = receiver.metrics();
    let of = &metrics.last().unwrap().resource_metrics[0];
    let resource = texts(&of.resource.as_ref().unwrap().attributes);
    assert_eq!(resource["service.name"], "its own");
    let metrics = by_name(metrics.last().unwrap());
    assert_eq!(
        sums(&metrics["soglia.native.calls"]),
        of_report(&report, "calls")
    );
    served.go();
    served.end();
}
