//! `soglia events`.

use std::{
    borrow::Cow,
    collections::HashMap,
    io::{self, BufWriter, Write},
};

use serde::Serialize;
use soglia::{
    model::no_room::{because, rows},
    model::{TargetInfo, target_infos},
    text,
};
use soglia_core::{
    account::Account,
    crossing::Crossing,
    fault::Fault,
    layer::Layer,
    task::Who,
    trace::{
        ending::Ending,
        reader::Reader,
        replay::{How, Replayed, replay},
    },
};

use super::{
    complain::complain,
    options::{EventFormat, Events},
    recording::open,
};

/// Lists crossings, thread by thread, in time order within each.
pub fn events(options: &Events) -> anyhow::Result<()> {
    let reader = open(&options.file, options.partial)?;
    if !reader.has_events() {
        anyhow::bail!(
            "{} holds an account, but no events: `soglia run --record events` records them",
            options.file.display()
        );
    }
    let (mut last, mut found) = (0, false);
    let mut dropped: u64 = 0;
    let names = Names::of(&reader, options.format);
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let ending = reader.ending();
    for task in reader.each_task() {
        last = last.max(task.number);
        dropped = dropped.saturating_add(task.dropped);
        if options.task.is_some_and(|wanted| task.number != wanted) {
            continue;
        }
        found = true;
        let mut printer = Printer {
            options,
            reader: &reader,
            names: &names,
            task: task.number,
            heading: false,
        };
        let mut result = Ok(());
        let left = replay(&reader, task.number, &mut Nothing, |crossed| {
            result = printer.print(crossed, &mut out);
            result.is_ok()
        });
        result?;
        // Where events are missing, so are returns.
        if options.format == EventFormat::Text && task.dropped == 0 {
            printer.still_open(left.layers().as_slice(), &ending, &mut out)?;
        }
    }
    if let Some(wanted) = options.task.filter(|_| !found) {
        anyhow::bail!(
            "{} has no thread {wanted}: it has 1 to {last}",
            options.file.display(),
        );
    }
    out.flush()?;
    reader.check_whole()?;
    if dropped > 0 {
        complain(&format!(
            "{} crossings are not listed: {}",
            text::count(dropped),
            because(&rows(&reader))
        ));
    }
    Ok(())
}

/// The most bytes of a name that a line has. A recording may have a very long name that occurs in
/// millions of events.
const MOST_NAME: usize = 1 << 10;

/// What the lines of a target have in common, made once.
struct Names {
    targets: HashMap<u32, Name>,
    nothing: Name,
    audit: bool,
}

struct Name {
    runtime_internal: bool,
    /// The end of a line, after what is of the crossing.
    text: String,
}

/// The fields of a line of JSON that are of the target.
#[derive(Serialize)]
struct Target<'a> {
    method: Option<&'a str>,
    assembly: Option<&'a str>,
    library: Option<&'a str>,
    entry: Option<&'a str>,
    address: Option<&'a str>,
    runtime_internal: bool,
}

impl Names {
    fn of(reader: &Reader, format: EventFormat) -> Self {
        let targets = target_infos(reader).into_iter();
        Self {
            targets: targets
                .map(|(target, info)| (target, Name::of(&info, format)))
                .collect(),
            nothing: Name::of(&TargetInfo::default(), format),
            audit: reader.names().policy.is_some_and(|policy| policy.audit),
        }
    }

    fn get(&self, target: Option<u32>) -> &Name {
        let known = target.and_then(|target| self.targets.get(&target));
        known.unwrap_or(&self.nothing)
    }
}

impl Name {
    fn of(info: &TargetInfo, format: EventFormat) -> Self {
        let names = [&info.method, &info.assembly, &info.library, &info.entry];
        let [method, assembly, library, entry] = names.map(|name| name.as_deref().map(short));
        let runtime_internal = info.runtime_internal;
        let text = match format {
            EventFormat::Text => text::plain(&short(&info.name)).to_string(),
            EventFormat::Jsonl => {
                let target = Target {
                    method: method.as_deref(),
                    assembly: assembly.as_deref(),
                    library: library.as_deref(),
                    entry: entry.as_deref(),
                    address: info.address.as_deref(),
                    runtime_internal,
                };
                // Texts and numbers make JSON.
                let object = serde_json::to_string(&target).unwrap_or_default();
                object.trim_start_matches('{').to_owned()
            }
        };
        Self {
            runtime_internal,
            text,
        }
    }
}

