//! The contents of the log, gathered: names, places, stacks and slow calls.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    mem::size_of,
};

use super::{
    arguments::Arguments,
    attached::{Attach, Detach, Snapshot},
    crash::Crash,
    facts::{Caller, Signature, Starvation, Suspension, Suspensions},
    failure::Failure,
    format::{ChunkHeader, ChunkKind},
    loaded::LoadedObject,
    log::{PolicyInForce, Record, Scope, Source, TargetNames, Unwatched},
    reader::Reader,
};
use crate::admission::{Bound, Figures};

/// Where a target lies: [`Record::Address`].
#[derive(Clone, Debug, Default)]
pub struct Place {
    /// The address of its first instruction.
    pub address: u64,
    /// The loaded object in which it lies.
    pub file: Option<String>,
    /// The symbol there.
    pub symbol: Option<String>,
    /// The address as the file has it.
    pub offset: Option<u64>,
    /// The file's build id, in hexadecimal.
    pub build: Option<String>,
}

/// A slow call.
#[derive(Clone, Copy, Debug)]
pub struct SlowCall {
    /// The target.
    pub target: u32,
    /// The task.
    pub task: u32,
    /// Ticks when it returned.
    pub at: u64,
    /// Ticks that it took.
    pub took: u64,
    /// The stack's number; 0: none is known.
    pub stack: u32,
}

/// The contents of the log.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By number.
    pub targets: BTreeMap<u32, TargetNames>,
    /// Where forward targets lie, by target.
    pub places: HashMap<u32, Place>,
    /// Stack of the first call by target.
    pub first_calls: HashMap<u32, u32>,
    /// Ticks of a forward target's first call, by target. Where wrappers record the call, they
    /// include loading and binding.
    pub first_returns: HashMap<u32, u64>,
    /// Slow calls, in the order of their ends.
    pub slow: Vec<SlowCall>,
    /// Name and version of the runtime.
    pub runtime: Option<(String, String)>,
    /// The program and its arguments.
    pub program: Vec<String>,
    /// Where the engine learns of crossings, whose calls it watches, and why not from the other
    /// source.
    pub source: Option<(Source, Scope, Option<String>)>,
    /// What the source does not see, each once.
    pub unwatched: Vec<Unwatched>,
    /// The policy, if there was one.
    pub policy: Option<PolicyInForce>,
    /// The indices of its rules that are about a function of some loaded module.
    pub rules_that_apply: BTreeSet<u32>,
    /// The deadlines of native calls, as people write them.
    pub deadlines: Vec<String>,
    /// What became of calls that missed a deadline: [`Record::Overdue`], [`Record::OverdueEnd`] and
    /// [`Record::OverdueAction`], in the order in which they were written.
    pub overdue: Vec<Record>,
    /// Exceptions that native calls end by, in the order in which they were thrown first.
    pub failures: Vec<Failure>,
    /// How the process was ended, if its starter found that out.
    pub crash: Option<Crash>,
    /// Loaded objects, in the order in which they were recorded.
    pub objects: Vec<LoadedObject>,
    /// The limit on tasks in managed code and its figures, if there was one.
    pub slots: Option<(Bound, Figures)>,
    /// The signatures of targets, by target.
    pub signatures: HashMap<u32, Signature>,
    /// Stacks of calls that were not the first of their targets, in the order of the calls.
    pub callers: Vec<Caller>,
    /// Stops for collections that took long, in their order.
    pub suspensions: Vec<Suspension>,
    /// All stops for collections, if there was one.
    pub all_suspensions: Option<Suspensions>,
    /// When the runtime's thread pool starved.
    pub starvations: Vec<Starvation>,
    /// When the engine was attached, if the process ran already.
    pub attach: Option<Attach>,
    /// When it stopped to record a process that runs on.
    pub detach: Option<Detach>,
    /// What threads did at moments, in the order in which that was recorded.
    pub snapshots: Vec<Snapshot>,
    /// The arguments of calls, in the order in which they were recorded.
    pub arguments: Vec<Arguments>,
    /// Remarks for readers of a report.
    pub remarks: Vec<String>,
    /// Records that were left out because there are more than can be kept.
    pub left_out: u64,
    texts: HashMap<u32, String>,
    stacks: HashMap<u32, Vec<u32>>,
    told_unwatched: HashSet<Unwatched>,
    bytes: usize,
    read: Position,
    /// Where each of `failures` lies. Their counts change.
    failures_at: Vec<usize>,
}

/// How far a log was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Position {
    /// How many of its chunks were read to their ends.
    chunks: usize,
    /// Bytes of the next one that were read, with its header.
    bytes: usize,
}

/// What is kept of the log takes about so many bytes at most. No program has such a log, but a
/// recording may hold anything.
const MOST_BYTES: usize = 64 << 20;
/// Frames of a stack that are shown. The engine records no more.
const MOST_FRAMES: usize = 1 << 10;
/// Bytes that a record takes in addition to its texts.
const RECORD: usize = 160;
/// Bytes of a slow call, of which there may be very many.
const SLOW: usize = size_of::<SlowCall>();

/// What stands for a run of native frames in a stack.
pub const UNMANAGED: &str = "[unmanaged]";

impl Names {
    /// The frames of a stack, innermost first.
    pub fn stack(&self, number: u32) -> Vec<&str> {
        let frames = self.stacks.get(&number).map_or(&[][..], Vec::as_slice);
        let text = |n: &u32| match n {
            0 => UNMANAGED,
            n => self.texts.get(n).map_or("?", String::as_str),
        };
        frames.iter().take(MOST_FRAMES).map(text).collect()
    }
}

