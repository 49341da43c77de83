//! Slow, failed and denied calls one by one, while they come.

use std::collections::HashMap;

use soglia_core::trace::{
    arguments::{Arguments, Of},
    names::{Names, SlowCall},
    reader::Reader,
};

use super::{
    clock::{Clock, WallClock},
    figures::Figures,
    lists::slow_row,
    process::RuntimeVersion,
    program::program,
    rows::SlowRow,
    symbols::read_on,
};

/// Why a call is worth a look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It took long.
    Slow,
    /// It ended by an exception. How long it took is not known.
    Failed {
        /// The type, if the recording has it.
        exception: Option<String>,
        /// Its message.
        message: Option<String>,
    },
    /// A policy denied it.
    Denied,
}

/// A call.
#[derive(Clone, Debug)]
pub struct SingleCall {
    /// Why it is here.
    pub how: How,
    /// The call itself. One that did not return has no duration.
    pub row: SlowRow,
    /// The operating system's number of the thread.
    pub os_thread: u32,
    /// Target, end and duration as the recording has them. Nanoseconds are computed from them, and
    /// differ a little from look to look.
    pub recorded: (u32, u64, u64),
}

/// How many calls were taken, of each list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    slow: usize,
    arguments: usize,
}

/// Reads the calls of a recording in the order in which they come.
#[derive(Default)]
pub struct SingleCalls {
    names: Names,
    /// The place of the arguments of each slow call, by target, task and end.
    given: HashMap<(u32, u32, u64), usize>,
    /// Arguments that have been looked at.
    indexed: usize,
    /// What was taken for good.
    done: Taken,
    /// What may be taken: the arguments of a call are recorded after it.
    ready: Taken,
    /// The time of day at the start, as it was computed first.
    wall: Option<WallClock>,
}

impl SingleCalls {
    /// Reads what is new. The calls that were there before may be taken from here on; with `all`,
    /// since nothing more is recorded, those that are new too.
    pub fn read(&mut self, reader: &Reader, all: bool) {
        let before = self.recorded();
        read_on(&mut self.names, reader);
        let new = self.names.arguments.iter().enumerate().skip(self.indexed);
        for (place, of) in new.filter(|(_, of)| of.of == Of::Slow) {
            self.given.insert((of.target, of.task, of.at), place);
        }
        self.indexed = self.names.arguments.len();
        self.ready = if all { self.recorded() } else { before };
        self.wall.get_or_insert_with(|| WallClock::of(reader));
    }

    fn recorded(&self) -> Taken {
        Taken {
            slow: self.names.slow.len(),
            arguments: self.names.arguments.len(),
        }
    }

    /// The number of calls that are recorded and were not taken.
    pub fn left(&self) -> u64 {
        let arguments = self.names.arguments.iter().skip(self.done.arguments);
        let others = arguments.filter(|of| is_single(of)).count();
        (self.names.slow.len() - self.done.slow + others) as u64
    }

    /// The time of day of the calls.
    pub fn wall(&self) -> WallClock {
        self.wall.unwrap_or_default()
    }

    /// What the process is, without its sums.
    pub fn process(&self, reader: &Reader) -> Figures {
        let (name, version) = self.names.runtime.clone().unwrap_or_default();
        Figures {
            program: program(&self.names.program).0,
            pid: reader.pid(),
            runtime: RuntimeVersion { name, version },
            source: self.names.source.as_ref().map(|(source, ..)| source.name()),
            level: super::build::level(reader),
            times: super::build::times(reader),
            ..Figures::default()
        }
    }

    /// The next calls, at most so many. [`SingleCalls::take`] takes them.
    pub fn next(&self, reader: &Reader, most: usize) -> (Vec<SingleCall>, Taken) {
        let clock = Clock::of(reader, &reader.ending(), None);
        let mut taken = self.done;
        let mut calls = Vec::new();
        while taken.slow < self.ready.slow && calls.len() < most {
            let call = &self.names.slow[taken.slow];
            let given = self.given.get(&(call.target, call.task, call.at));
            let given = given.map(|place| &self.names.arguments[*place]);
            calls.push(SingleCall {
                how: How::Slow,
                row: slow_row(&self.names, call, given, &clock),
                os_thread: 0,
                recorded: (call.target, call.at, call.took),
            });
            taken.slow += 1;
        }
        while taken.arguments < self.ready.arguments && calls.len() < most {
            let of = &self.names.arguments[taken.arguments];
            if is_single(of) {
                calls.push(self.other(of, &clock));
            }
            taken.arguments += 1;
        }
        if !calls.is_empty() {
            let threads: HashMap<u32, u32> = reader.threads().collect();
            for call in &mut calls {
                call.os_thread = threads.get(&call.row.task).copied().unwrap_or(0);
            }
        }
        (calls, taken)
    }

    /// Takes these calls for good.
    pub const fn take(&mut self, taken: Taken) {
        self.done = taken;
    }

    /// A call that did not return.
    fn other(&self, of: &Arguments, clock: &Clock) -> SingleCall {
        let failure = self.names.failures.get(of.failure as usize);
        let failure = failure.filter(|_| of.of == Of::Failed);
        let call = SlowCall {
            target: of.target,
            task: of.task,
            at: of.at,
            took: 0,
            stack: failure.map_or(0, |failure| failure.stack),
        };
        let how = match of.of {
            Of::Denied => How::Denied,
            _ => How::Failed {
                exception: failure.map(|failure| failure.exception.clone()),
                message: failure.and_then(|failure| failure.message.clone()),
            },
        };
        SingleCall {
            how,
            row: slow_row(&self.names, &call, Some(of), clock),
            os_thread: 0,
            recorded: (call.target, call.at, call.took),
        }
    }
}

/// Whether these are the arguments of a call that is in no other list.
fn is_single(of: &Arguments) -> bool {
    matches!(of.of, Of::Failed | Of::Denied)
}
