//! The log: names, addresses, stacks and slow calls. The engine appends records. It never changes
//! them, except that it counts [`Failure::calls`].
//!
//! A log chunk is a run of records: a word (the kind in the low 8 bits, the bytes of the payload
//! above), then the payload, padded to 4 bytes. The word is stored last. A zero word ends the run.
//! In payloads, a string is its length in a word (all ones: none) and its UTF-8 bytes padded to 4.
//! Numbers of 64 bits are two words, the lower one first.

mod code;

use super::{
    arguments::Arguments,
    attached::{Attach, Detach, Snapshot},
    crash::Crash,
    facts::{Caller, Signature, Starvation, Suspension, Suspensions},
    failure::Failure,
    loaded::LoadedObject,
    overdue::{Overdue, OverdueAction, OverdueEnd},
};
use crate::{
    admission::{Bound, Figures},
    crossing::Side,
};

/// The most slow calls, and the most reports of overdue calls, that a recording keeps. Further ones
/// are counted.
pub const MOST_KEPT: u32 = 10_000;

/// The names of a target, recorded at its first call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TargetNames {
    /// Its number, from 1.
    pub target: u32,
    /// 0 for forward, 1 for reverse.
    pub side: u32,
    /// Whether it is one of the runtime's own functions.
    pub runtime_internal: bool,
    /// Whether it is called without a GC transition. During such a call the runtime cannot be
    /// suspended.
    pub suppressed: bool,
    /// `Namespace.Type.Method`.
    pub method: Option<String>,
    /// Simple name of the assembly.
    pub assembly: Option<String>,
    /// The library as the `DllImport` has it.
    pub library: Option<String>,
    /// The entry point.
    pub entry: Option<String>,
    /// `LIBRARY!ENTRY` or `LIBRARY` of the function that a policy calls instead.
    pub redirected_to: Option<String>,
}

impl TargetNames {
    /// The side of its layers.
    pub const fn side(&self) -> Side {
        Side::from_number(self.side)
    }
}

/// Where the engine learns of crossings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The CLR's transition callbacks.
    Transitions = 1,
    /// Wrappers, which the engine weaves into modules when they are loaded.
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

/// Whose calls the source watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Those of the program and its libraries.
    User = 1,
    /// Also those of the framework, without its core library.
    Framework = 2,
    /// Also those of the core library.
    CoreLib = 3,
    /// All that the runtime reports, which is the only choice of [`Source::Transitions`].
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

/// Calls that the source does not see.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unwatched {
    /// The side of these targets, if all are on one.
    pub side: Option<Side>,
    /// The assembly that declares these targets, if one declares all.
    pub assembly: Option<String>,
    /// The target's method, if there is only one, or `[function pointer]`.
    pub method: Option<String>,
    /// For people: what the source does not see, and why.
    pub text: String,
}

/// The policy of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyInForce {
    /// The engine denies and redirects nothing. Denied calls are those that it would have denied.
    pub audit: bool,
    /// A denied call ends the process.
    pub fatal: bool,
    /// As people write them, in the order in which they apply.
    pub rules: Vec<String>,
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A target's names.
    Target(TargetNames),
    /// Where a forward target lies: found at its first call, or after its first return.
    Address {
        /// The target.
        target: u32,
        /// The address of its first instruction.
        address: u64,
        /// The loaded object in which it lies.
        file: Option<String>,
        /// The symbol there.
        symbol: Option<String>,
        /// The address as the object's file has it: the distance from the base at which the object
        /// is loaded.
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
    /// A call that took at least as long as slow calls do.
    Slow {
        /// The target.
        target: u32,
        /// The task.
        task: u32,
        /// Ticks when it returned.
        at: u64,
        /// Ticks that it took.
        took: u64,
        /// The stack; 0: none is known.
        stack: u32,
    },
    /// The first return of a forward target on any task, of calls that ended by a return.
    FirstReturn {
        /// The target.
        target: u32,
        /// Ticks from call to return. Where wrappers record the call, they include loading, binding
        /// and the making of stubs.
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
    /// A remark for readers of the report.
    Remark {
        /// The text.
        text: String,
    },
    /// Where the engine learns of the crossings of this recording.
    Source {
        /// The source.
        source: Source,
        /// Whose calls it watches.
        scope: Scope,
        /// Why the engine did not choose the other source.
        because: Option<String>,
    },
    /// What is not watched.
    Unwatched(Unwatched),
    /// The policy of the process.
    Policy(PolicyInForce),
    /// A module was loaded that has a function which a rule is about.
    RuleApplies {
        /// The rule's index in the policy.
        rule: u32,
    },
    /// The deadlines of native calls, as people write them.
    Deadlines(Vec<String>),
    /// A call has missed its deadline.
    Overdue(Overdue),
    /// A call that missed its deadline is over.
    OverdueEnd(OverdueEnd),
    /// The engine did something about such a call.
    OverdueAction(OverdueAction),
    /// The limit on tasks in managed code, and the figures so far. The last record of this kind
    /// counts.
    Slots(Bound, Figures),
    /// The signature of a target.
    Signature(Signature),
    /// A stop for a collection that took long.
    Suspension(Suspension),
    /// All stops for collections. The last record of this kind counts.
    Suspensions(Suspensions),
    /// The runtime's thread pool starves.
    Starvation(Starvation),
    /// The stack of a further call of a target.
    Caller(Caller),
    /// An exception that native calls end by.
    Failure(Failure),
    /// A loaded object.
    Object(LoadedObject),
    /// How the process was ended. Its starter appends this.
    Crash(Crash),
    /// The engine was attached to a process that ran.
    Attach(Attach),
    /// The engine stopped to record a process that runs on.
    Detach(Detach),
    /// What a thread did at a moment.
    Snapshot(Snapshot),
    /// The arguments of a call.
    Arguments(Arguments),
}

#[cfg(test)]
mod tests;