impl Names {
    /// Adds what the log has gained since these names were read. The recording is the same, opened
    /// again or still open. Returns whether there was anything.
    pub fn read_on(&mut self, reader: &Reader) -> bool {
        for (failure, at) in self.failures.iter_mut().zip(&self.failures_at) {
            if let Some(Record::Failure(now)) = reader.record_at(*at) {
                failure.calls = now.calls;
            }
        }
        let from = self.read;
        self.read = reader.each_record_from(from, |record, payload, at| {
            self.take(record, payload, at);
        });
        self.read != from
    }

    fn take(&mut self, record: Record, payload: usize, at: usize) {
        // Text that is not UTF-8 becomes up to three times as long.
        self.bytes += match record {
            Record::Slow { .. } => SLOW,
            _ => RECORD + payload * 2,
        };
        if self.bytes > MOST_BYTES {
            self.left_out += 1;
            return;
        }
        match record {
            Record::Target(names) => {
                self.targets.insert(names.target, names);
            }
            Record::Address {
                target,
                address,
                file,
                symbol,
                offset,
                build,
            } => {
                let place = Place {
                    address,
                    file,
                    symbol,
                    offset,
                    build,
                };
                self.places.insert(target, place);
            }
            Record::Text { number, text } => {
                self.texts.insert(number, text);
            }
            Record::Stack { number, frames } => {
                self.stacks.insert(number, frames);
            }
            Record::FirstCall { target, stack } => {
                self.first_calls.insert(target, stack);
            }
            Record::Slow {
                target,
                task,
                at,
                took,
                stack,
            } => {
                self.slow.push(SlowCall {
                    target,
                    task,
                    at,
                    took,
                    stack,
                });
            }
            Record::FirstReturn { target, took } => {
                self.first_returns.insert(target, took);
            }
            Record::Runtime { name, version } => self.runtime = Some((name, version)),
            Record::Program { args } => self.program = args,
            Record::Remark { text } => self.remarks.push(text),
            Record::Source {
                source,
                scope,
                because,
            } => self.source = Some((source, scope, because)),
            Record::Policy(policy) => self.policy = Some(policy),
            Record::Deadlines(texts) => self.deadlines.extend(texts),
            Record::Overdue(_) | Record::OverdueEnd(_) | Record::OverdueAction(_) => {
                self.overdue.push(record);
            }
            Record::Slots(bound, figures) => self.slots = Some((bound, figures)),
            Record::Signature(signature) => {
                self.signatures.insert(signature.target, signature);
            }
            Record::Caller(caller) => self.callers.push(caller),
            Record::Suspension(suspension) => self.suspensions.push(suspension),
            Record::Suspensions(all) => self.all_suspensions = Some(all),
            Record::Starvation(starvation) => self.starvations.push(starvation),
            Record::Failure(failure) => {
                self.failures.push(failure);
                self.failures_at.push(at);
            }
            Record::Crash(crash) => self.crash = Some(crash),
            Record::Attach(attach) => self.attach = Some(attach),
            Record::Detach(detach) => self.detach = Some(detach),
            Record::Snapshot(snapshot) => self.snapshots.push(snapshot),
            Record::Arguments(arguments) => self.arguments.push(arguments),
            Record::Object(object) => self.objects.push(object),
            Record::RuleApplies { rule } => {
                self.rules_that_apply.insert(rule);
            }
            Record::Unwatched(what) => {
                if self.told_unwatched.insert(what.clone()) {
                    self.unwatched.push(what);
                }
            }
        }
    }
}

impl Reader {
    /// The contents of the log now.
    pub fn names(&self) -> Names {
        let mut names = Names::default();
        names.read_on(self);
        names
    }

    /// Calls `take` with each record of the log.
    pub(super) fn each_record(&self, mut take: impl FnMut(Record)) {
        self.each_record_from(Position::default(), |record, _, _| take(record));
    }

    /// The same for the records behind this position. `take` also gets the bytes of the payload and
    /// the place of the record. Returns how far it has read.
    fn each_record_from(
        &self,
        from: Position,
        mut take: impl FnMut(Record, usize, usize),
    ) -> Position {
        /// After so many bytes the reader gives memory back.
        const IN_A_ROW: usize = 64 << 10;
        let mut in_a_row = 0;
        let mut read = from;
        // Scans the file anew: a process that runs may have written more since the tasks were read.
        let chunks = self.scan();
        let chunks = chunks.iter().filter(|c| c.kind == ChunkKind::Log);
        for (n, chunk) in chunks.enumerate().skip(from.chunks) {
            // A record that is being written ends a chunk for now. There are later chunks only if
            // this one is full.
            if n > read.chunks {
                read = Position {
                    chunks: n,
                    bytes: 0,
                };
            }
            let mut at = chunk.at + read.bytes.max(size_of::<ChunkHeader>());
            let end = chunk.at + chunk.bytes;
            while at < end {
                let head = self.bytes.word(at);
                let payload = (head >> 8) as usize / 4;
                if head == 0 || at + 4 + payload * 4 > end {
                    break;
                }
                if let Some(record) = self.record_at(at) {
                    take(record, payload * 4, at);
                }
                at += 4 + payload * 4;
                in_a_row += 4 + payload * 4;
                if in_a_row > IN_A_ROW {
                    self.bytes.has_read(std::mem::take(&mut in_a_row));
                }
            }
            read.bytes = at - chunk.at;
        }
        read
    }

    /// The record at this place of the file.
    fn record_at(&self, at: usize) -> Option<Record> {
        let head = self.bytes.word(at);
        let words = (0..(head >> 8) as usize / 4).map(|n| self.bytes.word(at + 4 + n * 4));
        Record::decode(head & 0xff, &words.collect::<Vec<u32>>())
    }
}
