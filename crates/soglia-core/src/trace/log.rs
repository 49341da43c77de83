//! The log: names, addresses, stacks and slow calls, written seldom and never changed.
//!
//! A log chunk is a run of records: a word (kind in the low 8 bits, bytes of the payload above), then the payload, padded
//! to 4 bytes. The word is stored last; a zero word ends the run. In payloads, a string is its length in a word (all
//! ones: none) and its UTF-8 bytes padded to 4; numbers of 64 bits are two words, low first.

use std::time::Duration;

use super::overdue::{Overdue, OverdueAction, OverdueEnd};
use crate::{
    admission::{Bound, Figures},
    crossing::Side,
};

/// A target, told when it is first called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetNames {
    /// Its number, from 1.
    pub target: u32,
    /// 0 for forward, 1 for reverse.
    pub side: u32,
    /// One of the runtime's own.
    pub runtime_internal: bool,
    /// Called without a GC transition: while such a call lasts, the runtime cannot be suspended.
    pub suppressed: bool,
    /// `Namespace.Type.Method`.
    pub method: Option<String>,
    /// Simple name of the assembly.
    pub assembly: Option<String>,
    /// The library as written in `DllImport`.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// `LIBRARY!ENTRY` or `LIBRARY` of what is called instead, by a policy.
    pub redirected_to: Option<String>,
}

impl TargetNames {
    /// The side of its layers.
    pub const fn side(&self) -> Side {
        Side::from_number(self.side)
    }
}

/// Where crossings come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The CLR's transition callbacks.
    Transitions = 1,
    /// Wrappers, woven in at module load.
    Woven = 2,
}

impl Source {
    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transitions => "transitions",
            Self::Woven => "woven",
        }
    }
}

/// Whose calls are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Those of the program and its libraries.
    User = 1,
    /// Also those of the framework, without its core library.
    Framework = 2,
    /// Also those of the core library.
    CoreLib = 3,
    /// All that the runtime tells, which is the only choice of [`Source::Transitions`].
    All = 4,
}

impl Scope {
    /// Its name in the engine's variable and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Framework => "framework",
            Self::CoreLib => "corelib",
            Self::All => "all",
        }
    }
}

/// Something that crosses and that the source does not see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unwatched {
    /// The side of the targets that are not seen, if they are all on one.
    pub side: Option<Side>,
    /// The assembly that declares the targets that are not seen, if they are all of one.
    pub assembly: Option<String>,
    /// The target's method, if it is one, or `[function pointer]`.
    pub method: Option<String>,
    /// For people: what is not seen, and why.
    pub text: String,
}

