//! Events become lanes and nesting.

use soglia_core::{
    account::Account,
    crossing::{Crossing, Side},
    fault::Fault,
    layer::Layer,
    task::Who,
    trace::{reader::Reader, replay::replay, snapshot::TaskSnapshot},
};

use super::{
    lanes::{Lanes, Outcome, Slice},
    nesting::{Nesting, ROOT},
};

/// Adds the calls of one task. Returns when its events end, in ticks, if crossings are missing.
pub(super) fn add(
    reader: &Reader,
    task: &TaskSnapshot,
    until: u64,
    lanes: &mut Lanes,
    nesting: &mut Nesting,
) -> Option<u64> {
    lanes.begin_task();
    let mut watch = Watch {
        lanes,
        nesting,
        open: Vec::new(),
        at: task.first,
    };
    let left = replay(reader, task.number, &mut watch, |_| true);
    let end = watch.at;
    let is_cut = task.dropped > 0;
    for (depth, layer) in left.layers().as_slice().iter().enumerate() {
        let (until, outcome) = match is_cut {
            true => (end, Outcome::Unseen),
            false => (until, Outcome::Open),
        };
        let slice = Slice::call(layer.slot, layer.side(), layer.since, until, outcome);
        watch.lanes.add(depth, slice);
    }
    is_cut.then_some(end)
}

/// Follows the calls of one task.
struct Watch<'a> {
    lanes: &'a mut Lanes,
    nesting: &'a mut Nesting,
    /// The node of each open call.
    open: Vec<u32>,
    /// The time of the last crossing.
    at: u64,
}

impl Watch<'_> {
    fn close(&mut self, layer: &Layer, until: u64, own: u64, outcome: Outcome) {
        let node = self.open.pop().unwrap_or(ROOT);
        self.nesting.count(node, own);
        let slice = Slice::call(layer.slot, layer.side(), layer.since, until, outcome);
        self.lanes.add(self.open.len(), slice);
    }
}

impl Account for Watch<'_> {
    fn crossed(&mut self, crossing: Crossing, who: Who, at: u64) {
        self.at = at;
        if crossing.opens() {
            let parent = self.open.last().copied().unwrap_or(ROOT);
            let side = match crossing {
                Crossing::ReverseEnterRuntime => Side::Managed,
                _ => Side::Unmanaged,
            };
            self.open.push(self.nesting.child(parent, who.slot, side));
        }
    }

    fn closed(&mut self, layer: &mut Layer, total: u64, own: u64) {
        let until = layer.since.saturating_add(total);
        self.close(layer, until, own, Outcome::Returned);
    }

    fn failed(&mut self, layer: &mut Layer) {
        let own = self.at.saturating_sub(layer.since);
        let own = own.saturating_sub(layer.inner);
        self.close(layer, self.at, own, Outcome::Failed);
    }

    fn abandoned(&mut self, layer: &mut Layer) {
        // It was gone at some time before the next crossing.
        self.close(layer, self.at, 0, Outcome::Abandoned);
    }

    fn untimed(&mut self, _: u32) {
        // It is too deep to become a layer.
        self.open.pop();
    }

    fn crossed_failing(&mut self, _: Crossing, _: Who, at: u64) {
        self.at = at;
    }

    fn unmatched(&mut self, _: Crossing, _: u64, _: u64) {}
    fn unwound(&mut self, _: u32) {}
    fn untimed_return(&mut self, _: Crossing) {}
    fn refused(&mut self, _: u32, _: u64) {}
    fn fault(&mut self, _: Fault) {}
}
