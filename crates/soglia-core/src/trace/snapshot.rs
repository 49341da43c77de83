//! Tasks as a recording shows them at the moment of reading: accounts and open layers.

use std::{
    collections::HashMap,
    mem::{align_of, offset_of, size_of},
};

use super::{
    format::{
        CHUNK_LAYERS, ChunkHeader, ChunkKind, FIRST_LAYERS, LAYERS_OFFSET, NAME_BYTES, Slot,
        TASK_SLOTS_OFFSET, TaskKind, TaskRecord,
    },
    reader::{Chunk, Reader},
};
use crate::{
    account::Total,
    crossing::Side,
    fault::Fault,
    histogram::BUCKETS,
    layer::{End, Layer, MAX_DEPTH},
};

/// A task as it was found.
#[derive(Clone, Debug, Default)]
pub struct TaskSnapshot {
    /// Its number, from 1.
    pub number: u32,
    /// The operating system's number of its (latest) thread.
    pub os_thread: u32,
    /// What it is.
    pub kind: TaskKind,
    /// Threads that were folded into it.
    pub threads: u32,
    /// Its name, or nothing.
    pub name: String,
    /// The deepest nesting.
    pub max_depth: u32,
    /// By [`Fault`].
    pub faults: [u32; Fault::ALL.len()],
    /// Crossings by [`Crossing`](crate::crossing::Crossing) number minus one. Where calls are only counted, their returns are not
    /// among them.
    pub crossings: [u64; 4],
    /// Crossings that are not among the events.
    pub dropped: u64,
    /// Whether its thread has ended.
    pub ended: bool,
    /// Its account.
    pub targets: HashMap<(u32, Side), Total>,
    /// Calls open when it was read, outermost first; `slot` is the target's number.
    pub open: Vec<Layer>,
}

impl Reader {
    /// All tasks, by number.
    pub fn tasks(&self) -> Vec<TaskSnapshot> {
        let mut tasks: Vec<_> = self
            .chunks
            .iter()
            .filter(|c| c.kind == ChunkKind::Task)
            .map(|c| self.task(c))
            .collect();
        tasks.sort_by_key(|t| t.number);
        tasks
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
            ended: self.bytes.long(record + offset_of!(TaskRecord, ended)) != 0,
            ..TaskSnapshot::default()
        };
        for chunk in self.chunks(ChunkKind::Slots, chunk.task) {
            self.slots(chunk.at, size_of::<ChunkHeader>(), chunk.bytes, &mut task);
        }
        self.slots(chunk.at, TASK_SLOTS_OFFSET, chunk.bytes, &mut task);
        let depth = field(offset_of!(TaskRecord, depth)).min(MAX_DEPTH);
        // The writer stores the depth first, and a live one may have gone deeper since.
        task.max_depth = task.max_depth.max(depth);
        self.open_layers(chunk, depth, &mut task);
        // Which crossings there were follows from what became of the calls.
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

    fn slots(&self, chunk: usize, offset: usize, bytes: usize, task: &mut TaskSnapshot) {
        let used = self.bytes.word(chunk + offset_of!(ChunkHeader, used)) as usize;
        let room = bytes.saturating_sub(offset) / size_of::<Slot>();
        for n in 0..used.min(room) {
            let at = chunk + offset + n * size_of::<Slot>();
            let field = |offset: usize| self.bytes.word(at + offset);
            let long = |offset: usize| self.bytes.long(at + offset);
            let mut total = Total {
                open: 0,
                ended: u64::from(field(offset_of!(Slot, ended))),
                abandoned: u64::from(field(offset_of!(Slot, abandoned))),
                untimed: u64::from(field(offset_of!(Slot, untimed))),
                failed: u64::from(field(offset_of!(Slot, failed))),
                refused: u64::from(field(offset_of!(Slot, refused))),
                own: 0,
                total: long(offset_of!(Slot, total)),
                min: long(offset_of!(Slot, min)),
                max: long(offset_of!(Slot, max)),
                histogram: Box::new([0; BUCKETS]),
            };
            total.own = total.total.saturating_sub(long(offset_of!(Slot, nested)));
            for (n, bucket) in total.histogram.iter_mut().enumerate() {
                *bucket = u64::from(field(offset_of!(Slot, histogram) + n * 4));
            }
            let key = (
                field(offset_of!(Slot, target)),
                Side::from_number(field(offset_of!(Slot, side))),
            );
            task.targets.entry(key).or_default().add(&total);
        }
    }

    fn open_layers(&self, chunk: &Chunk, depth: u32, task: &mut TaskSnapshot) {
        let first = (chunk.at + LAYERS_OFFSET, FIRST_LAYERS);
        let more = self.chunks(ChunkKind::Layers, chunk.task);
        let more = more.map(|c| (c.at + size_of::<ChunkHeader>(), CHUNK_LAYERS));
        let places = std::iter::once(first)
            .chain(more)
            .flat_map(|(at, count)| (0..count).map(move |n| at + n * size_of::<Layer>()));
        for at in places.take(depth as usize) {
            let slot = self.bytes.word(at + offset_of!(Layer, slot)) as usize * align_of::<Slot>();
            let mut layer = Layer {
                since: self.bytes.long(at + offset_of!(Layer, since)),
                inner: self.bytes.long(at + offset_of!(Layer, inner)),
                mark: self.bytes.long(at + offset_of!(Layer, mark)),
                function: self.bytes.long(at + offset_of!(Layer, function)),
                slot: self.bytes.word(slot + offset_of!(Slot, target)),
                bits: self.bytes.word(at + offset_of!(Layer, bits)),
            };
            let counter = layer.noted().map(|end| match end {
                End::Ended => offset_of!(Slot, ended),
                End::Abandoned => offset_of!(Slot, abandoned),
                End::Failed => offset_of!(Slot, failed),
            });
            if counter.is_some_and(|offset| layer.is_counted(self.bytes.word(slot + offset))) {
                continue;
            }
            // The slot's side, not the layer's: of a live task the layer may be half another one.
            layer.bits = self.bytes.word(slot + offset_of!(Slot, side)) & 1;
            task.targets
                .entry((layer.slot, layer.side()))
                .or_default()
                .open += 1;
            task.open.push(layer);
        }
    }
}
