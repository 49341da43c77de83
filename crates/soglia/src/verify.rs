//! Whether both sources of crossings saw the same: the program runs under each, and the recordings
//! are compared.
//!
//! `transitions` is the reference, because the runtime itself reports each crossing. `woven`
//! watches less, and the recording lists what it leaves out. All that it watches must be there.
//!
//! Two differences are expected. A call that fails before it leaves managed code counts as failed
//! under `woven`. A callback that fails before it enters managed code counts as never returned
//! there. The runtime reports neither.

mod callers;
mod compare;
mod comparison;
mod counts;
mod entries;
mod key;
#[cfg(test)]
mod tests;
mod weigh;

pub use callers::FirstCallers;
pub use compare::compare;
pub use comparison::{ComparedTarget, Comparison, LineDifference, Outcome, ProgramRun};
pub use counts::{Both, Counts};
pub use key::CORELIB;
