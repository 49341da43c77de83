//! `soglia report`.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context;
use serde::Serialize;
use soglia::{
    model::{Baseline, Model, TargetRow},
    text::{self, Screen},
};
use soglia_core::trace::{beside, ending::Ended, names::Names, reader::Reader, writer::Level};

use super::{
    options::Report,
    page,
    recording::{open, opened, pid},
    screen::screen,
    several::Several,
    shared::{ReportFormat, Shown},
};

/// Prints the report of a recording.
pub fn report(options: &Report) -> anyhow::Result<()> {
    match Several::of(&options.files, options.follow)? {
        Some(several) => merged(options, &several),
        None => one(options),
    }
}

/// Prints the report of several recordings.
fn merged(options: &Report, several: &Several) -> anyhow::Result<()> {
    let single = [
        ("--since", options.since.is_some()),
        ("--last", options.last.is_some()),
        ("--attach", options.attaching.is_asked()),
    ];
    if let Some((option, _)) = single.into_iter().find(|(_, given)| *given) {
        anyhow::bail!("{option} takes one recording: name one FILE or PID");
    }
    let (model, reader) = several.report(options.partial, options.replay)?;
    print(options, reader.as_ref(), model)
}

/// Prints the report of one recording.
fn one(options: &Report) -> anyhow::Result<()> {
    let level = match options.replay || options.last.is_some() {
        true => Level::Events,
        false => Level::Summary,
    };
    let named = options.files.first().context("no recording was named")?;
    let source = options.attaching.source(named, level, options.since)?;
    let (reader, model) = match options.since {
        Some(since) if !source.is_new() => look_twice(options, named, since)?,
        _ => read(options, named, source.path())?,
    };
    let is_file = pid(named).is_none();
    let mut model = model.recorded_in(is_file.then(|| named.display().to_string()));
    if is_file {
        model.remarks.extend(others(named));
    }
    print(options, Some(&reader), model)
}

/// A remark about recordings that other processes of the run have made.
fn others(first: &Path) -> Option<String> {
    let others = beside::others(first).ok()?.len();
    let (processes, have, them) = match others {
        0 => return None,
        1 => ("process", "has a recording", "it"),
        _ => ("processes", "have recordings", "them"),
    };
    Some(format!(
        "{others} more {processes} of this run {have} beside this one: --follow adds {them} to the report"
    ))
}

/// Prints a report as the options say. A report of several recordings has no `reader`.
fn print(options: &Report, reader: Option<&Reader>, mut model: Model) -> anyhow::Result<()> {
    let screen = screen(options.shown.wide, io::stdout());
    let shown = &options.shown;
    match (&options.output, shown.format) {
        (output, ReportFormat::Html) => page::page(reader, model, output.as_deref()),
        (Some(output), _) => {
            let file = anstream::StripStream::new(page::create(output)?);
            write(&mut model, shown, Screen::default(), file)
        }
        (None, ReportFormat::Text) => write(&mut model, shown, screen, anstream::stdout().lock()),
        (None, _) => write(&mut model, shown, screen, io::stdout().lock()),
    }
}

/// Reads a recording once.
fn read(options: &Report, named: &Path, file: &Path) -> anyhow::Result<(Reader, Model)> {
    let reader = open(file, options.partial)?;
    let what = named.display();
    if options.replay && !reader.has_events() {
        anyhow::bail!(
            "{what} holds no events to replay: `soglia run --record events` records them"
        );
    }
    if options.last.is_some() && !reader.has_events() {
        anyhow::bail!(
            "{what} holds no events, of which --last needs those of the last part: `soglia run --record events` records \
             them, or `soglia report PID --since 10s` looks twice at a program that runs"
        );
    }
    let model = match options.last {
        None => Model::of(&reader, options.replay),
        Some(last) => {
            let end = reader.ending().ns;
            let window = Baseline::from_events(&reader, end.saturating_sub(nanoseconds(last)));
            Model::read(&reader, true, &mut Names::default(), Some(&window))
        }
    };
    reader.check_whole()?;
    Ok((reader, model))
}

/// Looks twice at the recording of a program that runs. If the program ends before the time is
/// over, the second look is at its end.
fn look_twice(options: &Report, named: &Path, since: Duration) -> anyhow::Result<(Reader, Model)> {
    /// How often to check whether the program has ended.
    const OFTEN: Duration = Duration::from_millis(100);
    // Says what is wrong with it, if anything is.
    open(named, options.partial)?;
    let opened = opened(named)?;
    let first = opened.read()?;
    if first.ended() != Ended::Running {
        anyhow::bail!(
            "{} is not of a program that runs here, at which --since could look twice (--last reads the last part of a \
             recording with events)",
            named.display()
        );
    }
    let window = Baseline::of(&first);
    let until = Instant::now().checked_add(since);
    loop {
        let left = until.map_or(OFTEN, |until| {
            until.saturating_duration_since(Instant::now())
        });
        if left.is_zero() || first.ended() != Ended::Running {
            break;
        }
        thread::sleep(left.min(OFTEN));
    }
    let second = opened.read()?;
    let model = Model::read(&second, false, &mut Names::default(), Some(&window));
    second.check_whole()?;
    Ok((second, model))
}

fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

/// Writes a report as the options say, in text as wide as the screen.
pub fn write(
    model: &mut Model,
    shown: &Shown,
    screen: Screen,
    out: impl Write,
) -> anyhow::Result<()> {
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
                by: shown.by,
                sort: shown.sort,
                top: shown.top.unwrap_or(20),
                screen,
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
        // It is made of the recording: see `page`.
        ReportFormat::Html => anyhow::bail!("a page is written into a file"),
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
    suppresses_gc_transition: bool,
    share_of_run: Option<f64>,
    sets_last_error: bool,
    timed_calls: u64,
    total_ns_se: Option<u64>,
    self_ns_se: Option<u64>,
    processes: usize,
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
            suppresses_gc_transition: row.suppresses_gc_transition,
            share_of_run: row.share_of_run,
            sets_last_error: row.sets_last_error,
            timed_calls: row.timed_calls,
            total_ns_se: row.total_ns_se,
            self_ns_se: row.self_ns_se,
            processes: row.processes.len(),
        }
    }
}
