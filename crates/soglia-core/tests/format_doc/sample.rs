//! A small recording, and copies of it to be changed.

use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use soglia_core::{
    crossing::{Crossing, Side},
    task::Who,
    trace::{
        log::Record,
        reader::Reader,
        task_writer::TaskWriter,
        writer::{Level, Options, Recording, create},
    },
};
use tempfile::{NamedTempFile, TempDir};

use super::doc::field;

/// Numbers of the runtime for the functions of the two targets.
pub const FUNCTIONS: [u64; 2] = [0x40, 0x80];
/// Ticks of the crossings of task 1, from its first ticks on: a call of target 1 with a callback to
/// target 2 in it, and the same once more, left open.
pub const STEPS: [(Crossing, u64); 7] = [
    (Crossing::LeaveRuntime, 100),
    (Crossing::ReverseEnterRuntime, 110),
    (Crossing::ReverseLeaveRuntime, 150),
    (Crossing::EnterRuntime, 200),
    (Crossing::LeaveRuntime, 300),
    (Crossing::ReverseEnterRuntime, 320),
    (Crossing::LeaveRuntime, 350),
];
/// Marks of the layers that are left open.
pub const MARKS: [u64; 3] = [0x7000, 0x6800, 0x6000];
pub const THREAD: u32 = 4711;
pub const NAME: &str = "worker-1";
pub const MAX_BYTES: u64 = 1 << 20;
pub const SLOW_NS: u64 = 250;

pub struct Sample {
    _dir: TempDir,
    path: PathBuf,
    pub task: Box<TaskWriter>,
    /// Ticks of the task's begin.
    pub first: u64,
}

pub fn sample() -> Sample {
    sample_of(Level::Events)
}

pub fn sample_of(level: Level) -> Sample {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sample.soglia");
    let options = Options {
        level,
        max_bytes: MAX_BYTES,
        slow_ns: SLOW_NS,
        sampling: None,
    };
    create(&path, &options).unwrap();
    let recording: &'static Recording = Box::leak(Box::new(Recording::claim(&path).unwrap()));
    recording.log(&Record::Remark {
        text: "remark".into(),
    });
    let first = Reader::open(&path).unwrap().start_ticks();
    let mut task = TaskWriter::new(recording, THREAD, first).unwrap();
    task.record().rename(NAME);
    let slots = [
        task.learn(FUNCTIONS[0], Side::Unmanaged, 1, 0),
        task.learn(FUNCTIONS[1], Side::Managed, 2, 0),
    ];
    let mut marks = MARKS.iter();
    for (n, (crossing, after)) in STEPS.into_iter().enumerate() {
        let of = crossing.side() as usize;
        let (slot, mark) = match (crossing.opens(), n) {
            (true, 4..) => (slots[of], *marks.next().unwrap()),
            (true, _) => (slots[of], 0),
            (false, _) => (0, 0),
        };
        let function = FUNCTIONS[of];
        task.cross(crossing, Who { function, slot }, first + after, mark);
    }
    Sample {
        _dir: dir,
        path,
        task,
        first,
    }
}

impl Sample {
    /// A copy that passes for the file itself.
    pub fn copy(&self) -> Copy {
        let file = NamedTempFile::new().unwrap();
        fs::copy(&self.path, file.path()).unwrap();
        let inode = file.as_file().metadata().unwrap().ino();
        let copy = Copy(file);
        copy.put(field("Header", "inode").0, &inode.to_le_bytes());
        copy
    }
}

pub struct Copy(NamedTempFile);

impl Copy {
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn file(&self) -> &File {
        self.0.as_file()
    }

    pub fn put(&self, at: usize, bytes: &[u8]) {
        self.file().write_all_at(bytes, at as u64).unwrap();
    }

    /// Puts into a field of the header.
    pub fn put_header(&self, name: &str, bytes: &[u8]) {
        self.put(field("Header", name).0, bytes);
    }

    pub fn bytes(&self) -> Vec<u8> {
        fs::read(self.path()).unwrap()
    }

    pub fn get(&self, at: usize, size: usize) -> u64 {
        let mut bytes = [0; 8];
        self.file()
            .read_exact_at(&mut bytes[..size], at as u64)
            .unwrap();
        u64::from_le_bytes(bytes)
    }

    pub fn reader(&self) -> Reader {
        Reader::open_partial(self.path()).unwrap()
    }

    /// Where the first chunk of this kind and task begins, found as the document says.
    pub fn chunk(&self, kind: u64, task: u64) -> usize {
        let of = |at: usize, name| {
            let (offset, size) = field("ChunkHeader", name);
            self.get(at + offset, size)
        };
        let mut at = 4096;
        loop {
            assert_eq!(of(at, "magic"), 0x4b43_4753, "no such chunk");
            if (of(at, "kind"), of(at, "task")) == (kind, task) {
                return at;
            }
            at += of(at, "blocks") as usize * 4096;
        }
    }
}
