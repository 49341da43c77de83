//! What a report shows, and in which order.

use std::cmp::Reverse;

use super::screen::Screen;
use crate::model::{Model, TargetRow};

/// The order of targets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Sort {
    /// Time in the target, callbacks included.
    #[default]
    Total,
    /// Time in the target, callbacks excluded.
    #[value(name = "self")]
    Own,
    /// Number of calls.
    Calls,
    /// Mean time of a call.
    Mean,
    /// Longest call.
    Max,
    /// Name.
    Name,
}

/// What a report adds calls up by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum By {
    /// The native function or callback: the whole report.
    #[default]
    Target,
    /// The route or activity that slow calls were made for.
    Activity,
}

/// How much a report shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    /// Also the runtime's own targets, one by one.
    pub all: bool,
    /// What calls are added up by.
    pub by: By,
    /// The order of targets.
    pub sort: Sort,
    /// The most targets to show; 0: all.
    pub top: usize,
    /// The width of the output.
    pub screen: Screen,
}

/// Sorts the targets of a model.
pub fn sort(model: &mut Model, by: Sort) {
    let key = |f: fn(&TargetRow) -> u64| move |row: &TargetRow| Reverse(f(row));
    match by {
        Sort::Total => model.targets.sort_by_key(key(|row| row.total_ns)),
        Sort::Own => model.targets.sort_by_key(key(|row| row.self_ns)),
        Sort::Calls => model.targets.sort_by_key(key(|row| row.calls)),
        Sort::Mean => model
            .targets
            .sort_by_key(key(|row| row.mean_ns.unwrap_or(0))),
        Sort::Max => model
            .targets
            .sort_by_key(key(|row| row.max_ns.unwrap_or(0))),
        Sort::Name => model.targets.sort_by_cached_key(TargetRow::name),
    }
}

/// Slow and open calls that are shown one by one.
pub(super) const MOST_ROWS: usize = 10;
/// Frames of a stack that are shown.
pub(super) const MOST_FRAMES: usize = 6;
