//! Calls, made of the events of a recording.

use std::{cell::RefCell, io};

use soglia_core::{
    account::Account,
    crossing::{Crossing, Side, Who},
    fault::Fault,
    layer::Layer,
    trace::{ending::Ending, reader::Reader, replay, snapshot::TaskSnapshot},
};

use super::sink::{Call, Outcome, Sink, TaskInfo};

/// After so many crossings, those who wait hear how far the export is.
const BETWEEN: u64 = 1 << 14;

/// What an export lacks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Crossings that are not among the events.
    pub crossings: u64,
}

/// Gives the calls of all tasks to a sink, and finishes it. Calls `progress` with the number of
/// crossings that it has taken.
///
/// # Errors
/// If the sink cannot write.
pub fn each(
    reader: &Reader,
    sink: &mut dyn Sink,
    mut progress: impl FnMut(u64),
) -> io::Result<Missing> {
    let (mut missing, mut done) = (Missing::default(), 0);
    let ending = reader.ending();
    for task in reader.each_task() {
        missing.crossings = missing.crossings.saturating_add(task.dropped);
        one(reader, &ending, &task, sink, &mut done, &mut progress)?;
    }
    sink.finish()?;
    Ok(missing)
}

/// The crossings that all events together have, at most.
pub fn crossings(reader: &Reader) -> u64 {
    let of = |task: TaskSnapshot| {
        let all = task.crossings.into_iter().fold(0, u64::saturating_add);
        all.saturating_sub(task.dropped)
    };
    reader.each_task().map(of).fold(0, u64::saturating_add)
}

fn one(
    reader: &Reader,
    ending: &Ending,
    task: &TaskSnapshot,
    sink: &mut dyn Sink,
    done: &mut u64,
    progress: &mut impl FnMut(u64),
) -> io::Result<()> {
    let start = reader.start_ticks();
    let ns = |ticks: u64| reader.scale().ns(ticks.saturating_sub(start));
    sink.task(&TaskInfo {
        number: task.number,
        os_thread: task.os_thread,
        kind: task.kind.name(),
        name: task.name.clone(),
        began: ns(task.first),
        until: task.ended.map_or(ending.ns, ns),
    })?;
    let steps = RefCell::new(Vec::new());
    let mut walker = Walker {
        steps: &steps,
        depth: 0,
        at: 0,
    };
    let call = |step: Step, os_thread: u32, now: u64| Call {
        task: task.number,
        os_thread,
        target: step.target,
        side: step.side,
        depth: step.depth,
        began: ns(step.began),
        ended: ns(step.ended.unwrap_or(now)),
        own: reader.scale().ns(step.own),
        outcome: step.outcome.unwrap_or(Outcome::Open),
    };
    let (mut result, mut last_thread, mut last) = (Ok(()), task.os_thread, start);
    let left = replay::replay(reader, task.number, &mut walker, |crossed| {
        *done += 1;
        if done.is_multiple_of(BETWEEN) {
            progress(*done);
        }
        (last_thread, last) = (crossed.os_thread, crossed.at);
        result = steps
            .borrow_mut()
            .drain(..)
            .try_for_each(|step| give(sink, step, &call(step, crossed.os_thread, crossed.at)));
        result.is_ok()
    });
    result?;
    for step in steps.take() {
        give(sink, step, &call(step, last_thread, last))?;
    }
    // Innermost first, as they would have returned. Where events are missing, so are returns: then
    // nothing says how long these calls lasted.
    let all = left.layers().as_slice();
    let last = ns(last);
    for (depth, layer) in all.iter().enumerate().rev() {
        let began = ns(layer.since);
        let whole = task.dropped == 0;
        let ended = if whole { ending.ns.max(last) } else { last };
        let inner = all
            .get(depth + 1)
            .map_or(0, |next| ended.saturating_sub(ns(next.since)));
        let inner = inner.saturating_add(reader.scale().ns(layer.inner));
        let ended = ended.max(began);
        sink.ended(&Call {
            task: task.number,
            os_thread: last_thread,
            target: layer.slot,
            side: layer.side(),
            depth: u32::try_from(depth).unwrap_or(u32::MAX),
            began,
            ended,
            own: (ended - began).saturating_sub(inner),
            outcome: Outcome::Open,
        })?;
    }
    Ok(())
}

fn give(sink: &mut dyn Sink, step: Step, call: &Call) -> io::Result<()> {
    match step.outcome {
        None => sink.began(call),
        Some(_) => sink.ended(call),
    }
}

/// A begin, or an end with its outcome. In ticks.
#[derive(Clone, Copy)]
struct Step {
    outcome: Option<Outcome>,
    target: u32,
    side: Side,
    depth: u32,
    began: u64,
    /// `None`: the time of the next crossing.
    ended: Option<u64>,
    own: u64,
}

/// Keeps what follows from one event.
struct Walker<'a> {
    steps: &'a RefCell<Vec<Step>>,
    depth: u32,
    /// Ticks of the last crossing.
    at: u64,
}

impl Walker<'_> {
    fn push(&self, step: Step) {
        self.steps.borrow_mut().push(step);
    }

    /// An end that has no duration.
    fn moment(&self, target: u32, side: Side, at: u64, outcome: Outcome) {
        self.push(Step {
            outcome: Some(outcome),
            target,
            side,
            depth: self.depth,
            began: at,
            ended: Some(at),
            own: 0,
        });
    }

    fn close(&mut self, layer: &Layer, ended: Option<u64>, own: u64, outcome: Outcome) {
        self.depth = self.depth.saturating_sub(1);
        self.push(Step {
            outcome: Some(outcome),
            target: layer.slot,
            side: layer.side(),
            depth: self.depth,
            began: layer.since,
            ended,
            own,
        });
    }
}

impl Account for Walker<'_> {
    fn crossed(&mut self, crossing: Crossing, who: Who, at: u64) {
        self.at = at;
        if crossing.opens() {
            self.push(Step {
                outcome: None,
                target: who.slot,
                side: crossing.side(),
                depth: self.depth,
                began: at,
                ended: Some(at),
                own: 0,
            });
            self.depth += 1;
        }
    }

    fn closed(&mut self, layer: &mut Layer, total: u64, own: u64) {
        let ended = layer.since.saturating_add(total);
        self.close(layer, Some(ended), own, Outcome::Returned);
    }

    fn crossed_failing(&mut self, _: Crossing, _: Who, at: u64) {
        self.at = at;
    }

    fn failed(&mut self, layer: &mut Layer) {
        let ended = self.at.max(layer.since);
        let own = (ended - layer.since).saturating_sub(layer.inner);
        self.close(layer, Some(ended), own, Outcome::Failed);
    }

    fn abandoned(&mut self, layer: &mut Layer) {
        // The crossing that shows that they are gone is the next one.
        self.close(layer, None, 0, Outcome::Abandoned);
    }

    fn untimed(&mut self, slot: u32) {
        self.depth = self.depth.saturating_sub(1);
        let opened = self.steps.borrow_mut().pop();
        if let Some(opened) = opened {
            self.moment(slot, opened.side, opened.began, Outcome::Untimed);
        }
    }

    fn refused(&mut self, slot: u32, at: u64) {
        self.moment(slot, Side::Unmanaged, at, Outcome::Refused);
    }

    fn unmatched(&mut self, crossing: Crossing, _: u64, at: u64) {
        self.moment(0, crossing.side(), at, Outcome::Unmatched);
    }

    fn unwound(&mut self, _: u32) {}
    fn untimed_return(&mut self, _: Crossing) {}
    fn fault(&mut self, _: Fault) {}
}
