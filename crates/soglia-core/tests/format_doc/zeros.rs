//! What the document does not name is zero.

use std::ops::Range;

use soglia_core::trace::writer::Level;

use super::{
    doc::{field, fields},
    sample::sample_of,
};

const BLOCK: usize = 4096;

/// Marks the bytes that the document gives a meaning.
struct Named<'a> {
    bytes: &'a [u8],
    named: Vec<bool>,
}

impl Named<'_> {
    fn add(&mut self, range: Range<usize>) {
        self.named[range].fill(true);
    }

    fn structure(&mut self, at: usize, name: &str) {
        for (offset, size, field) in fields(name) {
            if field != "reserved" {
                self.add(at + offset..at + offset + size);
            }
        }
    }

    fn word(&self, at: usize) -> usize {
        u32::from_le_bytes(self.bytes[at..at + 4].try_into().unwrap()) as usize
    }
}

#[test]
#[cfg_attr(miri, ignore = "maps a file")]
fn all_else_is_zero() {
    for level in [Level::Counts, Level::Summary, Level::Events] {
        let mut sample = sample_of(level);
        for n in 10..40 {
            sample
                .task
                .slot_for(soglia_core::crossing::Side::Managed, n);
        }
        let bytes = sample.copy().bytes();
        let named = vec![false; bytes.len()];
        let mut of = Named {
            bytes: &bytes,
            named,
        };
        of.structure(0, "Header");
        of.add(1024..1024 + 512);
        let chunk_field = |name| field("ChunkHeader", name).0;
        let mut at = BLOCK;
        let mut kinds = Vec::new();
        while of.word(at) != 0 {
            let size = of.word(at + chunk_field("blocks")) * BLOCK;
            let used = of.word(at + chunk_field("used"));
            of.structure(at, "ChunkHeader");
            let kind = of.word(at + chunk_field("kind"));
            kinds.push(kind);
            match kind {
                1 => {
                    let mut record = at + 64;
                    while of.word(record) != 0 {
                        let bytes = 4 + (of.word(record) >> 8);
                        of.add(record..record + bytes);
                        record += bytes;
                    }
                }
                2 => {
                    of.structure(at + 64, "TaskRecord");
                    (0..32).for_each(|n| of.structure(at + 232 + n * 40, "Layer"));
                    (0..used).for_each(|n| of.structure(at + 1536 + n * 1600, "Slot"));
                    (0..64).for_each(|n| of.structure(at + 14336 + n * 16, "LastReturn"));
                    // A name is followed by zeros.
                    let name = at + 64 + field("TaskRecord", "name").0;
                    let length = of.word(at + 64 + field("TaskRecord", "name_bytes").0);
                    of.named[name + length..name + 64].fill(false);
                }
                3 => (0..used).for_each(|n| of.structure(at + 64 + n * 1600, "Slot")),
                5 => {
                    let mut word = at + 64;
                    while of.word(word) != 0 {
                        let long = matches!(of.word(word) & 7, 1 | 3 | 7);
                        of.add(word..word + if long { 8 } else { 4 });
                        word += if long { 8 } else { 4 };
                    }
                }
                other => panic!("a chunk of kind {other}"),
            }
            at += size;
        }
        kinds.sort_unstable();
        kinds.dedup();
        let expected: &[usize] = match level {
            Level::Events => &[1, 2, 3, 5],
            _ => &[1, 2, 3],
        };
        assert_eq!(kinds, expected);
        let stray = (0..bytes.len()).find(|at| !of.named[*at] && bytes[*at] != 0);
        assert_eq!(
            stray,
            None,
            "block and byte of it: {:?}",
            stray.map(|at| (at / BLOCK, at % BLOCK))
        );

        // Numbers of few values leave the upper bits of their words zero.
        let few = [
            ("level", 2),
            ("tick_source", 2),
            ("end_kind", 3),
            ("state", 2),
            ("locked", 1),
            ("is_small", 1),
        ];
        for (name, most) in few {
            assert!(of.word(field("Header", name).0) <= most, "{name}");
        }
    }
}
