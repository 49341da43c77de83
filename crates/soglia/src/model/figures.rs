//! The sums of a recording, without its lists of single calls.

use soglia_core::trace::{ending::Ended, names::Names, reader::Reader};

use super::{
    build::{level, times},
    clock::{Clock, WallClock},
    process::RuntimeVersion,
    program::program,
    room::Room,
    rows::{FaultRow, TargetRow, TaskRow},
    symbols::read_on,
    tasks::AllTasks,
};

/// What has been counted up to a moment. The fields are those of [`Model`](super::Model).
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// The recorded program.
    pub program: String,
    /// The number of the process.
    pub pid: u32,
    /// The runtime in the process.
    pub runtime: RuntimeVersion,
    /// The clock of the times of day.
    pub wall: WallClock,
    /// Whether the process runs.
    pub runs: bool,
    /// How much was recorded.
    pub level: &'static str,
    /// How calls were timed.
    pub times: &'static str,
    /// Where the engine learned of crossings.
    pub source: Option<&'static str>,
    /// One row per target.
    pub targets: Vec<TargetRow>,
    /// Targets for which there was no room among these.
    pub targets_left_out: u64,
    /// One row per task.
    pub tasks: Vec<TaskRow>,
    /// The most calls and callbacks that are open on one task now.
    pub depth: u64,
    /// Crossings that did not nest, by kind.
    pub faults: Vec<FaultRow>,
    /// Crossings that are counted and not among the events.
    pub dropped_events: u64,
    /// Crossings that are not counted anywhere.
    pub dropped_crossings: u64,
    /// Slow calls and stacks for which the recording had no room.
    pub dropped_records: u64,
}

impl Figures {
    /// Reads counters only. Adds to the names what is new.
    pub fn read(reader: &Reader, names: &mut Names) -> Self {
        read_on(names, reader);
        let mut all = AllTasks::of(reader, false, names, None);
        if !all.sums.are_named(names) {
            // The process has called something new since the names were read.
            read_on(names, reader);
        }
        let names = &*names;
        let ending = reader.ending();
        let clock = Clock::of(reader, &ending, None);
        let open_for = all.open_for(&clock);
        let tasks = all.take_rows(names, &clock);
        let faults = all.fault_rows();
        let depth = all.open.iter().map(|open| u64::from(open.depth) + 1).max();
        let mut room = Room::new();
        let open = (&open_for, clock.at_least);
        let targets = all.sums.rows(names, &clock, open, &mut room);
        let (name, version) = names.runtime.clone().unwrap_or_default();
        Self {
            program: program(&names.program).0,
            pid: reader.pid(),
            runtime: RuntimeVersion { name, version },
            wall: clock.wall,
            runs: ending.how == Ended::Running,
            level: level(reader),
            times: times(reader),
            source: names.source.as_ref().map(|(source, ..)| source.name()),
            targets,
            targets_left_out: room.left_out,
            tasks,
            depth: depth.unwrap_or(0),
            faults,
            dropped_events: all.dropped_events,
            dropped_crossings: reader.dropped_crossings(),
            dropped_records: reader.dropped_records(),
        }
    }
}
