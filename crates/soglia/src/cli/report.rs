//! `soglia report`.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use soglia::{
    model::{Model, TargetRow},
    text,
};

use super::{
    options::{Report, ReportFormat},
    recording::open,
};

/// Gives the account of a recording.
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
    text::sort(&mut model, options.sort);
    match options.format {
        ReportFormat::Text => {
            let shown = text::Shown {
                all: options.all,
                sort: options.sort,
                top: options.top.unwrap_or(20),
            };
            let mut out = BufWriter::new(anstream::stdout().lock());
            text::report(&model, shown, &mut out)?;
            out.flush()?;
        }
        ReportFormat::Json => {
            cut(&mut model, options.top);
            let mut out = BufWriter::new(io::stdout().lock());
            serde_json::to_writer_pretty(&mut out, &model)?;
            writeln!(out)?;
            out.flush()?;
        }
        ReportFormat::Csv => {
            cut(&mut model, options.top);
            let mut out = csv::Writer::from_writer(io::stdout().lock());
            for row in &model.targets {
                out.serialize(CsvRow::of(row)).map_err(csv_error)?;
            }
            out.flush()?;
        }
    }
    Ok(())
}

fn cut(model: &mut Model, top: Option<usize>) {
    if let Some(top) = top.filter(|top| *top > 0) {
        model.targets.truncate(top);
    }
}

fn csv_error(error: csv::Error) -> anyhow::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error.into(),
        other => anyhow::anyhow!("{other:?}"),
    }
}

/// A target without its nested parts.
#[derive(Serialize)]
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
