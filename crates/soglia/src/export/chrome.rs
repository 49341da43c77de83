//! The Trace Event Format of Chrome, which many viewers read.

use std::{
    collections::HashMap,
    io::{self, Write},
};

use serde_json::{Value, json};

use super::{
    named::Named,
    sink::{Call, Outcome, Sink, TaskInfo},
};

/// Writes one complete event per call, and the names of process and threads.
pub struct Chrome<W> {
    out: W,
    pid: u32,
    /// Names of targets, as JSON.
    names: HashMap<u32, String>,
    nothing: String,
}

impl<W: Write> Chrome<W> {
    /// Begins the file.
    ///
    /// # Errors
    /// If the export cannot be written.
    pub fn new(named: &Named, mut out: W) -> io::Result<Self> {
        let pid = named.pid;
        let process = json!({
            "ph": "M", "name": "process_name", "pid": pid, "args": {"name": named.program},
        });
        write!(
            out,
            "{{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{process}"
        )?;
        let json = |text: &str| Value::from(text).to_string();
        Ok(Self {
            out,
            pid,
            names: named
                .targets()
                .into_iter()
                .map(|(target, info)| (target, json(&info.name)))
                .collect(),
            nothing: json(&named.target(u32::MAX).name),
        })
    }
}

impl<W: Write> Sink for Chrome<W> {
    fn task(&mut self, task: &TaskInfo) -> io::Result<()> {
        for (what, args) in [
            ("thread_name", json!({"name": task.title()})),
            ("thread_sort_index", json!({"sort_index": task.number})),
        ] {
            let event = json!({
                "ph": "M", "name": what, "pid": self.pid, "tid": task.number, "args": args,
            });
            write!(self.out, ",\n{event}")?;
        }
        Ok(())
    }

    fn ended(&mut self, call: &Call) -> io::Result<()> {
        if call.outcome == Outcome::Unmatched {
            return Ok(());
        }
        let name = self.names.get(&call.target).unwrap_or(&self.nothing);
        let (pid, tid, cat) = (self.pid, call.task, call.side.direction());
        write!(
            self.out,
            ",\n{{\"ph\":\"X\",\"pid\":{pid},\"tid\":{tid},\"cat\":\"{cat}\",\"name\":{name},\
             \"ts\":{},\"dur\":{}",
            Micros(call.began),
            Micros(call.duration())
        )?;
        match call.outcome {
            Outcome::Returned => write!(self.out, "}}"),
            other => write!(self.out, ",\"args\":{{\"outcome\":\"{}\"}}}}", other.name()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        writeln!(self.out, "\n]}}")?;
        self.out.flush()
    }
}

/// Nanoseconds as microseconds, without loss.
struct Micros(u64);

impl std::fmt::Display for Micros {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}
