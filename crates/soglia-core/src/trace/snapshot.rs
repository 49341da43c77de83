//! Tasks as they are at the moment of reading: their counters and open layers.

use std::{
    collections::HashMap,
    mem::{align_of, offset_of, size_of},
};

use super::{
    format::{
        BLOCK, CHUNK_LAYERS, CHUNK_SLOTS, ChunkHeader, ChunkKind, FIRST_LAYERS, LAST_RETURNS,
        LAST_RETURNS_OFFSET, LAYERS_OFFSET, LastReturn, NAME_BYTES, Sample, Slot, TASK_BLOCKS,
        TASK_SLOTS, TASK_SLOTS_OFFSET, TaskKind, TaskRecord, VARIANCE_UNIT,
    },
    reader::{Chunk, Reader},
};
use crate::{
    account::{MOST_TARGETS, Total},
    crossing::Side,
    fault::Fault,
    histogram::{BUCKETS, bucket, midpoint},
    layer::{End, Layer, MAX_DEPTH},
    sampling::Sampled,
};

/// A task at the moment of reading.
#[derive(Clone, Debug, Default)]
pub struct TaskSnapshot {
    /// Its number, from 1.
    pub number: u32,
    /// The operating system's number of its (latest) thread.
    pub os_thread: u32,
    /// What it is.
    pub kind: TaskKind,
    /// Threads that were recorded as this task.
    pub threads: u32,
    /// Its name, or an empty text.
    pub name: String,
    /// The most layers that were open at a time.
    pub max_depth: u32,
    /// Faults, by [`Fault`].
    pub faults: [u32; Fault::ALL.len()],
    /// Crossings by [`Crossing`](crate::crossing::Crossing) number minus one. Where calls are only
    /// counted, they lack the returns.
    pub crossings: [u64; 4],
    /// Crossings that are not among the events.
    pub dropped: u64,
    /// Ticks at its first crossing.
    pub first: u64,
    /// Ticks at the end of its thread, if that has ended.
    pub ended: Option<u64>,
    /// Its totals.
    pub targets: HashMap<(u32, Side), Total>,
    /// Open calls, outermost first. `slot` is the target's number.
    pub open: Vec<Layer>,
    /// The last calls that returned, the latest last.
    pub last: Vec<Returned>,
}

/// A call that returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returned {
    /// Ticks when it returned.
    pub at: u64,
    /// The target's number.
    pub target: u32,
}

impl TaskSnapshot {
    /// The total of a target. If a task has more targets than can be, the others share one.
    fn account(&mut self, target: u32, side: Side) -> &mut Total {
        let known = self.targets.len() < MOST_TARGETS || self.targets.contains_key(&(target, side));
        let target = if known { target } else { 0 };
        self.targets.entry((target, side)).or_default()
    }
}

impl Reader {
    /// All tasks, by number.
    pub fn tasks(&self) -> Vec<TaskSnapshot> {
        self.each_task().collect()
    }

    /// All tasks, by number, each read when it is asked for. Together they may take more memory
    /// than the recording.
    pub fn each_task(&self) -> impl Iterator<Item = TaskSnapshot> {
        self.task_chunks().map(|chunk| self.task(chunk))
    }

    /// The number of each task, and the operating system's number of its (latest) thread.
    pub fn threads(&self) -> impl Iterator<Item = (u32, u32)> {
        self.task_chunks().map(|chunk| {
            let record = chunk.at + size_of::<ChunkHeader>();
            let os_thread = record + offset_of!(TaskRecord, os_thread);
            (chunk.task, self.bytes.word(os_thread))
        })
    }

    /// The Task chunks, one of each number, by number.
    pub(super) fn task_chunks(&self) -> impl Iterator<Item = &Chunk> {
        let kind = ChunkKind::Task;
        let first = self
            .chunks
            .partition_point(|c| (c.kind as u32) < kind as u32);
        let all = self.chunks[first..].iter().inspect(|_| self.bytes.step());
        let mut last = None;
        all.take_while(move |c| c.kind == kind)
            .filter(move |c| last.replace(c.task) != Some(c.task))
    }

