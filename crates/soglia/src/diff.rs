//! `soglia diff A B`: what changed between two runs of a program, and what of it is noise.
//!
//! | part | holds |
//! | --- | --- |
//! | `input` | a report, from a recording or from JSON |
//! | `key` | which targets of both reports are the same |
//! | `sums` | the calls of one target in one report |
//! | `periods` | the times that both reports cover |
//! | `noise` | whether two durations or counts differ by more than noise |
//! | `outcome` | [`Diff`], the JSON of `soglia diff --format json` |
//! | `compare` | makes a [`Diff`] of two reports |
//! | `condition` | `--fail-on` |
//! | `table`, `text`, `markdown` | a [`Diff`] for people |

mod compare;
mod condition;
mod input;
mod key;
mod markdown;
mod noise;
mod outcome;
mod periods;
mod sums;
mod table;
mod text;

pub use compare::{Options, compare};
pub use condition::{Condition, ConditionError};
pub use input::{InputError, Report, read_json, starts_as_json};
pub use markdown::markdown;
pub use noise::{Certainty, NOISE_PERCENT};
pub use outcome::{Change, Diff, DiffTarget, Measure, Side, TotalRow, Verdict};
pub use text::text;
