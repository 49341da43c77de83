//! Records of the log about calls that miss their deadlines.
//!
//! A call is known by its task and the ticks when it began: no task begins two calls at once.

use super::payload::{Decoder, Encoder};

/// The engine found a call open for longer than one of its deadlines.
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
    /// Layers nested in it. If there are any, the task runs the innermost of them.
    pub nested: u32,
    /// The managed stack, outward from the call or from what is nested in it; 0: none is known.
    pub stack: u32,
    /// The native stack; 0: none is known. A 0 in it stands for code that is in no file.
    pub native: u32,
    /// What the thread does, as the operating system says.
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

/// A call that was reported is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverdueEnd {
    /// The task.
    pub task: u32,
    /// Ticks when the call began.
    pub since: u64,
    /// Ticks when it ended, or when it was found gone.
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
    /// The engine found it gone: it was unwound past, or its end was not reported.
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

/// What the engine did about an overdue call, apart from reporting it.
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
    /// It wrote a core dump to this file.
    Dumped(String),
    /// It wrote none, for this reason.
    NotDumped(String),
    /// It is about to end the process.
    Killed,
    /// It does not end the process, for this reason.
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
