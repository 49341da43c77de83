//! Recordings that no program has written.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use soglia_core::crossing::{Crossing, Side};
use soglia_core::task::Who;
use soglia_core::time;
use soglia_core::trace::format::BLOCK;
use soglia_core::trace::log::{Record, TargetNames};
use soglia_core::trace::task_writer::TaskWriter;
use soglia_core::trace::writer::{Level, Options, Recording, create};

/// Blocks of a recording.
pub struct Craft {
    pub blocks: Vec<u8>,
}

pub fn put(bytes: &mut [u8], at: usize, word: u32) {
    bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

impl Craft {
    pub fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    /// A chunk of so many blocks; `fill` gets what is after its header.
    pub fn chunk(
        &mut self,
        kind: u32,
        blocks: usize,
        task: u32,
        sequence: u32,
        used: u32,
        fill: impl FnOnce(&mut [u8]),
    ) -> &mut Self {
        let mut chunk = vec![0; blocks * BLOCK];
        let head = [0x4b43_4753, kind, blocks as u32, task, sequence, used];
        for (n, word) in head.into_iter().enumerate() {
            put(&mut chunk, n * 4, word);
        }
        fill(&mut chunk[64..]);
        self.blocks.extend_from_slice(&chunk);
        self
    }

    /// A task of one block and this depth.
    pub fn task(&mut self, number: u32, depth: u32) -> &mut Self {
        self.chunk(2, 1, number, 0, 0, |record| {
            for (n, word) in [depth, depth, number, 4711].into_iter().enumerate() {
                put(record, n * 4, word);
            }
        })
    }

    pub fn slots(
        &mut self,
        blocks: usize,
        task: u32,
        sequence: u32,
        first: u32,
        used: u32,
    ) -> &mut Self {
        self.chunk(3, blocks, task, sequence, used, |slots| {
            for (n, slot) in slots.chunks_exact_mut(1472).enumerate() {
                put(slot, 0, first + n as u32);
                put(slot, 4, 1);
            }
        })
    }

    /// Events of these words.
    pub fn events(&mut self, task: u32, words: impl IntoIterator<Item = u32>) -> &mut Self {
        let words: Vec<u32> = words.into_iter().collect();
        let blocks = (64 + words.len() * 4 + 4).div_ceil(BLOCK);
        self.chunk(5, blocks, task, 0, 0, |bytes| {
            for (n, word) in words.into_iter().enumerate() {
                put(bytes, n * 4, word);
            }
        })
    }

    pub fn log(&mut self, records: impl IntoIterator<Item = Record>) -> &mut Self {
        let words: Vec<u32> = records.into_iter().flat_map(|r| r.encode()).collect();
        let blocks = (64 + words.len() * 4 + 4).div_ceil(BLOCK);
        self.chunk(1, blocks, 0, 0, 0, |bytes| {
            for (n, word) in words.into_iter().enumerate() {
                put(bytes, n * 4, word);
            }
        })
    }

    /// The file of a process that has ended, with events or without. It may be longer than its
    /// blocks, and claim more.
    pub fn write(&self, path: &Path, level: Level, blocks: Option<u64>) -> PathBuf {
        let options = Options {
            level,
            ..Options::default()
        };
        let _ = fs::remove_file(path);
        let file = create(path, &options).unwrap();
        let mut header = vec![0; BLOCK];
        file.read_exact_at(&mut header, 0).unwrap();
        let all = blocks.unwrap_or(1 + (self.blocks.len() / BLOCK) as u64);
        let claimed = u32::try_from(all).unwrap_or(u32::MAX);
        put(&mut header, 20, u32::MAX);
        put(&mut header, 28, claimed);
        put(&mut header, 176, claimed);
        // The number of some process.
        put(&mut header, 152, 1);
        put(&mut header, 156, u32::MAX);
        file.set_len(0).unwrap();
        file.write_all_at(&header, 0).unwrap();
        file.write_all_at(&self.blocks, BLOCK as u64).unwrap();
        file.set_len(all * BLOCK as u64).unwrap();
        path.to_owned()
    }
}

pub fn target(number: u32, name: &str) -> Record {
    let name = || Some(name.to_owned());
    Record::Target(TargetNames {
        target: number,
        side: number & 1,
        method: name(),
        assembly: name(),
        library: name(),
        entry: name(),
        ..TargetNames::default()
    })
}

/// A stack of `frames` frames of one long text.
pub fn laughs(frames: usize) -> [Record; 2] {
    let text = "A".repeat(16 << 10);
    let frames = vec![1; frames];
    [
        Record::Text { number: 1, text },
        Record::Stack { number: 1, frames },
    ]
}

/// The word of a call of target 1, and of its return.
pub const CALL: u32 = 1 << 4;

pub const RETURN: u32 = 2;

/// A recording with a bit of everything.
pub fn record(path: &Path) {
    // It is read and written as a whole, again and again.
    let options = Options {
        level: Level::Events,
        max_bytes: 2 << 20,
        ..Options::default()
    };
    let _file = create(path, &options).unwrap();
    let recording: &'static Recording = Box::leak(Box::new(Recording::claim(path).unwrap()));
    for n in 1..20 {
        recording.log(&target(n, &format!("name{n}")));
    }
    recording.log(&Record::Text {
        number: 1,
        text: "frame".into(),
    });
    recording.log(&Record::Stack {
        number: 1,
        frames: vec![1; 9],
    });
    recording.log(&Record::Slow {
        target: 1,
        task: 1,
        at: time::now(),
        took: 99,
        stack: 1,
    });
    for number in 0..3 {
        let mut task = TaskWriter::new(recording, 70 + number, time::now()).unwrap();
        for n in 0..2000_u64 {
            let (function, target) = (64 * (1 + n % 19), 1 + (n % 19) as u32);
            let slot = task.learn(function, Side::Unmanaged, target, 0);
            task.cross(
                Crossing::LeaveRuntime,
                Who { function, slot },
                time::now(),
                0,
            );
            if n % 100 != 7 {
                task.cross(
                    Crossing::EnterRuntime,
                    Who { function, slot: 0 },
                    time::now(),
                    0,
                );
            }
        }
    }
}
