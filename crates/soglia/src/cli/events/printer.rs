//! The lines of `soglia events`.

use std::{
    io::{self, Write},
    time::{Duration, SystemTime},
};

use humantime::{Rfc3339Timestamp, format_rfc3339_nanos};
use soglia::text;
use soglia_core::{
    crossing::Crossing,
    layer::Layer,
    trace::{
        ending::Ending,
        reader::Reader,
        replay::{How, Replayed},
    },
};

use super::{
    super::options::{By, EventFormat, Events},
    names::{Name, Names},
};

/// The most open calls of a thread that are listed.
const MOST_OPEN: usize = 20;
/// Columns from the time of day to the crossing, or to the thread if there is a column for it.
const TIME_OF_DAY: usize = "18:43:05.123456789Z".len();

pub struct Printer<'a> {
    options: &'a Events,
    reader: &'a Reader,
    names: &'a Names,
}

impl<'a> Printer<'a> {
    pub const fn new(options: &'a Events, reader: &'a Reader, names: &'a Names) -> Self {
        Self {
            options,
            reader,
            names,
        }
    }

    /// Whether lines are for people.
    pub fn is_text(&self) -> bool {
        self.options.format == EventFormat::Text
    }

    /// Whether there are no lines for this crossing.
    fn leaves_out(&self, name: &Name) -> bool {
        self.is_text() && name.runtime_internal && !self.options.all
    }

    /// The line of a crossing.
    pub fn print(&self, task: u32, crossed: Replayed, out: &mut impl Write) -> io::Result<()> {
        let name = self.names.get(crossed.target);
        if self.leaves_out(name) {
            return Ok(());
        }
        let t = self
            .reader
            .scale()
            .ns(crossed.at.saturating_sub(self.reader.start_ticks()));
        let time = time(self.reader.wall_ns_at(crossed.at));
        let passed = self.names.passed.line(task, &crossed, self.options.format);
        match self.options.format {
            EventFormat::Jsonl => writeln!(
                out,
                "{{\"t\":{t},\"time\":\"{time}\",\"task\":{task},\"os_thread\":{},\"crossing\":\"{}\",\"outcome\":\"{}\",\"depth\":{},{}{passed}",
                crossed.os_thread,
                crossed.crossing.name(),
                outcome(crossed.how),
                crossed.depth,
                name.text,
            ),
            EventFormat::Text => {
                self.line((t, &time.to_string(), task), crossed, name, out)?;
                writeln!(out, "{passed}")
            }
        }
    }

    /// What stands above the lines of all threads.
    pub fn heading(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{:>14}  {:<TIME_OF_DAY$}  {:>6}  crossing",
            "seconds", "time of day, UTC", "thread"
        )
    }

    /// What stands above the lines of one thread, before its first line. Returns whether it was
    /// written.
    pub fn heading_of(
        &self,
        task: u32,
        crossed: Replayed,
        out: &mut impl Write,
    ) -> io::Result<bool> {
        if self.leaves_out(self.names.get(crossed.target)) {
            return Ok(false);
        }
        writeln!(out, "thread {task}, tid {}", crossed.os_thread)?;
        Ok(true)
    }

    /// The calls that a thread was in at the end.
    pub fn still_open(
        &self,
        task: u32,
        open: &[Layer],
        ending: &Ending,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let start = self.reader.start_ticks();
        for (depth, layer) in open.iter().enumerate().take(MOST_OPEN) {
            let name = self.names.get(Some(layer.slot));
            if name.runtime_internal && !self.options.all {
                continue;
            }
            let since = self.reader.scale().ns(layer.since.saturating_sub(start));
            let at_least = if ending.at_least { "at least " } else { "" };
            self.without_time(task, out)?;
            writeln!(
                out,
                "{:indent$}open for {at_least}{}  {}",
                "",
                text::time(ending.ns.saturating_sub(since)),
                name.text,
                indent = depth.min(40) * 2,
            )?;
        }
        if open.len() > MOST_OPEN {
            let more = text::count((open.len() - MOST_OPEN) as u64);
            self.without_time(task, out)?;
            writeln!(out, "{more} more are open")?;
        }
        Ok(())
    }

    /// The beginning of a line that is about no moment.
    fn without_time(&self, task: u32, out: &mut impl Write) -> io::Result<()> {
        write!(out, "{:>14}  {:TIME_OF_DAY$}  ", "", "")?;
        self.thread(task, out)
    }

    /// The column of the thread, if there is one.
    fn thread(&self, task: u32, out: &mut impl Write) -> io::Result<()> {
        match self.options.by {
            By::Thread => Ok(()),
            By::Time => write!(out, "{task:>6}  "),
        }
    }

    fn line(
        &self,
        (t, time, task): (u64, &str, u32),
        crossed: Replayed,
        name: &Name,
        out: &mut impl Write,
    ) -> io::Result<()> {
        // A layer's first and last line stand in the same column.
        let depth = if crossed.crossing.opens() {
            crossed.depth
        } else {
            crossed.depth.saturating_sub(1)
        };
        let indent = (depth as usize).min(40) * 2;
        let seconds = t as f64 / 1e9;
        let time_of_day = time.split_once('T').map_or(time, |(_, of_day)| of_day);
        write!(out, "{seconds:>14.9}  {time_of_day:<TIME_OF_DAY$}  ")?;
        self.thread(task, out)?;
        write!(out, "{:indent$}{}", "", crossed.crossing.name())?;
        match (crossed.crossing, crossed.target) {
            (_, None) => write!(out, "  (no call that it could return from)")?,
            (Crossing::LeaveRuntime | Crossing::ReverseEnterRuntime, _) => {
                write!(out, "  {}", name.text)?;
            }
            _ => {}
        }
        match crossed.how {
            How::Crossed => Ok(()),
            How::Failed => write!(out, "  by an exception"),
            How::Refused if self.names.audit => write!(out, "  would have been denied"),
            How::Refused => write!(out, "  denied: not called"),
        }
    }
}

/// A time in nanoseconds since 1970, as RFC 3339 writes it.
fn time(ns: u64) -> Rfc3339Timestamp {
    /// Formatting a time after the year 9999 fails.
    const LATEST: u64 = 253_402_300_799;
    let seconds = (ns / 1_000_000_000).min(LATEST);
    let since = Duration::new(seconds, (ns % 1_000_000_000) as u32);
    format_rfc3339_nanos(SystemTime::UNIX_EPOCH + since)
}

/// What became of a crossing, as JSON has it.
const fn outcome(how: How) -> &'static str {
    match how {
        How::Crossed => "crossed",
        How::Failed => "failed",
        How::Refused => "refused",
    }
}
