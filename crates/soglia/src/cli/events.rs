//! `soglia events`.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Write},
};

use serde::Serialize;
use soglia::{
    model::{TargetInfo, target_infos},
    text,
};
use soglia_core::{
    account::Totals,
    crossing::Crossing,
    trace::{
        reader::Reader,
        replay::{How, Replayed, replay},
    },
};

use super::{EventFormat, Events, complain, open};

/// Lists crossings, task by task, in time order within each.
pub fn events(options: &Events) -> anyhow::Result<()> {
    let reader = open(&options.file, options.partial)?;
    if !reader.has_events() {
        anyhow::bail!(
            "{} holds an account, but no events: `soglia run --record events` records them",
            options.file.display()
        );
    }
    let tasks = reader.tasks();
    if let Some(wanted) = options.task
        && !tasks.iter().any(|task| task.number == wanted)
    {
        anyhow::bail!(
            "{} has no task {wanted}: it has 1 to {}",
            options.file.display(),
            tasks.len()
        );
    }
    let targets = target_infos(&reader);
    let audit = reader.names().policy.is_some_and(|policy| policy.audit);
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    for task in tasks
        .iter()
        .filter(|task| options.task.is_none_or(|wanted| task.number == wanted))
    {
        let mut printer = Printer {
            options,
            reader: &reader,
            audit,
            targets: &targets,
            task: task.number,
            heading: false,
        };
        let mut result = Ok(());
        replay(&reader, task.number, &mut Totals::default(), |crossed| {
            result = printer.print(crossed, &mut out);
            result.is_ok()
        });
        result?;
    }
    out.flush()?;
    let dropped: u64 = tasks.iter().map(|task| task.dropped).sum();
    if dropped > 0 {
        complain(&format!(
            "{} crossings are not listed: the recording was full (run --max-size makes it larger)",
            text::count(dropped)
        ));
    }
    Ok(())
}

struct Printer<'a> {
    options: &'a Events,
    reader: &'a Reader,
    audit: bool,
    targets: &'a BTreeMap<u32, TargetInfo>,
    task: u32,
    heading: bool,
}

/// A line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    t: u64,
    task: u32,
    os_thread: u32,
    crossing: &'a str,
    outcome: &'a str,
    depth: u32,
    method: Option<&'a str>,
    assembly: Option<&'a str>,
    library: Option<&'a str>,
    entry: Option<&'a str>,
    address: Option<&'a str>,
    runtime_internal: bool,
}

impl Printer<'_> {
    fn print(&mut self, crossed: Replayed, out: &mut impl Write) -> io::Result<()> {
        let t = self
            .reader
            .scale()
            .ns(crossed.at.saturating_sub(self.reader.start_ticks()));
        let nothing = TargetInfo::default();
        let target = crossed
            .target
            .and_then(|target| self.targets.get(&target))
            .unwrap_or(&nothing);
        match self.options.format {
            EventFormat::Jsonl => {
                let line = Line {
                    t,
                    task: self.task,
                    os_thread: crossed.os_thread,
                    crossing: crossed.crossing.name(),
                    outcome: outcome(crossed.how),
                    depth: crossed.depth,
                    method: target.method.as_deref(),
                    assembly: target.assembly.as_deref(),
                    library: target.library.as_deref(),
                    entry: target.entry.as_deref(),
                    address: target.address.as_deref(),
                    runtime_internal: target.runtime_internal,
                };
                serde_json::to_writer(&mut *out, &line)?;
                out.write_all(b"\n")
            }
            EventFormat::Text if target.runtime_internal && !self.options.all => Ok(()),
            EventFormat::Text => self.line(t, crossed, target, out),
        }
    }

    fn line(
        &mut self,
        t: u64,
        crossed: Replayed,
        target: &TargetInfo,
        out: &mut impl Write,
    ) -> io::Result<()> {
        if !self.heading {
            self.heading = true;
            writeln!(out, "task {}, thread {}", self.task, crossed.os_thread)?;
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
                write!(out, "  {}", target.name)?;
            }
            _ => {}
        }
        match crossed.how {
            How::Crossed => writeln!(out),
            How::Failed => writeln!(out, "  by an exception"),
            How::Refused if self.audit => writeln!(out, "  would have been refused"),
            How::Refused => writeln!(out, "  refused: not called"),
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