/// A policy that the process is under.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyInForce {
    /// Nothing is refused or redirected; refused calls are those that would have been.
    pub audit: bool,
    /// A refused call ends the process.
    pub fatal: bool,
    /// As people write them, in the order in which they are looked at.
    pub rules: Vec<String>,
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A target's names.
    Target(TargetNames),
    /// Where a forward target lies, where that was found: at its first call, or after its first return.
    Address {
        /// The target.
        target: u32,
        /// Of its first instruction.
        address: u64,
        /// The loaded object that it lies in.
        file: Option<String>,
        /// The symbol there.
        symbol: Option<String>,
        /// The address as the object's file has it: from where that is loaded.
        offset: Option<u64>,
        /// The object's build id, in hexadecimal.
        build: Option<String>,
    },
    /// A text with a number, for stacks.
    Text {
        /// The number, from 1.
        number: u32,
        /// The text.
        text: String,
    },
    /// A managed stack, innermost frame first.
    Stack {
        /// The number, from 1.
        number: u32,
        /// Numbers of texts; 0 stands for unmanaged frames.
        frames: Vec<u32>,
    },
    /// The stack of a target's first call.
    FirstCall {
        /// The target.
        target: u32,
        /// The stack.
        stack: u32,
    },
    /// A call that took at least as long as asked for.
    Slow {
        /// The target.
        target: u32,
        /// The task.
        task: u32,
        /// Ticks when it returned.
        at: u64,
        /// Ticks that it took.
        took: u64,
        /// The stack; 0: there was none to be had.
        stack: u32,
    },
    /// The first return of a forward target on any task, ended calls only.
    FirstReturn {
        /// The target.
        target: u32,
        /// Ticks from call to return: where wrappers tell the call, loading, binding and making of stubs are in them.
        took: u64,
    },
    /// The runtime.
    Runtime {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
    },
    /// The recorded program.
    Program {
        /// Its command line, the program first.
        args: Vec<String>,
    },
    /// Something a reader of the report should know.
    Remark {
        /// The text.
        text: String,
    },
    /// Where the crossings of this recording come from.
    Source {
        /// The source.
        source: Source,
        /// Whose calls it watches.
        scope: Scope,
        /// Why it is not the source that soglia would have chosen.
        because: Option<String>,
    },
    /// What is not watched.
    Unwatched(Unwatched),
    /// Which calls shall not be made as they are.
    Policy(PolicyInForce),
    /// A function that a rule is about was found in a module.
    RuleApplies {
        /// The rule's index in the policy.
        rule: u32,
    },
    /// The deadlines of native calls, as people write them.
    Deadlines(Vec<String>),
    /// A call has missed its deadline.
    Overdue(Overdue),
    /// Such a call is over.
    OverdueEnd(OverdueEnd),
    /// Something was done about such a call.
    OverdueAction(OverdueAction),
    /// A bound on the tasks in managed code, and what came of it so far: the last record of the kind counts.
    Slots(Bound, Figures),
}

const TARGET: u32 = 1;
const ADDRESS: u32 = 2;
const TEXT: u32 = 3;
const STACK: u32 = 4;
const FIRST_CALL: u32 = 5;
const SLOW: u32 = 6;
const RUNTIME: u32 = 7;
const PROGRAM: u32 = 8;
const REMARK: u32 = 9;
const FIRST_RETURN: u32 = 10;
const SOURCE: u32 = 11;
const UNWATCHED: u32 = 12;
const POLICY: u32 = 13;
const RULE_APPLIES: u32 = 14;
const DEADLINES: u32 = 15;
const OVERDUE: u32 = 16;
const OVERDUE_END: u32 = 17;
const OVERDUE_ACTION: u32 = 18;
const SLOTS: u32 = 19;

/// Bytes of a text that are kept. Names of generated code can be absurdly long; nobody reads more than this of one.
const MOST_TEXT: usize = 16 << 10;

#[derive(Default)]
pub(super) struct Encoder(Vec<u32>);

impl Encoder {
    pub(super) fn word(&mut self, word: u32) -> &mut Self {
        self.0.push(word);
        self
    }

    pub(super) fn long(&mut self, long: u64) -> &mut Self {
        self.word(long as u32).word((long >> 32) as u32)
    }

    fn string(&mut self, text: &str) -> &mut Self {
        let mut end = text.len().min(MOST_TEXT);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let bytes = &text.as_bytes()[..end];
        self.word(bytes.len() as u32);
        for four in bytes.chunks(4) {
            let mut word = [0; 4];
            word[..four.len()].copy_from_slice(four);
            self.word(u32::from_le_bytes(word));
        }
        self
    }

    pub(super) fn option(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.string(text),
            None => self.word(u32::MAX),
        }
    }
}

pub(super) struct Decoder<'a>(&'a [u32]);

