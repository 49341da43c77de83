//! The rows of slow calls and of open calls.

use std::cmp::Reverse;

use soglia_core::{
    crossing::Side,
    layer::Layer,
    trace::{
        arguments::Arguments,
        log::TargetNames,
        names::{Names, SlowCall},
    },
};

use super::{
    clock::Clock,
    passed::{self, Passed},
    process::FIRST,
    room::Room,
    rows::{OpenRow, SlowRow},
    targets::{Sums, callers, is_internal, target_name},
};

/// Slow calls, in the order of their ends. If there is no room for all, keeps the longest.
pub(super) fn slow(names: &Names, passed: &Passed, clock: &Clock, room: &mut Room) -> Vec<SlowRow> {
    let mut all: Vec<(usize, &SlowCall)> = names.slow.iter().enumerate().collect();
    all.sort_by_key(|(n, call)| (Reverse(call.took), *n));
    let mut kept: Vec<(usize, SlowRow)> = Vec::new();
    for (n, call) in &all {
        let given = passed.slow(call.target, call.task, call.at);
        let target = target_name(names, call.target);
        let texts = passed::texts(given).chain([&*target]);
        if !room.takes(names.stack(call.stack).into_iter().chain(texts)) {
            room.left_out = (all.len() - kept.len()) as u64;
            break;
        }
        kept.push((*n, slow_row(names, call, given, clock)));
    }
    kept.sort_by_key(|(n, _)| *n);
    kept.into_iter().map(|(_, row)| row).collect()
}

/// The row of a slow call.
pub(super) fn slow_row(
    names: &Names,
    call: &SlowCall,
    given: Option<&Arguments>,
    clock: &Clock,
) -> SlowRow {
    let returned = clock.since_start(call.at);
    SlowRow {
        target: target_name(names, call.target),
        direction: side_of(names, call.target).direction(),
        runtime_internal: is_internal(names, call.target),
        t: returned,
        time: clock.wall.utc(returned),
        began: clock.since_start(call.at.saturating_sub(call.took)),
        returned,
        process: FIRST,
        task: call.task,
        duration_ns: clock.scale.ns(call.took),
        stack: callers(names, call.stack),
        args: given.map(passed::rows),
        result: given.and_then(|given| given.returned.clone()),
        error: given.and_then(|given| given.error.clone()),
        request: passed::request(given),
    }
}

/// The side that calls of a target are made to.
fn side_of(names: &Names, target: u32) -> Side {
    let names = names.targets.get(&target);
    names.map_or(Side::Unmanaged, TargetNames::side)
}

/// An open layer, with the task that it is on.
pub(super) struct TaskLayer {
    pub(super) task: u32,
    pub(super) depth: u32,
    pub(super) layer: Layer,
}

/// Open calls, by task, outermost first. `kept` returns the arguments of one.
pub(super) fn open(
    all: &[TaskLayer],
    kept: impl Fn(&TaskLayer) -> Option<Arguments>,
    names: &Names,
    sums: &Sums,
    clock: &Clock,
    room: &mut Room,
) -> Vec<OpenRow> {
    let mut rows = Vec::new();
    for open in all {
        let (number, side) = (open.layer.slot, open.layer.side());
        let target = target_name(names, number);
        // The recording has the stack of a target's first call. If there was only one call, it is
        // the open one.
        let stack = names.first_calls.get(&number);
        let stack = stack.filter(|_| sums.calls(number, side) == 1);
        let frames = stack.map_or_else(Vec::new, |stack| names.stack(*stack));
        let given = kept(open);
        let texts = passed::texts(given.as_ref()).chain([&*target]);
        if !room.takes(frames.into_iter().chain(texts)) {
            room.left_out = (all.len() - rows.len()) as u64;
            break;
        }
        let began = clock.since_start(open.layer.since);
        rows.push(OpenRow {
            process: FIRST,
            task: open.task,
            depth: open.depth,
            direction: side.direction(),
            target,
            runtime_internal: is_internal(names, number),
            t: began,
            time: clock.wall.utc(began),
            began,
            duration_ns: clock.until.saturating_sub(began),
            duration_at_least: clock.at_least,
            stack: stack.map_or_else(Vec::new, |stack| callers(names, *stack)),
            args: given.as_ref().map(passed::rows),
        });
    }
    rows
}
