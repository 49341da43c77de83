//! Records of an engine that was attached to a process which ran already: when it began and ended,
//! and what each thread did when it began.

use super::payload::{Decoder, Encoder};

/// An engine was attached, and its hooks are live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attach {
    /// Ticks when the engine was asked to record.
    pub asked: u64,
    /// Ticks when the engine had asked the runtime for all hooks.
    pub live: u64,
    /// Modules that the engine looked into.
    pub modules: u32,
    /// Native functions that it watches.
    pub targets: u32,
    /// Methods that call them, whose new code the engine asked for.
    pub callers: u32,
    /// Nanoseconds that the process had lived when the engine was asked. 0: not known.
    pub age_ns: u64,
}

impl Attach {
    pub(super) fn encode(self, to: &mut Encoder) {
        to.long(self.asked)
            .long(self.live)
            .word(self.modules)
            .word(self.targets)
            .word(self.callers)
            .long(self.age_ns);
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            asked: from.long()?,
            live: from.long()?,
            modules: from.word()?,
            targets: from.word()?,
            callers: from.word()?,
            age_ns: from.long()?,
        })
    }
}

/// Why an engine stopped to record a process that runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// The tool asked for it.
    #[default]
    Asked = 0,
    /// The tool was gone.
    ToolGone = 1,
    /// The engine gave up.
    GaveUp = 2,
}

/// An engine stopped to record a process that runs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detach {
    /// Ticks when it stopped.
    pub at: u64,
    /// Methods whose new code the engine asked for, and that no thread has entered since.
    pub not_entered: u32,
    /// The hooks stay.
    pub kept: bool,
    /// Why.
    pub why: Why,
}

impl Detach {
    pub(super) fn encode(self, to: &mut Encoder) {
        to.long(self.at)
            .word(self.not_entered)
            .word(self.kept.into())
            .word(self.why as u32);
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            at: from.long()?,
            not_entered: from.word()?,
            kept: from.word()? & 1 != 0,
            why: match from.word()? {
                0 => Why::Asked,
                1 => Why::ToolGone,
                2 => Why::GaveUp,
                _ => return None,
            },
        })
    }
}

/// What a thread did at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Ticks when the stack was read.
    pub at: u64,
    /// The operating system's number of the thread.
    pub os_thread: u32,
    /// The task; 0: none.
    pub task: u32,
    /// The managed stack's number. Frame 0 of it is a run of native frames. 0: none is known.
    pub stack: u32,
    /// The native stack's number; 0: none is known.
    pub native: u32,
    /// The target that the thread is inside; 0: not known.
    pub target: u32,
    /// The innermost managed frame is inside a native call.
    pub inside: bool,
    /// The thread's name.
    pub thread: Option<String>,
    /// What the thread is inside: `library!entry`, or a method.
    pub callee: Option<String>,
    /// What the thread does, as the operating system says.
    pub doing: Option<String>,
    /// Why there is no managed stack.
    pub no_stack: Option<String>,
    /// Why the native stack ends where it ends, or why there is none.
    pub native_ends: Option<String>,
}

impl Snapshot {
    pub(super) fn encode(&self, to: &mut Encoder) {
        to.long(self.at)
            .word(self.os_thread)
            .word(self.task)
            .word(self.stack)
            .word(self.native)
            .word(self.target)
            .word(self.inside.into())
            .option(self.thread.as_deref())
            .option(self.callee.as_deref())
            .option(self.doing.as_deref())
            .option(self.no_stack.as_deref())
            .option(self.native_ends.as_deref());
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            at: from.long()?,
            os_thread: from.word()?,
            task: from.word()?,
            stack: from.word()?,
            native: from.word()?,
            target: from.word()?,
            inside: from.word()? & 1 != 0,
            thread: from.option()?,
            callee: from.option()?,
            doing: from.option()?,
            no_stack: from.option()?,
            native_ends: from.option()?,
        })
    }
}
