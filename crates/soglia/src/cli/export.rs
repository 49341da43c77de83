//! `soglia export`.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use soglia::{
    export::{
        calls,
        chrome::Chrome,
        firefox::Firefox,
        flame,
        named::Named,
        parquet,
        perfetto::Perfetto,
        pprof,
        rows::Lines,
        sink::Sink,
        speedscope::Speedscope,
        tree::{self, Tree},
    },
    model::{
        Model,
        no_room::{because, rows},
    },
    text,
};
use soglia_core::trace::{reader::Reader, writer::Level};

use super::{
    complain::complain,
    formats::{Export, Format, Table},
    output::Output,
    partition,
    progress::Progress,
    recording::open,
    report,
    shared::{ReportFormat, Shown},
};

/// Writes a recording in another format.
pub fn export(options: &Export) -> anyhow::Result<()> {
    let targets = options.table == Table::Targets;
    if targets && !options.to.has_rows() {
        anyhow::bail!("--table is for formats that have rows: parquet, csv and jsonl");
    }
    let source = options
        .attaching
        .source(&options.file, Level::Events, None)?;
    let reader = open(source.path(), options.partial)?;
    if !targets && !options.to.is_tree() && !reader.has_events() {
        let sums = match options.to.has_rows() {
            true => "; --table targets exports the sums",
            false => "",
        };
        anyhow::bail!(
            "{} holds no events: `soglia run --record events` records them{sums}",
            options.file.display()
        );
    }
    if options.partition && options.to != Format::Parquet {
        anyhow::bail!("--partition is for --to parquet");
    }
    let mut output = match &options.output {
        Some(folder) if options.partition => {
            let path = partition::file(folder, options, &reader)?;
            Output::file(&path, true, &options.file)?
        }
        Some(path) if path.as_os_str() == "-" => Output::standard(),
        Some(path) => Output::file(path, true, &options.file)?,
        None => {
            let mut extension = options.to.extension().to_owned();
            if targets {
                extension.insert_str(0, "targets.");
            }
            let path = beside(&options.file, &extension);
            Output::file(&path, options.force, &options.file)?
        }
    };
    if targets {
        write_targets(&reader, options.to, &mut output)?;
    } else if reader.has_events() {
        write_calls(&reader, options.to, &mut output)?;
    } else {
        let named = Named::of(&reader);
        let tree = tree::counted(&reader, &named);
        write_tree(&tree, options.to, &named, BufWriter::new(&mut output))?;
    }
    reader.check_whole()?;
    output.keep()
}

/// The recording's name with another extension.
fn beside(file: &Path, extension: &str) -> PathBuf {
    let is_recording = file.extension().is_some_and(|e| e == "soglia");
    let base = if is_recording {
        file.with_extension("")
    } else {
        file.to_owned()
    };
    let mut path = base.into_os_string();
    path.push(".");
    path.push(extension);
    path.into()
}

fn write_calls(reader: &Reader, to: Format, output: &mut Output) -> anyhow::Result<()> {
    let named = Named::of(reader);
    let out = BufWriter::with_capacity(1 << 16, output);
    let mut sink: Box<dyn Sink + '_> = match to {
        Format::Perfetto => Box::new(Perfetto::new(&named, out)?),
        Format::Firefox => Box::new(Firefox::new(reader, &named, out)),
        Format::Speedscope => Box::new(Speedscope::new(&named, out)?),
        Format::Chrome => Box::new(Chrome::new(&named, out)?),
        Format::Parquet => Box::new(parquet::Calls::new(&named, out)?),
        Format::Csv => Box::new(Lines::csv(&named, out)?),
        Format::Jsonl => Box::new(Lines::jsonl(&named, out)),
        Format::Flamegraph | Format::Folded | Format::Pprof => {
            let write = |tree: Tree| write_tree(&tree, to, &named, out);
            Box::new(tree::Builder::new(reader, &named, write))
        }
    };
    let mut progress = Progress::new(calls::crossings(reader));
    let missing = calls::each(reader, &mut *sink, |done| progress.show(done))?;
    progress.clear();
    if missing.crossings > 0 {
        complain(&format!(
            "{} crossings are not in the export: {}",
            text::count(missing.crossings),
            because(&rows(reader))
        ));
    }
    Ok(())
}

fn write_tree(tree: &Tree, to: Format, named: &Named, out: impl Write) -> io::Result<()> {
    match to {
        Format::Flamegraph => flame::picture(tree, named, out),
        Format::Pprof => pprof::profile(tree, named, out),
        _ => flame::folded(tree, out),
    }
}

fn write_targets(reader: &Reader, to: Format, output: &mut Output) -> anyhow::Result<()> {
    let mut model = Model::of(reader, false);
    if to == Format::Csv {
        let shown = Shown {
            wide: true,
            format: ReportFormat::Csv,
            all: true,
            by: text::By::Target,
            sort: text::Sort::Total,
            top: None,
        };
        return report::write(&mut model, &shown, text::Screen::default(), output);
    }
    let mut out = BufWriter::new(output);
    if to == Format::Parquet {
        return Ok(parquet::targets(model, out)?);
    }
    for row in &model.targets {
        serde_json::to_writer(&mut out, row)?;
        writeln!(out)?;
    }
    Ok(out.flush()?)
}