/// The beginning of a name that is very long.
fn short(name: &str) -> Cow<'_, str> {
    let mut bytes = 0;
    let too_long = name.char_indices().find(|(_, c)| {
        // As JSON has it.
        bytes += if c.is_control() { 6 } else { c.len_utf8() };
        bytes > MOST_NAME
    });
    match too_long {
        Some((end, _)) => format!("{}...", &name[..end]).into(),
        None => name.into(),
    }
}

/// An account of nothing, for those who only list.
struct Nothing;

impl Account for Nothing {
    fn crossed(&mut self, _: Crossing, _: Who, _: u64) {}
    fn unmatched(&mut self, _: Crossing, _: u64, _: u64) {}
    fn unwound(&mut self, _: u32) {}
    fn abandoned(&mut self, _: &mut Layer) {}
    fn closed(&mut self, _: &mut Layer, _: u64, _: u64) {}
    fn untimed(&mut self, _: u32) {}
    fn untimed_return(&mut self, _: Crossing) {}
    fn crossed_failing(&mut self, _: Crossing, _: Who, _: u64) {}
    fn failed(&mut self, _: &mut Layer) {}
    fn refused(&mut self, _: u32, _: u64) {}
    fn fault(&mut self, _: Fault) {}
}

struct Printer<'a> {
    options: &'a Events,
    reader: &'a Reader,
    names: &'a Names,
    task: u32,
    heading: bool,
}

impl Printer<'_> {
    fn print(&mut self, crossed: Replayed, out: &mut impl Write) -> io::Result<()> {
        let t = self
            .reader
            .scale()
            .ns(crossed.at.saturating_sub(self.reader.start_ticks()));
        let name = self.names.get(crossed.target);
        match self.options.format {
            EventFormat::Jsonl => writeln!(
                out,
                "{{\"t\":{t},\"task\":{},\"os_thread\":{},\"crossing\":\"{}\",\"outcome\":\"{}\",\"depth\":{},{}",
                self.task,
                crossed.os_thread,
                crossed.crossing.name(),
                outcome(crossed.how),
                crossed.depth,
                name.text,
            ),
            EventFormat::Text if name.runtime_internal && !self.options.all => Ok(()),
            EventFormat::Text => self.line(t, crossed, name, out),
        }
    }

    /// What a task was in at the end.
    fn still_open(&self, open: &[Layer], ending: &Ending, out: &mut impl Write) -> io::Result<()> {
        const MOST: usize = 20;
        let start = self.reader.start_ticks();
        for (depth, layer) in open.iter().enumerate().take(MOST) {
            let name = self.names.get(Some(layer.slot));
            if name.runtime_internal && !self.options.all {
                continue;
            }
            let since = self.reader.scale().ns(layer.since.saturating_sub(start));
            let at_least = if ending.at_least { "at least " } else { "" };
            writeln!(
                out,
                "{:>14}  {:indent$}open for {at_least}{}  {}",
                "",
                "",
                text::time(ending.ns.saturating_sub(since)),
                name.text,
                indent = depth.min(40) * 2,
            )?;
        }
        if open.len() > MOST {
            let more = text::count((open.len() - MOST) as u64);
            writeln!(out, "{:>14}  {more} more are open", "")?;
        }
        Ok(())
    }

    fn line(
        &mut self,
        t: u64,
        crossed: Replayed,
        name: &Name,
        out: &mut impl Write,
    ) -> io::Result<()> {
        if !self.heading {
            self.heading = true;
            writeln!(out, "thread {}, tid {}", self.task, crossed.os_thread)?;
        }
        // A layer's first and last line stand in the same column.
        let depth = if crossed.crossing.opens() {
            crossed.depth
        } else {
            crossed.depth.saturating_sub(1)
        };
        let indent = (depth as usize).min(40) * 2;
        let seconds = t as f64 / 1e9;
        write!(
            out,
            "{seconds:>14.9}  {:indent$}{}",
            "",
            crossed.crossing.name()
        )?;
        match (crossed.crossing, crossed.target) {
            (_, None) => write!(out, "  (no call that it could return from)")?,
            (Crossing::LeaveRuntime | Crossing::ReverseEnterRuntime, _) => {
                write!(out, "  {}", name.text)?;
            }
            _ => {}
        }
        match crossed.how {
            How::Crossed => writeln!(out),
            How::Failed => writeln!(out, "  by an exception"),
            How::Refused if self.names.audit => writeln!(out, "  would have been denied"),
            How::Refused => writeln!(out, "  denied: not called"),
        }
    }
}

/// What became of a crossing, as JSON has it.
const fn outcome(how: How) -> &'static str {
    match how {
        How::Crossed => "crossed",
        How::Failed => "failed",
        How::Refused => "refused",
    }
}
