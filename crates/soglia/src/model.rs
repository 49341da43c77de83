//! A recording as reports show it: names instead of numbers, nanoseconds instead of ticks.
//!
//! [`Model`] is the JSON of `soglia report --format json`; `docs/report.schema.json` describes it.
//!
//! | part | holds |
//! | --- | --- |
//! | `whole` | [`Model`] and its single facts |
//! | `rows`, `process`, `answers`, `arguments` | the rows of its lists |
//! | `build`, `processes`, `program` | make a [`Model`] of a recording |
//! | `merged`, `key` | make one of several |
//! | `tasks`, `targets`, `callers`, `lists`, `overdue`, `failures`, `activities`, `explain`, `last`, `crash`, `attach`, `passed`, `no_room` | make the rows of each list |
//! | `stacks` | [`Stacks`], what every thread was doing: another JSON |
//! | `window` | what happened between two looks |
//! | `single` | single calls, as they come |
//! | `figures` | [`Figures`], the sums alone, for what reads a recording again and again |
//! | `totals`, `clock`, `histogram`, `room`, `symbols` | what these share |

mod activities;
mod answers;
pub(crate) mod arguments;
mod attach;
mod build;
mod callers;
mod clock;
mod crash;
mod explain;
mod failures;
mod figures;
pub(crate) mod histogram;
pub(crate) mod key;
mod last;
mod lists;
mod merged;
pub mod no_room;
pub(crate) mod overdue;
mod passed;
mod process;
mod processes;
mod program;
mod room;
mod rows;
mod single;
mod stacks;
mod symbols;
mod targets;
mod tasks;
mod totals;
mod whole;
mod window;

pub use activities::ActivityRow;
pub use answers::{FailureRow, Finding};
pub use arguments::{ArgumentRow, DeniedRow, RequestRow};
pub use attach::{AttachRow, BeforeRow};
pub use clock::WallClock;
pub use figures::Figures;
pub use histogram::Bucket;
pub use merged::Merger;
pub use passed::{request as request_row, rows as argument_rows};
pub use process::{FIRST, ProcessRow, RuntimeVersion};
pub use program::{command_line, program_name};
pub use rows::{
    CallerRow, CrashRow, FUNCTION_POINTER, FaultRow, LastRow, NoRoomRow, OpenRow, OverdueReport,
    OverdueRow, ShareRow, SlowRow, TargetInfo, TargetRow, TaskRow, UnwatchedRow,
};
pub use single::{How, SingleCall, SingleCalls, Taken};
pub use stacks::{Stacks, State, ThreadRow};
pub use symbols::{names, read_on};
pub use targets::target_infos;
pub(crate) use targets::target_name;
pub use whole::{CrossingCounts, DeadlineSummary, LeftOut, Model, PolicySummary, SlotSummary};
pub use window::{Baseline, Window};
