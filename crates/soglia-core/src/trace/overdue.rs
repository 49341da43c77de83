//! What the log tells of calls that miss their deadlines.
//!
//! A call is known by its task and the ticks at which it began: no task begins two calls at once.

use super::payload::{Decoder, Encoder};

/// A call was found open for longer than one of its deadlines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overdue {
    /// The deadline's index.
    pub deadline: u32,
    /// The target.
    pub target: u32,
    /// The task.
    pub task: u32,
    /// The operating system's number of its thread.
    pub os_thread: u32,
    /// Ticks when the call began.
    pub since: u64,
    /// Ticks when it was found.
    pub at: u64,
    /// Layers below it.
    pub depth: u32,
    /// Layers nested in it: if there are any, the innermost is what the task is at.
    pub nested: u32,
    /// The stack of managed frames, outward from the call or what is nested in it; 0: there is none to be had.
    pub stack: u32,
    /// The stack of native frames, where `0` in it stands for code that is in no file; 0: there is none to be had.
    pub native: u32,
    /// What the operating system says that the thread is doing.
    pub thread: Option<String>,
    /// Why there is no managed stack.
    pub no_stack: Option<String>,
    /// Why the native stack ends where it ends, or why there is none.
    pub native_ends: Option<String>,
}

impl Overdue {
    pub(super) fn encode(&self, to: &mut Encoder) {
        to.word(self.deadline)
            .word(self.target)
            .word(self.task)
            .word(self.os_thread)
            .long(self.since)
            .long(self.at)
            .word(self.depth)
            .word(self.nested)
            .word(self.stack)
            .word(self.native)
            .option(self.thread.as_deref())
            .option(self.no_stack.as_deref())
            .option(self.native_ends.as_deref());
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            deadline: from.word()?,
            target: from.word()?,
            task: from.word()?,
            os_thread: from.word()?,
            since: from.long()?,
            at: from.long()?,
            depth: from.word()?,
            nested: from.word()?,
            stack: from.word()?,
            native: from.word()?,
            thread: from.option()?,
            no_stack: from.option()?,
            native_ends: from.option()?,
        })
    }
}

/// A call that was reported is open no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverdueEnd {
    /// The task.
    pub task: u32,
    /// Ticks when the call began.
    pub since: u64,
    /// Ticks when it ended; if it is not known how, when that was found.
    pub at: u64,
    /// How.
    pub how: HowEnded,
}

/// How a call that was reported has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum HowEnded {
    /// It returned.
    Returned = 1,
    /// By an exception.
    Failed = 2,
    /// It was found to be gone: it was unwound past, or nobody told.
    Gone = 3,
}

impl HowEnded {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }
}

impl OverdueEnd {
    pub(super) fn encode(&self, to: &mut Encoder) {
        to.word(self.task)
            .long(self.since)
            .long(self.at)
            .word(self.how as u32);
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            task: from.word()?,
            since: from.long()?,
            at: from.long()?,
            how: match from.word()? {
                1 => HowEnded::Returned,
                2 => HowEnded::Failed,
                3 => HowEnded::Gone,
                _ => return None,
            },
        })
    }
}

/// More was done about an overdue call than to report it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverdueAction {
    /// The task.
    pub task: u32,
    /// Ticks when the call began.
    pub since: u64,
    /// The deadline's index.
    pub deadline: u32,
    /// What.
    pub what: Done,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// A core dump was written to this file.
    Dumped(String),
    /// None was, for this reason.
    NotDumped(String),
    /// The process is about to be ended.
    Killed,
    /// The process would be ended now, were it not for this reason.
    NotKilled(String),
}

impl OverdueAction {
    pub(super) fn encode(&self, to: &mut Encoder) {
        let (number, text) = match &self.what {
            Done::Dumped(path) => (1, Some(path)),
            Done::NotDumped(why) => (2, Some(why)),
            Done::Killed => (3, None),
            Done::NotKilled(why) => (4, Some(why)),
        };
        to.word(self.task)
            .long(self.since)
            .word(self.deadline)
            .word(number)
            .option(text.map(String::as_str));
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        let (task, since, deadline) = (from.word()?, from.long()?, from.word()?);
        let (number, text) = (from.word()?, from.option()?);
        Some(Self {
            task,
            since,
            deadline,
            what: match (number, text) {
                (1, Some(path)) => Done::Dumped(path),
                (2, Some(why)) => Done::NotDumped(why),
                (3, _) => Done::Killed,
                (4, Some(why)) => Done::NotKilled(why),
                _ => return None,
            },
        })
    }
}
