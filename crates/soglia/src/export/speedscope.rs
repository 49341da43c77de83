//! speedscope's own format: an evented profile per task.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use serde_json::{Value, json};

use super::{
    named::Named,
    sink::{Call, Sink, TaskInfo},
};

/// Writes calls as they open and close.
pub struct Speedscope<W> {
    out: W,
    /// The place of each target among the frames; 0 is the frame of all unknown ones.
    frames: HashMap<u32, usize>,
    /// The task, of which no call has been seen yet.
    next: Option<TaskInfo>,
    profiles: u32,
    /// Events of the profile, and the time of the last one.
    events: u64,
    last: u64,
}

impl<W: Write> Speedscope<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// If the export cannot be written.
    pub fn new(named: &Named, mut out: W) -> io::Result<Self> {
        let schema = "https://www.speedscope.app/file-format-schema.json";
        let head = json!({
            "$schema": schema,
            "exporter": concat!("soglia ", env!("CARGO_PKG_VERSION")),
            "name": named.program,
            "activeProfileIndex": 0,
        });
        let head = head.to_string();
        let frame = |name: &str, file: Option<&str>| match file {
            Some(file) => json!({"name": name, "file": file}),
            None => json!({"name": name}),
        };
        write!(
            out,
            "{},\"shared\":{{\"frames\":[\n{}",
            head.trim_end_matches('}'),
            frame(&named.target(u32::MAX).name, None)
        )?;
        let mut frames = HashMap::new();
        for (target, info) in named.targets() {
            frames.insert(target, frames.len() + 1);
            let file = info.library.as_deref().or(info.assembly.as_deref());
            write!(out, ",\n{}", frame(&info.name, file))?;
        }
        write!(out, "\n]}},\"profiles\":[")?;
        Ok(Self {
            out,
            frames,
            next: None,
            profiles: 0,
            events: 0,
            last: 0,
        })
    }

    /// Begins the profile of a task, unless it has begun.
    fn begin(&mut self, at: u64) -> io::Result<()> {
        let Some(task) = self.next.take() else {
            return Ok(());
        };
        let comma = if self.profiles > 0 { "," } else { "" };
        self.profiles += 1;
        self.events = 0;
        write!(
            self.out,
            "{comma}\n{{\"type\":\"evented\",\"name\":{},\"unit\":\"nanoseconds\",\
             \"startValue\":{at},\"events\":[",
            Value::from(task.title())
        )
    }

    /// Ends the profile that has begun.
    fn end(&mut self) -> io::Result<()> {
        if self.profiles == 0 || self.next.is_some() {
            return Ok(());
        }
        write!(self.out, "\n],\"endValue\":{}}}", self.last)
    }

    fn event(&mut self, kind: &str, target: u32, at: u64) -> io::Result<()> {
        let frame = self.frames.get(&target).copied().unwrap_or(0);
        let comma = if self.events > 0 { "," } else { "" };
        self.events += 1;
        self.last = at;
        write!(
            self.out,
            "{comma}\n{{\"type\":\"{kind}\",\"frame\":{frame},\"at\":{at}}}"
        )
    }
}

impl<W: Write> Sink for Speedscope<W> {
    fn task(&mut self, task: &TaskInfo) -> io::Result<()> {
        self.end()?;
        self.next = Some(task.clone());
        Ok(())
    }

    fn began(&mut self, call: &Call) -> io::Result<()> {
        self.begin(call.began)?;
        self.event("O", call.target, call.began)
    }

    fn ended(&mut self, call: &Call) -> io::Result<()> {
        match call.outcome.is_layer() {
            true => self.event("C", call.target, call.ended),
            false => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.end()?;
        if self.profiles == 0 {
            // A file without a profile is an error to speedscope.
            let empty = json!({
                "type": "evented", "name": "no calls", "unit": "nanoseconds",
                "startValue": 0, "endValue": 0, "events": [],
            });
            write!(self.out, "\n{empty}")?;
        }
        writeln!(self.out, "\n]}}")?;
        self.out.flush()
    }
}
