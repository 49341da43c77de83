//! Turns events back into crossings, by the state machine that recorded them.

use super::{events::Event, reader::Reader};
use crate::{
    account::{Account, Totals},
    crossing::Crossing,
    fault::Fault,
    layer::{Layers, VecLayers},
    task::{Task, Who},
};

/// What a replayed event was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// An ordinary crossing.
    Crossed,
    /// The `EnterRuntime` of a call that ended by an exception.
    Failed,
    /// A `LeaveRuntime` that a policy denied: no crossing was made.
    Refused,
}

/// One crossing of a replayed task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The crossing.
    pub crossing: Crossing,
    /// What became of it.
    pub how: How,
    /// The target that was called or that returned; `None` for a return without a call.
    pub target: Option<u32>,
    /// Ticks.
    pub at: u64,
    /// Layers open before it.
    pub depth: u32,
    /// The operating system's number of the thread.
    pub os_thread: u32,
}

/// Applies one recorded event to a task. If it was a crossing, returns that crossing, how it was
/// made, its target and the depth before it.
#[inline]
pub fn apply(
    task: &mut Task<VecLayers>,
    event: Event,
    at: u64,
    account: &mut impl Account,
) -> Option<(Crossing, How, Option<u32>, u32)> {
    let depth = task.depth();
    // The recorder has matched returns already, so they close the innermost layer. A broken
    // recording may have others, and searching the layers for each would take long.
    let is_too_deep = depth > task.layers().depth();
    let innermost = |task: &Task<VecLayers>, side| {
        let top = task.layers().below_top(0);
        let fits = top.filter(|layer| is_too_deep || layer.side() == side);
        fits.map(|layer| (layer.function >> 1, layer.slot))
    };
    match event {
        Event::Open(crossing, target) => {
            task.cross(crossing, Who::target(target), at, 0, account);
            Some((crossing, How::Crossed, Some(target), depth))
        }
        Event::Failed => {
            let crossing = Crossing::EnterRuntime;
            let Some((function, target)) = innermost(task, crossing.side()) else {
                return Some(unmatched(crossing, depth, at, account));
            };
            task.fail(function, at, account);
            Some((crossing, How::Failed, Some(target), depth))
        }
        Event::Refused(target) => {
            account.refused(target, at);
            Some((Crossing::LeaveRuntime, How::Refused, Some(target), depth))
        }
        Event::Close(crossing) => {
            let Some((function, target)) = innermost(task, crossing.side()) else {
                return Some(unmatched(crossing, depth, at, account));
            };
            task.cross(crossing, Who { function, slot: 0 }, at, 0, account);
            Some((crossing, How::Crossed, Some(target), depth))
        }
        Event::Unwound(count) => {
            task.unwind(count, account);
            None
        }
        Event::Unmatched(crossing) => Some(unmatched(crossing, depth, at, account)),
    }
}

fn unmatched(
    crossing: Crossing,
    depth: u32,
    at: u64,
    account: &mut impl Account,
) -> (Crossing, How, Option<u32>, u32) {
    account.unmatched(crossing, 0, at);
    account.fault(Fault::Unmatched);
    (crossing, How::Crossed, None, depth)
}

/// Replays all events of a task, and calls `tell` for each crossing and for each denied one, until
/// it returns `false`. Returns the task as it was then.
pub fn replay(
    reader: &Reader,
    task: u32,
    account: &mut impl Account,
    mut tell: impl FnMut(Replayed) -> bool,
) -> Task<VecLayers> {
    // After so many events the reader gives memory back.
    const IN_A_ROW: u32 = 1 << 14;
    let mut machine = Task::new(VecLayers::default());
    for (os_thread, mut words) in reader.events(task) {
        let mut events = 0_u32;
        while let Some(event) = words.next() {
            events += 1;
            if events == IN_A_ROW {
                events = 0;
                reader.bytes.has_read(IN_A_ROW as usize * 8);
            }
            let at = words.ticks;
            if let Some((crossing, how, target, depth)) = apply(&mut machine, event, at, account)
                && !tell(Replayed {
                    crossing,
                    how,
                    target,
                    at,
                    depth,
                    os_thread,
                })
            {
                return machine;
            }
        }
        reader.bytes.has_read(events as usize * 8);
    }
    machine
}

/// The totals of a task, made anew from its events.
pub fn totals(reader: &Reader, task: u32) -> Totals {
    let mut totals = Totals::default();
    replay(reader, task, &mut totals, |_| true);
    totals
}
