//! The fixture `served`, a program that runs like a service, and `soglia attach` on it.
//!
//! Its native library counts calls by function and thread. What a recording has grown by between
//! two stops of the program is compared with what those counts have grown by.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};

use soglia_core::crossing::Side;
use soglia_core::trace::reader::Reader;

use super::space::{Live, Space, signal};

/// By function and thread. Thread 0 stands for all threads.
pub type Counts = BTreeMap<(String, u32), u64>;

/// What a library, or a recording, has counted.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    pub calls: Counts,
    /// By the native function that calls back, or in a recording by the method.
    pub callbacks: Counts,
}

impl Counted {
    /// What was counted since then.
    pub fn since(&self, before: &Self) -> Self {
        let grown = |now: &Counts, before: &Counts| {
            let grown = now.iter().map(|(key, count)| {
                let before = before.get(key).copied().unwrap_or_default();
                let more = count
                    .checked_sub(before)
                    .unwrap_or_else(|| panic!("{key:?} was {before} and is {count}"));
                (key.clone(), more)
            });
            grown.filter(|(_, count)| *count > 0).collect()
        };
        Self {
            calls: grown(&self.calls, &before.calls),
            callbacks: grown(&self.callbacks, &before.callbacks),
        }
    }
}

/// Of all threads together.
pub fn of_all(counts: &Counts, name: &str) -> u64 {
    let of_it = counts.iter().filter(|((function, _), _)| function == name);
    of_it.map(|(_, count)| count).sum()
}

/// A running `served.dll`.
pub struct Served<'a> {
    space: &'a Space,
    process: Live,
    input: ChildStdin,
    /// Stack traces that differed, at the last stop.
    pub traces: u64,
}

impl<'a> Served<'a> {
    /// Starts it with these arguments and variables.
    pub fn start(space: &'a Space, args: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = space.bare("served.dll", args);
        Self::start_command(space, command.envs(variables.iter().copied()))
    }

    /// Starts it by this command.
    pub fn start_command(space: &'a Space, command: &mut Command) -> Self {
        command
            .env("SERVED_FILE", space.path("served"))
            .stdin(Stdio::piped());
        let mut process = Live::start(command);
        let input = process.input().expect("it is piped");
        process.expect("ready");
        Self {
            space,
            process,
            input,
            traces: 0,
        }
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Reads a line of its standard error.
    pub fn error_line(&mut self) -> String {
        self.process.error_line()
    }

    /// Sends a command and returns the answer.
    pub fn ask(&mut self, what: &str) -> String {
        writeln!(self.input, "{what}").unwrap_or_else(|error| panic!("{what}: {error}"));
        self.process.line()
    }

    /// Stops all threads between two calls, and returns what the library has counted. Every result
    /// so far has to be right.
    pub fn stop(&mut self) -> Counted {
        let answer = self.ask("stop");
        let traces = answer.strip_prefix("stopped wrong=0 traces=");
        self.traces = traces.and_then(|n| n.parse().ok()).expect(&answer);
        self.counted()
    }

    pub fn go(&mut self) {
        assert_eq!(self.ask("go"), "going");
    }

    /// What the library has counted so far.
    pub fn counted(&self) -> Counted {
        let bytes = std::fs::read(self.space.path("served")).unwrap();
        let (records, _) = bytes.as_chunks::<64>();
        let long = |record: &[u8; 64], at: usize| {
            u64::from_le_bytes(record[at..at + 8].try_into().unwrap())
        };
        let number = usize::try_from(long(&records[0], 48)).unwrap();
        let mut counted = Counted::default();
        for record in &records[1..=number] {
            let end = record.iter().position(|byte| *byte == 0).unwrap().min(40);
            let name = String::from_utf8(record[..end].to_vec()).unwrap();
            let thread = u32::from_le_bytes(record[40..44].try_into().unwrap());
            let key = (name, thread);
            *counted.calls.entry(key.clone()).or_default() += long(record, 48);
            *counted.callbacks.entry(key).or_default() += long(record, 56);
        }
        counted
    }

    /// Ends it. Every result has to be right.
    pub fn end(mut self) {
        let answer = self.ask("end");
        assert!(answer.starts_with("ended wrong=0 "), "{answer}");
        let (status, errors) = self.process.wait();
        assert!(status.success(), "{status}: {errors}");
    }

    /// `soglia attach PID -o NAME OPTIONS`; returns when all its hooks are there.
    pub fn attach(&self, name: &str, options: &str) -> Attached {
        let path = self.space.path(name);
        let pid = self.pid();
        let mut command = self
            .space
            .soglia(&format!("attach {pid} -o {name} {options}"));
        let mut tool = Live::start(&mut command);
        tool.attached(&path);
        Attached { tool, path }
    }
}

/// A running `soglia attach`.
pub struct Attached {
    pub tool: Live,
    pub path: PathBuf,
}

impl Attached {
    /// What is in the recording so far.
    pub fn recorded(&self) -> Counted {
        recorded(&self.path)
    }

    /// Has the tool let go, as Ctrl-C does, and returns what it reported.
    pub fn let_go(mut self) -> String {
        signal(self.tool.pid(), "INT");
        let (status, errors) = self.tool.wait();
        assert!(status.success(), "soglia attach: {status}: {errors}");
        errors
    }
}

/// Calls by entry point, and callbacks by method, in a recording.
pub fn recorded(path: &Path) -> Counted {
    let reader = Reader::open(path).unwrap_or_else(|error| panic!("{error}"));
    let names = reader.names();
    let mut counted = Counted::default();
    for task in reader.tasks() {
        for ((target, side), total) in &task.targets {
            let Some(names) = names.targets.get(target) else {
                continue;
            };
            let (counts, name) = match side {
                Side::Unmanaged => (&mut counted.calls, &names.entry),
                Side::Managed => (&mut counted.callbacks, &names.method),
            };
            let name = name.clone().unwrap_or_default();
            *counts.entry((name, task.os_thread)).or_default() += total.calls();
        }
    }
    counted
}
