//! Turns events back into crossings, by the state machine that recorded them.

use super::{events::Event, reader::Reader};
use crate::{
    account::{Account, Totals},
    crossing::Crossing,
    fault::Fault,
    layer::{Layer, Layers, VecLayers},
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

/// After so many events the reader gives memory back.
const IN_A_ROW: usize = 1 << 14;

/// The events of a task in order: the number of the thread, ticks, and the event.
fn events(reader: &Reader, task: u32) -> impl Iterator<Item = (u32, u64, Event)> {
    let mut in_a_row = 0;
    let chunks = reader.events(task);
    chunks.flat_map(move |(os_thread, mut words)| {
        std::iter::from_fn(move || {
            let event = words.next()?;
            in_a_row += 1;
            if in_a_row == IN_A_ROW {
                reader.bytes.has_read(std::mem::take(&mut in_a_row) * 8);
            }
            Some((os_thread, words.ticks, event))
        })
    })
}

/// Replays all events of a task, and calls `tell` for each crossing and for each denied one, until
/// it returns `false`. Returns the task as it was then.
pub fn replay(
    reader: &Reader,
    task: u32,
    account: &mut impl Account,
    mut tell: impl FnMut(Replayed) -> bool,
) -> Task<VecLayers> {
    let mut machine = Task::new(VecLayers::default());
    for (os_thread, mut words) in reader.events(task) {
        let mut events = 0;
        while let Some(event) = words.next() {
            events += 1;
            if events == IN_A_ROW {
                events = 0;
                reader.bytes.has_read(IN_A_ROW * 8);
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
        reader.bytes.has_read(events * 8);
    }
    machine
}

/// The crossings of a task and its denied calls, one after the other. [`replay`] is the same for
/// those who want all of one task at once.
pub struct Crossings<'a> {
    events: Box<dyn Iterator<Item = (u32, u64, Event)> + 'a>,
    machine: Task<VecLayers>,
}

impl<'a> Crossings<'a> {
    /// Those of this task.
    pub fn of(reader: &'a Reader, task: u32) -> Self {
        Self {
            events: Box::new(events(reader, task)),
            machine: Task::new(VecLayers::default()),
        }
    }

    /// The calls that are open after the latest crossing, outermost first.
    pub fn open(&self) -> &[Layer] {
        self.machine.layers().as_slice()
    }
}

impl Iterator for Crossings<'_> {
    type Item = Replayed;

    fn next(&mut self) -> Option<Replayed> {
        loop {
            let (os_thread, at, event) = self.events.next()?;
            let applied = apply(&mut self.machine, event, at, &mut Uncounted);
            if let Some((crossing, how, target, depth)) = applied {
                return Some(Replayed {
                    crossing,
                    how,
                    target,
                    at,
                    depth,
                    os_thread,
                });
            }
        }
    }
}

/// An account that counts nothing, for those who only want to know each crossing.
pub struct Uncounted;

impl Account for Uncounted {
    fn crossed(&mut self, _: Crossing, _: Who, _: u64) {}
    fn unmatched(&mut self, _: Crossing, _: u64, _: u64) {}
    fn unwound(&mut self, _: u32) {}
    fn abandoned(&mut self, _: &mut Layer) {}
    fn closed(&mut self, _: &mut Layer, _: u64, _: u64) {}
    fn untimed(&mut self, _: u32) {}
    fn untimed_return(&mut self, _: Crossing) {}
    fn crossed_failing(&mut self, _: Crossing, _: Who, _: u64) {}
    fn failed(&mut self, _: &mut Layer) {}
    fn refused(&mut self, _: u32, _: u64) {}
    fn fault(&mut self, _: Fault) {}
}

/// The totals of a task up to this time, made anew from its events.
pub fn totals_until(reader: &Reader, task: u32, time: u64) -> Totals {
    let mut machine = Task::new(VecLayers::default());
    let mut totals = Totals::default();
    for (_, at, event) in events(reader, task) {
        if at >= time {
            break;
        }
        apply(&mut machine, event, at, &mut totals);
    }
    totals
}

/// The totals of a task, made anew from its events.
pub fn totals(reader: &Reader, task: u32) -> Totals {
    let mut totals = Totals::default();
    replay(reader, task, &mut totals, |_| true);
    totals
}
