//! The figures of a program that runs, for those who collect metrics.
//!
//! All of it is read from the recording, in the tool's process: the program never waits for it.
//!
//! | part | holds |
//! | --- | --- |
//! | `row` | the figures of one target, and the bounds of durations |
//! | `keeper` | which targets have a row, look after look; figures that never go backwards |
//! | `measures` | the name, unit and meaning of each figure |
//! | `exposition` | the texts of Prometheus and OpenMetrics |
//! | `endpoint` | the HTTP endpoint that answers with them |

mod endpoint;
mod exposition;
mod keeper;
mod measures;
mod row;

pub use endpoint::{Endpoint, Serving};
pub use keeper::{Keeper, OTHER, Process, Snapshot};
pub(crate) use measures::{Amount, DURATION, Kind, Measure, PROCESS, TARGETS, bounds, seconds};
pub use row::{BOUNDS_NS, Row};
