//! The figures as messages of OpenTelemetry: cumulative sums, states and histograms.

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::KeyValue,
    metrics::v1::{
        AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, metric::Data, number_data_point::Value,
    },
};

use super::{
    resource::{SCHEMA, resource, scope, text},
    settings::Settings,
    spans::unix_ns,
};
use crate::metrics::{
    Amount, DURATION, Kind, Measure, PROCESS, Process, Row, Snapshot, TARGETS, bounds, seconds,
};

/// When the figures began, and the moment of these.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    now: u64,
}

/// All figures of a moment. `None` before there are any.
pub fn request(settings: &Settings, snapshot: &Snapshot) -> Option<ExportMetricsServiceRequest> {
    let process = snapshot.process.as_ref()?;
    let span = Span {
        start: process.started_ns,
        now: unix_ns(snapshot.at),
    };
    let of_process = PROCESS
        .iter()
        .map(|measure| of_process(measure, process, span));
    let of_targets = TARGETS
        .iter()
        .map(|measure| of_rows(measure, &snapshot.rows, span));
    let metrics = of_process.chain(of_targets).flatten();
    let scope_metrics = ScopeMetrics {
        scope: Some(scope(&process.figures)),
        metrics: metrics.chain(durations(&snapshot.rows, span)).collect(),
        schema_url: SCHEMA.to_owned(),
    };
    Some(ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource(settings, &process.figures)),
            scope_metrics: vec![scope_metrics],
            schema_url: SCHEMA.to_owned(),
        }],
    })
}

fn of_process(measure: &Measure<Process>, of: &Process, span: Span) -> Option<Metric> {
    let points = (measure.of)(of).into_iter().map(|(label, amount)| {
        let label = label.map(|(key, value)| text(key, value));
        point(label.into_iter().collect(), amount, span)
    });
    metric(measure, points.collect())
}

fn of_rows(measure: &Measure<Row>, rows: &[Row], span: Span) -> Option<Metric> {
    let points = rows.iter().flat_map(|row| {
        let amounts = (measure.of)(row).into_iter();
        amounts.map(move |(_, amount)| point(labels(row), amount, span))
    });
    metric(measure, points.collect())
}

/// The attributes of a target.
fn labels(row: &Row) -> Vec<KeyValue> {
    let all = [
        text("target", &*row.key.target),
        text("assembly", &*row.key.assembly),
        text("direction", row.key.direction),
    ];
    all.into()
}

fn point(attributes: Vec<KeyValue>, amount: Amount, span: Span) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: span.start,
        time_unix_nano: span.now,
        value: Some(match amount {
            Amount::Count(count) => Value::AsInt(i64::try_from(count).unwrap_or(i64::MAX)),
            Amount::Ns(ns) => Value::AsDouble(seconds(ns)),
        }),
        ..NumberDataPoint::default()
    }
}

fn metric<T>(measure: &Measure<T>, data_points: Vec<NumberDataPoint>) -> Option<Metric> {
    if data_points.is_empty() {
        return None;
    }
    let sum = |data_points, is_monotonic| {
        Data::Sum(Sum {
            data_points,
            aggregation_temporality: AggregationTemporality::Cumulative.into(),
            is_monotonic,
        })
    };
    let data = match measure.kind {
        Kind::Counter => sum(data_points, true),
        Kind::UpDown => sum(data_points, false),
        Kind::Gauge => Data::Gauge(Gauge { data_points }),
    };
    Some(named(measure, data))
}

fn named<T>(measure: &Measure<T>, data: Data) -> Metric {
    Metric {
        name: format!("soglia.{}", measure.name),
        description: format!("{}.", measure.help),
        unit: measure.unit.to_owned(),
        data: Some(data),
        ..Metric::default()
    }
}

fn durations(rows: &[Row], span: Span) -> Option<Metric> {
    let data_points: Vec<HistogramDataPoint> = rows
        .iter()
        .filter(|row| row.is_timed)
        .map(|row| HistogramDataPoint {
            attributes: labels(row),
            start_time_unix_nano: span.start,
            time_unix_nano: span.now,
            count: row.returned(),
            sum: Some(seconds(row.time_ns)),
            bucket_counts: row.counts().into(),
            explicit_bounds: bounds().into(),
            min: row.min_ns.map(seconds),
            max: row.max_ns.map(seconds),
            ..HistogramDataPoint::default()
        })
        .collect();
    let data = Data::Histogram(Histogram {
        data_points,
        aggregation_temporality: AggregationTemporality::Cumulative.into(),
    });
    rows.iter()
        .any(|row| row.is_timed)
        .then(|| named(&DURATION, data))
}
