//! `soglia report`.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use soglia::{
    model::{Model, TargetRow},
    text,
};

use super::{
    options::{Report, ReportFormat, Shown},
    recording::open,
};

/// Prints the report of a recording.
pub fn report(options: &Report) -> anyhow::Result<()> {
    let reader = open(&options.file, options.partial)?;
    if options.replay && !reader.has_events() {
        anyhow::bail!(
            "{} holds no events to replay: `soglia run --record events` records them",
            options.file.display()
        );
    }
    let mut model = Model::of(&reader, options.replay);
    reader.check_whole()?;
    match options.shown.format {
        ReportFormat::Text => write(&mut model, &options.shown, anstream::stdout().lock()),
        _ => write(&mut model, &options.shown, io::stdout().lock()),
    }
}

/// Writes a report as the options say.
pub fn write(model: &mut Model, shown: &Shown, out: impl Write) -> anyhow::Result<()> {
    let mut out = BufWriter::new(out);
    text::sort(model, shown.sort);
    let top = shown.top.filter(|top| *top > 0);
    if let (Some(top), ReportFormat::Json | ReportFormat::Csv) = (top, shown.format) {
        model.targets.truncate(top);
    }
    match shown.format {
        ReportFormat::Text => {
            let shown = text::Shown {
                all: shown.all,
                sort: shown.sort,
                top: shown.top.unwrap_or(20),
            };
            text::report(model, shown, &mut out)?;
        }
        ReportFormat::Json => {
            serde_json::to_writer_pretty(&mut out, model)?;
            writeln!(out)?;
        }
        ReportFormat::Csv => {
            let mut table = csv::Writer::from_writer(&mut out);
            for row in &model.targets {
                table.serialize(CsvRow::of(row)).map_err(csv_error)?;
            }
            table.flush()?;
            drop(table);
            if model.targets.is_empty() {
                out.write_all(&header()?)?;
            }
        }
    }
    Ok(out.flush()?)
}

/// The first line of a table, which the writer makes of the first row.
fn header() -> anyhow::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.serialize(CsvRow::default()).map_err(csv_error)?;
    let mut bytes = table.into_inner()?;
    let end = bytes.iter().position(|byte| *byte == b'\n');
    bytes.truncate(end.map_or(0, |end| end + 1));
    Ok(bytes)
}

fn csv_error(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => anyhow::anyhow!("{other:?}"),
    }
}

/// A target without its nested parts.
#[derive(Default, Serialize)]
struct CsvRow<'a> {
    direction: &'a str,
    method: Option<String>,
    assembly: Option<String>,
    library: Option<String>,
    entry: Option<String>,
    redirected_to: Option<String>,
    address: Option<&'a str>,
    file: Option<String>,
    offset: Option<&'a str>,
    symbol: Option<String>,
    runtime_internal: bool,
    calls: u64,
    returned: u64,
    open: u64,
    open_max_ns: Option<u64>,
    open_at_least: bool,
    abandoned: u64,
    failed: u64,
    refused: u64,
    untimed: u64,
    total_ns: u64,
    self_ns: u64,
    min_ns: Option<u64>,
    mean_ns: Option<u64>,
    p50_ns: Option<u64>,
    p90_ns: Option<u64>,
    p99_ns: Option<u64>,
    max_ns: Option<u64>,
    first_call_ns: Option<u64>,
    tasks: u64,
}

impl<'a> CsvRow<'a> {
    fn of(row: &'a TargetRow) -> Self {
        Self {
            direction: row.direction,
            method: row.method.as_deref().map(text::cell),
            assembly: row.assembly.as_deref().map(text::cell),
            library: row.library.as_deref().map(text::cell),
            entry: row.entry.as_deref().map(text::cell),
            redirected_to: row.redirected_to.as_deref().map(text::cell),
            address: row.address.as_deref(),
            file: row.file.as_deref().map(text::cell),
            offset: row.offset.as_deref(),
            symbol: row.symbol.as_deref().map(text::cell),
            runtime_internal: row.runtime_internal,
            calls: row.calls,
            returned: row.returned,
            open: row.open,
            open_max_ns: row.open_max_ns,
            open_at_least: row.open_at_least,
            abandoned: row.abandoned,
            failed: row.failed,
            refused: row.refused,
            untimed: row.untimed,
            total_ns: row.total_ns,
            self_ns: row.self_ns,
            min_ns: row.min_ns,
            mean_ns: row.mean_ns,
            p50_ns: row.p50_ns,
            p90_ns: row.p90_ns,
            p99_ns: row.p99_ns,
            max_ns: row.max_ns,
            first_call_ns: row.first_call_ns,
            tasks: row.tasks,
        }
    }
}
