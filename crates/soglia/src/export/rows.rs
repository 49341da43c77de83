//! CSV and JSON lines: a row per call.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use serde::Serialize;

use super::{
    named::Named,
    sink::{Call, Outcome, Sink},
};
use crate::{model::TargetInfo, text::cell};

/// The columns, in order.
pub const COLUMNS: [&str; 15] = [
    "task",
    "os_thread",
    "depth",
    "direction",
    "outcome",
    "began",
    "ended",
    "duration_ns",
    "self_ns",
    "target",
    "method",
    "assembly",
    "library",
    "entry",
    "runtime_internal",
];

/// Writes a line per call.
pub struct Lines<W> {
    out: W,
    jsonl: bool,
    /// The end of a line, which has the names of the target.
    tails: HashMap<u32, String>,
    nothing: String,
}

/// The fields of a line of JSON that are of the target.
#[derive(Serialize)]
struct Target<'a> {
    target: &'a str,
    method: Option<&'a str>,
    assembly: Option<&'a str>,
    library: Option<&'a str>,
    entry: Option<&'a str>,
    runtime_internal: bool,
}

impl<W: Write> Lines<W> {
    /// Lines of JSON, an object each.
    ///
    /// # Errors
    /// If the export cannot be written.
    pub fn jsonl(named: &Named, out: W) -> Self {
        Self::of(named, out, true)
    }

    /// CSV, with a heading.
    ///
    /// # Errors
    /// If the export cannot be written.
    pub fn csv(named: &Named, mut out: W) -> io::Result<Self> {
        writeln!(out, "{}", COLUMNS.join(","))?;
        Ok(Self::of(named, out, false))
    }

    fn of(named: &Named, out: W, jsonl: bool) -> Self {
        let tail = |info: &TargetInfo| if jsonl { object(info) } else { cells(info) };
        Self {
            out,
            jsonl,
            tails: named
                .targets()
                .into_iter()
                .map(|(target, info)| (target, tail(info)))
                .collect(),
            nothing: tail(named.target(u32::MAX)),
        }
    }
}

/// The end of a line of JSON.
fn object(info: &TargetInfo) -> String {
    let target = Target {
        target: &info.name,
        method: info.method.as_deref(),
        assembly: info.assembly.as_deref(),
        library: info.library.as_deref(),
        entry: info.entry.as_deref(),
        runtime_internal: info.runtime_internal,
    };
    // Texts and truth values make JSON.
    let object = serde_json::to_string(&target).unwrap_or_default();
    object.trim_start_matches('{').to_owned()
}

/// The end of a line of CSV.
fn cells(info: &TargetInfo) -> String {
    let parts = [&info.method, &info.assembly, &info.library, &info.entry];
    let parts = parts.map(|part| part.as_deref().map(cell).unwrap_or_default());
    let internal = info.runtime_internal.to_string();
    let mut row = csv::WriterBuilder::new().from_writer(Vec::new());
    let cells = std::iter::once(cell(&info.name))
        .chain(parts)
        .chain([internal]);
    // Writing into memory does not fail.
    let _ = row.write_record(cells);
    let bytes = row.into_inner().unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}

impl<W: Write> Sink for Lines<W> {
    fn ended(&mut self, call: &Call) -> io::Result<()> {
        let tail = self.tails.get(&call.target).unwrap_or(&self.nothing);
        let (direction, outcome) = (call.side.direction(), call.outcome.name());
        let Call {
            task,
            os_thread,
            depth,
            began,
            ended,
            own,
            ..
        } = call;
        let took = call.duration();
        let is_open = call.outcome == Outcome::Open;
        if self.jsonl {
            let out = &mut self.out;
            write!(
                out,
                "{{\"task\":{task},\"os_thread\":{os_thread},\"depth\":{depth},\
                 \"direction\":\"{direction}\",\"outcome\":\"{outcome}\",\"began\":{began},\"ended\":"
            )?;
            match is_open {
                true => write!(out, "null")?,
                false => write!(out, "{ended}")?,
            }
            return writeln!(out, ",\"duration_ns\":{took},\"self_ns\":{own},{tail}");
        }
        write!(
            self.out,
            "{task},{os_thread},{depth},{direction},{outcome},{began},"
        )?;
        if !is_open {
            write!(self.out, "{ended}")?;
        }
        writeln!(self.out, ",{took},{own},{tail}")
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