impl Decoder<'_> {
    pub(super) fn word(&mut self) -> Option<u32> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn long(&mut self) -> Option<u64> {
        Some(u64::from(self.word()?) | u64::from(self.word()?) << 32)
    }

    pub(super) fn option(&mut self) -> Option<Option<String>> {
        let bytes = self.word()?;
        if bytes == u32::MAX {
            return Some(None);
        }
        let words = (bytes as usize).div_ceil(4);
        let (text, rest) = self.0.split_at_checked(words)?;
        self.0 = rest;
        let text = &text[..words.min(MOST_TEXT / 4)];
        let mut text: Vec<u8> = text.iter().flat_map(|w| w.to_le_bytes()).collect();
        text.truncate(bytes as usize);
        Some(Some(String::from_utf8_lossy(&text).into_owned()))
    }

    fn string(&mut self) -> Option<String> {
        self.option()?
    }

    /// All that are left.
    fn strings(&mut self) -> Option<Vec<String>> {
        let mut all = Vec::new();
        while !self.0.is_empty() {
            all.push(self.string()?);
        }
        Some(all)
    }
}

impl Record {
    /// The words of this record, the one with kind and length first.
    pub fn encode(&self) -> Vec<u32> {
        let mut to = Encoder::default();
        to.word(0);
        let kind = match self {
            Self::Target(t) => {
                let [internal, suppressed] = [t.runtime_internal, t.suppressed].map(u32::from);
                to.word(t.target)
                    .word(t.side | internal << 1 | suppressed << 2);
                for name in [
                    &t.method,
                    &t.assembly,
                    &t.library,
                    &t.entry,
                    &t.redirected_to,
                ] {
                    to.option(name.as_deref());
                }
                TARGET
            }
            Self::Address {
                target,
                address,
                file,
                symbol,
                offset,
                build,
            } => {
                to.word(*target)
                    .long(*address)
                    .option(file.as_deref())
                    .option(symbol.as_deref())
                    .long(offset.unwrap_or(u64::MAX))
                    .option(build.as_deref());
                ADDRESS
            }
            Self::Text { number, text } => {
                to.word(*number).string(text);
                TEXT
            }
            Self::Stack { number, frames } => {
                to.word(*number);
                to.0.extend(frames);
                STACK
            }
            Self::FirstCall { target, stack } => {
                to.word(*target).word(*stack);
                FIRST_CALL
            }
            Self::Slow {
                target,
                task,
                at,
                took,
                stack,
            } => {
                to.word(*target)
                    .word(*task)
                    .long(*at)
                    .long(*took)
                    .word(*stack);
                SLOW
            }
            Self::FirstReturn { target, took } => {
                to.word(*target).long(*took);
                FIRST_RETURN
            }
            Self::Runtime { name, version } => {
                to.string(name).string(version);
                RUNTIME
            }
            Self::Program { args } => {
                for arg in args {
                    to.string(arg);
                }
                PROGRAM
            }
            Self::Remark { text } => {
                to.string(text);
                REMARK
            }
            Self::Source {
                source,
                scope,
                because,
            } => {
                to.word(*source as u32)
                    .word(*scope as u32)
                    .option(because.as_deref());
                SOURCE
            }
            Self::Unwatched(what) => {
                to.word(what.side.map_or(2, |side| side as u32))
                    .option(what.assembly.as_deref())
                    .option(what.method.as_deref())
                    .string(&what.text);
                UNWATCHED
            }
            Self::Policy(policy) => {
                to.word(u32::from(policy.audit) | u32::from(policy.fatal) << 1);
                for rule in &policy.rules {
                    to.string(rule);
                }
                POLICY
            }
            Self::RuleApplies { rule } => {
                to.word(*rule);
                RULE_APPLIES
            }
            Self::Deadlines(texts) => {
                for text in texts {
                    to.string(text);
                }
                DEADLINES
            }
            Self::Overdue(overdue) => {
                overdue.encode(&mut to);
                OVERDUE
            }
            Self::OverdueEnd(end) => {
                end.encode(&mut to);
                OVERDUE_END
            }
            Self::OverdueAction(action) => {
                action.encode(&mut to);
                OVERDUE_ACTION
            }
            Self::Slots(bound, figures) => {
                to.word(bound.slots.get().into())
                    .long(bound.limit_ns().unwrap_or(u64::MAX));
                for figure in [
                    figures.waits,
                    figures.waited_ns,
                    figures.longest_ns,
                    figures.timed_out,
                    figures.lent,
                    figures.abandoned,
                ] {
                    to.long(figure);
                }
                SLOTS
            }
        };
        to.0[0] = kind | ((to.0.len() as u32 - 1) * 4) << 8;
        to.0
    }

