//! The end of `soglia run`: completes the recording and prints the report.

use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

use soglia::{
    launch::{Ended, KernelLog, crash},
    model::Model,
    text::{self, Screen},
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
};

/// Writes down how the program ended, and prints the report.
pub fn finish(
    options: &Run,
    place: &Place,
    child: u32,
    ended: Ended,
    kernel: &mut KernelLog,
) -> anyhow::Result<()> {
    let (file, own) = (&place.file, place.own());
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
    let mut model = Model::of(&reader, false);
    reader.check_whole()?;
    if let Some(page) = &options.page {
        // The report is printed even if the page cannot be written.
        if let Err(error) = page::page(&reader, model.clone(), Some(page)) {
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
    report::write(&mut model, &options.shown, screen, &mut out)?;
    if for_people {
        kept(options, place, &reader, &mut out)?;
        if let Some(page) = &options.page {
            writeln!(out, "page: {}", text::plain_path(page))?;
        }
    }
    if options.follow && place.kept().is_none() {
        others(options, place, &reader, screen, &mut out)?;
    }
    Ok(out.flush()?)
}

/// Prints the reports of the other processes, one after another.
fn others(
    options: &Run,
    place: &Place,
    first: &Reader,
    screen: Screen,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    for path in place.followed(first.wall_ns())? {
        // Meanwhile the process may write, or never have come so far.
        let Some(reader) = Reader::open(&path).ok().filter(Reader::is_claimed) else {
            continue;
        };
        if options.shown.format == ReportFormat::Text {
            writeln!(out)?;
        }
        let mut model = Model::of(&reader, false);
        report::write(&mut model, &options.shown, screen, &mut *out)?;
    }
    Ok(())
}

/// Says what was not recorded, and which files there are now.
fn kept(options: &Run, place: &Place, reader: &Reader, out: &mut impl Write) -> io::Result<()> {
    let away = reader.turned_away();
    if away > 0 && !options.follow {
        let (processes, were) = if away == 1 {
            ("process", "was")
        } else {
            ("processes", "were")
        };
        writeln!(
            out,
            "{away} more .NET {processes} ran and {were} not recorded (--follow records them)"
        )?;
    }
    let Some(output) = place.kept() else {
        if options.recorded.record == recorded::Record::Events {
            writeln!(out, "the events were not kept: -o FILE keeps them")?;
        }
        return Ok(());
    };
    writeln!(
        out,
        "\nrecording: {} (soglia report, soglia events)",
        text::plain_path(output)
    )?;
    if options.follow {
        for path in place.followed(reader.wall_ns())? {
            cut(&path);
            writeln!(out, "           {}", text::plain_path(&path))?;
        }
    }
    Ok(())
}

/// Cuts the recording of another process. If that fails, the recording is only larger than it need
/// be.
fn cut(path: &Path) {
    let opened = File::options().read(true).write(true).open(path);
    let _ = opened.and_then(|file| trim(&file, path).map_err(io::Error::other));
}