    fn task(&self, chunk: &Chunk) -> TaskSnapshot {
        let record = chunk.at + size_of::<ChunkHeader>();
        let field = |offset: usize| self.bytes.word(record + offset);
        let array = |offset: usize, n: usize| field(offset + n * 4);
        let name = (field(offset_of!(TaskRecord, name_bytes)) as usize).min(NAME_BYTES);
        let mut task = TaskSnapshot {
            number: chunk.task,
            os_thread: field(offset_of!(TaskRecord, os_thread)),
            kind: TaskKind::from_number(field(offset_of!(TaskRecord, kind))),
            threads: field(offset_of!(TaskRecord, threads)),
            name: self.bytes.text(record + offset_of!(TaskRecord, name), name),
            max_depth: field(offset_of!(TaskRecord, max_depth)),
            faults: std::array::from_fn(|n| array(offset_of!(TaskRecord, faults), n)),
            dropped: self.bytes.long(record + offset_of!(TaskRecord, dropped)),
            first: self.bytes.long(record + offset_of!(TaskRecord, first)),
            ended: Some(self.bytes.long(record + offset_of!(TaskRecord, ended)))
                .filter(|ticks| *ticks != 0),
            ..TaskSnapshot::default()
        };
        for chunk in self.chunks(ChunkKind::Slots, chunk.task) {
            self.slots(chunk, size_of::<ChunkHeader>(), CHUNK_SLOTS, &mut task);
            self.bytes
                .has_read(size_of::<Slot>() * CHUNK_SLOTS as usize);
        }
        self.slots(chunk, TASK_SLOTS_OFFSET, TASK_SLOTS, &mut task);
        let depth = field(offset_of!(TaskRecord, depth)).min(MAX_DEPTH);
        // A live task may have gone deeper since it was read.
        task.max_depth = task.max_depth.max(depth);
        self.open_layers(chunk, depth, &mut task);
        task.last = self.last_returns(chunk);
        self.bytes.has_read(
            chunk.bytes.min(BLOCK * TASK_BLOCKS as usize) + task.open.len() * size_of::<Layer>(),
        );
        // The crossings follow from what became of the calls.
        for ((_, side), total) in &task.targets {
            let (open, close) = match side {
                Side::Unmanaged => (0, 1),
                Side::Managed => (2, 3),
            };
            task.crossings[open] += total.calls();
            task.crossings[close] += total.ended + total.failed;
        }
        for n in 0..4 {
            task.crossings[n] += u64::from(array(offset_of!(TaskRecord, unmatched), n))
                + u64::from(array(offset_of!(TaskRecord, untimed), n));
        }
        task
    }

    fn slots(&self, chunk: &Chunk, offset: usize, most: u32, task: &mut TaskSnapshot) {
        let used = self.bytes.word(chunk.at + offset_of!(ChunkHeader, used));
        let room = chunk.bytes.saturating_sub(offset) / size_of::<Slot>();
        let period = self
            .sampling()
            .map(|by| self.scale().ticks(by.clock_ns.into()));
        for n in 0..room.min(used.min(most) as usize) {
            let at = chunk.at + offset + n * size_of::<Slot>();
            let field = |offset: usize| self.bytes.word(at + offset);
            let long = |offset: usize| self.bytes.long(at + offset);
            let mut total = Total {
                open: 0,
                ended: u64::from(field(offset_of!(Slot, ended))),
                abandoned: u64::from(field(offset_of!(Slot, abandoned))),
                untimed: u64::from(field(offset_of!(Slot, untimed))),
                failed: u64::from(field(offset_of!(Slot, failed))),
                refused: u64::from(field(offset_of!(Slot, refused))),
                total: long(offset_of!(Slot, total)),
                min: long(offset_of!(Slot, min)),
                max: long(offset_of!(Slot, max)),
                ..Total::default()
            };
            total.timed = total.ended;
            total.own = total.total.saturating_sub(long(offset_of!(Slot, nested)));
            for (n, bucket) in total.histogram.iter_mut().enumerate() {
                *bucket = u64::from(field(offset_of!(Slot, histogram) + n * 4));
            }
            if let Some(period) = period {
                self.estimate(at, period, &mut total);
            }
            let side = Side::from_number(field(offset_of!(Slot, side)));
            let of = task.account(field(offset_of!(Slot, target)), side);
            of.add(&total);
        }
    }

