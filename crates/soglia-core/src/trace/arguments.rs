//! Records of the log about the arguments of single calls.

use super::payload::{Decoder, Encoder};

/// Which call the arguments are those of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A slow call: the one of this task that returned at this time.
    Slow = 1,
    /// The first call that ended by an exception.
    Failed = 2,
    /// A call that a policy denied.
    Denied = 3,
    /// An open call: the one of this task that began at this time.
    Open = 4,
}

/// What the thread of a call was working on, in the program's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The number of the trace that the current activity belongs to.
    pub trace_id: Option<String>,
    /// The number of the current activity.
    pub span_id: Option<String>,
    /// The name of its operation.
    pub activity: Option<String>,
    /// The route of the request, or its path, from the outermost activity that has one.
    pub route: Option<String>,
    /// The name of the thread, as managed code has set it.
    pub thread_name: Option<String>,
}

/// The arguments of one call, as texts for people. Secrets are not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// The target.
    pub target: u32,
    /// The task.
    pub task: u32,
    /// Which call this is.
    pub of: Of,
    /// Ticks when the call returned, failed or was denied; for an open call, when it began.
    pub at: u64,
    /// For [`Of::Failed`]: the number of the failure among those of the log, from 0.
    pub failure: u32,
    /// The returned value.
    pub returned: Option<String>,
    /// The last error, if the call has set one: its number, and its name if it has one.
    pub error: Option<String>,
    /// What the thread was working on.
    pub request: Request,
    /// Names and values, in the order of the parameters.
    pub values: Vec<(String, String)>,
}

impl Arguments {
    pub(super) fn encode(&self, to: &mut Encoder) {
        to.word(self.target)
            .word(self.task)
            .word(self.of as u32)
            .long(self.at)
            .word(self.failure)
            .option(self.returned.as_deref())
            .option(self.error.as_deref())
            .option(self.request.trace_id.as_deref())
            .option(self.request.span_id.as_deref())
            .option(self.request.activity.as_deref())
            .option(self.request.route.as_deref())
            .option(self.request.thread_name.as_deref());
        for (name, value) in &self.values {
            to.string(name).string(value);
        }
    }

    pub(super) fn decode(from: &mut Decoder<'_>) -> Option<Self> {
        Some(Self {
            target: from.word()?,
            task: from.word()?,
            of: match from.word()? {
                1 => Of::Slow,
                2 => Of::Failed,
                3 => Of::Denied,
                4 => Of::Open,
                _ => return None,
            },
            at: from.long()?,
            failure: from.word()?,
            returned: from.option()?,
            error: from.option()?,
            request: Request {
                trace_id: from.option()?,
                span_id: from.option()?,
                activity: from.option()?,
                route: from.option()?,
                thread_name: from.option()?,
            },
            values: {
                let texts = from.strings()?;
                let pairs = texts.as_chunks::<2>().0.iter().cloned();
                pairs.map(|[name, value]| (name, value)).collect()
            },
        })
    }
}
