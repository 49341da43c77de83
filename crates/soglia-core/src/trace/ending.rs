//! How and when the recorded process ended, as far as a recording says.
//!
//! If its starter saw the end, that is in the header. If no process did, the recorded one may still
//! live. If it does not, it lasted at least until the latest time that is anywhere in the
//! recording.

use std::{mem::offset_of, mem::size_of};

use super::{
    clocks,
    format::{ChunkHeader, ChunkKind, Header, TaskRecord, end, state},
    log::Record,
    reader::Reader,
};
use crate::{
    process,
    time::{Anchor, monotonic_ns},
};

/// How the recorded process ended, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It has not ended.
    Running,
    /// It exited, with this code if that is known.
    Exit(Option<i32>),
    /// It runs on: the engine was attached to it, and has let it go.
    LetGo,
    /// This signal ended it.
    Signal(i32),
    /// It is gone, and no process saw how.
    Killed,
    /// It ran on another machine, on an earlier boot, or in another container: no process here can
    /// tell.
    Unknown,
}

/// How the recorded process ended, and how long it ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub how: Ended,
    /// Nanoseconds from the start to the end, or to now.
    pub ns: u64,
    /// Whether no process saw the end: it ran at least so long.
    pub at_least: bool,
}

/// Words of a chunk of events that are read for the time of the last one. No chunk ever had more.
const MOST_WORDS: usize = 1 << 16;

impl Reader {
    /// How the process ended, and when. Looks anew at each call.
    pub fn ending(&self) -> Ending {
        let start = self.bytes.anchor(offset_of!(Header, start));
        let since_start = |anchor: Anchor| anchor.monotonic_ns.saturating_sub(start.monotonic_ns);
        let code = self.bytes.word(offset_of!(Header, end_code)).cast_signed();
        let seen = match self.bytes.word(offset_of!(Header, end_kind)) {
            end::EXITED => Some(Ended::Exit(Some(code))),
            end::SIGNALLED => Some(Ended::Signal(code)),
            end::LET_GO => Some(Ended::LetGo),
            _ => None,
        };
        if let Some(how) = seen {
            let ended = self.bytes.anchor(offset_of!(Header, ended));
            return Ending {
                how,
                ns: since_start(ended),
                at_least: false,
            };
        }
        let how = self.unseen();
        if how == Ended::Running && clocks::are_ours(&self.bytes) {
            return Ending {
                how,
                ns: monotonic_ns().saturating_sub(start.monotonic_ns),
                at_least: false,
            };
        }
        let exited = self.bytes.anchor(offset_of!(Header, exited));
        if let Ended::Exit(Some(_)) = how {
            return Ending {
                how,
                ns: since_start(exited),
                at_least: false,
            };
        }
        Ending {
            how,
            ns: self.latest_ns(start),
            at_least: true,
        }
    }

    /// Whether it is of the process that has this number here and started at that time, in clock
    /// ticks since boot.
    pub fn is_of(&self, pid: u32, started: u64) -> bool {
        let namespace = self.bytes.word(offset_of!(Header, pid_namespace));
        clocks::same_boot(&self.bytes)
            && (namespace, self.pid()) == (process::pid_namespace(), pid)
            && self.bytes.long(offset_of!(Header, pid_started)) == started
    }

    /// How the process ended.
    pub fn ended(&self) -> Ended {
        self.ending().how
    }

    /// Nanoseconds from the start to the end, or to now, or at least.
    pub fn duration_ns(&self) -> u64 {
        self.ending().ns
    }

    /// What can be found out about an end that no process saw.
    fn unseen(&self) -> Ended {
        let process = if clocks::same_boot(&self.bytes) {
            self.process()
        } else {
            Process::Unknown
        };
        if process == Process::Lives {
            return Ended::Running;
        }
        let has_exited = self.bytes.long(offset_of!(Header, exited)) != 0;
        let code = self.bytes.word(offset_of!(Header, exit_code)).cast_signed();
        if has_exited {
            Ended::Exit(Some(code))
        } else if self.bytes.word(offset_of!(Header, state)) == state::SHUTDOWN {
            Ended::Exit(None)
        } else if process == Process::Gone {
            Ended::Killed
        } else {
            Ended::Unknown
        }
    }

    /// The process, on the boot that it ran on.
    fn process(&self) -> Process {
        let number = |offset| self.bytes.word(offset);
        let namespace = number(offset_of!(Header, pid_namespace));
        if namespace != 0 && namespace == process::pid_namespace() {
            let started = self.bytes.long(offset_of!(Header, pid_started));
            return match process::lives(self.pid(), started) {
                true => Process::Lives,
                false => Process::Gone,
            };
        }
        // Its number means another process here. But a lock is one wherever the file is seen, and a
        // copy has none.
        match (
            number(offset_of!(Header, locked)),
            clocks::is_copy(&self.bytes),
        ) {
            (1, false) if process::is_locked(self.bytes.file()) => Process::Lives,
            (1, false) => Process::Gone,
            _ => Process::Unknown,
        }
    }

    /// The latest time that is anywhere in the recording, in nanoseconds since the start.
    fn latest_ns(&self, start: Anchor) -> u64 {
        let anchored = clocks::anchors(&self.bytes)
            .map(|anchor| anchor.monotonic_ns)
            .max();
        let anchored = anchored.unwrap_or(0).saturating_sub(start.monotonic_ns);
        let ticks = self.latest_ticks().saturating_sub(start.ticks);
        self.scale().ns(ticks).max(anchored)
    }

    /// The latest ticks outside anchors.
    fn latest_ticks(&self) -> u64 {
        let of_log = self.latest_of_log();
        let tasks = self.task_chunks().map(|chunk| {
            let record = chunk.at + size_of::<ChunkHeader>();
            let long = |offset| self.bytes.long(record + offset);
            let of_thread =
                long(offset_of!(TaskRecord, first)).max(long(offset_of!(TaskRecord, ended)));
            let open = self.open_since(chunk).max().unwrap_or(0);
            self.bytes.has_read(chunk.bytes);
            of_thread.max(open).max(self.latest_event(chunk.task))
        });
        tasks.max().unwrap_or(0).max(of_log)
    }

    /// The ticks of a task's last event.
    fn latest_event(&self, task: u32) -> u64 {
        let in_order = self.chunks(ChunkKind::Events, task).enumerate();
        let Some((n, _)) = in_order.take_while(|(n, c)| *n as u32 == c.sequence).last() else {
            return 0;
        };
        self.events(task).nth(n).map_or(0, |(_, mut words)| {
            let mut taken = 0;
            while taken < MOST_WORDS && words.next().is_some() {
                taken += 1;
            }
            words.ticks
        })
    }

    fn latest_of_log(&self) -> u64 {
        let mut latest = 0;
        self.each_record(|record| {
            latest = latest.max(match record {
                Record::Slow { at, .. } => at,
                Record::Overdue(overdue) => overdue.at,
                Record::OverdueEnd(end) => end.at,
                Record::Attach(attach) => attach.live,
                Record::Detach(detach) => detach.at,
                Record::Snapshot(snapshot) => snapshot.at,
                _ => 0,
            });
        });
        latest
    }
}

/// The recorded process, as the reader finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Process {
    Lives,
    Gone,
    Unknown,
}
