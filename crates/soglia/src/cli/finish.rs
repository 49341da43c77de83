//! The end of `soglia run`: completes the recording and prints the report.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use soglia::{
    launch::{Ended, KernelLog, crash},
    model::{Merger, Model},
    text,
};
use soglia_core::trace::{log::Record, reader::Reader, writer};

use super::{
    complain::complain,
    options::Run,
    page,
    place::{Place, trim},
    recorded, report,
    screen::screen,
    shared::ReportFormat,
    start::nothing_recorded,
    usage,
};

/// What the tool has seen of the program.
#[derive(Clone, Copy)]
pub struct Seen {
    /// The program.
    pub child: u32,
    /// How it ended.
    pub ended: Ended,
    /// .NET processes below it that did not record.
    pub unwatched: u64,
}

/// Writes down how the program ended, and prints the report.
pub fn finish(
    options: &Run,
    place: &Place,
    seen: Seen,
    merger: &Mutex<Merger>,
    kernel: &mut KernelLog,
) -> anyhow::Result<()> {
    let (file, own) = (&place.file, place.own());
    let Seen { child, ended, .. } = seen;
    if let Ok(reader) = Reader::open(&own)
        && reader.is_claimed()
        && reader.pid() == child
        && let Some(crash) = crash::of(&reader, ended, kernel)
    {
        // If there is no room for it, the report knows less.
        let _ = writer::append(file, &Record::Crash(crash));
    }
    // It is as large as it may become, and most of it is a hole.
    trim(file, &own)?;
    let reader = Reader::open(&own)?;
    let is_there = place.is_there();
    if !reader.is_claimed() {
        if !is_there {
            anyhow::bail!(
                "nothing was recorded: {} was moved, or another file is in its place",
                place.path.display()
            );
        }
        place.discard();
        return Err(nothing_recorded(&options.command, reader.note()));
    }
    // A script may have started the runtime in a child process, whose end the tool has not seen.
    if reader.pid() == child {
        writer::conclude(
            file,
            match ended {
                Ended::Exited(code) => Ok(code),
                Ended::Killed(signal) => Err(signal),
            },
        )?;
    }
    if !is_there {
        complain(&format!(
            "{} was moved, or another file is in its place",
            place.path.display()
        ));
    }
    let reader = Reader::open(&own)?;
    let first = Model::of(&reader, false);
    reader.check_whole()?;
    let name = place.kept().map(|path| path.display().to_string());
    let first = first.recorded_in(name);
    let others = match options.follow {
        true => place.followed()?,
        false => Vec::new(),
    };
    let merger = std::mem::take(&mut *merger.lock().unwrap_or_else(PoisonError::into_inner));
    let mut model = with(first, merger, place, &others);
    if let Some(page) = &options.page {
        let reader = (!model.is_merged()).then_some(&reader);
        // The report is printed even if the page cannot be written.
        if let Err(error) = page::page(reader, model.clone(), Some(page)) {
            complain(&format!("{error:#}"));
        }
    }
    if options.quiet {
        // Without a report, this still tells why the program was slow.
        if let Some(because) = &model.fallback {
            complain(&format!("recorded with --source transitions: {because}"));
        }
        return Ok(());
    }
    let mut out = anstream::stderr().lock();
    let screen = screen(options.shown.wide, io::stderr());
    let for_people = options.shown.format == ReportFormat::Text;
    if for_people {
        writeln!(out)?;
    }
    let started = model.processes.len().saturating_sub(1);
    report::write(&mut model, &options.shown, screen, &mut out)?;
    if for_people {
        kept(options, place, &reader, (started, seen.unwatched), &mut out)?;
        if let Some(page) = &options.page {
            writeln!(out, "page: {}", text::plain_path(page))?;
        }
    }
    Ok(out.flush()?)
}

/// The report of the first process and of all others. `merger` has those that have been read
/// before.
fn with(first: Model, mut merger: Merger, place: &Place, others: &[PathBuf]) -> Model {
    merger.add(first, None);
    for path in others {
        cut(path);
        // A process may never have come so far. Another one may still write.
        if let Some(reader) = Reader::open(path).ok().filter(Reader::is_claimed) {
            let kept = place.kept().map(|_| path.display().to_string());
            merger.add(Model::of(&reader, false), kept);
        }
    }
    merger.finish().unwrap_or_default()
}

/// Says what was not recorded, and which files there are now.
fn kept(
    options: &Run,
    place: &Place,
    reader: &Reader,
    (others, unwatched): (usize, u64),
    out: &mut impl Write,
) -> io::Result<()> {
    let away = u64::from(reader.turned_away());
    if !options.follow && away.max(unwatched) > 0 {
        // Those that end soon are not seen.
        let least = if unwatched > away { "at least " } else { "" };
        let (processes, were, them) = match away.max(unwatched) {
            1 => ("process", "was", "it"),
            _ => ("processes", "were", "them"),
        };
        writeln!(
            out,
            "{least}{} more .NET {processes} ran and {were} not recorded (--follow records {them})",
            away.max(unwatched)
        )?;
    }
    if options.follow && others == 0 {
        writeln!(out, "no other .NET process has recorded (--follow)")?;
    }
    let Some(output) = place.kept() else {
        if options.recorded.record == recorded::Record::Events {
            writeln!(out, "the events were not kept: -o FILE keeps them")?;
        }
        return Ok(());
    };
    let name = text::plain_path(output);
    let word = usage::quoted(output.as_os_str());
    match others {
        0 => writeln!(out, "\nrecording: {name} (soglia report, soglia events)"),
        _ => writeln!(
            out,
            "\nrecordings: {name}, {name}.PID (soglia report --follow {word})"
        ),
    }
}

/// Cuts the recording of another process. If that fails, the recording is only larger than it need
/// be.
fn cut(path: &Path) {
    let opened = File::options().read(true).write(true).open(path);
    let _ = opened.and_then(|file| trim(&file, path).map_err(io::Error::other));
}
