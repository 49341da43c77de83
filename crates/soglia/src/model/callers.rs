//! Who called a target: the stacks of the calls that the recording kept.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use soglia_core::trace::{log::Record, names::Names};

use super::{room::Room, rows::CallerRow};

/// The most callers of one target that become rows.
pub(super) const MOST: usize = 8;

/// The stacks that were kept, and how often each: by the row of a target.
pub(super) struct Kept {
    by_row: HashMap<u32, HashMap<u32, u64>>,
}

impl Kept {
    /// Gathers the stacks of first calls, calls on further threads, slow calls and calls past a
    /// deadline. `row_of` says which row a target is in.
    pub(super) fn of(names: &Names, row_of: impl Fn(u32) -> u32) -> Self {
        let mut kept = Self {
            by_row: HashMap::new(),
        };
        let mut keep = |target: u32, stack: u32| {
            if stack != 0 {
                let stacks = kept.by_row.entry(row_of(target)).or_default();
                *stacks.entry(stack).or_default() += 1;
            }
        };
        for (target, stack) in &names.first_calls {
            keep(*target, *stack);
        }
        for caller in &names.callers {
            keep(caller.target, caller.stack);
        }
        let mut seen = HashSet::new();
        for call in &names.slow {
            seen.insert((call.task, call.at.saturating_sub(call.took)));
            // A first call that was slow has been kept twice.
            if names.first_returns.get(&call.target) != Some(&call.took) {
                keep(call.target, call.stack);
            }
        }
        for record in &names.overdue {
            let Record::Overdue(overdue) = record else {
                continue;
            };
            // With layers nested in the call, the stack is that of the innermost.
            if overdue.nested == 0 && seen.insert((overdue.task, overdue.since)) {
                keep(overdue.target, overdue.stack);
            }
        }
        kept
    }

    /// The callers of the targets of a row, most calls first.
    pub(super) fn rows(&self, names: &Names, row: u32, room: &mut Room) -> Vec<CallerRow> {
        let Some(stacks) = self.by_row.get(&row) else {
            return Vec::new();
        };
        // Equal stacks may have several numbers.
        let mut by_frames: HashMap<Vec<&str>, (u64, u32)> = HashMap::new();
        for (stack, calls) in stacks {
            let entry = by_frames.entry(names.stack(*stack));
            let (sum, first) = entry.or_insert((0, *stack));
            *sum = sum.saturating_add(*calls);
            *first = (*first).min(*stack);
        }
        by_frames.remove(&Vec::new());
        let mut all: Vec<_> = by_frames.into_iter().collect();
        // Of equal numbers, the stack that was recorded first.
        all.sort_by_key(|(_, (calls, first))| (Reverse(*calls), *first));
        all.truncate(MOST);
        let mut rows = Vec::new();
        for (frames, (calls, _)) in all {
            if !room.takes(frames.iter().copied()) {
                break;
            }
            let stack = frames.into_iter().map(str::to_owned).collect();
            rows.push(CallerRow { stack, calls });
        }
        rows
    }
}
