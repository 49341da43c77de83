//! What a format does with the calls of a recording.

use std::io;

use soglia_core::crossing::Side;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It returned.
    Returned,
    /// It ended by an exception.
    Failed,
    /// An exception, a `longjmp` or the end of the thread unwound past it.
    Abandoned,
    /// It had not returned when the recording was read or ended.
    Open,
    /// A policy denied it: nothing was called.
    Refused,
    /// It was nested too deeply to be timed.
    Untimed,
    /// A return whose call was never recorded.
    Unmatched,
}

impl Outcome {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 7] = [
        Self::Returned,
        Self::Failed,
        Self::Abandoned,
        Self::Open,
        Self::Refused,
        Self::Untimed,
        Self::Unmatched,
    ];

    /// As exports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
            Self::Open => "open",
            Self::Refused => "refused",
            Self::Untimed => "untimed",
            Self::Unmatched => "unmatched",
        }
    }

    /// Whether the call was a layer: it began and ended, and others could nest in it.
    pub const fn is_layer(self) -> bool {
        matches!(
            self,
            Self::Returned | Self::Failed | Self::Abandoned | Self::Open
        )
    }
}

/// One call. Times are nanoseconds since the start of the runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The number of the task.
    pub task: u32,
    /// The operating system's number of the thread.
    pub os_thread: u32,
    /// The number of the target; 0 for none.
    pub target: u32,
    /// Unmanaged for a call to native code, managed for a callback.
    pub side: Side,
    /// The number of layers around it.
    pub depth: u32,
    /// When it began.
    pub began: u64,
    /// When it ended. Of an open call: when the recording ends.
    pub ended: u64,
    /// The time without nested calls.
    pub own: u64,
    /// What became of it.
    pub outcome: Outcome,
}

impl Call {
    /// How long it took.
    pub const fn duration(&self) -> u64 {
        self.ended.saturating_sub(self.began)
    }
}

/// A task, of which the calls follow.
#[derive(Clone, Debug)]
pub struct TaskInfo {
    /// Its number.
    pub number: u32,
    /// The operating system's number of its thread.
    pub os_thread: u32,
    /// `main`, `pool` and so on.
    pub kind: &'static str,
    /// Its name, or an empty text.
    pub name: String,
    /// When its first crossing was.
    pub began: u64,
    /// When its thread ended, or the end of the recording.
    pub until: u64,
}

impl TaskInfo {
    /// As viewers show it.
    pub fn title(&self) -> String {
        let Self {
            number, kind, name, ..
        } = self;
        match name.is_empty() {
            true => format!("{number} {kind}"),
            false => format!("{number} {kind}: {name}"),
        }
    }
}

/// Takes the calls of a recording, task by task. Within a task, begins and ends come in the order
/// of their times.
pub trait Sink {
    /// The calls of this task follow.
    ///
    /// # Errors
    /// If the export cannot be written.
    fn task(&mut self, _task: &TaskInfo) -> io::Result<()> {
        Ok(())
    }

    /// A layer begins. Its end and outcome are not known yet.
    ///
    /// # Errors
    /// If the export cannot be written.
    fn began(&mut self, _call: &Call) -> io::Result<()> {
        Ok(())
    }

    /// A call is over.
    ///
    /// # Errors
    /// If the export cannot be written.
    fn ended(&mut self, call: &Call) -> io::Result<()>;

    /// There are no more calls.
    ///
    /// # Errors
    /// If the export cannot be written.
    fn finish(&mut self) -> io::Result<()>;
}
