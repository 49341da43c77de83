//! Events back into crossings, by the same state machine that recorded them.

use super::{events::Event, reader::Reader};
use crate::{
    account::{Account, Totals},
    crossing::Crossing,
    fault::Fault,
    layer::{Layers, VecLayers},
    task::{Task, Who},
};

/// One crossing of a replayed task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Which.
    pub crossing: Crossing,
    /// Who was called, or returned; `None` for a return without a call.
    pub target: Option<u32>,
    /// Ticks.
    pub at: u64,
    /// Layers open before it.
    pub depth: u32,
    /// The operating system's number of the thread.
    pub os_thread: u32,
}

/// Takes one recorded event, and tells which crossing that was, if it was one.
#[inline]
pub fn apply(
    task: &mut Task<VecLayers>,
    event: Event,
    at: u64,
    account: &mut impl Account,
) -> Option<(Crossing, Option<u32>, u32)> {
    let depth = task.depth();
    match event {
        Event::Open(crossing, target) => {
            task.cross(crossing, Who::target(target), at, 0, account);
            Some((crossing, Some(target), depth))
        }
        Event::Close(crossing) => {
            // The recorder has matched it already: it closes what is open.
            let top = task
                .layers()
                .below_top(0)
                .map(|layer| (layer.function, layer.slot));
            let function = top.map_or(0, |(function, _)| function);
            task.cross(crossing, Who { function, slot: 0 }, at, 0, account);
            Some((crossing, top.map(|(_, target)| target), depth))
        }
        Event::Unwound(count) => {
            task.unwind(count, account);
            None
        }
        Event::Unmatched(crossing) => {
            account.unmatched(crossing, 0, at);
            account.fault(Fault::Unmatched);
            Some((crossing, None, depth))
        }
    }
}

/// Replays all events of a task; `tell` hears of each crossing, and answers whether to go on.
pub fn replay(
    reader: &Reader,
    task: u32,
    account: &mut impl Account,
    mut tell: impl FnMut(Replayed) -> bool,
) {
    let mut machine = Task::new(VecLayers::default());
    for (os_thread, mut words) in reader.events(task) {
        while let Some(event) = words.next() {
            let at = words.ticks;
            if let Some((crossing, target, depth)) = apply(&mut machine, event, at, account)
                && !tell(Replayed {
                    crossing,
                    target,
                    at,
                    depth,
                    os_thread,
                })
            {
                return;
            }
        }
    }
}

/// The account of a task, made anew from its events.
pub fn totals(reader: &Reader, task: u32) -> Totals {
    let mut totals = Totals::default();
    replay(reader, task, &mut totals, |_| true);
    totals
}
