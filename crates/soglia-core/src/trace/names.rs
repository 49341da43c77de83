//! The contents of the log, gathered: names, places, stacks and slow calls.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    mem::size_of,
};

use super::{
    format::{ChunkHeader, ChunkKind},
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
    /// The limit on tasks in managed code and its figures, if there was one.
    pub slots: Option<(Bound, Figures)>,
    /// Remarks for readers of a report.
    pub remarks: Vec<String>,
    /// Records that were left out because there are more than can be kept.
    pub left_out: u64,
    texts: HashMap<u32, String>,
    stacks: HashMap<u32, Vec<u32>>,
    told_unwatched: HashSet<Unwatched>,
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
    fn take(&mut self, record: Record, payload: usize) {
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
        self.each_record_sized(|record, payload| names.take(record, payload));
        names
    }

    /// Calls `take` with each record of the log.
    pub(super) fn each_record(&self, mut take: impl FnMut(Record)) {
        self.each_record_sized(|record, _| take(record));
    }

    fn each_record_sized(&self, mut take: impl FnMut(Record, usize)) {
        /// After so many bytes the reader gives memory back.
        const IN_A_ROW: usize = 64 << 10;
        let mut in_a_row = 0;
        // Scans the file anew: a process that runs may have written more since the tasks were read.
        for chunk in self.scan().iter().filter(|c| c.kind == ChunkKind::Log) {
            let mut at = chunk.at + size_of::<ChunkHeader>();
            let end = chunk.at + chunk.bytes;
            while at < end {
                let head = self.bytes.word(at);
                let payload = (head >> 8) as usize / 4;
                if head == 0 || at + 4 + payload * 4 > end {
                    break;
                }
                let words: Vec<u32> = (0..payload)
                    .map(|n| self.bytes.word(at + 4 + n * 4))
                    .collect();
                if let Some(record) = Record::decode(head & 0xff, &words) {
                    take(record, payload * 4);
                }
                at += 4 + payload * 4;
                in_a_row += 4 + payload * 4;
                if in_a_row > IN_A_ROW {
                    self.bytes.has_read(std::mem::take(&mut in_a_row));
                }
            }
        }
    }
}
