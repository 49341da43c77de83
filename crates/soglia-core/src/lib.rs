//! Tasks, layers and crossings: the model of soglia, and the recording that keeps it.
//!
//! A *task* is a thread as the runtime sees it. While it runs, it crosses the boundary between
//! managed and unmanaged code. Each crossing opens or closes a *layer*:
//!
//! | crossing | layer |
//! | --- | --- |
//! | `LeaveRuntime` | opens an unmanaged layer, for a native target |
//! | `EnterRuntime` | closes it |
//! | `ReverseEnterRuntime` | opens a managed layer, for a callback |
//! | `ReverseLeaveRuntime` | closes it |
//!
//! [`Task::cross`](task::Task::cross) is the one state machine for all crossings. It runs inside
//! the recorded process, over layers in the mapped recording, and again in the reader, over layers
//! in memory.
//!
//! This crate knows no COM and no CLR. A function is a number that the runtime gave, and a target
//! is a number that the engine gave.
//!
//! ```
//! use soglia_core::{account::Totals, crossing::Crossing, layer::VecLayers, task::{Task, Who}};
//!
//! // The worked example of the hosting reference: managed code calls `first`, which calls back, and
//! // the callback calls `second`.
//! let (first, callback, second) = (Who::target(1), Who::target(2), Who::target(3));
//! let steps = [
//!     (Crossing::LeaveRuntime, first, 100),
//!     (Crossing::ReverseEnterRuntime, callback, 110),
//!     (Crossing::LeaveRuntime, second, 120),
//!     (Crossing::EnterRuntime, second, 150),
//!     (Crossing::ReverseLeaveRuntime, callback, 160),
//!     (Crossing::EnterRuntime, first, 200),
//! ];
//! let mut task = Task::new(VecLayers::default());
//! let mut totals = Totals::default();
//! for (crossing, who, at) in steps {
//!     task.cross(crossing, who, at, 0, &mut totals);
//! }
//! let of_first = totals.get(1).unwrap();
//! assert_eq!((of_first.total, of_first.own), (100, 50), "50 of the 100 ticks were in the callback");
//! assert_eq!(task.depth(), 0);
//! ```

pub mod account;
pub mod admission;
pub mod arguments;
pub mod coarse;
pub mod control;
pub mod crossing;
pub mod deadline;
pub mod descriptors;
pub mod errno;
pub mod fault;
pub mod histogram;
pub mod layer;
pub mod mappings;
pub mod off_core;
mod order;
pub mod plain;
pub mod policy;
pub mod process;
pub mod regular;
pub mod sampling;
mod sync;
pub mod task;
pub mod time;
pub mod trace;
pub mod units;