    /// Puts estimates into the total of the slot that lies there.
    fn estimate(&self, slot: usize, period: u64, total: &mut Total) {
        const AT: usize = offset_of!(Slot, sample);
        let long = |offset: usize| self.bytes.long(slot + AT + offset);
        let unit = VARIANCE_UNIT as f64;
        let sampled = Sampled {
            ended: total.ended,
            timed: u64::from(self.bytes.word(slot + AT + offset_of!(Sample, timed))),
            total: total.total,
            nested: self.bytes.long(slot + offset_of!(Slot, nested)),
            rest: long(offset_of!(Sample, rest)),
            clipped: long(offset_of!(Sample, clipped)),
            square: long(offset_of!(Sample, square)),
            square_ticks: long(offset_of!(Sample, square_ticks)),
            square_squares: long(offset_of!(Sample, square_squares)),
            greatest_square: long(offset_of!(Sample, greatest_square)),
            moved: long(offset_of!(Sample, moved)),
            moved_variance: long(offset_of!(Sample, moved_variance)) as f64 * unit,
            span: long(offset_of!(Sample, span)),
            nested_variance: long(offset_of!(Sample, nested_variance)) as f64
                + long(offset_of!(Sample, nested_moved_variance)) as f64 * unit,
        };
        let estimate = sampled.estimate(period as f64);
        total.timed = sampled.timed.min(total.ended);
        (total.total, total.own) = (estimate.total, estimate.own);
        total.total_variance = estimate.total_variance;
        total.own_variance = estimate.own_variance;
        // Long calls are all there. The others make up the rest.
        let long = bucket(period).min(BUCKETS - 1) + 1;
        fit(&mut total.histogram[..], long, total.ended, total.total);
    }

    /// The last returns of a task, the latest last.
    fn last_returns(&self, chunk: &Chunk) -> Vec<Returned> {
        let room = chunk.bytes.saturating_sub(LAST_RETURNS_OFFSET) / size_of::<LastReturn>();
        let all = (0..room.min(LAST_RETURNS)).map(|n| {
            let at = chunk.at + LAST_RETURNS_OFFSET + n * size_of::<LastReturn>();
            Returned {
                at: self.bytes.long(at + offset_of!(LastReturn, at)),
                target: self.bytes.word(at + offset_of!(LastReturn, target)),
            }
        });
        let mut all: Vec<Returned> = all.filter(|returned| returned.at != 0).collect();
        // The task stores them in turn, so those of one moment are in order from where the next one
        // will be. The order of these is all that is lost if the clocks of two cores disagree.
        let oldest = (1..all.len()).find(|n| all[*n].at < all[n - 1].at);
        all.rotate_left(oldest.unwrap_or(0));
        all.sort_by_key(|returned| returned.at);
        all
    }

    /// Where the open layers of a task lie, outermost first.
    fn layers(&self, chunk: &Chunk, depth: u32) -> impl Iterator<Item = usize> {
        let room = |c: &Chunk, offset: usize, most: usize| {
            most.min(c.bytes.saturating_sub(offset) / size_of::<Layer>())
        };
        let first = (
            chunk.at + LAYERS_OFFSET,
            room(chunk, LAYERS_OFFSET, FIRST_LAYERS),
        );
        let more = self.chunks(ChunkKind::Layers, chunk.task);
        let more = more.map(move |c| {
            let offset = size_of::<ChunkHeader>();
            (c.at + offset, room(c, offset, CHUNK_LAYERS))
        });
        std::iter::once(first)
            .chain(more)
            .flat_map(|(at, count)| (0..count).map(move |n| at + n * size_of::<Layer>()))
            .take(depth as usize)
    }

    /// Ticks when the open calls of a task began.
    pub(super) fn open_since(&self, chunk: &Chunk) -> impl Iterator<Item = u64> {
        let record = chunk.at + size_of::<ChunkHeader>();
        let depth = self.bytes.word(record + offset_of!(TaskRecord, depth));
        self.layers(chunk, depth.min(MAX_DEPTH))
            .map(|at| self.bytes.long(at + offset_of!(Layer, since)))
    }

