//! The log: names, addresses, stacks and slow calls, written seldom and never changed.
//!
//! A log chunk is a run of records: a word (kind in the low 8 bits, bytes of the payload above), then the payload, padded
//! to 4 bytes. The word is stored last; a zero word ends the run. In payloads, a string is its length in a word (all
//! ones: none) and its UTF-8 bytes padded to 4; numbers of 64 bits are two words, low first.

mod code;

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

#[cfg(test)]
mod tests;
