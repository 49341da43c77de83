//! The texts of Prometheus and of OpenMetrics.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet, prometheus_text, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::{Registry, Unit},
};

use super::{
    keeper::{Process, Snapshot},
    measures::{Amount, DURATION, Kind, Measure, PROCESS, TARGETS, bounds, seconds},
    row::Row,
};

/// A format of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `text/plain; version=0.0.4`.
    Prometheus,
    /// `application/openmetrics-text; version=1.0.0`.
    OpenMetrics,
}

impl Format {
    /// The format that the value of an `Accept` header asks for. Without one, that of Prometheus.
    pub fn accepted(accept: &str) -> Self {
        let mut best = (0.0, Self::Prometheus);
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let format = match parts.next().unwrap_or_default() {
                kind if kind.eq_ignore_ascii_case("application/openmetrics-text") => {
                    Self::OpenMetrics
                }
                kind if ["text/plain", "text/*", "*/*"].contains(&&*kind.to_ascii_lowercase()) => {
                    Self::Prometheus
                }
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight = weight.map_or(1.0, |weight| weight.trim().parse().unwrap_or(0.0));
            if weight > best.0 {
                best = (weight, format);
            }
        }
        best.1
    }

    /// The value of the `Content-Type` header.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Prometheus => prometheus_text::CONTENT_TYPE,
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The text.
    ///
    /// # Errors
    /// Writing into memory does not fail.
    pub fn write(self, snapshot: Arc<Snapshot>) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("soglia");
        registry.register_collector(Box::new(Told(snapshot)));
        let mut out = String::new();
        match self {
            Self::Prometheus => prometheus_text::encode(&mut out, &registry)?,
            Self::OpenMetrics => text::encode(&mut out, &registry)?,
        }
        Ok(out)
    }
}

/// A snapshot that is written down.
#[derive(Debug)]
struct Told(Arc<Snapshot>);

/// The labels of a target.
type Labels<'a> = [(&'static str, &'a str); 3];

fn labels(row: &Row) -> Labels<'_> {
    [
        ("target", &row.key.target),
        ("assembly", &row.key.assembly),
        ("direction", row.key.direction),
    ]
}

impl Collector for Told {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(process) = &self.0.process else {
            return running(&mut encoder, 0);
        };
        info(&mut encoder, process)?;
        for measure in &PROCESS {
            let values = (measure.of)(process).into_iter();
            let values = values.map(|(label, amount)| (label.into_iter().collect(), amount));
            write(&mut encoder, measure, values.collect())?;
        }
        for measure in &TARGETS {
            let rows = self.0.rows.iter();
            let values = rows.flat_map(|row| {
                let of_row = (measure.of)(row).into_iter();
                of_row.map(move |(_, amount)| (labels(row).to_vec(), amount))
            });
            write(&mut encoder, measure, values.collect())?;
        }
        durations(&mut encoder, &self.0.rows)
    }
}

/// Whether the process runs, where no more is known.
fn running(encoder: &mut DescriptorEncoder<'_>, is: u64) -> Result<(), fmt::Error> {
    let measure = &PROCESS[0];
    write(encoder, measure, vec![(Vec::new(), Amount::Count(is))])
}

/// What the process is, as labels.
fn info(encoder: &mut DescriptorEncoder<'_>, process: &Process) -> Result<(), fmt::Error> {
    let of = &process.figures;
    let pid = of.pid.to_string();
    let labels: [(&str, &str); 8] = [
        ("program", &of.program),
        ("pid", &pid),
        ("runtime", &of.runtime.name),
        ("runtime_version", &of.runtime.version),
        ("source", of.source.unwrap_or_default()),
        ("level", of.level),
        ("times", of.times),
        ("soglia_version", env!("CARGO_PKG_VERSION")),
    ];
    let help = "The recorded process. times is exact, sampled (times are estimates) or off";
    let mut metric =
        encoder.encode_descriptor("process", &sentence(help), None, MetricType::Info)?;
    metric.encode_info(&labels)
}

/// A help text as other collectors write it.
fn sentence(help: &str) -> String {
    format!("{help}.")
}

/// The name as Prometheus has it, without the unit.
fn name<T>(measure: &Measure<T>) -> String {
    measure.name.replace('.', "_")
}

fn unit<T>(measure: &Measure<T>) -> Option<Unit> {
    measure.is_in_seconds().then_some(Unit::Seconds)
}

/// Writes all series of one name.
fn write<T>(
    encoder: &mut DescriptorEncoder<'_>,
    measure: &Measure<T>,
    values: Vec<(Vec<(&str, &str)>, Amount)>,
) -> Result<(), fmt::Error> {
    if values.is_empty() {
        return Ok(());
    }
    let kind = match measure.kind {
        Kind::Counter => MetricType::Counter,
        Kind::UpDown | Kind::Gauge => MetricType::Gauge,
    };
    let (name, help, unit) = (name(measure), sentence(measure.help), unit(measure));
    let mut metric = encoder.encode_descriptor(&name, &help, unit.as_ref(), kind)?;
    for (labels, amount) in &values {
        let metric = metric.encode_family(labels)?;
        match (measure.kind, *amount) {
            (Kind::Counter, Amount::Count(count)) => ConstCounter::new(count).encode(metric)?,
            (Kind::Counter, Amount::Ns(ns)) => ConstCounter::new(seconds(ns)).encode(metric)?,
            (_, amount) => ConstGauge::new(amount.as_f64()).encode(metric)?,
        }
    }
    Ok(())
}

/// Writes the histograms of all targets whose calls were timed.
fn durations(encoder: &mut DescriptorEncoder<'_>, rows: &[Row]) -> Result<(), fmt::Error> {
    let timed: Vec<&Row> = rows.iter().filter(|row| row.is_timed).collect();
    if timed.is_empty() {
        return Ok(());
    }
    let (name, help) = (name(&DURATION), sentence(DURATION.help));
    let unit = unit(&DURATION);
    let mut metric =
        encoder.encode_descriptor(&name, &help, unit.as_ref(), MetricType::Histogram)?;
    let uppers = bounds().into_iter().chain([f64::INFINITY]);
    let uppers: Vec<f64> = uppers.collect();
    for row in timed {
        let buckets = uppers.iter().copied().zip(row.counts());
        let buckets: Vec<(f64, u64)> = buckets.collect();
        let sum = seconds(row.time_ns);
        let labels = labels(row);
        let mut metric = metric.encode_family(&labels)?;
        metric.encode_histogram::<NoLabelSet>(sum, row.returned(), &buckets, None)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_header_chooses() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
            application/openmetrics-text;version=0.0.1;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, expected) in [
            ("", Format::Prometheus),
            ("*/*", Format::Prometheus),
            ("text/html, */*", Format::Prometheus),
            ("text/plain;version=0.0.4", Format::Prometheus),
            ("application/openmetrics-text", Format::OpenMetrics),
            (prometheus, Format::OpenMetrics),
            (
                "text/plain;q=0.9, Application/OpenMetrics-Text;q=0.1",
                Format::Prometheus,
            ),
            ("application/openmetrics-text;q=0", Format::Prometheus),
        ] {
            assert_eq!(Format::accepted(accept), expected, "{accept}");
        }
    }
}