    fn open_layers(&self, chunk: &Chunk, depth: u32, task: &mut TaskSnapshot) {
        for at in self.layers(chunk, depth) {
            let slot = self.bytes.word(at + offset_of!(Layer, slot)) as usize * align_of::<Slot>();
            let mut layer = Layer {
                since: self.bytes.long(at + offset_of!(Layer, since)),
                inner: self.bytes.long(at + offset_of!(Layer, inner)),
                mark: self.bytes.long(at + offset_of!(Layer, mark)),
                function: self.bytes.long(at + offset_of!(Layer, function)),
                slot: self.bytes.word(slot + offset_of!(Slot, target)),
                bits: self.bytes.word(at + offset_of!(Layer, bits)),
            };
            if self.sampling().is_some() {
                layer.inner = layer.estimate();
                layer.mark = 0;
            }
            let counter = layer.noted().map(|end| match end {
                End::Ended => offset_of!(Slot, ended),
                End::Abandoned => offset_of!(Slot, abandoned),
                End::Failed => offset_of!(Slot, failed),
            });
            if counter.is_some_and(|offset| layer.is_counted(self.bytes.word(slot + offset))) {
                continue;
            }
            // The slot's side, not the layer's: of a live task, the layer may be half another one.
            layer.bits = self.bytes.word(slot + offset_of!(Slot, side)) & 1;
            task.account(layer.slot, layer.side()).open += 1;
            task.open.push(layer);
        }
    }
}

/// Scales the buckets below `long` so that all have `calls` together. If none of these calls was
/// drawn, they are where their mean is, which follows from the `ticks` of all.
fn fit(histogram: &mut [u64], long: usize, calls: u64, ticks: u64) {
    let (short, rest) = histogram.split_at_mut(long);
    let sum = |of: &[u64]| of.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let (are, wanted) = (sum(short), calls.saturating_sub(sum(rest)));
    if are == 0 {
        let of_bucket = |(n, calls): (usize, &u64)| calls.saturating_mul(midpoint(long + n));
        let of_long = rest.iter().enumerate().map(of_bucket);
        let ticks = ticks.saturating_sub(of_long.fold(0, u64::saturating_add));
        let mean = bucket(ticks / wanted.max(1)).min(long.saturating_sub(1));
        if let Some(bucket) = short.get_mut(mean) {
            *bucket = wanted;
        }
        return;
    }
    let (mut seen, mut given) = (0_u64, 0_u64);
    for bucket in short {
        seen = seen.saturating_add(*bucket);
        let up_to = u128::from(seen) * u128::from(wanted) / u128::from(are);
        *bucket = (up_to as u64).saturating_sub(given);
        given = up_to as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The buckets below 1,000 ticks are scaled.
    fn fitted(buckets: &[(u64, u64)], calls: u64, ticks: u64) -> Vec<(u64, u64)> {
        let mut histogram = [0; BUCKETS];
        for (ticks, calls) in buckets {
            histogram[bucket(*ticks)] = *calls;
        }
        fit(&mut histogram, bucket(1000), calls, ticks);
        let all = histogram
            .iter()
            .enumerate()
            .filter(|(_, calls)| **calls > 0);
        all.map(|(n, calls)| (midpoint(n), *calls)).collect()
    }

    #[test]
    fn drawn_calls_stand_for_the_short_ones() {
        let middle = |ticks| midpoint(bucket(ticks));
        let drawn = [(10, 1), (20, 3), (5000, 2)];
        let expected = vec![(middle(10), 10), (middle(20), 30), (middle(5000), 2)];
        assert_eq!(fitted(&drawn, 42, 0), expected);
        // Of a live recording, the count of calls may be older than the buckets.
        assert_eq!(fitted(&drawn, 1, 0), [(middle(5000), 2)]);
    }

    #[test]
    fn without_a_drawn_call_short_ones_are_at_their_mean() {
        let middle = |ticks| midpoint(bucket(ticks));
        let long = middle(5000);
        let all = fitted(&[(5000, 1)], 5, long + 4 * 100);
        assert_eq!(all, [(middle(100), 4), (long, 1)]);
        assert_eq!(fitted(&[(5000, 1)], 1, long), [(long, 1)]);
        // A mean that is too large is that of the longest short call.
        assert_eq!(fitted(&[], 3, u64::MAX), [(midpoint(bucket(1000) - 1), 3)]);
        // Recordings may hold any numbers.
        assert_eq!(fitted(&[(5000, u64::MAX)], 0, 0), [(long, u64::MAX)]);
    }
}
