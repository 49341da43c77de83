//! A recording as reports show it: names instead of numbers, nanoseconds instead of ticks.
//!
//! [`Model`] is the JSON of `soglia report --format json`; `docs/report.schema.json` describes it.
//!
//! | part | holds |
//! | --- | --- |
//! | `whole` | [`Model`] and its single facts |
//! | `rows` | the rows of its lists |
//! | `build` | makes a [`Model`] of a recording |
//! | `tasks`, `targets`, `lists`, `overdue`, `no_room` | make the rows of each list |
//! | `totals`, `clock`, `room`, `symbols` | sums of a task, times, bounds and names for these |

mod build;
mod clock;
mod lists;
pub mod no_room;
pub(crate) mod overdue;
mod room;
mod rows;
mod symbols;
mod targets;
mod tasks;
mod totals;
mod whole;

pub use rows::{
    FUNCTION_POINTER, FaultRow, NoRoomRow, OpenRow, OverdueReport, OverdueRow, SlowRow, TargetInfo,
    TargetRow, TaskRow, UnwatchedRow,
};
pub use symbols::names;
pub use targets::target_infos;
pub(crate) use targets::target_name;
pub use whole::{
    CrossingCounts, DeadlineSummary, LeftOut, Model, PolicySummary, RuntimeVersion, SlotSummary,
};