    /// The record of this kind with these words of payload; `None` if it makes no sense.
    pub fn decode(kind: u32, payload: &[u32]) -> Option<Self> {
        let mut from = Decoder(payload);
        Some(match kind {
            TARGET => {
                let target = from.word()?;
                let bits = from.word()?;
                Self::Target(TargetNames {
                    target,
                    side: bits & 1,
                    runtime_internal: bits & 2 != 0,
                    suppressed: bits & 4 != 0,
                    method: from.option()?,
                    assembly: from.option()?,
                    library: from.option()?,
                    entry: from.option()?,
                    redirected_to: from.option()?,
                })
            }
            ADDRESS => Self::Address {
                target: from.word()?,
                address: from.long()?,
                file: from.option()?,
                symbol: from.option()?,
                offset: from.long().map(|at| (at != u64::MAX).then_some(at))?,
                build: from.option()?,
            },
            TEXT => Self::Text {
                number: from.word()?,
                text: from.string()?,
            },
            STACK => Self::Stack {
                number: from.word()?,
                frames: from.0.to_vec(),
            },
            FIRST_CALL => Self::FirstCall {
                target: from.word()?,
                stack: from.word()?,
            },
            SLOW => Self::Slow {
                target: from.word()?,
                task: from.word()?,
                at: from.long()?,
                took: from.long()?,
                stack: from.word()?,
            },
            FIRST_RETURN => Self::FirstReturn {
                target: from.word()?,
                took: from.long()?,
            },
            RUNTIME => Self::Runtime {
                name: from.string()?,
                version: from.string()?,
            },
            PROGRAM => Self::Program {
                args: from.strings()?,
            },
            REMARK => Self::Remark {
                text: from.string()?,
            },
            SOURCE => Self::Source {
                source: match from.word()? {
                    1 => Source::Transitions,
                    2 => Source::Woven,
                    _ => return None,
                },
                scope: match from.word()? {
                    1 => Scope::User,
                    2 => Scope::Framework,
                    3 => Scope::CoreLib,
                    4 => Scope::All,
                    _ => return None,
                },
                because: from.option()?,
            },
            POLICY => {
                let bits = from.word()?;
                Self::Policy(PolicyInForce {
                    audit: bits & 1 != 0,
                    fatal: bits & 2 != 0,
                    rules: from.strings()?,
                })
            }
            RULE_APPLIES => Self::RuleApplies { rule: from.word()? },
            DEADLINES => Self::Deadlines(from.strings()?),
            OVERDUE => Self::Overdue(Overdue::decode(&mut from)?),
            OVERDUE_END => Self::OverdueEnd(OverdueEnd::decode(&mut from)?),
            OVERDUE_ACTION => Self::OverdueAction(OverdueAction::decode(&mut from)?),
            SLOTS => {
                let slots = u16::try_from(from.word()?).ok()?.try_into().ok()?;
                let limit = from.long().map(|ns| (ns != u64::MAX).then_some(ns))?;
                let bound = Bound {
                    slots,
                    limit: limit.map(Duration::from_nanos),
                };
                let figures = Figures {
                    waits: from.long()?,
                    waited_ns: from.long()?,
                    longest_ns: from.long()?,
                    timed_out: from.long()?,
                    lent: from.long()?,
                    abandoned: from.long()?,
                };
                Self::Slots(bound, figures)
            }
            UNWATCHED => Self::Unwatched(Unwatched {
                side: Some(from.word()?)
                    .filter(|side| *side < 2)
                    .map(Side::from_number),
                assembly: from.option()?,
                method: from.option()?,
                text: from.string()?,
            }),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
