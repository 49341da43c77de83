//! Records of the log as words, and back.

use std::time::Duration;

use super::{PolicyInForce, Record, Scope, Source, TargetNames, Unwatched};
use crate::{
    admission::{Bound, Figures},
    crossing::Side,
    trace::{
        arguments::Arguments,
        attached::{Attach, Detach, Snapshot},
        crash::Crash,
        facts::{Caller, Signature, Starvation, Suspension, Suspensions},
        failure::Failure,
        loaded::LoadedObject,
        overdue::{Overdue, OverdueAction, OverdueEnd},
        payload::{Decoder, Encoder},
    },
};

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
const SIGNATURE: u32 = 20;
const FAILURE: u32 = 21;
const SUSPENSION: u32 = 22;
const SUSPENSIONS: u32 = 23;
const OBJECT: u32 = 24;
const STARVATION: u32 = 25;
const CALLER: u32 = 26;
const CRASH: u32 = 27;
const ATTACH: u32 = 28;
const DETACH: u32 = 29;
const SNAPSHOT: u32 = 30;
const ARGUMENTS: u32 = 31;

impl Record {
    /// The words of this record. The first holds its kind and its length.
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
            Self::Signature(signature) => {
                signature.encode(&mut to);
                SIGNATURE
            }
            Self::Suspension(suspension) => {
                suspension.encode(&mut to);
                SUSPENSION
            }
            Self::Suspensions(all) => {
                all.encode(&mut to);
                SUSPENSIONS
            }
            Self::Starvation(starvation) => {
                starvation.encode(&mut to);
                STARVATION
            }
            Self::Caller(caller) => {
                caller.encode(&mut to);
                CALLER
            }
            Self::Failure(failure) => {
                failure.encode(&mut to);
                FAILURE
            }
            Self::Crash(crash) => {
                crash.encode(&mut to);
                CRASH
            }
            Self::Object(object) => {
                object.encode(&mut to);
                OBJECT
            }
            Self::Attach(attach) => {
                attach.encode(&mut to);
                ATTACH
            }
            Self::Detach(detach) => {
                detach.encode(&mut to);
                DETACH
            }
            Self::Snapshot(snapshot) => {
                snapshot.encode(&mut to);
                SNAPSHOT
            }
            Self::Arguments(arguments) => {
                arguments.encode(&mut to);
                ARGUMENTS
            }
        };
        to.0[0] = kind | ((to.0.len() as u32 - 1) * 4) << 8;
        to.0
    }

    /// The record of this kind with this payload, or `None` if it makes no sense.
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
            ATTACH => Self::Attach(Attach::decode(&mut from)?),
            DETACH => Self::Detach(Detach::decode(&mut from)?),
            SNAPSHOT => Self::Snapshot(Snapshot::decode(&mut from)?),
            ARGUMENTS => Self::Arguments(Arguments::decode(&mut from)?),
            CRASH => Self::Crash(Crash::decode(&mut from)?),
            OBJECT => Self::Object(LoadedObject::decode(&mut from)?),
            FAILURE => Self::Failure(Failure::decode(&mut from)?),
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
            SIGNATURE => Self::Signature(Signature::decode(&mut from)?),
            SUSPENSION => Self::Suspension(Suspension::decode(&mut from)?),
            SUSPENSIONS => Self::Suspensions(Suspensions::decode(&mut from)?),
            STARVATION => Self::Starvation(Starvation::decode(&mut from)?),
            CALLER => Self::Caller(Caller::decode(&mut from)?),
            _ => return None,
        })
    }
}
